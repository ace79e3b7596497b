"""Whole images with a reflected margin, from which training cuts small shifts; those of a small set stay in memory."""

from __future__ import annotations

import numpy as np
from PIL import Image
from torch import Tensor

from ..preprocess import Resize
from .crops import crop_boxes
from .pixels import Pixels, cut_crops

MEMORY = 1 << 29  # bytes that the images of a set may take in memory


def with_margin(image: Image.Image | Tensor, size: int, margin: int) -> Pixels:
    """The image, or (3, H, W), resized to `size` pixels, with `margin` pixels reflected around it: uint8, (H, W, 3).

    Of an image that is no square, the central one is taken.
    """
    if isinstance(image, Tensor):
        image = Image.fromarray(image.permute(1, 2, 0).numpy())
    resize = Resize(size, crop_fraction=1.0)
    whole = cut_crops(image, crop_boxes(*image.size, resize), resize)[0].permute(1, 2, 0)  # (size, size, 3)
    sides = (margin, margin)
    return np.pad(whole.numpy(), (sides, sides, (0, 0)), mode="reflect")


class KeptImages:
    """The images of a set with their margins, each kept from the first time that it is decoded."""

    def __init__(self, count: int, side: int) -> None:
        self.pixels = np.empty((count, side, side, 3), np.uint8)
        self.kept = np.zeros(count, bool)

    @staticmethod
    def fits(count: int, side: int) -> bool:
        """Whether that many images of that side are few enough."""
        return count * side**2 * 3 <= MEMORY

    def get(self, index: int) -> Pixels | None:
        """The image at `index`, (side, side, 3); None before it is kept."""
        return self.pixels[index] if self.kept[index] else None

    def keep(self, index: int, pixels: Pixels) -> None:
        """Keeps the image at `index`."""
        self.pixels[index] = pixels
        self.kept[index] = True
