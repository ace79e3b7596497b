"""Datasets of Hugging Face, through `datasets`: `hf:OWNER/NAME`, `hf:OWNER/NAME:CONFIG`, `hf:FOLDER`, each also `?streaming`."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import BadImage, GodeeperError, message_lines
from ..packages import install_command
from .dataset import DataSplits, ImageDataset, ImageStream, StreamedImage, check_classes, check_tested
from .decode import RawImage
from .holdout import check_divisible, hold_out, holdout_note

STREAMING = "?streaming"
TEST_SPLITS = ("validation", "valid", "val", "test")  # the first that has labels


@dataclass(frozen=True)
class HubDataset(ImageDataset):
    """Rows of a dataset that lies on disk; `rows` says which, in order."""

    dataset: Any
    column: str
    labels: Sequence[int]
    rows: Sequence[int]
    prefix: str

    def __len__(self) -> int:
        return len(self.rows)

    def name(self, index: int) -> str:
        return f"{self.prefix}[{self.rows[index]}]"

    def raw(self, index: int) -> RawImage:
        return _file_content(self.dataset[self.rows[index]][self.column], self.name(index))

    def size_or_checksum(self, index: int) -> int:
        return 0  # to read a million rows takes minutes: their numbers and labels are what is known of them


@dataclass(frozen=True)
class EncodedDataset(ImageDataset):
    """Images of a stream that are kept in memory, as their files have them."""

    images: Sequence[StreamedImage]
    labels: Sequence[int]

    def __len__(self) -> int:
        return len(self.images)

    def name(self, index: int) -> str:
        return self.images[index].name

    def raw(self, index: int) -> RawImage:
        return self.images[index].raw


@dataclass(frozen=True)
class HubStream(ImageStream):
    """A split as it comes from the network; `length` 0: it is not known, and images may lack labels (-1)."""

    dataset: Any
    image_column: str
    label_column: str
    length: int
    prefix: str

    def __len__(self) -> int:
        return self.length

    def images(self) -> Iterator[StreamedImage]:
        """All images; GodeeperError where the network fails, or where the split is not what it says."""
        index = -1
        for index, row in enumerate(self._rows()):
            name = f"{self.prefix}[{index}]"
            try:
                content = _file_content(row[self.image_column], name)
            except BadImage:
                content = b""  # which is a bad image for whatever decodes it
            label = _label(row[self.label_column])
            if label < 0 and self.length:
                raise GodeeperError(f"{name} has no label")
            yield StreamedImage(index, content, label, name)
        if index + 1 < self.length:
            raise GodeeperError(f"{self.prefix} ended after {index + 1} of {self.length} images: leave {STREAMING} out")

    def _rows(self) -> Iterator[dict[str, Any]]:
        rows, count = iter(self.dataset), 0
        while True:
            try:
                row = next(rows, None)
            except Exception as error:  # of many kinds, once the library has tried often enough
                raise GodeeperError(f"{self.prefix} broke off after {count} images: {_one_line(error)}") from None
            if row is None:
                return
            yield row
            count += 1


def open_hub(data: str, known: tuple[str, ...] | None) -> DataSplits:
    """The dataset that `data` names; GodeeperError where it cannot be had, or is not one of labelled images."""
    name = data.removeprefix("hf:")
    streaming = name.endswith(STREAMING)
    splits = _load(name.removesuffix(STREAMING), streaming)
    if "train" not in splits:
        raise GodeeperError(f"{data!r} has no part 'train', but {', '.join(splits)}")
    image_column, label_column = _columns(splits["train"], data)
    classes = tuple(splits["train"].features[label_column].names)
    check_classes(classes, known, data)
    splits = {split: rows.cast_column(image_column, _undecoded()) for split, rows in splits.items()}
    train, test, note = (_streams if streaming else _tables)(splits, image_column, label_column, data)
    if known is None:
        check_tested(classes, test.labels, f"the test part of {data!r}")
    return DataSplits(classes, train, test, note)


def _load(name: str, streaming: bool) -> dict[str, Any]:
    try:
        import datasets
    except ImportError:
        raise GodeeperError(f"Hugging Face sets need the library datasets: {install_command('data')}") from None
    path, _, config = (name, "", "") if Path(name).is_dir() else name.partition(":")
    if not path:
        raise GodeeperError("the set's name is empty: give hf:OWNER/NAME")
    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.ERROR)  # not a line for every try
    try:
        return dict(datasets.load_dataset(path, config or None, streaming=streaming))
    except Exception as error:  # the library raises many kinds, for names as for networks
        raise GodeeperError(f"the set {name!r} cannot be had from Hugging Face: {_one_line(error.__cause__ or error)}") from None
    finally:
        logger.setLevel(level)


def _one_line(error: BaseException) -> str:
    return " ".join(message_lines(error))[:300]


def _columns(rows: Any, data: str) -> tuple[str, str]:
    """The columns of images and of labels."""
    import datasets

    features = rows.features or {}

    def column(kind: Any, what: str) -> str:
        names = [name for name, feature in features.items() if isinstance(feature, kind)]
        if len(names) != 1:
            columns = ", ".join(features) or "none that are declared"
            raise GodeeperError(f"{data!r} has {len(names)} columns of {what}, not one (columns: {columns})")
        return str(names[0])

    return column(datasets.Image, "images"), column(datasets.ClassLabel, "class labels")


def _undecoded() -> Any:
    from datasets import Image as Feature

    return Feature(decode=False)


def _file_content(cell: dict[str, Any] | None, name: str) -> bytes:
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
    """A row's label; -1, as datasets write it themselves, where there is none."""
    return -1 if cell is None else int(cell)


