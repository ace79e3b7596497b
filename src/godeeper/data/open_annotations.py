"""`open_annotations`: annotated images in Pascal VOC's or COCO's layout, every box checked against its image."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..errors import GodeeperError, unknown
from .annotations import AnnotatedImage, DetectionDataset, Fault, Floats, LeftOut, Objects, map_sound, refuse
from .coco import is_coco, read_coco
from .decode import image_size
from .voc import is_like_voc, is_voc, read_voc

SKIP_BAD = "; --skip-bad leaves such out, and counts them"


def open_annotations(
    data: str | Path, split: str, classes: Sequence[str] | None = None, *, skip_bad: bool = False
) -> DetectionDataset:
    """Opens annotated images: a folder as Pascal VOC lays it out, or COCO's, or as annotation tools export either.

    `split` is the name of a list in `ImageSets/Main` (VOC), of a folder of images and their .xml, or "all" where there are
    neither; or of a json (COCO): `annotations/*SPLIT*.json` or `SPLIT.json` with the images in `SPLIT/`, `images/` or the folder
    itself, or `SPLIT/_annotations.coco.json`; val, valid and validation are one. `classes` is the label order of a trained
    detector; by default the dataset's own: the names in all annotations of the folder (VOC), or the categories of the json
    (COCO). GodeeperError, naming the file, for an image without annotation, an annotation without image or of an image of
    another size, and a box that is outside its image or has no area; with `skip_bad` these are left out, and listed in
    `left_out`, unless no sound box is left. An unknown class is a GodeeperError in any case.
    """
    folder = Path(data)
    if not data or not os.path.isdir(folder):
        what = "is a file" if os.path.isfile(folder) else "is not there"
        raise GodeeperError(f"{str(data)!r} {what}: give the folder of annotated images, Pascal VOC's or COCO's")
    left_out = LeftOut()
    if not is_voc(folder) and is_coco(folder):
        own, annotated = read_coco(folder, split, left_out)
    elif is_voc(folder) or is_like_voc(folder):
        own, annotated = read_voc(folder, split, left_out, classes)
    else:
        raise _no_layout(folder)
    if not annotated and not left_out.images:
        raise GodeeperError(f"the split {split!r} of {str(folder)!r} has no images: list some, or choose another split")
    order = tuple(own if classes is None else classes)
    _check_classes(order, annotated, left_out, folder)
    labels = {name: label for label, name in enumerate(order)}
    images = map_sound(
        annotated, lambda image: _checked(image, labels, left_out.boxes), left_out.images, lambda image: image.file
    )
    faults = [*left_out.images, *left_out.boxes]
    if not skip_bad or not any(len(objects) for _, _, objects in images):
        refuse(faults, "" if skip_bad else SKIP_BAD)
    files, sizes = [file for file, _, _ in images], [size for _, size, _ in images]
    return DetectionDataset(order, files, sizes, [objects for _, _, objects in images], split, left_out)


def _no_layout(folder: Path) -> GodeeperError:
    below = next((each for each in sorted(folder.iterdir()) if each.is_dir() and (is_coco(each) or is_voc(each))), None)
    return GodeeperError(
        f"{str(folder)!r} holds no annotated images: neither Pascal VOC's Annotations/, JPEGImages/ and ImageSets/Main/,"
        " nor COCO's annotations/*.json" + (f"; {str(below)!r} does: give that" if below else "")
    )


def _check_classes(classes: tuple[str, ...], annotated: Sequence[AnnotatedImage], left_out: LeftOut, folder: Path) -> None:
    """GodeeperError unless there are classes, which can be printed, and no object is of another."""
    if not classes:
        refuse([*left_out.images, *left_out.boxes])
        raise GodeeperError(f"the annotations of {str(folder)!r} hold no objects: there is no class to find")
    for name in classes:
        if not name.isprintable():
            raise GodeeperError(f"the class {name!r} of {str(folder)!r} has letters that cannot be printed: rename it")
    known = set(classes)
    strangers = [(image, name) for image in annotated for name in [box.name for box in image.boxes if box.name not in known][:1]]
    reasons = (f"{image.annotation}: {unknown('class', name, classes)}" for image, name in strangers)
    first = next(reasons, "")  # the others are only counted: to find the nearest name takes time
    refuse([Fault(str(image.file), first) for image, _ in strangers])


def _checked(image: AnnotatedImage, label_of: Mapping[str, int], faults: list[Fault]) -> tuple[Path, tuple[int, int], Objects]:
    """The image's file, its size, and its objects, every box held against it: the unsound join `faults`."""
    if not os.path.isfile(image.file):  # unlike Path.is_file, no error for a name too long
        raise GodeeperError(f"{image.annotation}: its image {str(image.file)!r} is missing: add it, or leave the annotation out")
    size = image_size(image.file)
    if image.size not in (None, size):
        annotated, real = (f"{width:g}x{height:g}" for width, height in (image.size or size, size))
        raise GodeeperError(
            f"{image.annotation}: it is of an image of {annotated} pixels, but {str(image.file)!r} has {real}, upright: correct"
            " the size if the boxes are right, or else annotate the image anew"
        )
    boxes, sound = _boxes(image, size, faults)
    kept = [box for box, is_sound in zip(image.boxes, sound, strict=True) if is_sound]
    labels = np.array([label_of[box.name] for box in kept], np.int64)
    difficult = np.array([box.difficult for box in kept], np.bool_)
    sides = (boxes[:, 2:] - boxes[:, :2]).astype(np.float64)  # (N, 2)
    areas = [width * height if box.outline_area is None else box.outline_area
             for box, (width, height) in zip(kept, sides.tolist(), strict=True)]  # fmt: skip
    return image.file, size, Objects(boxes, labels, difficult, np.array(areas, np.float64))


def _boxes(image: AnnotatedImage, size: tuple[int, int], faults: list[Fault]) -> tuple[Floats, list[bool]]:
    """The sound boxes (N, 4) within their image, and which of all are sound.

    What hangs over the edge by up to a pixel, as rounding leaves it, is cut off.
    """
    boxes = np.array([box.box for box in image.boxes], np.float64).reshape(-1, 4)
    edges = np.array((*size, *size))
    clipped: Floats = np.clip(boxes, 0, edges).astype(np.float32)
    of_size = f"its image of {size[0]}x{size[1]} pixels"
    sound = np.ones(len(boxes), np.bool_)
    for bad, fault in (
        (~np.isfinite(boxes), "is not of numbers"),
        (boxes[:, 2:] <= boxes[:, :2], "has no area"),
        ((boxes < -1) | (boxes > edges + 1), f"is not within {of_size}"),
        (clipped[:, 2:] <= clipped[:, :2], f"has no area within {of_size}"),
    ):
        for row in np.flatnonzero(bad.any(axis=1) & sound).tolist():
            box = image.boxes[row]
            reason = f"{image.annotation}: the box of a {box.name!r}, {box.quoted}, {fault}: correct it or take it out"
            faults.append(Fault(str(image.file), reason))
            sound[row] = False
    return clipped[sound], sound.tolist()
