"""Which images are held out for testing, where the data does not say."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from hashlib import sha256

from ..errors import GodeeperError

TEST_FRACTION = 0.2  # of each class
SPLIT_SEED = 0  # the same split for every run, so that `evaluate` never sees what `train` was shown


def hold_out(labels: Sequence[int], names: Sequence[str]) -> tuple[list[int], list[int]]:
    """Indices for training and for testing: of each class `TEST_FRACTION`, at least one image, for testing.

    Which ones depends on each image's name and the seed, so that images added later hardly move the others.
    """
    order = [sha256(f"{SPLIT_SEED}/{name}".encode(errors="surrogateescape")).digest() for name in names]
    of_class: defaultdict[int, list[int]] = defaultdict(list)
    for index, label in enumerate(labels):
        of_class[label].append(index)
    train, test = [], []
    for indices in of_class.values():
        indices.sort(key=order.__getitem__)
        cut = max(1, round(len(indices) * TEST_FRACTION))
        test += indices[:cut]
        train += indices[cut:]
    return sorted(train), sorted(test)


def check_divisible(classes: Sequence[str], labels: Sequence[int], where: str) -> None:
    """GodeeperError for a class with a single image, of which `hold_out` would leave nothing to train on."""
    counts = Counter(labels)
    for label, name in enumerate(classes):
        if counts[label] == 1:
            raise GodeeperError(f"class {name!r} of {where!r} has one image: two are needed, to train and to test")


def holdout_note() -> str:
    """How `hold_out` splits, in words."""
    return f"{TEST_FRACTION:.0%} of each class for testing, drawn with seed {SPLIT_SEED}"
