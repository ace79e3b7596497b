"""Training patches as pixels, with their distortions; and what every image goes through last, `normalise`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import numpy as np
import torch
from PIL import Image, ImageEnhance
from torch import Tensor
from torch.nn import functional as F

from ..preprocess import Interpolation, Preprocess
from .crops import Patch, patch
from .decode import Shrink

FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "area": Image.Resampling.BOX,
    "nearest": Image.Resampling.NEAREST,
    "bicubic": Image.Resampling.BICUBIC,
}
Opener = Callable[[Shrink], Image.Image | Tensor]
TORCH_MODES = {"bilinear": "bilinear", "bicubic": "bicubic"}  # with antialias, what Pillow computes, several times as fast


@dataclass(frozen=True)
class Augment:
    """How training images are varied; the defaults are arXiv 1409.4842, Section 6."""

    crop_scale: tuple[float, float] = (0.08, 1.0)
    crop_ratio: tuple[float, float] = (3 / 4, 4 / 3)
    hflip: bool = True
    color_jitter: bool = True

    def __call__(self, image: Image.Image | Opener, size: int, random: Random) -> Tensor:
        """One training image: uint8, (3, size, size).

        `image` may also be what opens one, given how many times smaller than its own size will do for the patch drawn.
        """
        if isinstance(image, Image.Image):
            return self._cut(image, self._draw(*image.size, random), size, random)
        drawn: list[tuple[int, Patch]] = []  # the image's full width, and the patch

        def shrink(width: int, height: int) -> float:
            chosen = self._draw(width, height, random)
            drawn.append((width, chosen))
            left, top, right, bottom = chosen.box
            if chosen.interpolation == "nearest":
                return 1
            return min(right - left, bottom - top) / (2 * size)  # leaves two pixels a side to resample from

        opened = image(shrink)
        width, height = opened.size if isinstance(opened, Image.Image) else (opened.shape[2], opened.shape[1])
        full_width, chosen = drawn[0] if drawn else (width, self._draw(width, height, random))  # only JPEGs ask
        return self._cut(opened, chosen.at(width / full_width), size, random)

    def _draw(self, width: int, height: int, random: Random) -> Patch:
        return patch(width, height, random, self.crop_scale, self.crop_ratio, self.hflip)

    def _cut(self, image: Image.Image | Tensor, chosen: Patch, size: int, random: Random) -> Tensor:
        if isinstance(image, Image.Image):
            pixels = torch.from_numpy(np.array(image.crop(chosen.box)))
        else:
            left, top, right, bottom = chosen.box
            pixels = image[:, top:bottom, left:right].permute(1, 2, 0).contiguous()
        pixels = _resized(pixels, size, chosen.interpolation)
        if self.color_jitter:
            pixels = _tensor(jitter_color(Image.fromarray(pixels.permute(1, 2, 0).numpy()), random))
        return pixels.flip(-1) if chosen.flip else pixels


def _resized(pixels: Tensor, size: int, interpolation: Interpolation) -> Tensor:
    """(H, W, 3) -> (3, size, size)."""
    if interpolation in TORCH_MODES:
        channels_last = pixels[None].permute(0, 3, 1, 2)
        return F.interpolate(channels_last, (size, size), mode=TORCH_MODES[interpolation], antialias=True)[0]
    return _tensor(Image.fromarray(pixels.numpy()).resize((size, size), FILTERS[interpolation]))


def jitter_color(image: Image.Image, random: Random) -> Image.Image:
    """Brightness, contrast and colour, each by a factor of 0.5 to 1.5, in random order (Howard, arXiv 1312.5402)."""
    enhancers = [ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color]
    for enhancer in random.sample(enhancers, 3):
        image = enhancer(image).enhance(random.uniform(0.5, 1.5))
    return image


def _tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)  # (H, W, 3) -> (3, H, W)


def normalise(images: Tensor, preprocess: Preprocess) -> Tensor:
    """uint8 images (N, 3, H, W) -> what the network is fed, float32 in the same memory format."""
    normalize = preprocess.normalize
    mean, std = (255 * torch.tensor(values, device=images.device) for values in (normalize.mean, normalize.std))
    x = images.to(torch.float32, copy=True)  # changed in place from here: new memory costs more than the arithmetic
    if x.is_contiguous(memory_format=torch.channels_last):
        width = x.shape[3]
        x.permute(0, 2, 3, 1).flatten(2).sub_(mean.repeat(width)).div_(std.repeat(width))  # by rows of pixels, (N, H, 3 W)
        return x
    return x.sub_(mean.view(3, 1, 1)).div_(std.view(3, 1, 1))
