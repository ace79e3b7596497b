"""WebDataset shards, `wds:SHARDS`: tar files of KEY.jpg beside KEY.cls or KEY.json, local or downloaded from a URL."""

from __future__ import annotations

import itertools
import json
import math
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ..errors import BadImage, GodeeperError
from .dataset import DataSplits, ImageDataset, Split, check_tested
from .decode import SUFFIXES, RawImage
from .download import downloaded, is_url
from .holdout import check_divisible, hold_out, holdout_note
from .tar_headers import Member, TarFault, read_members
from .walk import visible

LONGEST_LABEL = 1_000_000  # bytes
MOST_SHARDS = 100_000  # that a pattern may name
MOST_CLASSES = 1_000_000  # which is also the most that a table may have


@dataclass(frozen=True, slots=True)  # of ImageNet there are over a million
class ShardImage:
    """A labelled image within a shard: where its bytes are."""

    key: str
    shard: str
    offset: int
    size: int
    label: int
    class_name: str | None
    name: str


@dataclass(frozen=True)
class ShardDataset(ImageDataset):
    """Images read from shards in any order."""

    images: Sequence[ShardImage]
    labels: Sequence[int]

    def __len__(self) -> int:
        return len(self.images)

    def name(self, index: int) -> str:
        return f"{self.images[index].shard}:{self.images[index].name}"

    def raw(self, index: int) -> RawImage:
        image = self.images[index]
        try:
            with open(image.shard, "rb", buffering=0) as shard:  # each time: there may be more shards than open files
                shard.seek(image.offset)
                return shard.read(image.size)
        except OSError as error:
            raise BadImage(f"{self.name(index)}: {error.strerror or error}") from None

    def size_or_checksum(self, index: int) -> int:
        return self.images[index].size


def open_shards(data: str, known: tuple[str, ...] | None, split: Split = "all") -> DataSplits:
    """Shards as `godeeper shards` or others write them; GodeeperError, naming shard and member, for what is wrong in them.

    `wds:FOLDER`, `wds:PATTERN` or `wds:PATTERN,wds:PATTERN`, for training and for testing. A pattern may have ranges such as
    {000..099} and alternatives such as {a,b}. Without shards for testing, a part of each class is held out. Where `split` is
    "test" and the classes are known, those for training are not read.
    """
    train_files, test_files = _files(data)
    test_only = split == "test" and known is not None and len(test_files) > 0
    train_images = [] if test_only else _read_all(train_files)
    if not test_files:
        labels, classes = _labels(train_images, known, data)
        if known is None:
            check_divisible(classes, labels, data)
        train, test = (
            ShardDataset([train_images[index] for index in indices], [labels[index] for index in indices])
            for indices in hold_out(labels, [image.name for image in train_images])
        )
        return DataSplits(classes, train, test, holdout_note())
    test_images = _read_all(test_files)
    labels, classes = _labels([*train_images, *test_images], known, data)
    train = ShardDataset(train_images, labels[: len(train_images)])
    test = ShardDataset(test_images, labels[len(train_images) :])
    if known is None:
        check_tested(classes, test.labels, f"the test shards of {data!r}")
        check_tested(classes, train.labels, f"the training shards of {data!r}")
    return DataSplits(classes, train, test, "shards for training and for testing")


def list_shards(data: str) -> ShardDataset:
    """All images of shards, named as for `open_shards`, whether or not they have labels, which are given as 0."""
    train_files, test_files = _files(data)
    images = _read_all([*train_files, *test_files], labelled=False)
    return ShardDataset(images, [0] * len(images))


def _files(data: str) -> tuple[list[Path], list[Path]]:
    """The shards for training, and those for testing if there are any."""
    patterns = [pattern.removeprefix("wds:") for pattern in data.split(",wds:")]
    if len(patterns) > 2 or not all(patterns):
        raise GodeeperError(f"{data!r} is not of the form wds:SHARDS or wds:SHARDS,wds:SHARDS")
    if len(patterns) == 1 and Path(patterns[0]).is_dir():
        return _files_of_folder(Path(patterns[0]))
    train, *test = ([_local(name) for name in expand(pattern)] for pattern in patterns)
    if not train or [] in test:
        raise GodeeperError(f"{data!r} names no shards: a range such as {{000..099}} counts upwards")
    return train, test[0] if test else []


def _files_of_folder(folder: Path) -> tuple[list[Path], list[Path]]:
    shards = [folder / entry.name for entry in visible(folder) if entry.name.endswith(".tar")]  # no ._a.tar, as macOS writes it
    train, val, test = ([file for file in shards if file.name.startswith(f"{part}-")] for part in ("train", "val", "test"))
    if train and (val or test):
        return train, val or test
    if not shards:
        raise GodeeperError(f"{str(folder)!r} holds no shards: there is no .tar file in it")
    return shards, []


