"""A folder that one process works in at a time."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from .errors import GodeeperError
from .ranks import fail_together, rank_and_ranks

LOCK_FILE = ".godeeper.lock"
SECONDS = 0.3  # of waiting for a holder that is just leaving


@contextmanager
def locked(folder: Path, check: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Keeps a folder, which is made where it is missing, for this process, or for those that work together with it.

    The first of them holds a file in the folder locked, and then calls `check`. The system lets go of it however the process
    ends, so a crash leaves nothing to clear away; on file systems without such locks, NFS without a lock server, the file's
    existence is the lock (filelock). GodeeperError, naming the process, its machine and since when, where another has it.
    """
    lock: BaseFileLock | None = None
    is_new = not folder.exists()
    with fail_together():
        if rank_and_ranks()[0] == 0:
            lock = _acquired(folder)
            try:
                check()
            except BaseException:
                _release(lock, folder, is_new)
                raise
    try:
        yield
    finally:
        if lock is not None:
            _release(lock, folder, is_new)


@contextmanager
def present(folder: Path, rank: int) -> Iterator[None]:
    """Lets the other processes at work in a folder see, by `is_gone`, that this one still is; the system ends that with it."""
    lock = FileLock(folder / f".process-{rank}.lock", thread_local=False)
    with suppress(Timeout):  # left by a process that crashed, on a file system without locks
        lock.acquire(timeout=SECONDS)
    try:
        yield
    finally:
        lock.release()


def is_gone(folder: Path, rank: int) -> bool:
    """Whether a process that was `present` no longer is; False where the file system has no locks to tell it by."""
    lock = FileLock(folder / f".process-{rank}.lock", thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    lock.release()
    return True


def _acquired(folder: Path) -> BaseFileLock:
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise GodeeperError(f"cannot make {str(folder)!r}: {error.strerror}") from None
        try:
            lock = FileLock(folder / LOCK_FILE, thread_local=False)
            lock.acquire(timeout=SECONDS, poll_interval=0.02)
        except Timeout:
            raise GodeeperError(
                f"{str(folder)!r} is in use by {_holder(folder)}: wait until that ends, or name another folder"
            ) from None
        except FileNotFoundError:
            if not folder.exists():  # its holder has left, and removed it
                continue
            raise
        except OSError as error:
            raise GodeeperError(f"cannot write {LOCK_FILE} into {str(folder)!r}: {error.strerror}") from None
        if not isinstance(lock, SoftFileLock):  # which says itself whose it is
            holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
            with suppress(OSError):  # a full disk: it is locked all the same
                (folder / LOCK_FILE).write_text(json.dumps(holder), "utf-8")
        return lock


def _holder(folder: Path) -> str:
    """The process that has the folder, as far as its lock file says it."""
    try:
        held = json.loads((folder / LOCK_FILE).read_text("utf-8"))
        return f"process {held['pid']} on {held['host']}, since {held['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def _release(lock: BaseFileLock, folder: Path, is_new: bool) -> None:
    """Removes the file while it is still held: who waits for it sees that, and begins again."""
    with suppress(OSError):
        if not isinstance(lock, SoftFileLock):
            (folder / LOCK_FILE).unlink(missing_ok=True)
    lock.release()
    if is_new:
        with suppress(OSError):  # something is in it
            folder.rmdir()
