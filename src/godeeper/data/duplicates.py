"""Images that are on both sides of a split: what was trained on is no test."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from hashlib import blake2b

from .dataset import FileDataset, ImageDataset, ImageStream

MOST_COMPARED = 50_000  # files: reading more takes minutes


def count_identical(train: ImageDataset | ImageStream, test: ImageDataset) -> str:
    """In one line, how many test files are byte for byte training files, and the first; "" where none is, or they are no files.

    Files of equal size are compared by digest. Where these are more than `MOST_COMPARED`, the line says that they were not.
    """
    if not isinstance(train, FileDataset) or not isinstance(test, FileDataset):
        return ""
    tested, trained = _by_size(test), _by_size(train)
    shared = (tested.keys() & trained.keys()) - {-1, 0}  # not those that cannot be read, or are empty
    compared = sum(len(tested[size]) + len(trained[size]) for size in shared)
    if compared > MOST_COMPARED:
        return f"whether test images are training images was not looked into: {compared:,} files have sizes of both"
    pairs = [pair for size in shared for pair in _identical(tested[size], trained[size])]
    if not pairs:
        return ""
    first, copy = min(pairs)
    return f"{len(pairs):,} of the {len(test):,} test images are byte for byte training images, such as {first!r} and {copy!r}"


def _by_size(images: FileDataset) -> dict[int, list[str]]:
    files: defaultdict[int, list[str]] = defaultdict(list)
    for index in range(len(images)):
        files[images.size_or_checksum(index)].append(images.name(index))
    return files


def _identical(tested: Sequence[str], trained: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each test file that is the same as a training file, and the first such."""
    digests = {_digest(file): file for file in reversed(trained)}
    for file in tested:
        if (digest := _digest(file)) and digest in digests:
            yield file, digests[digest]


def _digest(file: str) -> bytes:
    """b"" for a file that cannot be read."""
    if not os.path.isfile(file):  # a pipe would never end
        return b""
    with suppress(OSError), open(file, "rb") as opened:
        return blake2b(opened.read(), digest_size=16).digest()
    return b""
