"""Images -> labels and probabilities, by the fastest engine there is."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from time import perf_counter

import torch
from PIL import Image
from torch import Tensor

from ..data.augment import normalise
from ..data.crops import check_scheme
from ..data.decode import decode
from ..data.views import Laid, layout, passes, resample
from ..errors import BadImage, GodeeperError
from ..models.load import load
from ..models.network import Network
from .card import Card, is_exported, read_card
from .choose import candidates, fastest
from .engines import Engine, EngineName, Precision, check_pair, from_onnx, make_engine

ImageInput = str | Path | bytes | Image.Image
PASS_PIXELS, PASS_VIEWS = 8 * 299 * 299, 32  # of a pass on the CPU: more do not run faster there
MEASURED = 4  # views of the pass that the choice of an engine rests on


@dataclass(frozen=True)
class Prediction:
    """The classes of one image, likeliest first, and their probabilities (0..1)."""

    labels: tuple[str, ...]
    probabilities: tuple[float, ...]


class Predictor:
    """Names what is in an image. `model` is a network, a run folder, weights file or published name, or an exported file.

    `engine` is torch, openvino or onnxruntime; auto measures those that are installed, once a machine, and takes the fastest.
    `precision` is fp32, bf16 or int8; auto is that of an exported file, else fp32, in which every engine gives the same
    probabilities (within 1e-5). int8 is a matter of exported files. `compiled` has torch compile the network first.
    `seconds` counts where the time went: decode, preprocess (both in threads of their own), network.
    GodeeperError where engine, precision and model do not go together.
    """

    def __init__(
        self, model: Network | str | Path, engine: str = "auto", precision: str = "auto", *, compiled: bool = False
    ) -> None:
        check_pair(engine, precision)
        if compiled and engine != "torch":
            raise GodeeperError("only the engine torch compiles: give engine='torch'")
        if not isinstance(model, Network) and is_exported(model):
            card = read_card(Path(model))
            self.engine = _exported_engine(Path(model), card, engine, precision)
            self.classes, self.preprocess = card.classes, card.preprocess
        else:
            network = model if isinstance(model, Network) else load(model)
            self.engine = _engine(network, engine, precision, compiled)
            self.classes = network.classes or tuple(str(index) for index in range(network.num_classes))
            self.preprocess = network.preprocess
        self.batch_size = default_batch_size(self.preprocess.image_size, self.engine.device)
        self.seconds = {"decode": 0.0, "preprocess": 0.0, "network": 0.0}

    def __call__(self, images: Iterable[ImageInput], *, top: int = 5, crops: int = 1) -> list[Prediction]:
        """A prediction for each image (path, bytes or PIL image), each probability averaged over `crops` views.

        BadImage for an image that cannot be decoded.
        """
        return list(self.stream(images, top=top, crops=crops))

    def stream(self, images: Iterable[ImageInput], *, top: int = 5, crops: int = 1) -> Iterator[Prediction]:
        """The same, one after the other, of any number of images."""
        for outcome in self.outcomes(images, top=top, crops=crops):
            if isinstance(outcome, BadImage):
                raise outcome
            yield outcome

    def outcomes(self, images: Iterable[ImageInput], *, top: int = 5, crops: int = 1) -> Iterator[Prediction | BadImage]:
        """The same, with the BadImage itself in the place of an image that cannot be decoded.

        Images are decoded in threads, a few passes ahead of the network.
        """
        if isinstance(images, str | bytes | Path):
            raise GodeeperError("give the images as a list, even a single one")
        check_scheme(crops)
        group = max(1, self.batch_size // crops)
        with ThreadPoolExecutor(os.cpu_count() or 1, "godeeper-decode") as pool:
            laid = _ahead(pool, self._laid, ((image, crops) for image in images), 3 * group)
            try:
                while prepared := list(islice(laid, group)):
                    yield from self._predicted(prepared, top)
            finally:
                pool.shutdown(cancel_futures=True)

    def logits(self, images: Sequence[Laid]) -> list[Tensor]:
        """The logits of images' views, (views, classes) each, on the CPU."""
        every = []
        for batch in passes(images, self.preprocess.image_size, self.batch_size):  # of bytes
            start = perf_counter()
            x = normalise(batch.to(self.engine.device), self.preprocess)
            normalised = perf_counter()
            every.append(self.engine(x).cpu())
            self.seconds["preprocess"] += normalised - start
            self.seconds["network"] += perf_counter() - normalised
        return list(torch.cat(every).split([len(image.places) for image in images]))

    def _laid(self, image: ImageInput, crops: int) -> tuple[Laid | BadImage, float, float]:
        """An image decoded and resized, and the seconds that either took: runs in a thread."""
        start = perf_counter()
        try:
            image = image.convert("RGB") if isinstance(image, Image.Image) else decode(image)
        except BadImage as error:
            return error, perf_counter() - start, 0.0
        decoded = perf_counter()
        drawn, places = layout(image.size, self.preprocess, crops)
        laid = Laid(resample(image, drawn, self.preprocess.resize.interpolation), places)
        return laid, decoded - start, perf_counter() - decoded

    def _predicted(self, prepared: Sequence[tuple[Laid | BadImage, float, float]], top: int) -> list[Prediction | BadImage]:
        for _, decoding, preparing in prepared:
            self.seconds["decode"] += decoding
            self.seconds["preprocess"] += preparing
        good = [laid for laid, _, _ in prepared if isinstance(laid, Laid)]
        found = iter(self.logits(good) if good else [])
        return [one if isinstance(one, BadImage) else self._named(next(found), top) for one, _, _ in prepared]

    def _named(self, logits: Tensor, top: int) -> Prediction:
        probabilities = logits.softmax(1).mean(0)
        if len(probabilities) != len(self.classes):
            raise GodeeperError(
                f"the file names {len(self.classes)} classes, its network has {len(probabilities)}: export it again"
            )
        if not torch.isfinite(probabilities).all():
            raise GodeeperError("the network's answers are not numbers: its weights are damaged")
        best = probabilities.topk(min(top, len(self.classes)))
        return Prediction(tuple(self.classes[index] for index in best.indices.tolist()), tuple(best.values.tolist()))


