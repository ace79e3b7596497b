"""WebDataset shards, `wds:SHARDS`: tar files of KEY.jpg beside KEY.cls or KEY.json, local or staged from a URL."""

from __future__ import annotations

import itertools
import json
import re
import sys
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import BadImage, GodeeperError
from .decode import Content
from .folders import SUFFIXES
from .sources import ImageDataset, Source, check_tested
from .split import check_divisible, split, split_note
from .staging import is_url, staged


@dataclass(frozen=True, slots=True)  # of ImageNet there are over a million
class Member:
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

    members: Sequence[Member]
    labels: Sequence[int]

    def __len__(self) -> int:
        return len(self.members)

    def name(self, index: int) -> str:
        return f"{self.members[index].shard}:{self.members[index].name}"

    def content(self, index: int) -> Content:
        member = self.members[index]
        try:
            with open(member.shard, "rb", buffering=0) as shard:  # each time: a set may have more shards than a process may open
                shard.seek(member.offset)
                return shard.read(member.size)
        except OSError as error:
            raise BadImage(f"{self.name(index)}: {error.strerror or error}") from None


def open_shards(source: str, known: tuple[str, ...] | None) -> Source:
    """Shards as `godeeper shards` or others write them; GodeeperError, naming shard and member, for what is wrong in them.

    `wds:FOLDER`, `wds:PATTERN` or `wds:PATTERN,wds:PATTERN`, for training and for testing. A pattern may have ranges such as
    {000..099} and alternatives such as {a,b}. Without shards for testing, a part of each class is held out.
    """
    train_files, test_files = _files(source)
    members = _members(train_files)
    if not test_files:
        labels, classes = _labelled(members, known, source)
        if known is None:
            check_divisible(classes, labels, source)
        into = split(labels, [member.name for member in members])
        train, test = (ShardDataset([members[i] for i in part], [labels[i] for i in part]) for part in into)
        return Source(classes, train, test, split_note())
    held_out = _members(test_files)
    labels, classes = _labelled([*members, *held_out], known, source)
    train, test = ShardDataset(members, labels[: len(members)]), ShardDataset(held_out, labels[len(members) :])
    if known is None:
        check_tested(classes, test.labels, f"the test shards of {source!r}")
        check_tested(classes, train.labels, f"the training shards of {source!r}")
    return Source(classes, train, test, "shards for training and for testing")


def _files(source: str) -> tuple[list[Path], list[Path]]:
    patterns = [part.removeprefix("wds:") for part in source.split(",wds:")]
    if len(patterns) > 2 or not all(patterns):
        raise GodeeperError(f"{source!r} is not of the form wds:SHARDS or wds:SHARDS,wds:SHARDS")
    if len(patterns) == 1 and Path(patterns[0]).is_dir():
        folder = Path(patterns[0])
        found = {part: sorted(folder.glob(f"{part}-*.tar")) for part in ("train", "val", "test")}
        if found["train"] and (found["val"] or found["test"]):
            return found["train"], found["val"] or found["test"]
        everything = sorted(folder.glob("*.tar"))
        if not everything:
            raise GodeeperError(f"{str(folder)!r} holds no shards: there is no .tar file in it")
        return everything, []
    train, *test = ([_local(name) for name in expand(pattern)] for pattern in patterns)
    if not train or [] in test:
        raise GodeeperError(f"{source!r} names no shards: a range such as {{000..099}} counts upwards")
    return train, test[0] if test else []


def expand(pattern: str) -> list[str]:
    """The names a pattern stands for: {000..099} counts, with as many digits, and {a,b} lists."""
    found = re.search(r"\{([^{}]*)\}", pattern)
    if not found:
        return [pattern]
    first, dots, last = found[1].partition("..")
    if dots and first.isdigit() and last.isdigit():
        choices = [str(number).zfill(len(first)) for number in range(int(first), int(last) + 1)]
    else:
        choices = found[1].split(",")
    tails = expand(pattern[found.end() :])
    return [pattern[: found.start()] + choice + tail for choice, tail in itertools.product(choices, tails)]


