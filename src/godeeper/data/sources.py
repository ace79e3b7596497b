"""Where pictures come from: the built-in digits, and class folders."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from PIL import Image

from ..errors import GodeeperError, unknown
from .decode import decode

SUFFIXES = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"}
TEST_FRACTION = 0.2  # of each class, where the source does not say which pictures are for testing
SPLIT_SEED = 0  # the same split for every run, so that `evaluate` never sees what `train` was shown

Part = Literal["train", "test", "all"]


class Pictures(Protocol):
    """Labelled pictures, in a fixed order."""

    @property
    def labels(self) -> Sequence[int]: ...

    def __len__(self) -> int: ...

    def name(self, index: int) -> str:
        """What a person calls the picture."""
        ...

    def picture(self, index: int) -> Image.Image:
        """The picture, RGB; BadImage where it cannot be decoded."""
        ...


@dataclass(frozen=True)
class FilePictures:
    """Pictures in files, decoded when asked for."""

    files: Sequence[Path]
    labels: Sequence[int]

    def __len__(self) -> int:
        return len(self.files)

    def name(self, index: int) -> str:
        return str(self.files[index])

    def picture(self, index: int) -> Image.Image:
        return decode(self.files[index])


@dataclass(frozen=True)
class ArrayPictures:
    """Grey pictures in memory: uint8, (N, H, W)."""

    arrays: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
    labels: Sequence[int]
    prefix: str

    def __len__(self) -> int:
        return len(self.arrays)

    def name(self, index: int) -> str:
        return f"{self.prefix}[{index}]"

    def picture(self, index: int) -> Image.Image:
        return Image.fromarray(self.arrays[index]).convert("RGB")


@dataclass(frozen=True)
class Source:
    """A labelled set: its classes in label order, its training and test pictures, and how the two were told apart."""

    classes: tuple[str, ...]
    train: Pictures
    test: Pictures
    split: str

    def part(self, which: Part) -> Pictures:
        """The training pictures, the test pictures, or all of them."""
        if which == "all":
            return Joined(self.train, self.test)
        return self.train if which == "train" else self.test


class Joined:
    """Two sets of pictures, one after the other."""

    def __init__(self, first: Pictures, second: Pictures) -> None:
        self.first, self.second = first, second
        self.labels = [*first.labels, *second.labels]

    def __len__(self) -> int:
        return len(self.first) + len(self.second)

    def _at(self, index: int) -> tuple[Pictures, int]:
        return (self.first, index) if index < len(self.first) else (self.second, index - len(self.first))

    def name(self, index: int) -> str:
        pictures, index = self._at(index)
        return pictures.name(index)

    def picture(self, index: int) -> Image.Image:
        pictures, index = self._at(index)
        return pictures.picture(index)


def open_source(source: str | Path, classes: Sequence[str] | None = None) -> Source:
    """`digits`, or a class folder: `train/` beside `val/` or `test/`, or one folder a class, split by `TEST_FRACTION`.

    `classes` is the label order of a trained network; by default the sorted folder names are. GodeeperError, with the remedy,
    for a missing folder, one without classes, with one class, with a class too small, or with a class not among `classes`.
    """
    if str(source) == "digits":
        return _digits(classes)
    if not str(source):
        raise GodeeperError("the data's name is empty: give `digits` or a class folder")
    folder = Path(source)
    if not folder.is_dir():
        if folder.exists():
            raise GodeeperError(f"data {str(source)!r} is a file: give the folder that holds one folder a class")
        if "/" in str(source) or "\\" in str(source):
            raise GodeeperError(f"there is no folder {str(source)!r}")
        raise unknown("data source or folder", str(source), ["digits", *_folders_here()])
    return _folder(folder, None if classes is None else tuple(classes))


def _folders_here() -> list[str]:
    return [entry.name for entry in Path().iterdir() if entry.is_dir() and not entry.name.startswith(".")]


def _digits(classes: Sequence[str] | None) -> Source:
    names = tuple(str(digit) for digit in range(10))
    if classes is not None and tuple(classes) != names:
        raise GodeeperError(
            f"the digits have the classes 0 to 9, the network has {len(classes)} others: {', '.join(classes[:5])} ..."
        )
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise GodeeperError("the built-in digits need scikit-learn: pip install 'godeeper[demo]'") from None
    digits = load_digits()
    arrays = np.round(digits.images * (255 / 16)).astype(np.uint8)  # (1797, 8, 8), 0..16 -> 0..255
    labels = [int(label) for label in digits.target]
    train, test = _split(labels, [str(index) for index in range(len(labels))])

    def pick(chosen: list[int], name: str) -> ArrayPictures:
        return ArrayPictures(arrays[chosen], [labels[i] for i in chosen], f"digits/{name}")

    return Source(names, pick(train, "train"), pick(test, "test"), _split_note())


def _split(labels: Sequence[int], names: Sequence[str]) -> tuple[list[int], list[int]]:
    """Indices for training and testing: of each class `TEST_FRACTION`, at least one picture, for testing.

    Which ones depends on each picture's name and the seed, so that pictures added later hardly move the others.
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