def default_batch_size(image_size: int, device: torch.device) -> int:
    """Views a pass: on the CPU, as few as run at full speed; elsewhere enough to fill it."""
    return 256 if device.type != "cpu" else max(1, min(PASS_VIEWS, PASS_PIXELS // image_size**2))


def _engine(network: Network, engine: str, precision: str, compiled: bool) -> Engine:
    number: Precision = "fp32" if precision == "auto" else precision  # type: ignore[assignment]
    if engine != "auto" or number == "int8":
        name: EngineName = "openvino" if engine == "auto" else engine  # type: ignore[assignment]
        return make_engine(network, name, number, compiled=compiled)
    size = network.preprocess.image_size
    shape = (MEASURED, network.definition.in_channels, size, size)
    about = {"model": network.spec.digest, "precision": number}
    return fastest(lambda name: make_engine(network, name, number), candidates(number), about, shape)


def _exported_engine(file: Path, card: Card, engine: str, precision: str) -> Engine:
    """The engine for an exported file, which is in one precision; bf16 is fp32 computed in fewer bits."""
    if card.with_preprocessing:
        raise GodeeperError(f"{str(file)!r} takes images as they are, for use without godeeper: export without preprocessing")
    fitting = {"fp32": ("auto", "fp32", "bf16"), "int8": ("auto", "int8")}[card.precision]
    if precision not in fitting:
        raise GodeeperError(f"{str(file)!r} is in {card.precision}: it does not run in {precision}")
    number: Precision = card.precision if precision == "auto" else precision  # type: ignore[assignment]
    openvino_only = file.suffix.lower() == ".xml"
    if engine == "torch" or (openvino_only and engine == "onnxruntime"):
        raise GodeeperError(f"{engine} does not read {file.suffix}: choose {'openvino' if openvino_only else 'another engine'}")
    names = tuple(name for name in candidates(number) if name != "torch" and not (openvino_only and name != "openvino"))
    if engine != "auto" or not names:
        names = (engine if engine != "auto" else "openvino",)  # type: ignore[assignment]
    shape = (MEASURED, 3, *[card.preprocess.image_size] * 2)
    about = {"model": card.model, "precision": number, "file": file.suffix}
    return fastest(lambda name: from_onnx(str(file), name, number), names, about, shape)


def _ahead(pool: ThreadPoolExecutor, function, arguments: Iterable[tuple], ahead: int) -> Iterator:  # type: ignore[no-untyped-def, type-arg]
    """What `function` makes of each of the arguments, in order, at most `ahead` of them being made before they are asked for."""
    coming: deque[Future] = deque()  # type: ignore[type-arg]
    arguments = iter(arguments)
    while True:
        coming.extend(pool.submit(function, *one) for one in islice(arguments, ahead - len(coming)))
        if not coming:
            return
        yield coming.popleft().result()
