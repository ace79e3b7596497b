"""Files written atomically, and where what can be made again is kept."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from uuid import uuid4

from .errors import GodeeperError

LONGEST_NAME, LONGEST_PATH = 255, 4095  # bytes, on all usual file systems
LARGEST_TEXT = 100_000_000  # bytes of a file that a person may have written


def cache_folder() -> Path:
    """Where things lie that can be made again: the folder that GODEEPER_CACHE names, or ~/.cache/godeeper."""
    folder = os.environ.get("GODEEPER_CACHE") or os.path.expanduser("~/.cache/godeeper")
    return Path(os.devnull if folder.startswith("~") else folder)  # a user without a home keeps nothing


def could_exist(name: str | Path) -> bool:
    """Whether a file system takes such a name, by the bytes that it has; to ask for one that none takes would raise OSError."""
    encoded = os.fsencode(name)
    return len(encoded) <= LONGEST_PATH and all(len(part) <= LONGEST_NAME for part in encoded.split(os.fsencode(os.sep)))


def open_regular(file: str | Path) -> BufferedReader:
    """A regular file, opened to be read. OSError, at once, for a pipe or a device, which may never begin, or never end."""
    opened = open(file, "rb", opener=_without_waiting)  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
        opened.close()
        raise OSError(errno.EINVAL, "not a regular file", str(file))
    return opened


def _without_waiting(name: str, flags: int) -> int:
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))


def own_file(name: str, flags: int) -> int:
    """An `opener` for a file of a folder's own: OSError for a link, and, at once, for a pipe that nobody reads."""
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0), 0o666)


def read_file(file: str | Path, largest: int = LARGEST_TEXT) -> bytes:
    """What a regular file holds. OSError where it cannot be read, or is of more than `largest` bytes: none of these is read."""
    with open_regular(file) as opened:
        if os.fstat(opened.fileno()).st_size > largest:
            raise OSError(errno.EFBIG, f"larger than {largest:,} bytes", str(file))
        return opened.read()


def is_text(name: str | Path) -> bool:
    """Whether a name can be written as UTF-8: that of a file may be any bytes."""
    return str(name).encode("utf-8", "replace").decode() == str(name)


def partial_file(file: Path) -> Path:
    """A hidden file beside `file`, of a short name that no other process has, on whichever machine it runs."""
    return file.with_name(f".{uuid4().hex}.partial")


def is_partial(name: str) -> bool:
    """Whether a name is of `partial_file`: where a process was killed while it wrote, that is still there."""
    return name.startswith(".") and name.endswith(".partial")


@contextmanager
def atomic_write(file: Path, *, replaces: bool = True) -> Iterator[Path]:
    """Where to write what is to become `file`: moved there once it is on the disk, removed where writing fails.

    Who may read it is as for any new file, by the umask, whatever the library that writes it makes of that. The folder is made
    where it is missing. OSError, naming `file`, where it cannot be; GodeeperError where one is there, unless it `replaces` that.
    """
    partial = partial_file(file)
    try:
        with errors_name(file, partial):
            file.parent.mkdir(parents=True, exist_ok=True)
            partial.touch()
            mode = stat.S_IMODE(partial.stat().st_mode)
            yield partial
            with partial.open("rb") as written:
                if stat.S_IMODE(os.fstat(written.fileno()).st_mode) != mode:
                    partial.chmod(mode)
                os.fsync(written.fileno())
            move(partial, file, replaces=replaces)
    finally:
        partial.unlink(missing_ok=True)


def move(entry: Path, target: Path, *, replaces: bool = True) -> None:
    """Moves a file or folder to where it belongs. Unless it `replaces` what is there, GodeeperError for a file that came
    meanwhile, as from another process that was told the same name.
    """
    if replaces:
        entry.replace(target)
        return
    try:
        os.link(entry, target)  # which fails where something is, in one step with looking
    except OSError as error:
        if os.path.lexists(target):
            raise GodeeperError(f"{str(target)!r} was written by another process meanwhile: choose another name") from None
        if error.errno == errno.ENOENT:
            raise
        entry.replace(target)  # a file system without hard links
    else:
        entry.unlink()


@contextmanager
def atomic_folder(folder: Path, last: str = "") -> Iterator[Path]:
    """Where to write files that are to lie in `folder`: moved there once all are on the disk, that named `last` at the end.

    Where writing fails, nothing of them is left. The folder is made where it is missing, and what else it holds stays. OSError,
    naming `folder`, where it cannot be.
    """
    partial = partial_file(folder / "files")
    try:
        with errors_name(folder, partial):
            partial.mkdir(parents=True)
            yield partial
            for file in partial.rglob("*"):
                if file.is_file():
                    with file.open("rb") as written:
                        os.fsync(written.fileno())
            move_together(sorted(partial.iterdir(), key=lambda entry: (entry.name == last, entry.name)), folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def move_together(entries: Sequence[Path], folder: Path, *, replaces: bool = True) -> None:
    """Moves files and folders into a folder, in this order; where one cannot be moved, the folder is left as it was.

    Unless it `replaces`, entries are files, none of which may be there (`move`).
    """
    moved: list[Path] = []
    aside: list[tuple[Path, Path]] = []  # what was there before: where it is meanwhile, and where it belongs
    try:
        for entry in entries:
            target = folder / entry.name
            is_last = entry == entries[-1]  # which is replaced in one step
            if replaces and (target.is_dir() or (target.exists() and not is_last)):
                older = partial_file(target)
                target.replace(older)
                aside.append((older, target))
            move(entry, target, replaces=replaces)
            moved.append(target)
    except BaseException:
        for target in moved:
            remove(target)
        for older, target in aside:
            older.replace(target)
        raise
    for older, _ in aside:
        remove(older)


def remove(entry: Path) -> None:
    """Removes a file, a link, or a folder with all that it holds."""
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry)
    else:
        entry.unlink()


@contextmanager
def errors_name(target: Path, partial: Path) -> Iterator[None]:
    """An OSError of the block that names nothing, as one of writing, or something at `partial`, names `target` instead."""
    try:
        yield
    except OSError as error:
        within = error.filename is None or os.path.normpath(str(error.filename)).startswith(os.path.normpath(partial))
        if error.errno is not None and within:
            error.filename, error.filename2 = str(target), None
        raise
