"""Regions of images as R-CNN sees them (arXiv 1311.2524): warped to the network's input, and named by what they overlap."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from random import Random

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..data.decode import decode
from ..data.objects import DetectionSet, Floats, Labels, Objects
from ..data.sources import ImageDataset
from ..preprocess import Preprocess
from .boxes import jaccard
from .metrics import JACCARD

BACKGROUND = "background"  # the class of regions without an object, the last one
CONTEXT = 16 / 227  # of a warped region's side, on each side of the box: Appendix A
BACKGROUNDS = 3  # to each region of an object: Section 2.3 has 96 to 32
LEFT_OUT = -1
REMEMBERED = 64_000_000  # pixels of decoded images, in each process that cuts regions out of them


def warp(image: Image.Image, box: Sequence[float], preprocess: Preprocess) -> Image.Image:
    """A region of an RGB image, whatever its shape, as a square of the network's input, with some context around the box.

    What lies beyond the image has the mean colour, so that the network sees zeros there.
    """
    size = preprocess.image_size
    margin = round(CONTEXT * size)
    left, top, right, bottom = box
    across, down = (size - 2 * margin) / (right - left), (size - 2 * margin) / (bottom - top)  # pixels there to a pixel here
    start = left - margin / across, top - margin / down
    shown = (
        max(start[0], 0.0),
        max(start[1], 0.0),
        min(right + margin / across, image.width),
        min(bottom + margin / down, image.height),
    )
    place = round((shown[0] - start[0]) * across), round((shown[1] - start[1]) * down)
    end = round((shown[2] - start[0]) * across), round((shown[3] - start[1]) * down)
    sides = max(1, end[0] - place[0]), max(1, end[1] - place[1])
    red, green, blue = (round(255 * value) for value in preprocess.normalize.mean)
    square = Image.new("RGB", (size, size), (red, green, blue))
    square.paste(image.resize(sides, Image.Resampling.BILINEAR, box=shown), place)
    return square


def warp_all(image: Image.Image, boxes: Floats, preprocess: Preprocess) -> Tensor:
    """The regions of an image, uint8 (N, 3, size, size)."""
    squares = np.empty((len(boxes), preprocess.image_size, preprocess.image_size, 3), np.uint8)
    for square, box in zip(squares, boxes.tolist(), strict=True):
        square[:] = np.asarray(warp(image, box, preprocess))
    return torch.from_numpy(squares).permute(0, 3, 1, 2)  # (N, H, W, 3) -> (N, 3, H, W), channels last as it comes


def region_labels(boxes: Floats, objects: Objects, classes: int) -> Labels:
    """The class of the object that each box overlaps most, if by 0.5 or more, else `classes`, background; (N,).

    -1 for boxes that overlap a difficult object so.
    """
    if not len(objects):
        return np.full(len(boxes), classes, np.int64)
    overlaps = jaccard(boxes, objects.boxes)
    best = overlaps.argmax(1)
    labels = np.where(objects.difficult[best], LEFT_OUT, objects.labels[best])
    return np.where(overlaps.max(1) >= JACCARD, labels, classes)


class RegionDataset(ImageDataset):
    """Regions of a set's images, to learn from: every object's box, every proposal that overlaps one, and background.

    There are `BACKGROUNDS` regions of background to each other one, chosen by `seed`. Their images are the warped regions.
    """

    def __init__(self, images: DetectionSet, proposals: Sequence[Floats], preprocess: Preprocess, seed: int) -> None:
        self.images, self.preprocess = images, preprocess
        background = len(images.classes)
        every = [np.concatenate([objects.boxes, boxes]) for boxes, objects in zip(proposals, images.objects, strict=True)]
        labels = np.concatenate([region_labels(*pair, background) for pair in zip(every, images.objects, strict=True)])
        places, boxes = np.repeat(np.arange(len(every)), [len(some) for some in every]), np.concatenate(every)
        named, other = (np.flatnonzero(which) for which in ((labels != LEFT_OUT) & (labels != background), labels == background))
        wanted = min(len(other), BACKGROUNDS * max(1, len(named)))
        chosen = np.concatenate([named, other[Random(f"{seed}/background").sample(range(len(other)), wanted)]])
        chosen = chosen[np.lexsort((*boxes[chosen].T[::-1], places[chosen]))]
        self.places, self.boxes = places[chosen].tolist(), boxes[chosen]
        self.labels = labels[chosen].tolist()

    def __len__(self) -> int:
        return len(self.labels)

    def name(self, index: int) -> str:
        return f"{self.images.name(self.places[index])} [{', '.join(f'{side:g}' for side in self.boxes[index])}]"

    def content(self, index: int) -> Image.Image:
        image = _decoded(self.images.files[self.places[index]])
        return warp(image, self.boxes[index].tolist(), self.preprocess)


class _Decoded:
    """Images of files; the last ones are remembered, as each has hundreds of regions."""

    def __init__(self) -> None:
        self.images: OrderedDict[Path, Image.Image] = OrderedDict()
        self.pixels = 0

    def __call__(self, file: Path) -> Image.Image:
        image = self.images.pop(file, None)
        if image is None:
            image = decode(file)
            self.pixels += image.width * image.height
        self.images[file] = image
        while self.pixels > REMEMBERED and len(self.images) > 1:
            _, oldest = self.images.popitem(last=False)
            self.pixels -= oldest.width * oldest.height
        return image


_decoded = _Decoded()  # each process its own: a set of regions is sent to others without images