def _local(name: str) -> Path:
    if is_url(name):
        return staged(name)
    if not Path(name).is_file():
        raise GodeeperError(f"there is no shard {name!r}")
    return Path(name)


def _members(files: Sequence[Path]) -> list[Member]:
    """The labelled images of shards, by key: of ours, the order in which the folder had them."""
    return sorted((member for file in files for member in _read(file)), key=lambda member: member.key)


def _read(file: Path) -> Iterator[Member]:
    """The labelled images of one shard, from its headers; only labels are read."""
    images: dict[str, tarfile.TarInfo] = {}
    labels: dict[str, tuple[bytes, str, str]] = {}  # content, extension, and what errors call it
    try:
        with tarfile.open(file, "r:") as tar:
            for info in tar:
                folder, _, base = info.name.rpartition("/")
                stem, _, extension = base.partition(".")
                key = f"{folder}/{stem}" if folder else stem
                if info.isfile() and f".{extension.lower()}" in SUFFIXES:
                    images[key] = info
                elif info.isfile() and (extension == "cls" or (extension == "json" and key not in labels)):  # .cls goes before
                    content = tar.extractfile(info)
                    assert content is not None
                    labels[key] = content.read(), extension, f"{file}:{info.name}"
            _check_end(tar)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise GodeeperError(f"the shard {str(file)!r} cannot be read: {error}") from None
    if not images:
        raise GodeeperError(f"the shard {str(file)!r} is empty: it holds no images ({', '.join(sorted(SUFFIXES))})")
    for key, info in images.items():
        if key not in labels:
            raise GodeeperError(f"{file}:{info.name} has no label: {key}.cls or {key}.json is missing")
        label, class_name, name = _label(*labels[key])
        yield Member(key, str(file), info.offset_data, info.size, label, class_name and sys.intern(class_name), name or info.name)


def _check_end(tar: tarfile.TarFile) -> None:
    """ReadError unless zeros follow the last member: tarfile takes a cut or damaged header for the end."""
    assert tar.fileobj is not None
    tar.fileobj.seek(tar.offset)
    if tar.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("it breaks off, or is damaged, before its end")


def _label(content: bytes, extension: str, where: str) -> tuple[int, str | None, str | None]:
    """The label, and the names of class and image where they are told."""
    try:
        if extension == "cls":
            return _counted(int(content)), None, None
        document = json.loads(content)
        class_name, name = document.get("class"), document.get("name")
        return _counted(document["label"]), class_name and str(class_name), name and str(name)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise GodeeperError(f"{where} gives no label: a whole number from 0 is wanted, in JSON as 'label'") from None


def _counted(label: object) -> int:
    if not isinstance(label, int) or isinstance(label, bool) or not 0 <= label < 10_000_000:
        raise ValueError(label)
    return label


def _labelled(members: Sequence[Member], known: tuple[str, ...] | None, source: str) -> tuple[list[int], tuple[str, ...]]:
    """Labels, and the classes they count; by name where the members say it, as those of a trained network may be others."""
    named: dict[int, str | None] = {}
    for member in members:
        if named.setdefault(member.label, member.class_name) != member.class_name:
            raise GodeeperError(f"{source!r} has two classes {member.label}: {named[member.label]!r} and {member.class_name!r}")
    own = tuple(named.get(label) or str(label) for label in range(max(named) + 1))
    if known is None and len(own) < 2:
        raise GodeeperError(f"{source!r} has one class only, {own[0]!r}: at least two are needed")
    if known is None or known == own:
        return [member.label for member in members], own
    if None in named.values():
        if len(own) > len(known):
            raise GodeeperError(f"{source!r} has labels up to {len(own) - 1}, the network {len(known)} classes")
        return [member.label for member in members], known
    place = {name: label for label, name in enumerate(known)}
    for name in named.values():
        if name not in place:
            raise GodeeperError(f"class {name!r} of {source!r} is none of the network's: {', '.join(known[:8])} ...")
    return [place[own[member.label]] for member in members], known
