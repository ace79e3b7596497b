"""What labelled images are: datasets, streams, and the training and test sets of one source of data."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, overload
from zlib import crc32

import numpy as np
from PIL import Image

from ..errors import BadImage, GodeeperError
from .decode import RawImage, decode

Split = Literal["train", "test", "all"]


class ImageDataset(ABC):
    """Labelled images in a fixed order; `labels[index]` is the class of each, from 0."""

    labels: Sequence[int]

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def name(self, index: int) -> str:
        """The name that messages give the image: its path, or the dataset and a number."""

    @abstractmethod
    def raw(self, index: int) -> RawImage:
        """The image before it is decoded: a path, the file's bytes, or an RGB image; BadImage where it cannot be read."""

    def image(self, index: int) -> Image.Image:
        """The image, RGB; BadImage where it cannot be decoded."""
        raw = self.raw(index)
        return raw if isinstance(raw, Image.Image) else decode(raw, self.name(index))

    def size_or_checksum(self, index: int) -> int:
        """By which an image is known from another of its name: its file's bytes, or a checksum of one that is in memory.

        -1 where it cannot be read.
        """
        try:
            raw = self.raw(index)
        except BadImage:
            return -1
        if isinstance(raw, Path):
            return stored_size(raw)
        return crc32(raw if isinstance(raw, bytes) else raw.tobytes())


def stored_size(file: Path | str) -> int:
    """A file's bytes; -1 where it cannot be read."""
    try:
        return os.stat(file).st_size
    except (OSError, ValueError):
        return -1


class PathList(Sequence[Path]):
    """Paths kept as strings: of a million files, a third of the memory, and made in a tenth of the time."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> Path: ...

    @overload
    def __getitem__(self, index: slice) -> PathList: ...

    def __getitem__(self, index: int | slice) -> Path | PathList:
        return PathList(self.names[index]) if isinstance(index, slice) else Path(self.names[index])


@dataclass(frozen=True)
class FileDataset(ImageDataset):
    """Images in files, decoded when asked for."""

    files: Sequence[Path]
    labels: Sequence[int]

    def __len__(self) -> int:
        return len(self.files)

    def name(self, index: int) -> str:
        return self.files.names[index] if isinstance(self.files, PathList) else str(self.files[index])

    def raw(self, index: int) -> RawImage:
        return self.files[index]

    def size_or_checksum(self, index: int) -> int:
        return stored_size(self.name(index))


@dataclass(frozen=True)
class ArrayDataset(ImageDataset):
    """Grey images in memory: uint8, (N, H, W)."""

    arrays: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
    labels: Sequence[int]
    prefix: str

    def __len__(self) -> int:
        return len(self.arrays)

    def name(self, index: int) -> str:
        return f"{self.prefix}[{index}]"

    def raw(self, index: int) -> RawImage:
        return Image.fromarray(self.arrays[index]).convert("RGB")


class JoinedDataset(ImageDataset):
    """Two datasets, one after the other."""

    def __init__(self, first: ImageDataset, second: ImageDataset) -> None:
        self.first, self.second = first, second
        self.labels = [*first.labels, *second.labels]

    def __len__(self) -> int:
        return len(self.first) + len(self.second)

    def _locate(self, index: int) -> tuple[ImageDataset, int]:
        return (self.first, index) if index < len(self.first) else (self.second, index - len(self.first))

    def name(self, index: int) -> str:
        dataset, index = self._locate(index)
        return dataset.name(index)

    def raw(self, index: int) -> RawImage:
        dataset, index = self._locate(index)
        return dataset.raw(index)

    def size_or_checksum(self, index: int) -> int:
        dataset, index = self._locate(index)
        return dataset.size_or_checksum(index)


@dataclass(frozen=True)
class StreamedImage:
    """An image of a stream: its number in the stream, what it is decoded from, its label and its name."""

    index: int
    raw: RawImage
    label: int
    name: str


class ImageStream(ABC):
    """Labelled images that can only be read from the first to the last, in the same order each time."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def images(self) -> Iterator[StreamedImage]:
        """All images, from the first."""


@dataclass(frozen=True)
class DataSplits:
    """The training and test images of one source: `classes` in label order, `split_note` says in words how it was split."""

    classes: tuple[str, ...]
    train: ImageDataset | ImageStream
    test: ImageDataset
    split_note: str

    def subset(self, split: Split) -> ImageDataset:
        """The images of a split; GodeeperError for training images that are a stream."""
        if split == "test":
            return self.test
        if isinstance(self.train, ImageStream):
            raise GodeeperError("the training images are a stream, which has no order to evaluate in: leave ?streaming out")
        return JoinedDataset(self.train, self.test) if split == "all" else self.train


def check_tested(classes: Sequence[str], labels: Sequence[int], where: str) -> None:
    """GodeeperError for a class of which there is no image to test on."""
    tested = set(labels)
    for label, name in enumerate(classes):
        if label not in tested:
            raise GodeeperError(f"class {name!r} has no image in {where}: add some, or leave the class out of training")


def check_classes(own: Sequence[str], known: tuple[str, ...] | None, what: str) -> None:
    """GodeeperError unless a dataset's own classes are those of the trained network, in its order."""
    if known is not None and tuple(own) != known:
        few, others = ", ".join(own[:5]), ", ".join(known[:5])
        raise GodeeperError(f"{what} has {len(own)} classes ({few} ...), the network {len(known)} others ({others} ...)")
