"""Digests: of plain data, and of files that carry their own."""

from __future__ import annotations

import hashlib
import json
import logging
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from .errors import BadCheckpoint
from .files import open_regular, read_file

logger = logging.getLogger("godeeper")

MARK = b"godeeper-sha256:"  # in a file, before the digits of its checksum
DIGITS = 64
LARGEST_SEARCHED = 4_000_000_000  # bytes of a file whose checksum may stand anywhere: .onnx ends at two thousand million
BLANK = MARK.decode() + "0" * DIGITS  # what a file holds while its checksum is computed


def json_digest(plain: Any) -> str:
    """SHA-256, in 64 hexadecimal digits, of plain data as JSON; dictionaries in any order are the same, tuples are lists."""
    return sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def write_checksum(file: Path, *others: Path, within: int = -1) -> None:
    """Puts the checksum of a file, and of others that belong to it, in the place of the `BLANK` in its first `within` bytes.

    It is SHA-256 of all their bytes, the digits themselves counting as zeros. ValueError for a file without a `BLANK`.
    """
    start = _digits_at(_beginning(file, within))
    if start is None:
        raise ValueError(f"{str(file)!r} has no place for its checksum")
    digits = _checksum(file, others, start)
    with file.open("r+b") as opened:
        opened.seek(start)
        opened.write(digits)


def check_checksum(file: Path, *others: Path, within: int = -1) -> bool:
    """Whether the file carries a checksum, in its first `within` bytes (-1: anywhere).

    BadCheckpoint where the files are not what they were when it was written, OSError where they cannot be read.
    """
    content = _beginning(file, within)
    start = _digits_at(content)
    if start is None:
        return False
    if _checksum(file, others, start) != content[start : start + DIGITS]:
        names = " with ".join(repr(str(each)) for each in (file, *others))
        raise BadCheckpoint(f"{names} is damaged, or was changed by another program: its checksum is that of other content")
    return True


@cache
def warn_unchecked(file: Path) -> None:
    """Warns, once a file and process, that a file of ours carries no checksum."""
    logger.warning("%s carries no checksum, as older versions write: damage to it would go unnoticed", file)


def _beginning(file: Path, within: int) -> bytes:
    """The first `within` bytes of a file, all of it where that is -1."""
    if within < 0:
        return read_file(file, LARGEST_SEARCHED)
    with open_regular(file) as opened:
        return opened.read(within)


def _digits_at(content: bytes) -> int | None:
    start = content.find(MARK)
    return None if start < 0 else start + len(MARK)


def _checksum(file: Path, others: tuple[Path, ...], start: int) -> bytes:
    """The digits for files, of which the first has them at `start`."""
    result = sha256()
    with file.open("rb") as opened:
        result.update(opened.read(start))
        result.update(b"0" * len(opened.read(DIGITS)))
        hashlib.file_digest(opened, lambda: result)
    for other in others:
        with other.open("rb") as opened:
            hashlib.file_digest(opened, lambda: result)
    return result.hexdigest().encode()
