"""Augmented training images in batches. Everything random depends on (seed, epoch, index) alone: never on workers or timing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from random import Random

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from ..errors import BadImage
from .augment import Augment, Opener, alternating_flip
from .batches import Batches
from .dataset import ImageDataset, ImageStream, StreamedImage
from .decode import decode_for
from .pixels import Pixels
from .whole_images import KeptImages
from .workers import WorkerLoader


@dataclass(frozen=True)
class Batch:
    """Images uint8 (N, 3, H, W); labels (N,); what could not be decoded."""

    images: Tensor
    labels: Tensor
    bad: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def pin_memory(self) -> Batch:
        """The same batch in page-locked memory, as the loader asks of types of our own."""
        return replace(self, images=self.images.pin_memory(), labels=self.labels.pin_memory())


ImageSize = int | Callable[[int], int]  # pixels; or pixels in an epoch, counted from 0
TrainSample = tuple[Tensor, int] | str  # an image and its label, or why it could not be decoded


def collate(samples: Sequence[TrainSample]) -> Batch:
    """One batch of samples, without those that could not be decoded."""
    good = [sample for sample in samples if not isinstance(sample, str)]
    bad = tuple(sample for sample in samples if isinstance(sample, str))
    return Batch(_stacked([image for image, _ in good]), torch.tensor([label for _, label in good], dtype=torch.long), bad)


def _stacked(images: Sequence[Tensor]) -> Tensor:
    if not images:
        return torch.empty(0, dtype=torch.uint8)
    return torch.stack([image.permute(1, 2, 0) for image in images]).permute(0, 3, 1, 2)  # channels last, as pixels come


class TrainDataset(Dataset[TrainSample]):
    """Augmented images by (epoch, index), or by (epoch, image) of a stream.

    Whole images of a small set are decoded once, and kept: `kept` says so.
    """

    def __init__(self, images: ImageDataset | ImageStream, image_size: ImageSize, augment: Augment, seed: int) -> None:
        self.images, self.image_size, self.augment, self.seed = images, image_size, augment, seed
        self.kept: KeptImages | None = None
        side = self._size(0) + 2 * augment.shift
        if augment.shift and not isinstance(images, ImageStream) and KeptImages.fits(len(images), side):
            self.kept = KeptImages(len(images), side)

    def __getitem__(self, key: tuple[int, int | StreamedImage]) -> TrainSample:
        epoch, image = key
        index = image.index if isinstance(image, StreamedImage) else image
        random = Random(f"{self.seed}/{epoch}/{index}")
        flip = alternating_flip(self.seed, epoch, index) if self.augment.alternating_flip else None
        try:
            if self.kept is not None and not isinstance(self.images, ImageStream):
                return self.augment.shifted(self._kept(index), random, flip), self.images.labels[index]
            image = image if isinstance(image, StreamedImage) else self._read(image)
            return self.augment(_opener(image), self._size(epoch), random, flip), image.label
        except BadImage as error:
            return str(error)

    def _size(self, epoch: int) -> int:
        return self.image_size if isinstance(self.image_size, int) else self.image_size(epoch)

    def _kept(self, index: int) -> Pixels:
        """The image with its margin, decoded where it is asked for the first time."""
        assert self.kept is not None
        if (pixels := self.kept.get(index)) is None:
            pixels = self.augment.with_margin(_opener(self._read(index)), self._size(0))
            self.kept.keep(index, pixels)
        return pixels

    def _read(self, index: int) -> StreamedImage:
        assert not isinstance(self.images, ImageStream)
        return StreamedImage(index, self.images.raw(index), self.images.labels[index], self.images.name(index))


def _opener(image: StreamedImage) -> Image.Image | Opener:
    return image.raw if isinstance(image.raw, Image.Image) else partial(decode_for, image=image.raw, name=image.name)


def training_loader(
    images: ImageDataset | ImageStream, image_size: ImageSize, augment: Augment, batches: Batches, workers: int = 0
) -> WorkerLoader:
    """Augmented training batches (`Batch`), of one size or of a size by epoch; undecodable images are left out and named.

    Images that are kept in memory need no processes: none are started.
    """
    dataset = TrainDataset(images, image_size, augment, batches.seed)
    return WorkerLoader(dataset, 0 if dataset.kept else workers, batch_sampler=batches, collate_fn=collate)
