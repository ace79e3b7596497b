"""Training images: a random crop, resized, or the whole image moved by a few pixels; flipped, and with its colours changed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

import numpy as np
import torch
from PIL import Image, ImageEnhance
from torch import Tensor
from torch.nn import functional as F

from ..preprocess import Interpolation
from .crops import Box
from .decode import Shrink
from .pixels import FILTERS, Pixels
from .whole_images import with_margin

Opener = Callable[[Shrink], Image.Image | Tensor]
TORCH_MODES = ("bilinear", "bicubic")  # with antialias, what Pillow computes, several times as fast


@dataclass(frozen=True)
class RandomCrop:
    """One training crop: cut `box` out of the image, resize it with `interpolation`, flip it if `flip`."""

    box: Box
    interpolation: Interpolation
    flip: bool

    def decoded_smaller(self, full: tuple[int, int], size: tuple[int, int]) -> RandomCrop:
        """The same crop of a JPEG of `full` pixels (width, height) that was decoded at `size`; never empty, never over its edge.

        A JPEG is decoded at a half, a quarter or an eighth, each axis rounded up: 1365 x 2048 becomes 171 x 256. In one that EXIF
        turns, the pixel made of fewer can come first: then the crop lies less than a pixel of the smaller image off.
        """
        times = 2 ** round(math.log2(max(full[0] / size[0], full[1] / size[1])))
        left, right = _interval(self.box[0] / times, self.box[2] / times, size[0])
        top, bottom = _interval(self.box[1] / times, self.box[3] / times, size[1])
        return replace(self, box=(left, top, right, bottom))


def _interval(start: float, end: float, size: int) -> tuple[int, int]:
    """The whole pixels from `start` to `end`, at least one, within `size`."""
    first = min(round(start), size - 1)
    return first, min(max(round(end), first + 1), size)


def random_resized_crop(
    width: int,
    height: int,
    random: Random,
    scale: tuple[float, float] = (0.08, 1.0),
    ratio: tuple[float, float] = (3 / 4, 4 / 3),
    hflip: bool = True,
) -> RandomCrop:
    """Draws a crop: a share of the image's area, an aspect ratio (width / height), a position, an interpolation and a flip.

    arXiv 1409.4842, Section 6. The share is drawn evenly, the ratio evenly in its logarithm, so that 3/4 and 4/3 are equals;
    a draw that does not fit into the image is repeated. After ten, the largest centred box of an allowed ratio is taken.
    """
    interpolation: Interpolation = random.choice(("bilinear", "area", "nearest", "bicubic"))
    flip = hflip and random.random() < 0.5
    for _ in range(10):
        pixels = width * height * random.uniform(*scale)
        width_to_height = math.exp(random.uniform(math.log(ratio[0]), math.log(ratio[1])))
        w, h = round(math.sqrt(pixels * width_to_height)), round(math.sqrt(pixels / width_to_height))
        if 0 < w <= width and 0 < h <= height:
            left, top = random.randint(0, width - w), random.randint(0, height - h)
            return RandomCrop((left, top, left + w, top + h), interpolation, flip)
    w, h = min(width, max(1, int(height * ratio[1]))), min(height, max(1, int(width / ratio[0])))
    left, top = (width - w) // 2, (height - h) // 2
    return RandomCrop((left, top, left + w, top + h), interpolation, flip)


@dataclass(frozen=True)
class Augment:
    """How training images are varied; the defaults are arXiv 1409.4842, Section 6.

    `crop_scale`: the crop's share of the image's area, from and to; `crop_ratio`: its width / height; `hflip`: whether half of
    the crops are flipped left to right; `color_jitter`: whether brightness, contrast and colour vary. With a `shift`, the whole
    image is taken instead of a crop, and moved by up to so many pixels each way; what enters at its border is reflected. With
    `alternating_flip`, a loader flips each image every other epoch, not by chance.
    """

    crop_scale: tuple[float, float] = (0.08, 1.0)
    crop_ratio: tuple[float, float] = (3 / 4, 4 / 3)
    hflip: bool = True
    color_jitter: bool = True
    shift: int = 0
    alternating_flip: bool = False

    def __call__(self, image: Image.Image | Opener, size: int, random: Random, flip: bool | None = None) -> Tensor:
        """One training image: uint8, (3, size, size).

        `image` may also be a function that opens the image: it is given how many times smaller will do for the crop drawn.
        `flip` decides in the place of chance.
        """
        if self.shift:
            return self.shifted(self.with_margin(image, size), random, flip)
        if isinstance(image, Image.Image):
            return self._cut(image, self._draw(*image.size, random, flip), size, random)
        draws: list[tuple[tuple[int, int], RandomCrop]] = []  # the image's full size, and the crop

        def shrink(width: int, height: int) -> float:
            crop = self._draw(width, height, random, flip)
            draws.append(((width, height), crop))
            left, top, right, bottom = crop.box
            if crop.interpolation == "nearest":
                return 1
            return min(right - left, bottom - top) / (2 * size)  # leaves two pixels a side to resample from

        opened = image(shrink)
        pixels = opened.size if isinstance(opened, Image.Image) else (opened.shape[2], opened.shape[1])
        full, crop = draws[0] if draws else (pixels, self._draw(*pixels, random, flip))  # only JPEGs ask
        return self._cut(opened, crop.decoded_smaller(full, pixels), size, random)

    def with_margin(self, image: Image.Image | Opener, size: int) -> Pixels:
        """What every shift of the image is cut from: uint8, (size + 2 * shift, size + 2 * shift, 3)."""
        opened = image if isinstance(image, Image.Image) else image(lambda width, height: min(width, height) / (2 * size))
        return with_margin(opened, size, self.shift)

    def shifted(self, pixels: Pixels, random: Random, flip: bool | None = None) -> Tensor:
        """One training image, uint8 (3, size, size), of one with its margin (H, W, 3)."""
        size = len(pixels) - 2 * self.shift
        top, left = random.randint(0, 2 * self.shift), random.randint(0, 2 * self.shift)
        by_chance = self.hflip and random.random() < 0.5
        cut = pixels[top : top + size, left : left + size]
        return self._varied(torch.from_numpy(cut.copy()).permute(2, 0, 1), by_chance if flip is None else flip, random)

    def _draw(self, width: int, height: int, random: Random, flip: bool | None) -> RandomCrop:
        crop = random_resized_crop(width, height, random, self.crop_scale, self.crop_ratio, self.hflip)
        return crop if flip is None else replace(crop, flip=flip)

    def _cut(self, image: Image.Image | Tensor, crop: RandomCrop, size: int, random: Random) -> Tensor:
        if isinstance(image, Image.Image):
            pixels = torch.from_numpy(np.array(image.crop(crop.box)))  # (H, W, 3)
        else:
            left, top, right, bottom = crop.box
            pixels = image[:, top:bottom, left:right].permute(1, 2, 0).contiguous()
        return self._varied(_resized(pixels, size, crop.interpolation), crop.flip, random)

    def _varied(self, pixels: Tensor, flip: bool, random: Random) -> Tensor:
        """(3, size, size), its colours changed where they are to be, flipped where `flip` says so."""
        if self.color_jitter:
            pixels = _tensor(jitter_color(Image.fromarray(pixels.permute(1, 2, 0).numpy()), random))
        return pixels.flip(-1) if flip else pixels


def alternating_flip(seed: int, epoch: int, index: int) -> bool:
    """Whether an image is flipped in an epoch: in the first by chance, from then on every other time (arXiv 2404.00498).

    So two epochs show each image both ways, where chance shows half of the images twice the same.
    """
    first = Random(f"{seed}/flip/{index}").random() < 0.5
    return first != (epoch % 2 == 1)


def _resized(pixels: Tensor, size: int, interpolation: Interpolation) -> Tensor:
    """(H, W, 3) -> (3, size, size)."""
    if interpolation in TORCH_MODES:
        channels_last = pixels[None].permute(0, 3, 1, 2)
        return F.interpolate(channels_last, (size, size), mode=interpolation, antialias=True)[0]
    return _tensor(Image.fromarray(pixels.numpy()).resize((size, size), FILTERS[interpolation]))


def jitter_color(image: Image.Image, random: Random) -> Image.Image:
    """Brightness, contrast and colour, each by a factor of 0.5 to 1.5, in random order (Howard, arXiv 1312.5402)."""
    enhancers = [ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color]
    for enhancer in random.sample(enhancers, 3):
        image = enhancer(image).enhance(random.uniform(0.5, 1.5))
    return image


def _tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)  # (H, W, 3) -> (3, H, W)
