"""Files written atomically, and where what can be made again is kept."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_folder() -> Path:
    """Where things lie that can be made again: the folder that GODEEPER_CACHE names, or ~/.cache/godeeper."""
    folder = os.environ.get("GODEEPER_CACHE") or os.path.expanduser("~/.cache/godeeper")
    return Path(os.devnull if folder.startswith("~") else folder)  # a user without a home keeps nothing


@contextmanager
def atomic_write(file: Path) -> Iterator[Path]:
    """Where to write what is to become `file`: moved there once it is on the disk, removed where writing fails.

    The folder is made where it is missing. OSError where it cannot be.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    try:
        yield partial
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)
