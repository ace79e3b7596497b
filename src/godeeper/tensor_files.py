"""Safetensors files, written atomically, with JSON as metadata."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from math import isfinite
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from .digests import BLANK, MARK, check_checksum, warn_unchecked, write_checksum
from .errors import BadCheckpoint
from .files import atomic_write

CHECKSUM = "checksum"  # of the metadata
LARGEST_VALUE = 1e12  # of weights and statistics
MOST_TENSORS = 20_000  # of a file: the largest network has fewer than two thousand, a checkpoint four times as many
LONGEST_HEADER = 100_000_000  # bytes: more is no safetensors file


def save_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, Any], *, replaces: bool = True) -> None:
    """Writes a safetensors file atomically, with a checksum of all of it; `metadata` values are kept as JSON.

    The same tensors and metadata give the same bytes. OSError where it cannot be written, GodeeperError where a file is there
    unless it `replaces` that.
    """
    try:
        with atomic_write(path, replaces=replaces) as partial:
            save_file(
                {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()},
                partial,
                # In ASCII: names of files need not be text.
                {key: json.dumps(value) for key, value in metadata.items()} | {CHECKSUM: BLANK},
            )
            _sort_metadata(partial)
            write_checksum(partial, within=_header_end(partial))
    except SafetensorError as error:
        raise OSError(errno.EIO, str(error), str(path)) from None  # a full disk, mostly


def _sort_metadata(file: Path) -> None:
    """Puts a file's metadata in the order of their names: safetensors leaves them in the order of a hash that changes."""
    length = _header_end(file) - 8
    with file.open("r+b") as opened:
        opened.seek(8)
        header = json.loads(opened.read(length))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode().ljust(length)
        if len(text) != length:
            raise RuntimeError(f"safetensors writes JSON otherwise than Python: {len(text)} bytes for {length}")
        opened.seek(8)
        opened.write(text)


def _header_end(file: Path) -> int:
    """Where the tensors' bytes begin, after eight bytes of the header's length and the header, which is JSON."""
    with file.open("rb") as opened:
        return 8 + min(int.from_bytes(opened.read(8), "little"), LONGEST_HEADER)


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """A file of `save_tensors`: its tensors and metadata. BadCheckpoint where it is missing, unreadable or not ours."""
    if not path.is_file():
        raise BadCheckpoint(f"there is no file {str(path)!r}")
    tensors, metadata = read_safetensors(path)
    return tensors, decoded(metadata, path)


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Any safetensors file: its tensors, and its metadata as it stands, whose checksum, where it has one, is held against it.

    BadCheckpoint where it cannot be read, or is damaged.
    """
    with _opened(path) as file:
        check_checksum(path, within=_header_end(path))
        names = file.keys()
        if len(names) > MOST_TENSORS:
            raise ValueError(f"it holds {len(names):,} tensors, and {MOST_TENSORS:,} at most are read")
        return {name: file.get_tensor(name) for name in names}, file.metadata() or {}


def read_header(path: Path) -> dict[str, str]:
    """The metadata of any safetensors file, as it stands, without its tensors. BadCheckpoint where it cannot be read."""
    with _opened(path) as file:
        metadata: dict[str, str] = file.metadata() or {}
    return metadata


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A safetensors file; what goes wrong within becomes a BadCheckpoint."""
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadCheckpoint(f"{str(path)!r} is not a safetensors file, or is damaged: {error}") from None


def decoded(metadata: dict[str, str], path: Path) -> dict[str, Any]:
    """Metadata that `save_tensors` wrote, without the checksum, and with a warning where there is none.

    BadCheckpoint for another program's.
    """
    if not metadata.get(CHECKSUM, "").startswith(MARK.decode()):
        warn_unchecked(path)
    try:
        return {key: json.loads(value) for key, value in metadata.items() if key != CHECKSUM}
    except (ValueError, RecursionError) as error:
        raise BadCheckpoint(f"{str(path)!r} was not written by godeeper, or is damaged: {error}") from None


def value_fault(name: str, tensor: Tensor) -> str:
    """What is wrong with the values of weights of that name, in words; "" for nothing.

    Values beyond 1e12 are finite, but what is computed of them is not, or is the same for every image.
    """
    if not tensor.is_floating_point() or not tensor.numel():
        return ""
    lowest, highest = (float(bound) for bound in torch.aminmax(tensor))  # both not a number where one value is not
    if not isfinite(lowest) or not isfinite(highest):
        return "values that are not finite"
    if max(-lowest, highest) > LARGEST_VALUE:
        return f"values as large as {max(-lowest, highest):.1g}, which no training leaves: it is damaged"
    return "variances below 0" if name.endswith("running_var") and lowest < 0 else ""


def digest(tensors: Mapping[str, Tensor]) -> str:
    """Identifies a network's weights: SHA-256 over names, types, shapes and values."""
    result = sha256()
    for name, tensor in sorted(tensors.items()):
        result.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        result.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return result.hexdigest()


def is_safetensors(file: Path) -> bool:
    """Whether the content, not the name, is of that format: eight bytes of length, then JSON. BadCheckpoint if unreadable."""
    try:
        with file.open("rb") as opened:
            return opened.read(9)[8:] == b"{"
    except OSError as error:
        raise BadCheckpoint(f"{str(file)!r} cannot be read: {error.strerror}") from None