def expand(pattern: str) -> list[str]:
    """The names a pattern stands for: {000..099} counts, with as many digits, and {a,b} lists.

    GodeeperError, before they are listed, for more than `MOST_SHARDS`.
    """
    parts = re.split(r"\{([^{}]*)\}", pattern)  # each second one stood in braces
    choices = [_choices(part) if index % 2 else [part] for index, part in enumerate(parts)]
    if math.prod(map(len, choices)) > MOST_SHARDS:
        raise GodeeperError(f"{pattern!r} names more than {MOST_SHARDS:,} shards")
    return ["".join(words) for words in itertools.product(*choices)]


def _choices(braces: str) -> list[str]:
    """What a pair of braces stands for: of a range, one number beyond `MOST_SHARDS` at most."""
    counted = re.fullmatch(r"([0-9]{1,18})\.\.([0-9]{1,18})", braces)
    if not counted:
        return braces.split(",")
    numbers = range(int(counted[1]), int(counted[2]) + 1)[: MOST_SHARDS + 1]
    return [str(number).zfill(len(counted[1])) for number in numbers]


def _local(name: str) -> Path:
    if is_url(name):
        return downloaded(name)
    if not Path(name).is_file():
        raise GodeeperError(f"there is no shard {name!r}")
    return Path(name)


def _read_all(files: Sequence[Path], labelled: bool = True) -> list[ShardImage]:
    """The images of shards, by key: of our own shards, the order in which the folder had them."""
    return sorted((image for file in files for image in _read(file, labelled)), key=lambda image: image.key)


def _read(file: Path, labelled: bool) -> Iterator[ShardImage]:
    """The images of one shard, from its headers; only labels are read."""
    images: dict[str, Member] = {}
    labels: dict[str, tuple[Member, str]] = {}  # and its extension
    try:
        with file.open("rb") as tar:
            for member in read_members(tar):
                folder, _, base = member.name.rpartition("/")
                stem, _, extension = base.partition(".")
                key = f"{folder}/{stem}" if folder else stem
                if f".{extension.lower()}" in SUFFIXES:
                    images[key] = member
                elif extension == "cls" or (extension == "json" and key not in labels):  # .cls goes before
                    labels[key] = member, extension
            if not images:
                raise GodeeperError(f"the shard {str(file)!r} is empty: it holds no images ({', '.join(sorted(SUFFIXES))})")
            yield from _labelled(file, tar, images, labels if labelled else None)
    except (TarFault, OSError) as error:
        raise GodeeperError(f"the shard {str(file)!r} cannot be read: {error}") from None


def _labelled(
    file: Path, tar: BinaryIO, images: Mapping[str, Member], labels: Mapping[str, tuple[Member, str]] | None
) -> Iterator[ShardImage]:
    """The images with what their labels say, which are read here; with label 0 where there are to be none."""
    for key, (name, offset, size) in images.items():
        if labels is None:
            yield ShardImage(key, str(file), offset, size, 0, None, name)
            continue
        if key not in labels:
            raise GodeeperError(f"{file}:{name} has no label: {key}.cls or {key}.json is missing")
        member, extension = labels[key]
        where = f"{file}:{member.name}"
        if member.size > LONGEST_LABEL:
            raise GodeeperError(f"{where} has {member.size:,} bytes: a label has {LONGEST_LABEL:,} at most")
        tar.seek(member.offset)
        label, class_name, image_name = _label(tar.read(member.size), extension, where)
        yield ShardImage(key, str(file), offset, size, label, class_name and sys.intern(class_name), image_name or name)


def _label(content: bytes, extension: str, where: str) -> tuple[int, str | None, str | None]:
    """The label; the names of class and image where the file has them."""
    try:
        if extension == "cls":
            return _checked(int(content)), None, None
        entry = json.loads(content)
        class_name, name = entry.get("class"), entry.get("name")
        return _checked(entry["label"]), class_name and str(class_name), name and str(name)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise GodeeperError(f"{where} gives no label: write a whole number from 0, in JSON as 'label'") from None


def _checked(label: object) -> int:
    if not isinstance(label, int) or isinstance(label, bool) or not 0 <= label < MOST_CLASSES:
        raise ValueError(label)
    return label


def _labels(images: Sequence[ShardImage], known: tuple[str, ...] | None, data: str) -> tuple[list[int], tuple[str, ...]]:
    """Labels, and the classes they count; matched by name where shards name them, as a trained network may have another order."""
    names: dict[int, str | None] = {}
    for image in images:
        if names.setdefault(image.label, image.class_name) != image.class_name:
            raise GodeeperError(f"{data!r} has two classes {image.label}: {names[image.label]!r} and {image.class_name!r}")
    own = tuple(names.get(label) or str(label) for label in range(max(names) + 1))
    if known is None and len(own) < 2:
        raise GodeeperError(f"{data!r} has one class only, {own[0]!r}: at least two are needed")
    if known is None or known == own:
        return [image.label for image in images], own
    if None in names.values():
        if len(own) > len(known):
            raise GodeeperError(f"{data!r} has labels up to {len(own) - 1}, the network {len(known)} classes")
        return [image.label for image in images], known
    label_of = {name: label for label, name in enumerate(known)}
    for name in names.values():
        if name not in label_of:
            raise GodeeperError(f"class {name!r} of {data!r} is none of the network's: {', '.join(known[:8])} ...")
    return [label_of[own[image.label]] for image in images], known
