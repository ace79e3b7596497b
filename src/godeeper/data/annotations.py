"""What annotated images are: boxes and labels, as a detector takes them and as annotation files hold them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from PIL import Image

from ..errors import GodeeperError
from .decode import decode

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float32]]
Doubles = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Labels = np.ndarray[tuple[int, ...], np.dtype[np.int64]]
Flags = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Objects:
    """The objects of one image, none or many.

    `boxes` (N, 4): left, top, right, bottom in pixels, right and bottom excluded, so that an area is (right - left) * (bottom -
    top); `labels` (N,) index the dataset's classes; `difficult` (N,) are neither asked for nor counted as wrong: VOC's flag,
    COCO's crowds.
    """

    boxes: Floats
    labels: Labels
    difficult: Flags

    def __len__(self) -> int:
        return len(self.boxes)


@dataclass(frozen=True)
class DetectionDataset:
    """Images in a fixed order, with their upright widths and heights, the objects of each, and the classes in label order."""

    classes: tuple[str, ...]
    files: Sequence[Path]
    sizes: Sequence[tuple[int, int]]
    objects: Sequence[Objects]
    split: str

    def __len__(self) -> int:
        return len(self.files)

    def name(self, index: int) -> str:
        """The name that messages give the image."""
        return str(self.files[index])

    def image(self, index: int) -> Image.Image:
        """The image, RGB; BadImage where it cannot be decoded."""
        return decode(self.files[index])


class AnnotatedBox(NamedTuple):
    """An object as an annotation has it: `box` is left, top, right, bottom; `quoted` is the box as the file writes it."""

    name: str
    box: tuple[float, float, float, float]
    difficult: bool
    quoted: str


@dataclass(frozen=True)
class AnnotatedImage:
    """An image's file and its annotation as read: `annotation` says where it is; `size` is None where it gives no size."""

    file: Path
    annotation: str
    boxes: Sequence[AnnotatedBox]
    size: tuple[float, float] | None = None


def map_all(items: Iterable[Item], function: Callable[[Item], Result]) -> list[Result]:
    """`function` of each item; GodeeperError that says what is wrong with the first bad one, and how many more there are."""
    results, faults = [], []
    for item in items:
        try:
            results.append(function(item))
        except GodeeperError as fault:
            faults.append(fault)
    if faults:
        more = f" (and {len(faults) - 1:,} more with faults)" if len(faults) > 1 else ""
        raise type(faults[0])(f"{faults[0]}{more}")
    return results


def read_annotation(file: Path) -> bytes:
    """What an annotation file holds; GodeeperError where it cannot be read."""
    if not os.path.isfile(file):  # a pipe would never end
        raise GodeeperError(f"{str(file)!r} is no regular file")
    try:
        return file.read_bytes()
    except OSError as error:
        raise GodeeperError(f"{str(file)!r} cannot be read: {error.strerror}") from None
