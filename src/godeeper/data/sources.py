"""Where images come from: their protocol, and the one door to every kind of source."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from ..errors import GodeeperError, unknown
from .decode import Content, decode
from .split import split, split_note
from .stream import Stream

TORCHVISION_SETS = (
    "cifar10", "cifar100", "dtd", "fashion_mnist", "flowers102", "food101", "imagenet", "kmnist", "mnist", "oxford_iiit_pet",
    "stl10",
)  # fmt: skip

Part = Literal["train", "test", "all"]


class ImageDataset(ABC):
    """Labelled images, in a fixed order."""

    labels: Sequence[int]

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def name(self, index: int) -> str:
        """What a person calls the image."""

    @abstractmethod
    def content(self, index: int) -> Content:
        """The image as it lies there; BadImage where it does not."""

    def image(self, index: int) -> Image.Image:
        """The image, RGB; BadImage where it cannot be decoded."""
        content = self.content(index)
        return content if isinstance(content, Image.Image) else decode(content, self.name(index))


@dataclass(frozen=True)
class FileDataset(ImageDataset):
    """Images in files, decoded when asked for."""

    files: Sequence[Path]
    labels: Sequence[int]

    def __len__(self) -> int:
        return len(self.files)

    def name(self, index: int) -> str:
        return str(self.files[index])

    def content(self, index: int) -> Content:
        return self.files[index]


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

    def content(self, index: int) -> Content:
        return Image.fromarray(self.arrays[index]).convert("RGB")


@dataclass(frozen=True)
class Source:
    """A labelled set: its classes in label order, its training and test images, and how the two were told apart."""

    classes: tuple[str, ...]
    train: ImageDataset | Stream
    test: ImageDataset
    split: str

    def part(self, which: Part) -> ImageDataset:
        """The training images, the test images, or all of them; GodeeperError for training images that are a stream."""
        if which == "test":
            return self.test
        if isinstance(self.train, Stream):
            raise GodeeperError("the training images are a stream, which has no order to evaluate in: leave ?streaming out")
        if which == "all":
            return Joined(self.train, self.test)
        return self.train


class Joined(ImageDataset):
    """Two sets of images, one after the other."""

    def __init__(self, first: ImageDataset, second: ImageDataset) -> None:
        self.first, self.second = first, second
        self.labels = [*first.labels, *second.labels]

    def __len__(self) -> int:
        return len(self.first) + len(self.second)

    def _at(self, index: int) -> tuple[ImageDataset, int]:
        return (self.first, index) if index < len(self.first) else (self.second, index - len(self.first))

    def name(self, index: int) -> str:
        images, index = self._at(index)
        return images.name(index)

    def content(self, index: int) -> Content:
        images, index = self._at(index)
        return images.content(index)


def open_source(source: str | Path, classes: Sequence[str] | None = None, *, download: bool = False) -> Source:
    """Opens labelled images by the name of their source.

    `digits`; a class folder: `train/` beside `val/` or `test/`, or one folder a class, a part of each held out; a torchvision
    set such as `cifar10`, fetched first where `download` says so; `hf:OWNER/NAME`, of Hugging Face; `wds:SHARDS`, WebDataset
    shards; `ilsvrc:IMAGES,KIT`, the validation set of ILSVRC 2012 as released. `classes` is the label order of a trained
    network; by default the source has its own. GodeeperError, with the remedy, for what is missing, has no classes or only one,
    or has a class not among `classes`.
    """
    name = str(source)
    known = None if classes is None else tuple(classes)
    if name == "digits":
        return _digits(known)
    if name.startswith("hf:"):
        from .hub import open_hub

        return open_hub(name, known)
    if name.startswith("wds:"):
        from .shards import open_shards

        return open_shards(name, known)
    if name.startswith("ilsvrc:"):
        from .ilsvrc import open_ilsvrc

        return open_ilsvrc(name, known)
    if name in TORCHVISION_SETS:
        from .torchvision_sets import open_torchvision

        return open_torchvision(name, known, download)
    from .folders import open_folder

    return open_folder(existing_folder(name), known)


def existing_folder(name: str) -> Path:
    """The folder of that name; GodeeperError, with the nearest name, where there is none."""
    if not name:
        raise GodeeperError("the data's name is empty: give `digits` or a class folder")
    folder = Path(name)
    if folder.is_dir():
        return folder
    if folder.exists():
        raise GodeeperError(f"data {name!r} is a file: give the folder that holds one folder a class")
    if "/" in name or "\\" in name:
        raise GodeeperError(f"there is no folder {name!r}")
    raise unknown("data source or folder", name, ["digits", *TORCHVISION_SETS, *_folders_here()])


def data_root() -> Path:
    """Where sets and shards that are fetched lie: the folder that GODEEPER_DATA names, or ~/.cache/godeeper/data."""
    return Path(os.environ.get("GODEEPER_DATA") or "~/.cache/godeeper/data").expanduser()


def check_tested(classes: Sequence[str], labels: Sequence[int], where: str) -> None:
    """GodeeperError for a class of which there is nothing to test on."""
    found = set(labels)
    for label, name in enumerate(classes):
        if label not in found:
            raise GodeeperError(f"class {name!r} has no image in {where}: add some, or leave the class out of training")


def check_classes(own: Sequence[str], known: tuple[str, ...] | None, what: str) -> None:
    """GodeeperError unless a source's own classes are those of the trained network, in its order."""
    if known is not None and tuple(own) != known:
        few, others = ", ".join(own[:5]), ", ".join(known[:5])
        raise GodeeperError(f"{what} has {len(own)} classes ({few} ...), the network {len(known)} others ({others} ...)")


def _folders_here() -> list[str]:
    return [entry.name for entry in Path().iterdir() if entry.is_dir() and not entry.name.startswith(".")]


def _digits(known: tuple[str, ...] | None) -> Source:
    names = tuple(str(digit) for digit in range(10))
    check_classes(names, known, "digits")
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise GodeeperError("the built-in digits need scikit-learn: pip install 'godeeper[demo]'") from None
    digits = load_digits()
    arrays = np.round(digits.images * (255 / 16)).astype(np.uint8)  # (1797, 8, 8), 0..16 -> 0..255
    labels = [int(label) for label in digits.target]
    train, test = split(labels, [str(index) for index in range(len(labels))])

    def pick(chosen: list[int], name: str) -> ArrayDataset:
        return ArrayDataset(arrays[chosen], [labels[i] for i in chosen], f"digits/{name}")

    return Source(names, pick(train, "train"), pick(test, "test"), split_note())