def _tables(splits: dict[str, Any], image_column: str, label_column: str, data: str) -> tuple[ImageDataset, ImageDataset, str]:
    """Training images, test images and how they were split, of a dataset on disk."""
    labels = {
        split: [_label(value) for value in rows[label_column]]
        for split, rows in splits.items()
        if split in ("train", *TEST_SPLITS)
    }

    def subset(split: str, rows: Sequence[int]) -> HubDataset:
        return HubDataset(splits[split], image_column, [labels[split][row] for row in rows], rows, f"{data}/{split}")

    if min(labels["train"], default=-1) < 0:
        raise GodeeperError(f"{data!r} has images without labels in its part 'train'")
    train_rows = range(len(labels["train"]))
    for test in TEST_SPLITS:
        if min(labels.get(test, ()), default=-1) >= 0:
            return subset("train", train_rows), subset(test, range(len(labels[test]))), f"parts train and {test}"
    check_divisible(splits["train"].features[label_column].names, labels["train"], data)
    into_train, into_test = hold_out(labels["train"], [f"train/{row}" for row in train_rows])
    return subset("train", into_train), subset("train", into_test), holdout_note()


def _streams(splits: dict[str, Any], image_column: str, label_column: str, data: str) -> tuple[ImageStream, ImageDataset, str]:
    """Training images, test images (read at once, into memory) and how they were split, of a dataset that is streamed."""

    def stream(split: str, length: int) -> HubStream:
        return HubStream(splits[split], image_column, label_column, length, f"{data}/{split}")

    for test in TEST_SPLITS:
        if test not in splits:
            continue
        images = list(stream(test, 0).images())
        if min((image.label for image in images), default=-1) >= 0:
            declared = splits["train"].info.splits or {}
            if "train" not in declared or not declared["train"].num_examples:
                raise GodeeperError(f"{data!r} does not say how many images it has: leave {STREAMING} out")
            train = stream("train", declared["train"].num_examples)
            return train, EncodedDataset(images, [image.label for image in images]), f"parts train, streamed, and {test}"
    raise GodeeperError(f"{data!r} has no part to test on that has labels: leave {STREAMING} out, and some is held out")
