"""The handwritten digits of scikit-learn: 1,797 grey images of 8 x 8 pixels, built in."""

from __future__ import annotations

import numpy as np

from ..errors import GodeeperError
from ..packages import install_command
from .dataset import ArrayDataset, DataSplits, check_classes
from .holdout import hold_out, holdout_note


def open_digits(known: tuple[str, ...] | None) -> DataSplits:
    """The digits; `known` is the label order of a trained network. GodeeperError where scikit-learn is missing."""
    classes = tuple(str(digit) for digit in range(10))
    check_classes(classes, known, "digits")
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise GodeeperError(f"the built-in digits need scikit-learn: {install_command('demo')}") from None
    digits = load_digits()
    arrays = np.round(digits.images * (255 / 16)).astype(np.uint8)  # (1797, 8, 8), 0..16 -> 0..255
    labels = [int(label) for label in digits.target]
    train, test = hold_out(labels, [str(index) for index in range(len(labels))])

    def subset(indices: list[int], name: str) -> ArrayDataset:
        return ArrayDataset(arrays[indices], [labels[index] for index in indices], f"digits/{name}")

    return DataSplits(classes, subset(train, "train"), subset(test, "test"), holdout_note())
