"""`open_annotations`: annotated images in Pascal VOC's or COCO's layout, every box checked against its image."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import GodeeperError, unknown
from .annotations import AnnotatedImage, DetectionDataset, Floats, Objects, map_all
from .coco import is_coco, read_coco
from .decode import image_size
from .voc import is_voc, read_voc


def open_annotations(data: str | Path, split: str, classes: Sequence[str] | None = None) -> DetectionDataset:
    """Opens annotated images: a folder as Pascal VOC lays it out, or COCO's.

    `split` is the name of a list in `ImageSets/Main` (VOC), or of a json (COCO): `annotations/*SPLIT*.json` with the images in
    `SPLIT/`, `images/` or the folder itself, or `SPLIT/_annotations.coco.json`. `classes` is the label order of a trained
    detector; by default the dataset's own: the names in all annotations of the folder (VOC), or the categories of the json
    (COCO). GodeeperError, naming the file, for an image without annotation, an annotation without image or of an image of
    another size, and a box that is outside its image, has no area, or is of an unknown class.
    """
    folder = Path(data)
    if not data or not os.path.isdir(folder):
        what = "is a file" if os.path.isfile(folder) else "is not there"
        raise GodeeperError(f"{str(data)!r} {what}: give the folder of annotated images, Pascal VOC's or COCO's")
    if is_voc(folder):
        own, annotated = read_voc(folder, split, classes)
    elif is_coco(folder):
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
    checked = map_all(annotated, lambda image: _checked(image, order))
    sizes, objects = [size for size, _ in checked], [objects for _, objects in checked]
    return DetectionDataset(order, [image.file for image in annotated], sizes, objects, split)


def _checked(image: AnnotatedImage, classes: tuple[str, ...]) -> tuple[tuple[int, int], Objects]:
    """The image's size, and the objects, every box held against it."""
    if not os.path.isfile(image.file):  # unlike Path.is_file, no error for a name too long
        raise GodeeperError(f"{image.annotation}: its image {str(image.file)!r} is missing: add it, or leave the annotation out")
    size = image_size(image.file)
    if image.size not in (None, size):
        annotated, real = (f"{width:g}x{height:g}" for width, height in (image.size or size, size))
        raise GodeeperError(
            f"{image.annotation}: it is of an image of {annotated} pixels, but {str(image.file)!r} has {real}, upright: correct"
            " the size if the boxes are right, or else annotate the image anew"
        )
    labels = []
    for box in image.boxes:
        if box.name not in classes:
            raise GodeeperError(f"{image.annotation}: {unknown('class', box.name, classes)}")
        labels.append(classes.index(box.name))
    difficult = np.array([box.difficult for box in image.boxes], np.bool_)
    return size, Objects(_boxes(image, size), np.array(labels, np.int64), difficult)


def _boxes(image: AnnotatedImage, size: tuple[int, int]) -> Floats:
    """The boxes (N, 4) within their image: what hangs over the edge by up to a pixel, as rounding leaves it, is cut off."""
    boxes = np.array([box.box for box in image.boxes], np.float64).reshape(-1, 4)
    edges = np.array((*size, *size))
    clipped: Floats = np.clip(boxes, 0, edges).astype(np.float32)
    of_size = f"its image of {size[0]}x{size[1]} pixels"
    for bad, fault in (
        (~np.isfinite(boxes), "is not of numbers"),
        (boxes[:, 2:] <= boxes[:, :2], "has no area"),
        ((boxes < -1) | (boxes > edges + 1), f"is not within {of_size}"),
        (clipped[:, 2:] <= clipped[:, :2], f"has no area within {of_size}"),
    ):
        rows = np.flatnonzero(bad.any(axis=1))
        if len(rows):
            box = image.boxes[rows[0]]
            raise GodeeperError(
                f"{image.annotation}: the box of a {box.name!r}, {box.quoted}, {fault}: correct it or take it out"
            )
    return clipped
