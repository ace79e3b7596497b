"""The centre crop, which `predict` answers by default and which maps, branches and channels explain."""

from __future__ import annotations

import math

import torch
from PIL import Image
from torch import Tensor

from ..data.crops import Box, CropBox, crop_boxes
from ..data.pixels import normalise, take_crops
from ..models.network import Network, device_of
from .receptive_field import Extent, ReceptiveField


def boxes_of(network: Network, size: tuple[int, int], crops: int = 1) -> list[CropBox]:
    """The 1, 6, 10, 12 or 144 crops that the network is given of an image of that width and height."""
    return crop_boxes(*size, network.preprocess.resize, crops)


def centre_crop(network: Network, image: Image.Image) -> Tensor:
    """The centre crop of an RGB image as the network's input: (1, 3, size, size), normalised, on its device."""
    return normalise(take_crops(image, network.preprocess).to(device_of(network)), network.preprocess)


def crop_box(network: Network, size: tuple[int, int]) -> Box:
    """The centre crop in the pixels of an image of that width and height."""
    (crop,) = boxes_of(network, size)
    x, y = (side / resized for side, resized in zip(size, crop.resized, strict=True))
    return scale_box(crop.box, x, y)


def scale_box(box: Box, x: float, y: float) -> Box:
    """The box in an image x times as wide and y times as high, rounded outward to whole pixels and never empty."""
    left, top = math.floor(box[0] * x + 1e-6), math.floor(box[1] * y + 1e-6)
    right, bottom = math.ceil(box[2] * x - 1e-6), math.ceil(box[3] * y - 1e-6)
    return left, top, max(right, left + 1), max(bottom, top + 1)


def spread_over_image(
    grid: Tensor, field: ReceptiveField, network: Network, image: tuple[int, int], size: tuple[int, int] | None = None
) -> Tensor:
    """Values of units of the centre crop, (h, w), as a map over the whole image: (H, W), of `size` (width, height) if given.

    `field` is the units' receptive field, `image` the image's width and height. Each value stands in the middle of what its
    unit sees; values are linear in between, constant beyond the outermost unit, and 0 outside the crop.
    """
    (crop,) = boxes_of(network, image)
    width, height = size or image
    across = _weights(width, crop.resized[0], (crop.box[0], crop.box[2]), grid.shape[1], field[1])
    down = _weights(height, crop.resized[1], (crop.box[1], crop.box[3]), grid.shape[0], field[0])
    return down @ grid @ across.T


def _weights(pixels: int, resized: int, crop: tuple[int, int], units: int, extent: Extent) -> Tensor:
    """The weight of each unit at each pixel along one side: (pixels, units)."""
    position = (torch.arange(pixels) + 0.5) * (resized / pixels) - crop[0]  # in pixels of the crop
    inside = (position >= 0) & (position < crop[1] - crop[0])
    nearest = ((position - extent.centre) / extent.stride).clamp(0, units - 1)
    return (1 - (nearest[:, None] - torch.arange(units)).abs()).clamp(min=0) * inside[:, None]
