"""Images in batches. Everything random depends on (seed, epoch, index) alone: never on workers, ranks or timing."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from types import FrameType

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from ..errors import BadImage, GodeeperError
from .augment import Augment
from .decode import decode_for
from .sources import ImageDataset
from .stream import Encoded, Stream, StreamBatches, check_shares


def default_workers(source: str) -> int:
    """How many processes decode the images of a source on this machine: none for the digits, which lie in memory."""
    return 0 if source == "digits" else max(1, min(8, (os.cpu_count() or 1) - 1))


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
Sample = tuple[Tensor, int] | str  # an image and its label, or why there is none


def collate(samples: Sequence[Sample]) -> Batch:
    """One batch of samples, those left out that could not be decoded."""
    good = [sample for sample in samples if not isinstance(sample, str)]
    bad = tuple(sample for sample in samples if isinstance(sample, str))
    return Batch(_stacked([image for image, _ in good]), torch.tensor([label for _, label in good], dtype=torch.long), bad)


def _stacked(images: Sequence[Tensor]) -> Tensor:
    if not images:
        return torch.empty(0, dtype=torch.uint8)
    return torch.stack([image.permute(1, 2, 0) for image in images]).permute(0, 3, 1, 2)  # channels last, as pixels come


class TrainingSet(Dataset[Sample]):
    """Augmented images by (epoch, index), or (epoch, Encoded) of a stream."""

    def __init__(self, images: ImageDataset | Stream, image_size: ImageSize, augment: Augment, seed: int) -> None:
        self.images, self.image_size, self.augment, self.seed = images, image_size, augment, seed

    def __getitem__(self, key: tuple[int, int | Encoded]) -> Sample:
        epoch, sample = key
        size = self.image_size if isinstance(self.image_size, int) else self.image_size(epoch)
        try:
            encoded = sample if isinstance(sample, Encoded) else self._content(sample)
            content = encoded.data
            image = content if isinstance(content, Image.Image) else partial(decode_for, image=content, name=encoded.name)
            return self.augment(image, size, Random(f"{self.seed}/{epoch}/{encoded.index}")), encoded.label
        except BadImage as error:
            return str(error)

    def _content(self, index: int) -> Encoded:
        assert not isinstance(self.images, Stream)
        return Encoded(index, self.images.content(index), self.images.labels[index], self.images.name(index))


class EpochBatches(Sampler[list[tuple[int, int]]]):
    """The batches of an epoch as (epoch, index) pairs: a seeded shuffle, of which each rank takes its share of every batch.

    The last, incomplete batch is left out. `batch_size` counts over all ranks, so that their number does not change a batch.
    Set `epoch` before each pass, and `start` to leave out that many batches of it, seen before an interruption.
    """

    def __init__(self, length: int, batch_size: int, seed: int, rank: int = 0, ranks: int = 1) -> None:
        check_shares(batch_size, ranks)
        if length < ranks:
            raise GodeeperError(f"{length} images are too few for {ranks} processes")
        self.length, self.seed, self.rank, self.ranks = length, seed, rank, ranks
        self.batch_size = min(batch_size, length // ranks * ranks)
        self.epoch = self.start = 0

    def __len__(self) -> int:
        return self.length // self.batch_size

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        order = list(range(self.length))
        Random(f"{self.seed}/{self.epoch}").shuffle(order)
        for number in range(self.start, len(self)):
            batch = order[number * self.batch_size : (number + 1) * self.batch_size]
            yield [(self.epoch, index) for index in batch[self.rank :: self.ranks]]


Batches = EpochBatches | StreamBatches


def batches_of(images: ImageDataset | Stream, batch_size: int, seed: int, rank: int = 0, ranks: int = 1) -> Batches:
    """The batches of an epoch, as one of `ranks` processes takes its share of them."""
    if isinstance(images, Stream):
        return StreamBatches(images, batch_size, seed, rank, ranks)
    return EpochBatches(len(images), batch_size, seed, rank, ranks)


def training_loader(
    images: ImageDataset | Stream, image_size: ImageSize, augment: Augment, batches: Batches, workers: int = 0
) -> Iterable[Batch]:
    """Augmented training batches, of one size or of a size by epoch; undecodable images are left out and named."""
    return DataLoader(
        TrainingSet(images, image_size, augment, batches.seed),
        batch_sampler=batches,
        num_workers=workers,
        collate_fn=collate,
        worker_init_fn=leave_signals_to_the_main_process,
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
    )


def leave_signals_to_the_main_process(worker: int) -> None:
    """Ctrl-C reaches every process of a terminal, SIGTERM often every one of a job: the main one decides when all may go."""

    def once(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)  # a second one is the main process's, which ends its workers so

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, once)


@contextmanager
def worker_deaths() -> Iterator[None]:
    """Turns the death of a process that decodes, which torch notices within seconds, into a GodeeperError."""
    try:
        yield
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        reason = " ".join(str(error).split())
        raise GodeeperError(
            f"a process that decodes images died, often for want of memory: try fewer --workers ({reason})"
        ) from None
