"""Views as pixels: an image is resized once a scale, where it is decoded; its views are cut where the network is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..preprocess import Interpolation, Preprocess
from .augment import FILTERS, normalise
from .crops import Place, Sheet, View, holds, sheets, views


def resample(image: Image.Image, wanted: Sequence[Sheet], interpolation: Interpolation = "bilinear") -> list[Tensor]:
    """The sheets of one image: uint8, (height, width, 3) each.

    A sheet is resampled straight from the image's pixels under it: the same values as resizing the whole first, without a
    1 x 10,000 image growing to millions of rows. A sheet that is resized itself is made of another one's pixels.
    """
    drawn: list[Image.Image] = []
    for number, sheet in enumerate(wanted):
        on = next((place for place in range(number) if holds(wanted[place], sheet.resize, sheet.box)), None)
        if on is None:
            drawn.append(image.resize(sheet.out, FILTERS[interpolation], _scaled(sheet, image)))
        else:  # cut first: what lies beside a square is no part of it
            square = drawn[on].crop(_on(wanted[on], sheet))
            drawn.append(square.resize(sheet.out, FILTERS[interpolation]))
    return [torch.from_numpy(np.array(one)) for one in drawn]


def _scaled(sheet: Sheet, image: Image.Image) -> tuple[float, float, float, float]:
    """The sheet's box in the image's own pixels."""
    x, y = image.width / sheet.resize[0], image.height / sheet.resize[1]
    left, top, right, bottom = sheet.box
    return left * x, top * y, min(right * x, image.width), min(bottom * y, image.height)


def _on(other: Sheet, sheet: Sheet) -> tuple[float, float, float, float]:
    """The sheet's box in the pixels of another one that holds it."""
    left, top, right, bottom = sheet.box
    x, y = other.box[:2]
    return left - x, top - y, right - x, bottom - y


def cut(drawn: Sequence[Tensor], place: Place, out: tuple[int, int]) -> Tensor:
    """One view, (3, height, width), of sheets (height, width, 3); the pixels are the sheet's own unless it is mirrored."""
    width, height = out
    view = drawn[place.sheet][place.top : place.top + height, place.left : place.left + width].permute(2, 0, 1)
    return view.flip(-1) if place.flip else view


def take(image: Image.Image, crops: Sequence[View], interpolation: Interpolation = "bilinear") -> Tensor:
    """The views of one image: uint8, (views, 3, height, width), the image resized once a scale."""
    wanted, places = sheets(crops)
    drawn = resample(image, wanted, interpolation)
    return torch.stack([cut(drawn, place, view.out) for place, view in zip(places, crops, strict=True)])


def take_views(image: Image.Image, preprocess: Preprocess, scheme: int = 1) -> Tensor:
    """The views of one image as a network wants them, before `normalise`: uint8, (views, 3, size, size)."""
    crops = views(*image.size, preprocess.image_size, scheme, preprocess.resize.shorter_side)
    return take(image, crops, preprocess.resize.interpolation)


@lru_cache(maxsize=256)
def layout(size: tuple[int, int], preprocess: Preprocess, scheme: int) -> tuple[list[Sheet], list[Place]]:
    """The sheets and places of the views that a network is shown of an image of that width and height."""
    return sheets(views(*size, preprocess.image_size, scheme, preprocess.resize.shorter_side))


@dataclass(frozen=True)
class Laid:
    """One image's sheets, (H, W, 3) each, and where its views lie on them."""

    drawn: Sequence[Tensor]
    places: Sequence[Place]

    def normalised(self, preprocess: Preprocess, device: torch.device | str) -> Laid:
        """The same in numbers, on the device: for views that share most of their pixels."""
        turned = (normalise(sheet.to(device).permute(2, 0, 1)[None], preprocess)[0] for sheet in self.drawn)
        return Laid([sheet.permute(1, 2, 0) for sheet in turned], self.places)


def passes(images: Sequence[Laid], size: int, batch_size: int) -> Iterator[Tensor]:
    """The views of all images, one after the other, `batch_size` at a time: (N, 3, size, size), channels last."""
    queue = [(image.drawn, place) for image in images for place in image.places]
    for start in range(0, len(queue), batch_size):
        part = queue[start : start + batch_size]
        like = part[0][0][0]
        batch = torch.empty((len(part), 3, size, size), dtype=like.dtype, device=like.device, memory_format=torch.channels_last)
        for view, (drawn, place) in zip(batch, part, strict=True):
            view.copy_(cut(drawn, place, (size, size)))
        yield batch
