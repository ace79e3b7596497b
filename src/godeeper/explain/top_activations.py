"""The images of a folder that activate a channel most, and the patch in each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from ..data.crops import Box
from ..data.decode import decode
from ..data.pixels import default_batch_size
from ..errors import BadImage, GodeeperError
from ..eval_mode import eval_mode
from ..models.network import Network, device_of
from .centre_crop import boxes_of, centre_crop, scale_box
from .receptive_field import Extent, ReceptiveField, receptive_field

COUNT = 12  # images kept
SIDE, GAP = 200, 6  # pixels: the square of an image, the space between image and patch
FRAME = "#ff3b30"


@dataclass(frozen=True)
class Activation:
    """An image's largest value of the channel, and the receptive field of that value's unit, in the image's pixels."""

    file: Path
    value: float
    patch: Box

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"image": str(self.file), "value": self.value, "patch": list(self.patch)}


def top_activations(
    network: Network, files: Sequence[Path], stage: str, channel: int, count: int = COUNT,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[list[Activation], list[str]]:  # fmt: skip
    """The `count` images with the largest values of a stage's channel, largest first; and the reasons of undecodable ones.

    Each image counts once, by its centre crop. The patch is the receptive field through the channel's own branch, cut off at
    the crop's edge. `progress` is called with the number of images done and of all images. GodeeperError for an unknown stage
    or channel, and if no image can be decoded.
    """
    field = receptive_field(network.definition, stage, channel)
    activations: list[Activation] = []
    bad: list[str] = []
    size = default_batch_size(network.preprocess.resize.size, device_of(network))
    with eval_mode(network), torch.inference_mode():
        for start in range(0, len(files), size):
            decoded = _decoded(files[start : start + size], bad)
            batch = [(file, image.size, centre_crop(network, image)) for file, image in decoded]
            if batch:
                values = _stage_values(network, torch.cat([crop for *_, crop in batch]), stage)[:, channel].cpu()  # (N, h, w)
                for (file, image_size, _), grid in zip(batch, values, strict=True):
                    row, column = divmod(int(grid.argmax()), grid.shape[1])
                    patch = _patch(network, image_size, field, row, column)
                    activations.append(Activation(file, float(grid[row, column]), patch))
            progress(min(start + size, len(files)), len(files))
    if not activations:
        raise GodeeperError(f"none of the {len(files)} images can be decoded: {bad[0]}" if bad else "there are no images")
    return sorted(activations, key=lambda activation: -activation.value)[:count], bad


def _stage_values(network: Network, x: Tensor, stage: str) -> Tensor:
    for name, module in network.stages.items():
        x = module(x)
        if name == stage:
            break
    return x


def _decoded(files: Iterable[Path], bad: list[str]) -> Iterator[tuple[Path, Image.Image]]:
    for file in files:
        try:
            yield file, decode(file)
        except BadImage as error:
            bad.append(str(error))


def _patch(network: Network, size: tuple[int, int], field: ReceptiveField, row: int, column: int) -> Box:
    """What the unit at that position sees of an image of that width and height, in the image's pixels."""
    (crop,) = boxes_of(network, size)
    (top, bottom), (left, right) = (_edges(extent, unit, crop.size) for extent, unit in zip(field, (row, column), strict=True))
    x, y = (side / resized for side, resized in zip(size, crop.resized, strict=True))
    crop_left, crop_top = crop.box[:2]
    return scale_box((crop_left + left, crop_top + top, crop_left + right, crop_top + bottom), x, y)


def _edges(extent: Extent, unit: int, side: int) -> tuple[int, int]:
    start = extent.start + unit * extent.stride
    return max(start, 0), min(start + extent.size, side)


def draw_activation(activation: Activation) -> Image.Image:
    """The image with the patch framed, and beside it the patch alone, each in a square of `SIDE` pixels."""
    image = decode(activation.file)
    canvas = Image.new("RGBA", (2 * SIDE + GAP, SIDE))
    for left, part in ((0, image), (SIDE + GAP, image.crop(activation.patch))):
        scale = SIDE / max(part.size)
        size = (max(1, round(part.width * scale)), max(1, round(part.height * scale)))
        resized = part.resize(size, Image.Resampling.NEAREST if scale > 2 else Image.Resampling.BICUBIC)
        corner = left + (SIDE - size[0]) // 2, (SIDE - size[1]) // 2
        canvas.paste(resized, corner)
        if left == 0:
            x0, y0, x1, y1 = scale_box(activation.patch, size[0] / part.width, size[1] / part.height)
            box = corner[0] + x0, corner[1] + y0, corner[0] + x1 - 1, corner[1] + y1 - 1
            ImageDraw.Draw(canvas).rectangle(box, outline=FRAME, width=2)
    return canvas
