"""Images -> embeddings, vectors by which they are compared, by any engine."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from pathlib import Path

from torch import Tensor
from torch.nn import functional as F

from ..data.decode import ImageInput
from ..errors import BadImage, GodeeperError
from ..models.embedding_network import EmbeddingNetwork
from ..models.load import open_network
from ..models.network import Network
from .engine_choice import network_engine
from .engines import check_engine
from .export_metadata import is_exported
from .image_loop import ImageLoop


class Embedder(ImageLoop):
    """Embeds images. `model` is a network, which stays as it is, or a run folder, weights file or published name.

    An embedding is what the classifier sees, (units,): the last pool's averages, of face networks the normed layer after it. With
    `layer`, a stage's name, it is that stage's output averaged over positions, (channels,). `engine` and `precision` are as for
    `Predictor`, but for int8, which is of exported files: these give no embeddings. GodeeperError for those, an unknown layer,
    and where engine, precision and model do not go together.
    """

    def __init__(
        self, model: Network | str | Path, engine: str = "auto", precision: str = "auto", *, layer: str | None = None
    ) -> None:
        check_engine(engine, precision)
        if is_exported(model):
            raise GodeeperError(f"{str(model)!r} gives logits only: take the run or weights file that it was made from")
        self.network = EmbeddingNetwork(open_network(model), layer)
        super().__init__(network_engine(self.network, engine, precision), self.network.preprocess)

    @property
    def units(self) -> int:
        """How many numbers an embedding has."""
        return self.network.outputs

    def outcomes(self, images: Iterable[ImageInput], *, normalize: bool = False) -> Generator[Tensor | BadImage, None, None]:
        """The embedding of each image's centre crop, in order, float32 (units,), or the BadImage of one that cannot be decoded.

        With `normalize` an embedding has length 1, so that dot products are cosines.
        """
        with closing(self.outputs(images)) as outputs:
            for output in outputs:
                if isinstance(output, BadImage):
                    yield output
                    continue
                embedding = _embedding(output)
                yield F.normalize(embedding, dim=0) if normalize else embedding

    def embed_crops(self, images: Sequence[Tensor]) -> list[Tensor]:
        """The embedding of each image of which the centre crop is given, uint8 (1, 3, S, S), as `cut` makes it: (units,)."""
        return [_embedding(output) for output in self.run(images)]


def _embedding(output: Tensor) -> Tensor:
    embedding: Tensor
    (embedding,) = output  # of one crop
    if not embedding.isfinite().all():
        raise GodeeperError("the network's embeddings are not numbers: its weights are damaged")
    return embedding
