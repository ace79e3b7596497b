"""The features by which FID compares images: whole images, stretched as a library does it, through a network by any engine."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from ..data.dataset import ImageDataset
from ..data.decode import decode_as_stored
from ..data.pixels import normalise
from ..data.stretched import FidLibrary, stretch
from ..models.embedding_network import EmbeddingNetwork
from ..models.network import Network
from .engine_choice import network_engine
from .image_loop import ImageLoop

FID_TABLE = "inception_v3_fid"


class FidFeatures(ImageLoop):
    """Features of images: `outputs` of datasets with the index of an image, (dataset, index), gives (1, units) each, float32.

    The network is FID's own (`inception_v3_fid`, 2048 units), or any other: its own normalisation and image size are used then.
    """

    def __init__(self, network: Network, like: FidLibrary, engine: str = "auto", precision: str = "auto") -> None:
        embedding = EmbeddingNetwork(network)
        super().__init__(network_engine(embedding, engine, precision), network.preprocess)
        self._like = like
        self._of_128 = network.definition.name == FID_TABLE and like != "pytorch-fid"

    def decode(self, image: tuple[ImageDataset, int]) -> Image.Image:
        dataset, index = image
        raw = dataset.raw(index)
        return raw.convert("RGB") if isinstance(raw, Image.Image) else decode_as_stored(raw, dataset.name(index))

    def cut(self, image: Image.Image, crops: int) -> Tensor:
        return stretch(image, self.preprocess.image_size, self._like)[None]

    def feed(self, batch: Tensor) -> Tensor:
        return batch.sub(128).div_(128) if self._of_128 else normalise(batch, self.preprocess)


def logits_without_bias(network: Network, features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Features (N, units) -> logits (N, classes) as the Inception Score takes them: the classifier's weights alone."""
    last: Any = [module for module in network.head.modules() if isinstance(module, nn.Linear)][-1]
    with torch.inference_mode():
        logits: NDArray[np.float32] = (torch.from_numpy(features) @ last.weight.detach().cpu().float().T).numpy()
    return logits
