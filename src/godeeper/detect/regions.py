"""Regions of images as R-CNN sees them (arXiv 1311.2524): warped to the network's input, labelled by the object they overlap."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from random import Random

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..data.annotations import DetectionDataset, Floats, Labels, Objects
from ..data.dataset import ImageDataset, stored_size
from ..data.decode import decode
from ..preprocess import Preprocess
from .average_precision import IOU_THRESHOLD
from .iou import box_iou

BACKGROUND = "background"  # the class of regions without an object, the last one
CONTEXT = 16 / 227  # of a warped region's side, on each side of the box: Appendix A
BACKGROUND_RATIO = 3  # regions of background to each region of an object: Section 2.3 has 96 to 32
IGNORED = -1  # the label of regions that overlap a difficult object
CACHE_PIXELS = 64_000_000  # of decoded images, in each process that crops regions


def warp(image: Image.Image, box: Sequence[float], preprocess: Preprocess) -> Image.Image:
    """A region of an RGB image, of any shape, as a square of the network's input size, with some context around the box.

    What lies outside the image has the mean colour, so that the network sees zeros there.
    """
    size = preprocess.image_size
    margin = round(CONTEXT * size)
    left, top, right, bottom = box
    scale_x, scale_y = (size - 2 * margin) / (right - left), (size - 2 * margin) / (bottom - top)
    start_x, start_y = left - margin / scale_x, top - margin / scale_y  # the square's corner, in pixels of the image
    visible = (
        max(start_x, 0.0),
        max(start_y, 0.0),
        min(right + margin / scale_x, image.width),
        min(bottom + margin / scale_y, image.height),
    )
    corner = round((visible[0] - start_x) * scale_x), round((visible[1] - start_y) * scale_y)
    end = round((visible[2] - start_x) * scale_x), round((visible[3] - start_y) * scale_y)
    sides = max(1, end[0] - corner[0]), max(1, end[1] - corner[1])
    red, green, blue = (round(255 * value) for value in preprocess.normalize.mean)
    square = Image.new("RGB", (size, size), (red, green, blue))
    square.paste(image.resize(sides, Image.Resampling.BILINEAR, box=visible), corner)
    return square


def warp_all(image: Image.Image, boxes: Floats, preprocess: Preprocess) -> Tensor:
    """The regions of an image, uint8 (N, 3, size, size)."""
    squares = np.empty((len(boxes), preprocess.image_size, preprocess.image_size, 3), np.uint8)
    for square, box in zip(squares, boxes.tolist(), strict=True):
        square[:] = np.asarray(warp(image, box, preprocess))
    return torch.from_numpy(squares).permute(0, 3, 1, 2)  # (N, H, W, 3) -> (N, 3, H, W), still channels last in memory


def region_labels(boxes: Floats, objects: Objects, classes: int) -> Labels:
    """Boxes (N, 4) -> labels (N,): the class of the object of highest IoU if that is at least 0.5, else `classes`, background.

    -1 for boxes whose object is a difficult one.
    """
    if not len(objects):
        return np.full(len(boxes), classes, np.int64)
    overlaps = box_iou(boxes, objects.boxes)
    best = overlaps.argmax(1)
    labels = np.where(objects.difficult[best], IGNORED, objects.labels[best])
    return np.where(overlaps.max(1) >= IOU_THRESHOLD, labels, classes)


class RegionDataset(ImageDataset):
    """Regions of a dataset's images to learn from: the box of each object, the proposals that overlap one, and background.

    There are `BACKGROUND_RATIO` regions of background to each other one, sampled by `seed`. Each warped region is an image.
    """

    def __init__(self, images: DetectionDataset, proposals: Sequence[Floats], preprocess: Preprocess, seed: int) -> None:
        self.images, self.preprocess = images, preprocess
        background = len(images.classes)
        of_images = [np.concatenate([objects.boxes, boxes]) for boxes, objects in zip(proposals, images.objects, strict=True)]
        labels = np.concatenate([region_labels(*pair, background) for pair in zip(of_images, images.objects, strict=True)])
        indices, boxes = np.repeat(np.arange(len(of_images)), [len(some) for some in of_images]), np.concatenate(of_images)
        positive, negative = np.flatnonzero((labels != IGNORED) & (labels != background)), np.flatnonzero(labels == background)
        count = min(len(negative), BACKGROUND_RATIO * max(1, len(positive)))
        sampled = Random(f"{seed}/background").sample(range(len(negative)), count)
        chosen = np.concatenate([positive, negative[sampled]])
        chosen = chosen[np.lexsort((*boxes[chosen].T[::-1], indices[chosen]))]  # by image: each is decoded once
        self.image_indices: list[int] = indices[chosen].tolist()
        self.boxes = boxes[chosen]
        self.labels = labels[chosen].tolist()

    def __len__(self) -> int:
        return len(self.labels)

    def name(self, index: int) -> str:
        return f"{self.images.name(self.image_indices[index])} [{', '.join(f'{side:g}' for side in self.boxes[index])}]"

    def raw(self, index: int) -> Image.Image:
        image = _decoded_images(self.images.files[self.image_indices[index]])
        return warp(image, self.boxes[index].tolist(), self.preprocess)

    def size_or_checksum(self, index: int) -> int:
        return self.file_sizes[self.image_indices[index]]

    @cached_property
    def file_sizes(self) -> list[int]:
        """Of each image's file, in bytes: it has hundreds of regions."""
        return list(map(stored_size, self.images.files))


class _DecodedImages:
    """Decodes files; the last images are kept in memory, as each has hundreds of regions."""

    def __init__(self) -> None:
        self.images: OrderedDict[Path, Image.Image] = OrderedDict()
        self.pixels = 0

    def __call__(self, file: Path) -> Image.Image:
        image = self.images.pop(file, None)
        if image is None:
            image = decode(file)
            self.pixels += image.width * image.height
        self.images[file] = image
        while self.pixels > CACHE_PIXELS and len(self.images) > 1:
            _, oldest = self.images.popitem(last=False)
            self.pixels -= oldest.width * oldest.height
        return image


_decoded_images = _DecodedImages()  # one a process: a dataset is sent to loader processes without images
