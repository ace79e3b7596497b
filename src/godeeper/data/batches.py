"""Which images make the batches of an epoch: a seeded shuffle of a dataset, or a buffer drawn from a stream."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from torch.utils.data import Sampler

from ..errors import GodeeperError
from .dataset import ImageDataset, ImageStream, StreamedImage

BUFFER = 2048  # images, still encoded, from which the next is drawn: some 250 MB of ImageNet's


class EpochBatches(Sampler[list[tuple[int, int]]]):
    """The batches of an epoch as (epoch, index) pairs: a seeded shuffle, of which each rank takes its share of every batch.

    The last, incomplete batch is left out. `batch_size` counts over all ranks, so that their number does not change a batch.
    Set `epoch` before each pass, and `start` to leave out that many batches of it, seen before an interruption.
    """

    def __init__(self, length: int, batch_size: int, seed: int, rank: int = 0, ranks: int = 1) -> None:
        _check_shares(batch_size, ranks)
        if length < ranks:
            raise GodeeperError(f"{length} images are too few for {ranks} processes")
        self.length, self.seed, self.rank, self.ranks = length, seed, rank, ranks
        self.batch_size = min(batch_size, length // ranks * ranks)
        self.epoch = self.start = 0

    def __len__(self) -> int:
        return self.length // self.batch_size

    @property
    def left_out(self) -> int:
        """How many images an epoch leaves out, other ones each time, as they do not fill a batch."""
        return self.length % self.batch_size

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        order = list(range(self.length))
        Random(f"{self.seed}/{self.epoch}").shuffle(order)
        for number in range(self.start, len(self)):
            batch = order[number * self.batch_size : (number + 1) * self.batch_size]
            yield [(self.epoch, index) for index in batch[self.rank :: self.ranks]]


class StreamBatches:
    """The batches of an epoch of a stream as (epoch, image) pairs, of which each rank takes its share.

    The order depends on seed and epoch alone, as it is made in the main process; every rank reads the whole stream. The last,
    incomplete batch is left out. Set `epoch` before each pass, and `start` to leave out that many batches of it.
    """

    def __init__(self, stream: ImageStream, batch_size: int, seed: int, rank: int = 0, ranks: int = 1) -> None:
        _check_shares(batch_size, ranks)
        if len(stream) < batch_size:
            raise GodeeperError(f"a stream of {len(stream)} images does not fill a batch of {batch_size}: leave ?streaming out")
        self.stream, self.batch_size, self.seed, self.rank, self.ranks = stream, batch_size, seed, rank, ranks
        self.epoch = self.start = 0

    def __len__(self) -> int:
        return len(self.stream) // self.batch_size

    @property
    def left_out(self) -> int:
        """How many images an epoch leaves out, other ones each time, as they do not fill a batch."""
        return len(self.stream) % self.batch_size

    def __iter__(self) -> Iterator[list[tuple[int, StreamedImage]]]:
        batch: list[tuple[int, StreamedImage]] = []
        number = 0
        for image in self._shuffled():
            batch.append((self.epoch, image))
            if len(batch) == self.batch_size:
                if number >= self.start:
                    yield batch[self.rank :: self.ranks]
                number += 1
                batch = []
            if number == len(self):
                return

    def _shuffled(self) -> Iterator[StreamedImage]:
        random = Random(f"{self.seed}/{self.epoch}")
        buffer: list[StreamedImage] = []
        for image in self.stream.images():
            if len(buffer) < BUFFER:
                buffer.append(image)
                continue
            slot = random.randrange(BUFFER)
            yield buffer[slot]
            buffer[slot] = image
        random.shuffle(buffer)
        yield from buffer


Batches = EpochBatches | StreamBatches


def batches_of(images: ImageDataset | ImageStream, batch_size: int, seed: int, rank: int = 0, ranks: int = 1) -> Batches:
    """The batches of an epoch, as one of `ranks` processes takes its share of them."""
    if isinstance(images, ImageStream):
        return StreamBatches(images, batch_size, seed, rank, ranks)
    return EpochBatches(len(images), batch_size, seed, rank, ranks)


def _check_shares(batch_size: int, ranks: int) -> None:
    """GodeeperError for a batch that is empty, or that `ranks` processes cannot share evenly."""
    if batch_size < 1:
        raise GodeeperError(f"a batch of {batch_size} images is not possible: give at least 1")
    if batch_size % ranks:
        raise GodeeperError(f"a batch of {batch_size} cannot be shared evenly by {ranks} processes")
