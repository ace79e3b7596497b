"""How large an experiment is, and the sizes that most claims share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..text import Text
from .prose import PHRASES, texts

ScaleName = Literal["cpu", "gpu", "imagenet"]


@dataclass(frozen=True)
class Scale:
    """How large an experiment is.

    `recipe` is what the arms' recipes start from, empty where a claim trains by itself; `train` and `test` are numbers of images
    of those splits, the first of each class, 0 for all; `held_out` training images, the last of each class, are left for choices
    such as a learning rate; `width` scales the networks' filters,
    `small` takes their stems' strides, and batches of `batch_size`; `seeds` are repetitions. `cost` says what to expect:
    measured, or estimated where nobody has run it.
    """

    data: str
    cost: Text
    recipe: str = "claims"
    batch_size: int = 128
    train: int = 0
    test: int = 0
    epochs: int = 10
    width: float = 1.0
    seeds: int = 3
    small: bool = True
    held_out: int = 0


def cpu(minutes: int, train: int, test: int, epochs: int, seeds: int = 3, recipe: str = "claims") -> Scale:
    """An eighth of the width, on the first `train` and `test` images of CIFAR-10; `minutes` were measured."""
    cost = texts(PHRASES)["costs.cpu"].format(minutes=minutes)
    return Scale("cifar10", cost, recipe, 64, train, test, epochs, 0.125, seeds)


def gpu(runs: int, seeds: int = 3, recipe: str = "claims") -> Scale:
    """CIFAR-10 at full width."""
    return Scale("cifar10", texts(PHRASES)["costs.gpu"].format(runs=runs), recipe, epochs=30, seeds=seeds)


def imagenet(runs: int, epochs: int, hours: int, seeds: int = 3, recipe: str = "standard") -> Scale:
    """ImageNet at full size; `hours` are an estimate: six operations a multiply-add and image, on 1,281,167 images."""
    cost = texts(PHRASES)["costs.imagenet"].format(runs=runs, epochs=epochs, hours=hours)
    return Scale("imagenet", cost, recipe, epochs=epochs, seeds=seeds, small=False)
