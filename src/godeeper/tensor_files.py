"""Safetensors files, written atomically, with JSON as metadata."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from .errors import BadCheckpoint
from .files import atomic_write


def save_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, Any]) -> None:
    """Writes a safetensors file atomically; `metadata` values are kept as JSON. OSError where it cannot."""
    try:
        with atomic_write(path) as partial:
            save_file(
                {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()},
                partial,
                {key: json.dumps(value) for key, value in metadata.items()},  # in ASCII: names of files need not be text
            )
    except SafetensorError as error:
        raise OSError(errno.EIO, str(error), str(path)) from None  # a full disk, mostly


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """A file of `save_tensors`: its tensors and metadata. BadCheckpoint where it is missing, unreadable or not ours."""
    if not path.is_file():
        raise BadCheckpoint(f"there is no file {str(path)!r}")
    tensors, metadata = read_safetensors(path)
    return tensors, decoded(metadata, path)


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Any safetensors file: its tensors, and its metadata as it stands. BadCheckpoint where it cannot be read."""
    with _opened(path) as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118


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
    """Metadata that `save_tensors` wrote; BadCheckpoint for another program's."""
    try:
        return {key: json.loads(value) for key, value in metadata.items()}
    except (ValueError, RecursionError) as error:
        raise BadCheckpoint(f"{str(path)!r} was not written by godeeper, or is damaged: {error}") from None


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
