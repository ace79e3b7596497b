"""Images -> labels and probabilities, by the fastest engine there is."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar

import torch
from torch import Tensor

from ..data.crops import check_crops
from ..data.decode import ImageInput, as_image, check_list
from ..data.pixels import default_batch_size, normalise, take_crops
from ..errors import BadImage, GodeeperError
from ..models.load import open_network
from ..models.network import Network
from ..models.spec import ModelSpec
from ..papers.serialize import definition_as_dict
from .engine_choice import candidates, fastest
from .engines import Engine, EngineName, Precision, check_engine, from_onnx, make_engine
from .export_metadata import ExportMetadata, is_exported, read_metadata

MEASURED_CROPS = 4  # of the batch that the choice of an engine is measured on

T = TypeVar("T")


@dataclass(frozen=True)
class Prediction:
    """The classes of one image, most likely first, and their probabilities (0..1)."""

    labels: tuple[str, ...]
    probabilities: tuple[float, ...]


@dataclass(frozen=True)
class _Prepared:
    """The crops of an image, uint8 (crops, 3, S, S), or why there are none, and the seconds that decoding and cutting took."""

    crops: Tensor | BadImage
    decode_seconds: float
    cut_seconds: float = 0.0


class Predictor:
    """Classifies images. `model` is a network, which stays as it is, a run folder, weights file or published name, or an exported
    file.

    `engine` is torch, openvino or onnxruntime; auto measures those that are installed, once a machine, and takes the fastest.
    `precision` is fp32, bf16 or int8; auto is that of an exported file, else fp32, in which every engine gives the same
    probabilities (within 1e-5). int8 needs an exported file. `compiled` runs torch.compile on the network first.
    `seconds` counts where the time went: decode, preprocess (both in threads of their own), network.
    GodeeperError where engine, precision and model do not go together.
    """

    def __init__(
        self, model: Network | str | Path, engine: str = "auto", precision: str = "auto", *, compiled: bool = False
    ) -> None:
        check_engine(engine, precision)
        if compiled and engine != "torch":
            raise GodeeperError("only the engine torch compiles: give engine='torch'")
        if isinstance(model, str | Path) and is_exported(model):
            metadata = read_metadata(Path(model))
            self.engine = _exported_engine(Path(model), metadata, engine, precision)
            spec = metadata.spec
        else:
            network = open_network(model)
            self.engine = _network_engine(network, engine, precision, compiled)
            spec = network.spec
        self.classes = spec.classes or tuple(str(index) for index in range(spec.num_classes))
        self.preprocess = spec.preprocess
        self.batch_size = default_batch_size(self.preprocess.image_size, self.engine.device)
        self.seconds = {"decode": 0.0, "preprocess": 0.0, "network": 0.0}

    def __call__(self, images: Iterable[ImageInput], *, top: int = 5, crops: int = 1) -> list[Prediction]:
        """A prediction for each image, the probabilities averaged over `crops` crops (1, 6, 10, 12 or 144).

        An image is a path, a file's bytes, a PIL image or an array, uint8 (height, width, 3) RGB. BadImage for one that cannot
        be decoded.
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

        Images are decoded in threads, a few batches ahead of the network.
        """
        check_list(images)
        check_crops(crops)
        if top < 1:
            raise GodeeperError(f"top is {top}: at least one class is named")
        group = max(1, self.batch_size // crops)
        with ThreadPoolExecutor(os.cpu_count() or 1, "godeeper-decode") as pool:
            prepared = _map_ahead(pool, lambda image: self._prepare(image, crops), images, 3 * group)
            try:
                while batch := list(islice(prepared, group)):
                    yield from self._predict(batch, top)
            finally:
                pool.shutdown(cancel_futures=True)

    def logits(self, images: Sequence[Tensor]) -> list[Tensor]:
        """The logits of images' crops, uint8 (crops, 3, S, S) each: (crops, classes) each, on the CPU."""
        logits = []
        for batch in torch.cat(list(images)).split(self.batch_size):  # uint8 (N, 3, S, S)
            start = perf_counter()
            x = normalise(batch.to(self.engine.device), self.preprocess)
            normalised = perf_counter()
            logits.append(self.engine(x).cpu())
            self.seconds["preprocess"] += normalised - start
            self.seconds["network"] += perf_counter() - normalised
        return list(torch.cat(logits).split([len(image) for image in images]))

    def _prepare(self, value: ImageInput, crops: int) -> _Prepared:
        """Runs in a thread."""
        start = perf_counter()
        try:
            image = as_image(value)
        except BadImage as error:
            return _Prepared(error, perf_counter() - start)
        decoded = perf_counter()
        return _Prepared(take_crops(image, self.preprocess, crops), decoded - start, perf_counter() - decoded)

    def _predict(self, batch: Sequence[_Prepared], top: int) -> list[Prediction | BadImage]:
        self.seconds["decode"] += sum(prepared.decode_seconds for prepared in batch)
        self.seconds["preprocess"] += sum(prepared.cut_seconds for prepared in batch)
        images = [prepared.crops for prepared in batch if isinstance(prepared.crops, Tensor)]
        logits = iter(self.logits(images) if images else [])
        return [
            prepared.crops if isinstance(prepared.crops, BadImage) else self._prediction(next(logits), top) for prepared in batch
        ]

    def _prediction(self, logits: Tensor, top: int) -> Prediction:
        """`logits` are (crops, classes)."""
        probabilities = logits.softmax(1).mean(0)
        if len(probabilities) != len(self.classes):
            raise GodeeperError(
                f"the file names {len(self.classes)} classes, its network has {len(probabilities)}: export it again"
            )
        if not torch.isfinite(probabilities).all():
            raise GodeeperError("the network's answers are not numbers: its weights are damaged")
        best = probabilities.topk(min(top, len(self.classes)))
        return Prediction(tuple(self.classes[index] for index in best.indices.tolist()), tuple(best.values.tolist()))


