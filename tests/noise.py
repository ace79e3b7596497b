"""Images in memory that differ everywhere, for tests of loading."""

from dataclasses import dataclass

import numpy as np

from godeeper import BadImage
from godeeper.data.dataset import ArrayDataset, ImageDataset


def noise(count):
    """Images of 16 x 12 pixels; each one's label is its index."""
    arrays = np.random.default_rng(0).integers(0, 256, (count, 12, 16), dtype=np.uint8)
    return ArrayDataset(arrays, list(range(count)), "noise")


@dataclass(frozen=True)
class SomeBad(ImageDataset):
    """Images of which those at `bad` cannot be decoded."""

    images: ArrayDataset
    bad: tuple[int, ...]

    @property
    def labels(self):
        return self.images.labels

    def __len__(self):
        return len(self.images)

    def name(self, index):
        return self.images.name(index)

    def raw(self, index):
        if index in self.bad:
            raise BadImage(f"{self.name(index)}: damaged")
        return self.images.raw(index)
