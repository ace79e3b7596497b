"""Which images a claim's networks learn from and are tested on: a dataset, or the first so many of each class of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch

from ..data.dataset import DataSplits, ImageDataset
from ..data.open import open_data
from ..data.workers import default_workers
from ..errors import GodeeperError
from ..evaluate.ensemble import images_digest


class Subset(ImageDataset):
    """Some of a dataset's images, by their indices."""

    def __init__(self, images: ImageDataset, indices: Sequence[int]) -> None:
        self.images, self.indices = images, indices
        self.labels = [images.labels[index] for index in indices]

    def __len__(self) -> int:
        return len(self.indices)

    def name(self, index: int) -> str:
        return self.images.name(self.indices[index])

    def raw(self, index: int) -> Any:
        return self.images.raw(self.indices[index])

    def size_or_checksum(self, index: int) -> int:
        return self.images.size_or_checksum(self.indices[index])


def first_of_each_class(labels: Sequence[int], count: int) -> list[int]:
    """The indices of the first images of each class, as many of each as make up `count`."""
    per_class = -(-count // (max(labels, default=0) + 1))
    taken: Counter[int] = Counter()
    indices = []
    for index, label in enumerate(labels):
        if taken[label] < per_class:
            taken[label] += 1
            indices.append(index)
    return indices


@dataclass(frozen=True)
class ClaimData:
    """A dataset's name and how many of its training and test images are used (0: all): what every process opens for itself.

    `held_out` training images, the last of each class, are neither trained on nor tested: what is chosen is chosen on them.
    """

    data: str
    train: int
    test: int
    held_out: int = 0

    @property
    def workers(self) -> int:
        """Processes that decode for one that computes; none without an accelerator, where a run has a core to itself."""
        return default_workers(self.data) if torch.accelerator.is_available() else 0

    def open(self) -> DataSplits:
        """The dataset with as many images; GodeeperError for a stream, which has no first ones."""
        return _open(self)[0]

    def held_out_images(self) -> ImageDataset:
        """The training images that are held out."""
        return _open(self)[1]

    def fingerprint(self) -> tuple[str, str, str]:
        """Digests of the training, the test and the held-out images: their names and classes."""
        return _fingerprint(self)


@cache
def _open(spec: ClaimData) -> tuple[DataSplits, Subset]:
    splits = open_data(spec.data)
    if not isinstance(splits.train, ImageDataset):
        raise GodeeperError(f"{spec.data!r} is a stream: claims are tested on a folder or a named set, whose images are counted")
    labels = list(splits.train.labels)
    last = {len(labels) - 1 - index for index in first_of_each_class(labels[::-1], spec.held_out)}
    held_out = Subset(splits.train, sorted(last))
    rest = Subset(splits.train, [index for index in range(len(labels)) if index not in last]) if last else splits.train
    train = Subset(rest, first_of_each_class(rest.labels, spec.train)) if spec.train else rest
    test = Subset(splits.test, first_of_each_class(splits.test.labels, spec.test)) if spec.test else splits.test
    return replace(splits, train=train, test=test), held_out


@cache
def _fingerprint(spec: ClaimData) -> tuple[str, str, str]:
    splits = spec.open()
    assert isinstance(splits.train, ImageDataset)
    train, test, held_out = (
        images_digest(images, splits.classes) for images in (splits.train, splits.test, spec.held_out_images())
    )
    return train, test, held_out
