"""Which images of a folder a channel answers to most, and to what in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw

from ..data.crops import Box
from ..data.decode import decode
from ..deploy.predictor import default_batch_size
from ..errors import BadImage, GodeeperError
from ..models.network import Network, device_of
from .cam import centre_crop, centre_view, evaluating, stretched
from .sight import Sight, Span, sight

MOST = 12  # images kept
SIDE, GAP = 200, 6  # pixels: an image's square, the space between the image and the patch
FRAME = "#ff3b30"


@dataclass(frozen=True)
class Strong:
    """An image's largest value of the channel, and the patch, in the image's pixels, that the unit with that value sees."""

    file: Path
    value: float
    patch: Box

    def as_dict(self) -> dict[str, Any]:
        return {"image": str(self.file), "value": self.value, "patch": list(self.patch)}


def strongest(
    network: Network, files: Sequence[Path], stage: str, channel: int, most: int = MOST,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> tuple[list[Strong], list[str]]:  # fmt: skip
    """The images with the largest values of a stage's channel, largest first; and of which could not be decoded, why.

    Each image counts once, by its centre crop. The patch is what that unit can see at all, through its own branch: its
    receptive field, cut off at the crop's edge. `progress` is told how many images are done, and of how many. GodeeperError
    for an unknown stage or channel, and where no image can be decoded.
    """
    seen = sight(network.definition, stage, channel)
    found: list[Strong] = []
    bad: list[str] = []
    size = default_batch_size(network.preprocess.image_size, device_of(network))
    with evaluating(network), torch.inference_mode():
        for start in range(0, len(files), size):
            batch = list(_decoded(files[start : start + size], bad))
            if batch:
                values = torch.cat([centre_crop(network, image) for _, image in batch])
                for name, module in network.stages.items():
                    values = module(values)
                    if name == stage:
                        break
                for (file, image), grid in zip(batch, values[:, channel].cpu(), strict=True):
                    row, column = divmod(int(grid.argmax()), grid.shape[1])
                    patch = _patch(network, image.size, seen, row, column)
                    found.append(Strong(file, float(grid[row, column]), patch))
            progress(min(start + size, len(files)), len(files))
    if not found:
        raise GodeeperError(f"none of the {len(files)} images can be decoded: {bad[0]}" if bad else "there are no images")
    return sorted(found, key=lambda one: -one.value)[:most], bad


def _decoded(files: Iterable[Path], bad: list[str]) -> Iterator[tuple[Path, Image.Image]]:
    for file in files:
        try:
            yield file, decode(file)
        except BadImage as error:
            bad.append(str(error))


def _patch(network: Network, size: tuple[int, int], seen: Sight, row: int, column: int) -> Box:
    """What the unit in that place sees of the image, in its pixels."""
    view = centre_view(network, size)
    (top, bottom), (left, right) = (
        _edges(span, place, side) for span, place, side in zip(seen, (row, column), view.out[::-1], strict=True)
    )
    x, y = (own / resized for own, resized in zip(size, view.resize, strict=True))
    beyond, below = view.box[:2]
    return stretched((beyond + left, below + top, beyond + right, below + bottom), x, y)


def _edges(span: Span, place: int, side: int) -> tuple[int, int]:
    first = span.first + place * span.jump
    return max(first, 0), min(first + span.field, side)


def draw_strong(one: Strong) -> Image.Image:
    """The image, the patch framed in it, and beside it the patch alone, both in squares of `SIDE` pixels."""
    image = decode(one.file)
    sheet = Image.new("RGBA", (2 * SIDE + GAP, SIDE))
    for left, part in ((0, image), (SIDE + GAP, image.crop(one.patch))):
        scale = SIDE / max(part.size)
        size = (max(1, round(part.width * scale)), max(1, round(part.height * scale)))
        shown = part.resize(size, Image.Resampling.NEAREST if scale > 2 else Image.Resampling.BICUBIC)
        corner = left + (SIDE - size[0]) // 2, (SIDE - size[1]) // 2
        sheet.paste(shown, corner)
        if left == 0:
            x0, y0, x1, y1 = stretched(one.patch, scale, scale)
            box = corner[0] + x0, corner[1] + y0, corner[0] + x1 - 1, corner[1] + y1 - 1
            ImageDraw.Draw(sheet).rectangle(box, outline=FRAME, width=2)
    return sheet
