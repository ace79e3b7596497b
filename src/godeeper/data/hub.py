"""Sets of Hugging Face, through `datasets`: `hf:OWNER/NAME`, `hf:OWNER/NAME:CONFIG`, `hf:FOLDER`, each also with `?streaming`."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import BadImage, GodeeperError
from .decode import Content
from .sources import ImageDataset, Source, check_classes, check_tested
from .split import check_divisible, split, split_note
from .stream import Encoded, Stream

STREAMING = "?streaming"
TESTS = ("validation", "valid", "val", "test")  # the first that has labels


@dataclass(frozen=True)
class HubDataset(ImageDataset):
    """Rows of a set that lies on disk; `rows` says which, in order."""

    dataset: Any
    column: str
    labels: Sequence[int]
    rows: Sequence[int]
    prefix: str

    def __len__(self) -> int:
        return len(self.rows)

    def name(self, index: int) -> str:
        return f"{self.prefix}[{self.rows[index]}]"

    def content(self, index: int) -> Content:
        return _content(self.dataset[self.rows[index]][self.column], self.name(index))


@dataclass(frozen=True)
class EncodedDataset(ImageDataset):
    """Images in memory, as their files have them."""

    samples: Sequence[Encoded]
    labels: Sequence[int]

    def __len__(self) -> int:
        return len(self.samples)

    def name(self, index: int) -> str:
        return self.samples[index].name

    def content(self, index: int) -> Content:
        return self.samples[index].data


@dataclass(frozen=True)
class HubStream:
    """A part of a set as it comes from the network."""

    dataset: Any
    image: str
    label: str
    length: int
    prefix: str

    def __len__(self) -> int:
        return self.length

    def samples(self) -> Iterator[Encoded]:
        """All of them; GodeeperError where the network fails, or where the set is not what it says."""
        rows, index = iter(self.dataset), -1
        while True:
            try:
                row = next(rows, None)
            except Exception as error:  # of many kinds, once the library has tried often enough
                raise GodeeperError(f"{self.prefix} broke off after {index + 1} images: {_one_line(error)}") from None
            if row is None:
                break
            index += 1
            name = f"{self.prefix}[{index}]"
            try:
                content = _content(row[self.image], name)
            except BadImage:
                content = b""  # which is a bad image for the one who decodes it
            label = _label(row[self.label])
            if label < 0 and self.length:  # without a length it is a part to test on, which is passed over if it has no labels
                raise GodeeperError(f"{name} has no label")
            yield Encoded(index, content, label, name)
        if index + 1 < self.length:
            raise GodeeperError(f"{self.prefix} ended after {index + 1} of {self.length} images: leave {STREAMING} out")


def open_hub(source: str, known: tuple[str, ...] | None) -> Source:
    """The set that `source` names; GodeeperError where it cannot be had, or is not one of labelled images."""
    name = source.removeprefix("hf:")
    streaming = name.endswith(STREAMING)
    parts = _load(name.removesuffix(STREAMING), streaming)
    if "train" not in parts:
        raise GodeeperError(f"{source!r} has no part 'train', but {', '.join(parts)}")
    image, label = _columns(parts["train"], source)
    classes = tuple(parts["train"].features[label].names)
    check_classes(classes, known, source)
    parts = {part: rows.cast_column(image, _undecoded()) for part, rows in parts.items()}
    train, test, how = (_streams if streaming else _tables)(parts, image, label, source)
    if known is None:
        check_tested(classes, test.labels, f"the test part of {source!r}")
    return Source(classes, train, test, how)


def _load(name: str, streaming: bool) -> dict[str, Any]:
    try:
        import datasets
    except ImportError:
        raise GodeeperError("Hugging Face sets need the library datasets: pip install 'godeeper[data]'") from None
    path, _, config = (name, "", "") if Path(name).is_dir() else name.partition(":")
    if not path:
        raise GodeeperError("the set's name is empty: give hf:OWNER/NAME")
    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    hub = logging.getLogger("huggingface_hub")
    before = hub.level
    hub.setLevel(logging.ERROR)  # not a line for every try
    try:
        return dict(datasets.load_dataset(path, config or None, streaming=streaming))
    except Exception as error:  # the library raises many kinds, for names as for networks
        raise GodeeperError(f"the set {name!r} cannot be had from Hugging Face: {_one_line(error.__cause__ or error)}") from None
    finally:
        hub.setLevel(before)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def _columns(rows: Any, source: str) -> tuple[str, str]:
    """The columns of images and of labels."""
    import datasets

    features = rows.features or {}
    found = []
    for kind, what in ((datasets.Image, "images"), (datasets.ClassLabel, "class labels")):
        names = [name for name, feature in features.items() if isinstance(feature, kind)]
        if len(names) != 1:
            columns = ", ".join(features) or "none that are declared"
            raise GodeeperError(f"{source!r} has {len(names)} columns of {what}, not one (columns: {columns})")
        found += names
    return found[0], found[1]


def _undecoded() -> Any:
    from datasets import Image as Feature

    return Feature(decode=False)


def _content(cell: dict[str, Any] | None, name: str) -> bytes:
    """The file of an image's cell: within it, on disk, or in an archive elsewhere."""
    if cell is None or not (cell["bytes"] or cell["path"]):
        raise BadImage(f"{name}: the cell is empty")
    try:
        if cell["bytes"]:
            return bytes(cell["bytes"])
        if "://" not in cell["path"]:
            return Path(cell["path"]).read_bytes()
        import fsspec

        with fsspec.open(cell["path"], "rb") as file:
            return bytes(file.read())
    except Exception as error:  # each kind of storage has errors of its own
        raise BadImage(f"{name}: {_one_line(error)}") from None


