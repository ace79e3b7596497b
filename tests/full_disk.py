"""A disk that is full from a chosen moment on, for all that this process writes, native code included.

Python's audit hooks tell of each file opened for writing, folder made and name given. At the chosen one either that fails, as
where the disk holds no more names, or the size of files is limited from there on (RLIMIT_FSIZE, which says EFBIG where a disk
says ENOSPC), so that what is written, by whichever library, fails after so many bytes.
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
FULL = "No space left on device"
SIGNS = (FULL, "File too large", "encoder error", "OpenVINO cannot write")  # Pillow's encoders say no more


@dataclass
class Disk:
    """Full from event `full_at` on, counted from 0: no new name where `room` is None, else so many bytes a file."""

    full_at: int | None = None
    room: int | None = None
    events: list[str] = field(default_factory=list)

    def happens(self, event: str, path: str) -> None:
        self.events.append(f"{event} {os.path.basename(path)}")
        if self.full_at is None or len(self.events) <= self.full_at:
            return
        if self.room is None:
            raise OSError(errno.ENOSPC, FULL, path)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.room, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


_disks: list[Disk] = []  # that of the innermost block is the last


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if not _disks:
        return
    path: Any = None
    if (event == "open" and arguments[2] & WRITES) or event == "os.mkdir":
        path = arguments[0]
    elif event == "os.rename":
        path = arguments[1]
    if isinstance(path, str | bytes | os.PathLike) and not os.fsdecode(path).startswith(("/dev/", "/proc/")):
        _disks[-1].happens(event, os.fsdecode(path))


@cache
def _install() -> None:
    sys.addaudithook(_watch)  # for good: there is no way to take one away


@contextlib.contextmanager
def disk(full_at: int | None = None, room: int | None = None) -> Iterator[Disk]:
    """The disk of the block: what happens at it, and from when on it is full."""
    _install()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    _disks.append(Disk(full_at, room))
    try:
        yield _disks[-1]
    finally:
        _disks.pop()
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