def _split_note() -> str:
    return f"{TEST_FRACTION:.0%} of each class for testing, drawn with seed {SPLIT_SEED}"


def _folder(folder: Path, known: tuple[str, ...] | None) -> Source:
    train = folder / "train"
    tests = [folder / name for name in ("val", "test") if (folder / name).is_dir()]
    if train.is_dir() and any(entry.is_dir() for entry in train.iterdir()):  # with classes in it; else it is a class itself
        if not tests:
            raise GodeeperError(f"{str(folder)!r} has train/ but neither val/ nor test/: add one, or give {str(train)!r}")
        classes = known or _classes(train)
        test = tests[0]
        split = f"folders train/ and {test.name}/"
        return Source(classes, _class_pictures(train, classes), _class_pictures(test, classes), split)
    classes = known or _classes(folder)
    everything = _class_pictures(folder, classes)
    counts = Counter(everything.labels)
    for label, name in enumerate(() if known else classes):
        if counts[label] == 1:
            raise GodeeperError(f"class {name!r} of {str(folder)!r} has one picture: two are needed, to train and to test")

    def pick(chosen: list[int]) -> FilePictures:
        return FilePictures([everything.files[i] for i in chosen], [everything.labels[i] for i in chosen])

    into_train, into_test = _split(everything.labels, [path.relative_to(folder).as_posix() for path in everything.files])
    return Source(classes, pick(into_train), pick(into_test), _split_note())


def _classes(folder: Path) -> tuple[str, ...]:
    names = tuple(sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")))
    if not names:
        raise GodeeperError(f"{str(folder)!r} has no classes: put the pictures of each class in a folder of its own there")
    if len(names) == 1:
        raise GodeeperError(f"{str(folder)!r} has one class only, {names[0]!r}: at least two are needed")
    return names


def _class_pictures(folder: Path, classes: Sequence[str]) -> FilePictures:
    label_of = {name: label for label, name in enumerate(classes)}
    files: list[Path] = []
    labels: list[int] = []
    for entry in sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")):
        if entry.name not in label_of:
            raise unknown(f"class in {str(folder)!r}", entry.name, classes)
        found = picture_files(entry)
        if not found:
            raise GodeeperError(f"class {entry.name!r} of {str(folder)!r} holds no pictures ({', '.join(sorted(SUFFIXES))})")
        files += found
        labels += [label_of[entry.name]] * len(found)
    if not files:
        raise GodeeperError(f"{str(folder)!r} has no classes: put the pictures of each class in a folder of its own there")
    return FilePictures(files, labels)


def picture_files(folder: Path) -> list[Path]:
    """The files below `folder` that are named like pictures, sorted; hidden ones are left out."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and not path.is_dir()  # a link that leads nowhere stays, to be reported like any other bad picture
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
