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
from .augment import Augment
from .batches import Batches
from .dataset import ImageDataset, ImageStream, StreamedImage
from .decode import decode_for
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
    """Augmented images by (epoch, index), or by (epoch, image) of a stream."""

    def __init__(self, images: ImageDataset | ImageStream, image_size: ImageSize, augment: Augment, seed: int) -> None:
        self.images, self.image_size, self.augment, self.seed = images, image_size, augment, seed

    def __getitem__(self, key: tuple[int, int | StreamedImage]) -> TrainSample:
        epoch, index = key
        size = self.image_size if isinstance(self.image_size, int) else self.image_size(epoch)
        try:
            image = index if isinstance(index, StreamedImage) else self._read(index)
            raw = image.raw
            source = raw if isinstance(raw, Image.Image) else partial(decode_for, image=raw, name=image.name)
            return self.augment(source, size, Random(f"{self.seed}/{epoch}/{image.index}")), image.label
        except BadImage as error:
            return str(error)

    def _read(self, index: int) -> StreamedImage:
        assert not isinstance(self.images, ImageStream)
        return StreamedImage(index, self.images.raw(index), self.images.labels[index], self.images.name(index))


def training_loader(
    images: ImageDataset | ImageStream, image_size: ImageSize, augment: Augment, batches: Batches, workers: int = 0
) -> WorkerLoader:
    """Augmented training batches (`Batch`), of one size or of a size by epoch; undecodable images are left out and named."""
    dataset = TrainDataset(images, image_size, augment, batches.seed)
    return WorkerLoader(dataset, workers, batch_sampler=batches, collate_fn=collate)
