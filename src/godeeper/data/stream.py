"""Sets that can only be read from beginning to end: shuffled through a buffer, their images decoded by the workers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Protocol, runtime_checkable

from ..errors import GodeeperError
from .decode import Content

BUFFER = 2048  # images, still encoded, from which the next is drawn: some 250 MB of ImageNet's


@dataclass(frozen=True)
class Encoded:
    """An image as it came: its place in the source, what it is decoded from, its label, and what a person calls it."""

    index: int
    data: Content
    label: int
    name: str


@runtime_checkable
class Stream(Protocol):
    """Labelled images that are read in one order only, the same each time."""

    def __len__(self) -> int: ...

    def samples(self) -> Iterator[Encoded]:
        """All of them, from the first."""
        ...


def check_shares(batch_size: int, ranks: int) -> None:
    """GodeeperError for a batch that is empty, or that `ranks` processes cannot share evenly."""
    if batch_size < 1:
        raise GodeeperError(f"a batch of {batch_size} images is not possible: give at least 1")
    if batch_size % ranks:
        raise GodeeperError(f"a batch of {batch_size} cannot be shared evenly by {ranks} processes")


class StreamBatches:
    """The batches of an epoch of a stream as (epoch, Encoded) pairs, of which each rank takes its share.

    The order depends on seed and epoch alone, as it is made in the main process; every rank reads the whole stream. The last,
    incomplete batch is left out. Set `epoch` before each pass, and `start` to leave out that many batches of it.
    """

    def __init__(self, stream: Stream, batch_size: int, seed: int, rank: int = 0, ranks: int = 1) -> None:
        check_shares(batch_size, ranks)
        if len(stream) < batch_size:
            raise GodeeperError(f"a stream of {len(stream)} images does not fill a batch of {batch_size}: leave ?streaming out")
        self.stream, self.batch_size, self.seed, self.rank, self.ranks = stream, batch_size, seed, rank, ranks
        self.epoch = self.start = 0

    def __len__(self) -> int:
        return len(self.stream) // self.batch_size

    def __iter__(self) -> Iterator[list[tuple[int, Encoded]]]:
        batch: list[tuple[int, Encoded]] = []
        number = 0
        for sample in self._shuffled():
            batch.append((self.epoch, sample))
            if len(batch) == self.batch_size:
                if number >= self.start:
                    yield batch[self.rank :: self.ranks]
                number += 1
                batch = []
            if number == len(self):
                return

    def _shuffled(self) -> Iterator[Encoded]:
        random = Random(f"{self.seed}/{self.epoch}")
        buffer: list[Encoded] = []
        for sample in self.stream.samples():
            if len(buffer) < BUFFER:
                buffer.append(sample)
                continue
            place = random.randrange(BUFFER)
            yield buffer[place]
            buffer[place] = sample
        random.shuffle(buffer)
        yield from buffer
