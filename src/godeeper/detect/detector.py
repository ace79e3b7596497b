"""Anything that finds objects, and what it finds in a set of images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from PIL import Image
from torch import distributed as dist

from ..data.objects import DetectionSet
from ..errors import BadImage
from .detections import Detections


class Detector(Protocol):
    """What finds objects in an image, one at a time, so that what it finds depends on that image alone."""

    classes: tuple[str, ...]

    def find(self, image: Image.Image) -> Detections:
        """The objects of an RGB image."""
        ...


@dataclass(frozen=True)
class Found:
    """What was found in images of a set: `index` has their places, `skipped` says which could not be decoded, and why."""

    index: list[int]
    detections: list[Detections]
    skipped: list[str]


def find_all(
    detector: Detector,
    images: DetectionSet,
    *,
    skip_bad: bool = False,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Found:
    """What a detector finds in each image, those of other processes' among them, in the set's order.

    BadImage for an image that cannot be decoded, unless `skip_bad`.
    """
    several = dist.is_initialized()
    rank, ranks = (dist.get_rank(), dist.get_world_size()) if several else (0, 1)
    found: dict[int, Detections | str] = {}
    for index in range(rank, len(images), ranks):
        try:
            found[index] = detector.find(images.image(index))
        except BadImage as error:
            found[index] = str(error)
        progress(min(len(found) * ranks, len(images)), len(images))
    everyones: list[dict[int, Detections | str]] = [found] * ranks
    if several:
        dist.all_gather_object(everyones, found)
    together = sorted((index, one) for part in everyones for index, one in part.items())
    skipped = [one for _, one in together if isinstance(one, str)]
    if skipped and not skip_bad:  # once every process knows, so that none waits for another
        raise BadImage(skipped[0])
    kept = [(index, one) for index, one in together if not isinstance(one, str)]
    return Found([index for index, _ in kept], [one for _, one in kept], skipped)
