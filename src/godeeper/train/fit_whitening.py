"""Computes the filters of whitening convolutions from the training images, before training begins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice

import torch
from PIL import Image

from ..data.dataset import ImageDataset, ImageStream, StreamedImage
from ..data.decode import decode
from ..data.pixels import normalise, take_crops
from ..errors import BadImage, GodeeperError
from ..models.network import Network
from ..models.whitening import unfitted_whitening

IMAGES, SIDE = 1000, 32  # a million patches, or as many of fewer and larger images; more change nothing that training sees


def fit_whitening(network: Network, images: ImageDataset | ImageStream) -> None:
    """Fits the network's whitening convolutions that are not fitted yet, to its training images as it sees them, unaugmented.

    Of a data set, images at even distances are taken, of a stream the first ones. GodeeperError where none can be decoded.
    """
    layers = unfitted_whitening(network)
    if not layers:
        return
    most = max(1, min(IMAGES, IMAGES * SIDE**2 // network.preprocess.image_size**2))
    crops = [take_crops(image, network.preprocess) for image in _decodable(images, most)]  # uint8 (1, 3, S, S) each
    if not crops:
        raise GodeeperError("none of the training images can be decoded")
    for layer in layers:
        layer.fit(normalise(torch.cat(crops), network.preprocess))


def _decodable(images: ImageDataset | ImageStream, most: int) -> Iterator[Image.Image]:
    for read in _chosen(images, most):
        try:
            yield read()
        except BadImage:
            continue  # training counts it, and names it


def _chosen(images: ImageDataset | ImageStream, most: int) -> Iterator[Callable[[], Image.Image]]:
    if isinstance(images, ImageStream):
        for image in islice(images.images(), most):
            yield partial(_decoded, image)
    else:
        count = min(len(images), most)
        for number in range(count):
            yield partial(images.image, number * len(images) // count)


def _decoded(image: StreamedImage) -> Image.Image:
    return image.raw if isinstance(image.raw, Image.Image) else decode(image.raw, image.name)