def _network_engine(network: Network, engine: str, precision: str, compiled: bool) -> Engine:
    chosen: Precision = "fp32" if precision == "auto" else precision  # type: ignore[assignment]
    if engine != "auto" or chosen == "int8":
        name: EngineName = "openvino" if engine == "auto" else engine  # type: ignore[assignment]
        return make_engine(network, name, chosen, compiled=compiled)
    if torch.cuda.is_available():  # the other engines compute on the CPU
        return make_engine(network, "torch", chosen)
    subject = {"table": definition_as_dict(network.definition), "precision": chosen}
    return fastest(lambda name: make_engine(network, name, chosen), candidates(chosen), subject, _measured_shape(network.spec))


def _exported_engine(file: Path, metadata: ExportMetadata, engine: str, precision: str) -> Engine:
    """The engine for an exported file, which is in one precision; bf16 is fp32 computed in fewer bits."""
    if metadata.with_preprocessing:
        raise GodeeperError(f"{str(file)!r} takes images as they are, for use without godeeper: export without preprocessing")
    possible = {"fp32": ("auto", "fp32", "bf16"), "int8": ("auto", "int8")}[metadata.precision]
    if precision not in possible:
        raise GodeeperError(f"{str(file)!r} is in {metadata.precision}: it does not run in {precision}")
    chosen: Precision = metadata.precision if precision == "auto" else precision  # type: ignore[assignment]
    openvino_only = file.suffix.lower() == ".xml"
    if engine == "torch" or (openvino_only and engine == "onnxruntime"):
        raise GodeeperError(f"{engine} does not read {file.suffix}: choose {'openvino' if openvino_only else 'another engine'}")
    names = tuple(name for name in candidates(chosen) if name != "torch" and not (openvino_only and name != "openvino"))
    if engine != "auto" or not names:
        names = (engine if engine != "auto" else "openvino",)  # type: ignore[assignment]
    subject = {"table": definition_as_dict(metadata.spec.definition), "precision": chosen, "file": file.suffix}
    return fastest(lambda name: from_onnx(str(file), name, chosen), names, subject, _measured_shape(metadata.spec))


def _measured_shape(spec: ModelSpec) -> tuple[int, int, int, int]:
    """(N, channels, S, S) of the batch that engines are measured on."""
    return MEASURED_CROPS, spec.definition.in_channels, spec.preprocess.image_size, spec.preprocess.image_size


def _map_ahead(pool: ThreadPoolExecutor, function: Callable[[Any], T], values: Iterable[Any], ahead: int) -> Iterator[T]:
    """`map` in threads, in order, which computes at most `ahead` results before they are asked for."""
    pending: deque[Future[T]] = deque()
    remaining = iter(values)
    while True:
        pending.extend(pool.submit(function, value) for value in islice(remaining, ahead - len(pending)))
        if not pending:
            return
        yield pending.popleft().result()
