"""What annotated images are: boxes and labels, as a detector takes them and as annotation files hold them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from PIL import Image

from ..errors import BadImage, GodeeperError
from ..files import read_file
from ..text import printable
from .decode import decode

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float32]]
Doubles = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Labels = np.ndarray[tuple[int, ...], np.dtype[np.int64]]
Flags = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]

LARGEST = 4_000_000_000  # bytes of an annotation file: LVIS' have 1.2 thousand million

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Objects:
    """The objects of one image, none or many.

    `boxes` (N, 4): left, top, right, bottom in pixels, right and bottom excluded, so that an area is (right - left) * (bottom -
    top); `labels` (N,) index the dataset's classes; `difficult` (N,) are neither asked for nor counted as wrong: VOC's flag,
    COCO's crowds, and what an annotation says to ignore; `areas` (N,) in square pixels are those of the annotation, COCO's of the
    object's outline, by which small objects and large ones are told apart; None: those of the boxes.
    """

    boxes: Floats
    labels: Labels
    difficult: Flags
    areas: Doubles | None = None

    def __len__(self) -> int:
        return len(self.boxes)


class Fault(NamedTuple):
    """What is wrong with an image or one of its boxes: the file to count it by, and the reason, which names the annotation."""

    file: str
    reason: str


@dataclass
class LeftOut:
    """What is no part of a dataset though its annotations have it: unsound images, unsound boxes, and classes of nothing."""

    images: list[Fault] = field(default_factory=list)
    boxes: list[Fault] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """A line for each of the three of which there is any: how many by file, and what is wrong with the first."""
        lines = [f"the category {name!r} groups the others and has no objects: it is no class" for name in self.categories]
        for what, faults in (("images", self.images), ("boxes", self.boxes)):
            if faults:
                files = Counter(os.path.basename(fault.file) for fault in faults)
                some = ", ".join(f"{name} ({count})" for name, count in files.most_common(FILES_NAMED))
                more = f" and {len(files) - FILES_NAMED:,} more" if len(files) > FILES_NAMED else ""
                lines.append(f"unsound {what}, left out: {len(faults):,}, by file: {some}{more}; the first: {faults[0].reason}")
        return [printable(line) for line in lines]

    def as_dict(self) -> dict[str, Any]:
        """Plain data: the images' reasons, how many boxes by file, the categories."""
        boxes = dict(Counter(fault.file for fault in self.boxes))
        return {"images": [fault.reason for fault in self.images], "boxes": boxes, "categories": self.categories}


FILES_NAMED = 10  # in a line


@dataclass(frozen=True)
class DetectionDataset:
    """Images in a fixed order, with their upright widths and heights, the objects of each, and the classes in label order.

    `left_out` is what the annotations have besides.
    """

    classes: tuple[str, ...]
    files: Sequence[Path]
    sizes: Sequence[tuple[int, int]]
    objects: Sequence[Objects]
    split: str
    left_out: LeftOut = field(default_factory=LeftOut)

    def __len__(self) -> int:
        return len(self.files)

    def name(self, index: int) -> str:
        """The name that messages give the image."""
        return str(self.files[index])

    def image(self, index: int) -> Image.Image:
        """The image, RGB; BadImage where it cannot be decoded, or is no longer of the size that its boxes were held against."""
        image, (width, height) = decode(self.files[index]), self.sizes[index]
        if image.size != (width, height):
            before = f"{width}x{height} pixels when its annotation was read"
            raise BadImage(f"{self.files[index]}: it had {before}, and was changed since")
        return image

    def subset(self, indices: Sequence[int]) -> DetectionDataset:
        """The images at those positions."""
        files, sizes = [self.files[index] for index in indices], [self.sizes[index] for index in indices]
        return replace(self, files=files, sizes=sizes, objects=[self.objects[index] for index in indices])


class AnnotatedBox(NamedTuple):
    """An object as an annotation has it: `box` is left, top, right, bottom; `quoted` is the box as the file writes it.

    `outline_area` is None where the annotation gives no area.
    """

    name: str
    box: tuple[float, float, float, float]
    difficult: bool
    quoted: str
    outline_area: float | None = None


@dataclass(frozen=True)
class AnnotatedImage:
    """An image's file and its annotation as read: `annotation` says where it is; `size` is None where it gives no size."""

    file: Path
    annotation: str
    boxes: Sequence[AnnotatedBox]
    size: tuple[float, float] | None = None


def map_sound(
    items: Iterable[Item], function: Callable[[Item], Result], faults: list[Fault], file_of: Callable[[Item], object]
) -> list[Result]:
    """`function` of each item that it does not refuse; what it says of the others joins `faults`, by their file."""
    results = []
    for item in items:
        try:
            results.append(function(item))
        except GodeeperError as error:
            faults.append(Fault(str(file_of(item)), str(error)))
    return results


def refuse(faults: Sequence[Fault], remedy: str = "") -> None:
    """GodeeperError that says what is wrong with the first, and how many more there are; nothing where there are none."""
    if faults:
        more = f" (and {len(faults) - 1:,} more with faults)" if len(faults) > 1 else ""
        raise GodeeperError(f"{faults[0].reason}{more}{remedy}")


VALIDATION = ("val", "valid", "validation")  # what COCO and VOC, Roboflow, and CVAT call it


def split_named(split: str, names: Iterable[str]) -> str | None:
    """The one of `names` that is meant by `split`, in whatever case; val, valid and validation are one. None where none is."""
    by_case = {name.lower(): name for name in names}
    given = split.lower()
    same = [given, *(VALIDATION if given in VALIDATION else ())]
    return split if split in by_case.values() else next((by_case[name] for name in same if name in by_case), None)


def is_set(flag: object) -> bool:
    """Whether an annotation's flag is set, as tools write it: 1 or true, as a number or as a text."""
    return str(flag).strip().lower() in ("1", "1.0", "true")


def read_annotation(file: Path) -> bytes:
    """What an annotation file holds; GodeeperError where it cannot be read."""
    try:
        return read_file(file, LARGEST)
    except OSError as error:
        raise GodeeperError(f"{str(file)!r} cannot be read: {error.strerror}") from None
