"""Images -> labels and probabilities, by the fastest engine there is."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..data.crops import check_crops
from ..data.decode import ImageInput
from ..errors import BadImage, GodeeperError
from ..models.load import open_network
from ..models.network import Network
from .embedder import Embedder
from .engine_choice import exported_engine, network_engine
from .engines import check_engine
from .export_metadata import is_exported, read_metadata
from .image_loop import ImageLoop


@dataclass(frozen=True)
class Prediction:
    """The classes of one image, most likely first, and their probabilities (0..1)."""

    labels: tuple[str, ...]
    probabilities: tuple[float, ...]


class Predictor(ImageLoop):
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
        self._network: Network | None = None
        self._embedders: dict[str | None, Embedder] = {}
        self._lock = threading.Lock()
        if is_exported(model):
            metadata = read_metadata(Path(model))
            made, spec = exported_engine(Path(model), metadata, engine, precision), metadata.spec
        else:
            self._network = open_network(model)
            made, spec = network_engine(self._network, engine, precision, compiled), self._network.spec
        super().__init__(made, spec.preprocess)
        self.classes = spec.classes or tuple(str(index) for index in range(spec.num_classes))

    def __call__(self, images: Iterable[ImageInput], *, top: int = 5, crops: int = 1) -> list[Prediction]:
        """A prediction for each image, the probabilities averaged over `crops` crops (1, 6, 10, 12 or 144).

        An image is a path, a file's bytes, a PIL image or an array, uint8 (height, width, 3) RGB. BadImage for one that cannot
        be decoded.
        """
        return list(self.stream(images, top=top, crops=crops))

    def stream(self, images: Iterable[ImageInput], *, top: int = 5, crops: int = 1) -> Iterator[Prediction]:
        """The same, one after the other, of any number of images."""
        with closing(self.outcomes(images, top=top, crops=crops)) as outcomes:
            for outcome in outcomes:
                if isinstance(outcome, BadImage):
                    raise outcome
                yield outcome

    def outcomes(
        self, images: Iterable[ImageInput], *, top: int = 5, crops: int = 1
    ) -> Generator[Prediction | BadImage, None, None]:
        """The same, with the BadImage itself in the place of an image that cannot be decoded.

        Images are decoded in threads, a few batches ahead of the network.
        """
        check_crops(crops)
        if top < 1:
            raise GodeeperError(f"top is {top}: at least one class is named")
        with closing(self.outputs(images, crops)) as outputs:
            for logits in outputs:
                yield logits if isinstance(logits, BadImage) else self._prediction(logits, top)

    def predict_crops(self, images: Sequence[Tensor], *, top: int = 5) -> list[Prediction]:
        """A prediction for each image of which the crops are given, uint8 (crops, 3, S, S), as `cut` makes them."""
        return [self._prediction(logits, top) for logits in self.run(images)]

    @property
    def has_embeddings(self) -> bool:
        """Whether the model gives embeddings: an exported file does not."""
        return self._network is not None

    def embeddings(
        self, images: Iterable[ImageInput], *, layer: str | None = None, normalize: bool = False
    ) -> Iterator[Tensor | BadImage]:
        """The embedding of each image's centre crop, float32 (units,), or its BadImage: see `Embedder`.

        The first call makes an engine for them, of the kind that predicts. GodeeperError for an exported file.
        """
        embedder = self._embedder(layer)
        embedder.batch_size = self.batch_size
        return embedder.outcomes(images, normalize=normalize)

    def embed_crops(self, images: Sequence[Tensor]) -> list[Tensor]:
        """The embedding of each image of which the centre crop is given, uint8 (1, 3, S, S): float32 (units,)."""
        return self._embedder(None).embed_crops(images)

    def prepare_embeddings(self) -> None:
        """Makes the engine for embeddings, if there is none yet: from any thread, while others predict."""
        self._embedder(None)

    def _embedder(self, layer: str | None) -> Embedder:
        if self._network is None:
            raise GodeeperError("an exported file gives no embeddings: take the run or weights file that it was made from")
        with self._lock:
            if layer not in self._embedders:
                self._embedders[layer] = Embedder(self._network, self.engine.name, self.engine.precision, layer=layer)
            return self._embedders[layer]

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
