"""Whole images stretched to a square as each FID library does it: their figures differ by that alone."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from ..errors import unknown

FidLibrary = Literal["pytorch-fid", "torch-fidelity", "clean-fid"]


def check_library(like: str) -> None:
    """GodeeperError for an unknown library."""
    if like not in get_args(FidLibrary):
        raise unknown("library", like, get_args(FidLibrary))


def stretch(image: Image.Image, size: int, like: FidLibrary) -> Tensor:
    """An RGB image -> (3, size, size), float32, 0..255, not rounded.

    `pytorch-fid`: torch's bilinear filter over 2 x 2 pixels, without antialiasing, pixels' centres on half numbers.
    `torch-fidelity`: TensorFlow 1's, over 2 x 2 pixels with their corners on whole numbers, so that images move by half a pixel.
    `clean-fid`: Pillow's bicubic filter, antialiased, each channel in float and clipped to 0..255.
    """
    if like == "clean-fid":
        channels = [np.asarray(_bicubic(channel, size)) for channel in image.split()]
        return torch.from_numpy(np.stack(channels).clip(0, 255))
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float()  # (3, H, W)
    if like == "torch-fidelity":
        return _bilinear_of_tensorflow_1(pixels, size)
    return F.interpolate(pixels[None], (size, size), mode="bilinear", align_corners=False)[0]


def _bicubic(channel: Image.Image, size: int) -> Image.Image:
    return channel.convert("F").resize((size, size), Image.Resampling.BICUBIC)


def _bilinear_of_tensorflow_1(pixels: Tensor, size: int) -> Tensor:
    """`tf.image.resize_bilinear` of TensorFlow 1, align_corners=False: (3, H, W) -> (3, size, size), in its order of sums."""
    (top, bottom, down), (left, right, across) = (_neighbours(side, size) for side in pixels.shape[1:])
    upper, lower = pixels[:, top], pixels[:, bottom]  # (3, size, W)
    upper = upper[:, :, left] + (upper[:, :, right] - upper[:, :, left]) * across
    lower = lower[:, :, left] + (lower[:, :, right] - lower[:, :, left]) * across
    return upper + (lower - upper) * down[:, None]


def _neighbours(side: int, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """For each of `size` outputs, the pixel before it, the one after it, and how far it is from the former (0..1)."""
    places = torch.arange(size, dtype=torch.float32) * torch.tensor(side / size, dtype=torch.float32)
    before = places.long()
    return before, (before + 1).clamp(max=side - 1), places - before
