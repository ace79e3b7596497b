"""Which images a claim's networks learn from and are tested on: a dataset, or the first so many of each class of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch

from ..data.dataset import DataSplits, ImageDataset
from ..data.open import open_data
from ..data.workers import default_workers
from ..errors import GodeeperError


class BalancedSubset(ImageDataset):
    """Some of a dataset's images: the first ones of each class, as many of each as make up `count`."""

    def __init__(self, images: ImageDataset, count: int) -> None:
        self.images = images
        labels = list(images.labels)
        classes = max(labels) + 1
        per_class = -(-count // classes)
        taken = [0] * classes
        self.indices = []
        for index, label in enumerate(labels):
            if taken[label] < per_class:
                taken[label] += 1
                self.indices.append(index)
        self.labels = [labels[index] for index in self.indices]

    def __len__(self) -> int:
        return len(self.indices)

    def name(self, index: int) -> str:
        return self.images.name(self.indices[index])

    def raw(self, index: int) -> Any:
        return self.images.raw(self.indices[index])


@dataclass(frozen=True)
class ClaimData:
    """A dataset's name and how many of its training and test images are used (0: all): what every process opens for itself."""

    data: str
    train: int
    test: int

    @property
    def workers(self) -> int:
        """Processes that decode for one that computes; none without an accelerator, where a run has a core to itself."""
        return default_workers(self.data) if torch.accelerator.is_available() else 0

    def open(self) -> DataSplits:
        """The dataset with as many images; GodeeperError for a stream, which has no first ones."""
        return _open(self)


@cache
def _open(spec: ClaimData) -> DataSplits:
    splits = open_data(spec.data)
    if not isinstance(splits.train, ImageDataset):
        raise GodeeperError(f"{spec.data!r} is a stream: claims are tested on a folder or a named set, whose images are counted")
    train = BalancedSubset(splits.train, spec.train) if spec.train else splits.train
    return replace(splits, train=train, test=BalancedSubset(splits.test, spec.test) if spec.test else splits.test)
