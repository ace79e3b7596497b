"""Images resized and cut into crops, and what every image goes through last, `normalise`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ..preprocess import Preprocess, Resize
from .crops import Box, CropBox, crop_boxes

if TYPE_CHECKING:  # processes that only decode and cut start in a tenth of the time without it
    import torch
    from torch import Tensor

Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "nearest": Image.Resampling.NEAREST,
    "area": Image.Resampling.BOX,
}

CPU_CROPS, CPU_PIXELS = 48, 12 * 224 * 224  # of one forward pass on the CPU, at most: larger ones leave its caches


def default_batch_size(image_size: int, device: torch.device | str) -> int:
    """Crops of one forward pass without gradients: on the CPU few enough for its caches, elsewhere enough to fill it."""
    import torch

    return 256 if torch.device(device).type != "cpu" else max(1, min(CPU_CROPS, CPU_PIXELS // image_size**2))


def take_crops(image: Image.Image, preprocess: Preprocess, crops: int = 1) -> Tensor:
    """The crops of an RGB image as a network takes them, before `normalise`: uint8, (crops, 3, size, size).

    `crops` is 1, 6, 10, 12 or 144: see `crop_boxes`.
    """
    return cut_crops(image, crop_boxes(*image.size, preprocess.resize, crops), preprocess.resize)


def cut_crops(image: Image.Image, boxes: Sequence[CropBox], resize: Resize | None = None) -> Tensor:
    """Crops of one size, cut from an RGB image: uint8, (crops, 3, size, size), channels last in memory.

    The image is resized once for all crops of one region.
    """
    import torch

    return torch.from_numpy(cut_arrays(image, boxes, resize)).permute(0, 3, 1, 2)


def cut_arrays(image: Image.Image, boxes: Sequence[CropBox], resize: Resize | None = None) -> Pixels:
    """The same, uint8 (crops, size, size, 3), without torch."""
    resize, size = resize or Resize(), boxes[0].size
    regions: dict[tuple[tuple[int, int], Box], Pixels] = {}
    unflipped: dict[tuple[tuple[int, int], Box], Pixels] = {}
    result = np.empty((len(boxes), size, size, 3), np.uint8)
    for crop, box in zip(result, boxes, strict=True):
        region = box.resized, box.region
        if region not in regions:
            regions[region] = _resized(image, *region, resize)
        position = box.resized, box.box
        if position not in unflipped:
            unflipped[position] = _cut(regions[region], box, resize)
        crop[:] = unflipped[position][:, ::-1] if box.flip else unflipped[position]
    return result


def _cut(region: Pixels, box: CropBox, resize: Resize) -> Pixels:
    """The box's pixels, of those of its region: uint8 (size, size, 3)."""
    margin = max(0, box.region[0] - box.box[0], box.box[2] - box.region[2])  # beyond the region, as far to the side as up or down
    if margin:
        region = np.pad(region, ((margin, margin), (margin, margin), (0, 0)), mode="reflect")
    x, y = box.region[0] - margin, box.region[1] - margin
    left, top, right, bottom = box.box
    pixels = region[top - y : bottom - y, left - x : right - x]
    if len(pixels) == box.size:
        return pixels
    return _resized(Image.fromarray(pixels), (box.size, box.size), (0, 0, box.size, box.size), resize)


def _resized(image: Image.Image, resized: tuple[int, int], region: Box, resize: Resize) -> Pixels:
    """What lies in a region of the image resized to `resized`: uint8 (H, W, 3).

    It is computed from the image's pixels under it: the values of resizing the whole first, without a 1 x 10,000 image growing
    to millions of rows.
    """
    if not resize.antialias and resize.interpolation in ("bilinear", "bicubic"):
        return _sampled(image, resized, region, resize.interpolation)
    left, top, right, bottom = region
    x, y = image.width / resized[0], image.height / resized[1]
    box = left * x, top * y, min(right * x, image.width), min(bottom * y, image.height)
    return np.array(image.resize((right - left, bottom - top), FILTERS[resize.interpolation], box))


def _sampled(image: Image.Image, resized: tuple[int, int], region: Box, interpolation: str) -> Pixels:
    """The same from the nearest pixels alone (2 x 2, bicubic 4 x 4), however much smaller the image becomes: no antialiasing."""
    import torch
    from torch.nn import functional as F

    left, top, right, bottom = region
    columns = (torch.arange(left, right) + 0.5) * (2 / resized[0]) - 1  # the centres of pixels, -1..1 over the whole image
    rows = (torch.arange(top, bottom) + 0.5) * (2 / resized[1]) - 1
    grid = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1)[None]  # (1, H, W, 2)
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float()  # (1, 3, image's height, width)
    sampled = F.grid_sample(pixels, grid, interpolation, padding_mode="border", align_corners=False)[0]
    result: Pixels = sampled.round_().clamp_(0, 255).byte().permute(1, 2, 0).numpy()
    return result


def normalise(images: Tensor, preprocess: Preprocess) -> Tensor:
    """uint8 images (N, 3, H, W) -> what the network is fed, float32 in the same memory format."""
    import torch

    normalize = preprocess.normalize
    mean, std = (255 * torch.tensor([normalize.mean, normalize.std])).to(images.device, non_blocking=True)  # waits for nothing
    x = images.to(torch.float32, copy=True)  # changed in place from here: new memory costs more than the arithmetic
    if x.is_contiguous(memory_format=torch.channels_last):
        width = x.shape[3]
        x.permute(0, 2, 3, 1).flatten(2).sub_(mean.repeat(width)).div_(std.repeat(width))  # by rows of pixels, (N, H, 3 W)
        return x
    return x.sub_(mean.view(3, 1, 1)).div_(std.view(3, 1, 1))