def _label(cell: int | None) -> int:
    """A row's label; -1, as sets write it themselves, where there is none."""
    return -1 if cell is None else int(cell)


def _tables(parts: dict[str, Any], image: str, label: str, source: str) -> tuple[ImageDataset, ImageDataset, str]:
    labels = {part: [_label(value) for value in rows[label]] for part, rows in parts.items() if part in ("train", *TESTS)}

    def pick(part: str, rows: Sequence[int]) -> HubDataset:
        return HubDataset(parts[part], image, [labels[part][row] for row in rows], rows, f"{source}/{part}")

    if min(labels["train"], default=-1) < 0:
        raise GodeeperError(f"{source!r} has images without labels in its part 'train'")
    for test in TESTS:
        if min(labels.get(test, ()), default=-1) >= 0:
            return pick("train", range(len(labels["train"]))), pick(test, range(len(labels[test]))), f"parts train and {test}"
    check_divisible(parts["train"].features[label].names, labels["train"], source)
    into_train, into_test = split(labels["train"], [f"train/{row}" for row in range(len(labels["train"]))])
    return pick("train", into_train), pick("train", into_test), split_note()


def _streams(parts: dict[str, Any], image: str, label: str, source: str) -> tuple[Stream, ImageDataset, str]:
    def stream(part: str) -> HubStream:
        splits = parts[part].info.splits or {}
        if part not in splits or not splits[part].num_examples:
            raise GodeeperError(f"{source!r} does not say how many images it has: leave {STREAMING} out")
        return HubStream(parts[part], image, label, splits[part].num_examples, f"{source}/{part}")

    for test in TESTS:
        if test in parts:
            samples = list(HubStream(parts[test], image, label, 0, f"{source}/{test}").samples())
            if min((sample.label for sample in samples), default=-1) >= 0:
                images = EncodedDataset(samples, [sample.label for sample in samples])
                return stream("train"), images, f"parts train, streamed, and {test}"
    raise GodeeperError(f"{source!r} has no part to test on that has labels: leave {STREAMING} out, and some is held out")
