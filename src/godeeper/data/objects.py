"""Images with their objects: what a box is, and the one door to every kind of annotation."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from PIL import Image

from ..errors import GodeeperError, unknown
from .decode import decode, image_size

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float32]]
Doubles = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Labels = np.ndarray[tuple[int, ...], np.dtype[np.int64]]
Flags = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]

Thing = TypeVar("Thing")
Made = TypeVar("Made")


@dataclass(frozen=True)
class Objects:
    """The objects of one image, none or many.

    `boxes` (N, 4): left, top, right, bottom in pixels, right and bottom excluded, so that an area is (right - left) * (bottom -
    top); `labels` (N,) index the set's classes; `difficult` (N,) are neither asked for nor counted as wrong: VOC's flag, COCO's
    crowds.
    """

    boxes: Floats
    labels: Labels
    difficult: Flags

    def __len__(self) -> int:
        return len(self.boxes)


@dataclass(frozen=True)
class DetectionSet:
    """Images in a fixed order, with their upright widths and heights, the objects of each, and the classes in label order."""

    classes: tuple[str, ...]
    files: Sequence[Path]
    sizes: Sequence[tuple[int, int]]
    objects: Sequence[Objects]
    split: str

    def __len__(self) -> int:
        return len(self.files)

    def name(self, index: int) -> str:
        """What a person calls the image."""
        return str(self.files[index])

    def image(self, index: int) -> Image.Image:
        """The image, RGB; BadImage where it cannot be decoded."""
        return decode(self.files[index])


class Drawn(NamedTuple):
    """An object as an annotation has it: `box` is left, top, right, bottom; `written` is the box in its own words."""

    name: str
    box: tuple[float, float, float, float]
    difficult: bool
    written: str


@dataclass(frozen=True)
class Annotated:
    """An image's file and its annotation as read: where that is, what it holds, and the image's size if it says so."""

    image: Path
    annotation: str
    objects: Sequence[Drawn]
    size: tuple[float, float] | None = None


def open_objects(source: str | Path, split: str, classes: Sequence[str] | None = None) -> DetectionSet:
    """Opens annotated images: a folder as Pascal VOC lays it out, or COCO's.

    `split` is the name of a list in `ImageSets/Main` (VOC), or of a json (COCO): `annotations/*SPLIT*.json` with the images in
    `SPLIT/`, `images/` or the folder itself, or `SPLIT/_annotations.coco.json`. `classes` is the label order of a trained
    detector; by default the set's own: the names in all annotations of the folder (VOC), or the categories of the json (COCO).
    GodeeperError, naming the file, for an image without annotation, an annotation without image or of an image of another
    size, and a box that is outside its image, has no area, or is of an unknown class.
    """
    from .coco import holds_coco, read_coco
    from .voc import holds_voc, read_voc

    folder = Path(source)
    if not source or not os.path.isdir(folder):
        what = "is a file" if os.path.isfile(folder) else "is not there"
        raise GodeeperError(f"{str(source)!r} {what}: give the folder of annotated images, Pascal VOC's or COCO's")
    if holds_voc(folder):
        own, annotated = read_voc(folder, split, classes)
    elif holds_coco(folder):
        own, annotated = read_coco(folder, split)
    else:
        raise GodeeperError(
            f"{str(folder)!r} holds no annotated images: neither Pascal VOC's Annotations/, JPEGImages/ and ImageSets/Main/,"
            " nor COCO's annotations/*.json"
        )
    if not annotated:
        raise GodeeperError(f"the split {split!r} of {str(folder)!r} has no images: list some, or choose another split")
    order = tuple(own if classes is None else classes)
    if not order:
        raise GodeeperError(f"the annotations of {str(folder)!r} hold no objects: there is no class to find")
    for name in order:
        if not name.isprintable():
            raise GodeeperError(f"the class {name!r} of {str(folder)!r} has letters that cannot be printed: rename it")
    found = for_each(annotated, lambda one: _checked(one, order))
    return DetectionSet(order, [one.image for one in annotated], [size for size, _ in found], [one for _, one in found], split)


def for_each(things: Iterable[Thing], make: Callable[[Thing], Made]) -> list[Made]:
    """What is made of each thing; GodeeperError that says what is wrong with the first bad one, and how many more there are."""
    made, faults = [], []
    for thing in things:
        try:
            made.append(make(thing))
        except GodeeperError as fault:
            faults.append(fault)
    if faults:
        more = f" (and {len(faults) - 1:,} more with faults)" if len(faults) > 1 else ""
        raise type(faults[0])(f"{faults[0]}{more}")
    return made


def content(file: Path) -> bytes:
    """What an annotation file holds; GodeeperError where it cannot be read."""
    if not os.path.isfile(file):  # a pipe would never end
        raise GodeeperError(f"{str(file)!r} is no regular file")
    try:
        return file.read_bytes()
    except OSError as error:
        raise GodeeperError(f"{str(file)!r} cannot be read: {error.strerror}") from None


def _checked(one: Annotated, classes: tuple[str, ...]) -> tuple[tuple[int, int], Objects]:
    """The image's size, and the objects, every box held against it."""
    if not os.path.isfile(one.image):  # unlike Path.is_file, no error for a name too long
        raise GodeeperError(f"{one.annotation}: its image {str(one.image)!r} is missing: add it, or leave the annotation out")
    size = image_size(one.image)
    if one.size not in (None, size):
        said, real = (f"{width:g}x{height:g}" for width, height in (one.size or size, size))
        raise GodeeperError(
            f"{one.annotation}: it is of an image of {said} pixels, but {str(one.image)!r} has {real}, upright: correct the"
            " size if the boxes are right, or else annotate the image anew"
        )
    labels = []
    for drawn in one.objects:
        if drawn.name not in classes:
            raise GodeeperError(f"{one.annotation}: {unknown('class', drawn.name, classes)}")
        labels.append(classes.index(drawn.name))
    difficult = np.array([drawn.difficult for drawn in one.objects], np.bool_)
    return size, Objects(_boxes(one, size), np.array(labels, np.int64), difficult)


def _boxes(one: Annotated, size: tuple[int, int]) -> Floats:
    """The boxes, within their image: what hangs over the edge by up to a pixel, as rounding leaves it, is cut off."""
    boxes = np.array([drawn.box for drawn in one.objects], np.float64).reshape(-1, 4)
    edges = np.array((*size, *size))
    cut: Floats = np.clip(boxes, 0, edges).astype(np.float32)
    image = f"its image of {size[0]}x{size[1]} pixels"
    for bad, fault in (
        (~np.isfinite(boxes), "is not of numbers"),
        (boxes[:, 2:] <= boxes[:, :2], "has no area"),
        ((boxes < -1) | (boxes > edges + 1), f"is not within {image}"),
        (cut[:, 2:] <= cut[:, :2], f"has no area within {image}"),
    ):
        for drawn in [one.objects[index] for index in np.flatnonzero(bad.any(axis=1))[:1]]:
            raise GodeeperError(
                f"{one.annotation}: the box of a {drawn.name!r}, {drawn.written}, {fault}: correct it or take it out"
            )
    return cut
