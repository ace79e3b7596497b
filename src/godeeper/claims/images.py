"""Which images a test learns from and is tested on: a source, or the first so many of each class of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch

from ..data.dataset import DataSplits, ImageDataset
from ..data.open import open_data
from ..data.workers import default_workers
from ..errors import GodeeperError


class Chosen(ImageDataset):
    """Some of a set's images: the first ones of each class, as many of each as make up `count`."""

    def __init__(self, images: ImageDataset, count: int) -> None:
        self.images = images
        labels = list(images.labels)
        share = -(-count // (max(labels) + 1))
        seen = [0] * (max(labels) + 1)
        self.places = []
        for place, label in enumerate(labels):
            if seen[label] < share:
                seen[label] += 1
                self.places.append(place)
        self.labels = [labels[place] for place in self.places]

    def __len__(self) -> int:
        return len(self.places)

    def name(self, index: int) -> str:
        return self.images.name(self.places[index])

    def raw(self, index: int) -> Any:
        return self.images.raw(self.places[index])


@dataclass(frozen=True)
class Set:
    """The images of a scale: a source and how many of it; what every process opens for itself."""

    data: str
    train: int
    test: int

    @property
    def workers(self) -> int:
        """Processes that decode for one that computes; none without an accelerator, where a run has a core to itself."""
        return default_workers(self.data) if torch.accelerator.is_available() else 0

    def open(self) -> DataSplits:
        """The source with as many images; GodeeperError for a stream, which has no first ones."""
        return _opened(self)


@cache
def _opened(chosen: Set) -> DataSplits:
    source = open_data(chosen.data)
    if not isinstance(source.train, ImageDataset):
        raise GodeeperError(
            f"{chosen.data!r} is a stream: claims are tested on a folder or a named set, whose images are counted"
        )
    train = Chosen(source.train, chosen.train) if chosen.train else source.train
    return replace(source, train=train, test=Chosen(source.test, chosen.test) if chosen.test else source.test)
