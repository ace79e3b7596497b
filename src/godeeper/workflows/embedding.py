"""What the classifier sees of images: vectors by which they can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..data.decode import ImageInput, as_image, check_list
from ..data.pixels import normalise, take_crops
from ..errors import BadImage
from ..eval_mode import eval_mode
from ..models.load import open_network
from ..models.network import Network, best_device, device_of, to_device
from .progress import OnProgress, Progress


@dataclass(frozen=True)
class EmbedResult:
    """Embeddings (N, units) float32, the places of their images among those given, and why others are missing."""

    embeddings: Tensor
    index: list[int]
    bad: list[BadImage]


@torch.inference_mode()
def embed(
    model: Network | str | Path,
    images: Sequence[ImageInput],
    *,
    batch_size: int = 32,
    on_progress: OnProgress | None = None,
) -> EmbedResult:
    """The embedding of each image's centre crop, by a run, a weights file, a published name or a network.

    Images are paths, bytes, PIL images or arrays (H, W, 3) of uint8; one that cannot be decoded is left out and named.
    """
    check_list(images)
    network = open_network(model)
    if isinstance(model, str | Path):
        to_device(network, best_device())
    device, preprocess = device_of(network), network.preprocess
    embeddings: list[Tensor] = []
    index: list[int] = []
    bad: list[BadImage] = []
    for start in range(0, len(images), batch_size):
        crops = []
        for position, image in enumerate(images[start : start + batch_size], start):
            try:
                crops.append(take_crops(as_image(image), preprocess))  # (1, 3, size, size)
                index.append(position)
            except BadImage as error:
                bad.append(error)
        if crops:
            x = normalise(torch.cat(crops).to(device), preprocess)  # (N, 3, size, size)
            with eval_mode(network):
                embeddings.append(network.embed(x).float().cpu())  # (N, units)
        if on_progress is not None:
            on_progress(Progress("embedding", min(start + batch_size, len(images)), len(images)))
    return EmbedResult(torch.cat(embeddings) if embeddings else torch.empty(0, 0), index, bad)
