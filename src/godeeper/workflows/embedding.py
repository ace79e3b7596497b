"""What the classifier sees of images: vectors by which they can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import torch
from accelerate import PartialState
from torch import Tensor

from ..data.decode import ImageInput, check_list
from ..deploy.embedder import Embedder
from ..deploy.embedding_table import FORMATS, write_embeddings
from ..deploy.table_parts import check_table, fingerprint
from ..errors import BadImage
from ..models.load import open_network
from ..models.network import Network, best_device
from .prediction import TableResult
from .progress import OnProgress, Progress, counter


@dataclass(frozen=True)
class EmbedResult:
    """Embeddings (N, units) float32, the places of their images among those given, and why others are missing."""

    embeddings: Tensor
    index: list[int]
    bad: list[BadImage]


def embed(
    model: Network | str | Path,
    images: Sequence[ImageInput],
    *,
    layer: str | None = None,
    normalize: bool = False,
    engine: str = "auto",
    precision: str = "auto",
    batch_size: int | None = None,
    on_progress: OnProgress | None = None,
) -> EmbedResult:
    """The embedding of each image's centre crop, by a run, a weights file, a published name or a network.

    It is what the classifier sees; with `layer`, a stage's name, that stage's output averaged over positions. With `normalize`
    its length is 1. Images are paths, bytes, PIL images or arrays (H, W, 3) of uint8; one that cannot be decoded is left out and
    named. `batch_size` changes the speed, and nothing beyond rounding. GodeeperError for an unknown layer, an exported file, and
    where model, engine and precision do not go together.
    """
    check_list(images)
    embedder = Embedder(model, engine, precision, layer=layer)
    embedder.batch_size = batch_size or embedder.batch_size
    embeddings: list[Tensor] = []
    index: list[int] = []
    bad: list[BadImage] = []
    for position, outcome in enumerate(embedder.outcomes(images, normalize=normalize)):
        if isinstance(outcome, BadImage):
            bad.append(outcome)
        else:
            embeddings.append(outcome)
            index.append(position)
        if on_progress is not None:
            on_progress(Progress("embedding", position + 1, len(images)))
    return EmbedResult(torch.stack(embeddings) if embeddings else torch.empty(0, embedder.units), index, bad)


def embed_table(
    model: Network | str | Path,
    files: Sequence[Path],
    out: Path,
    *,
    layer: str | None = None,
    normalize: bool = False,
    engine: str = "auto",
    precision: str = "auto",
    on_progress: OnProgress | None = None,
) -> TableResult:
    """The same into a table, .parquet, .npz or .csv, a row a file; called again, it goes on where it was interrupted.

    Under torchrun the processes share the files. GodeeperError where the table is there already, or its parts are of another
    call.
    """
    check_table(out, FORMATS)
    processes = PartialState(cpu=best_device().type == "cpu")  # each process of a machine on a GPU of its own
    network = open_network(model)
    embedder = Embedder(network, engine, precision, layer=layer)
    identity = {"weights": fingerprint(network), "layer": layer, "precision": embedder.engine.precision}
    start = perf_counter()
    write_embeddings(out, files, embedder, identity, normalize=normalize, progress=counter("embedding", on_progress))
    seconds = perf_counter() - start
    return TableResult(out, len(files), embedder.engine.name, seconds, embedder.seconds, processes.is_main_process)
