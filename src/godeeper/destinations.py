"""Where output may go: one answer for every command and option, given before any work is done."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from .errors import GodeeperError
from .files import could_exist

DRAWINGS = (".png", ".jpg", ".jpeg", ".webp")


def check_output(out: Path, option: str, suffixes: Sequence[str] | None = None, *, replaces: bool = True) -> None:
    """GodeeperError, naming `option`, unless a file of one of these suffixes can be written as `out`, in a folder that is there.

    Without suffixes `out` is a folder of its own, whose parents are made where they are missing; what it may hold is for the
    caller to say. A file that exists is replaced only if `replaces`.
    """
    given = f"{option} {str(out)!r}"
    if not could_exist(out) or "\0" in str(out):
        raise GodeeperError(f"{given}: no file system takes such a name")
    if suffixes is None:
        _check_folder(out, option)
        return
    if out.is_dir():
        raise GodeeperError(f"{given} is a folder: name a {_listed(suffixes)} file")
    if out.suffix.lower() not in suffixes:
        raise GodeeperError(f"{given}: name a {_listed(suffixes)} file; the name's ending decides the format")
    if not out.parent.is_dir():
        raise GodeeperError(f"{given}: there is no folder {str(out.parent)!r}")
    if out.exists() and not out.is_file():
        raise GodeeperError(f"{given} is a pipe or a device, which a file would replace: name another")
    if os.path.lexists(out) and not replaces:  # also a link to nowhere
        raise GodeeperError(f"{given} exists: remove it or choose another name")
    _check_writable(out.parent, given)


def _check_folder(out: Path, option: str) -> None:
    if str(out) == ".":  # also what an empty name means
        raise GodeeperError(f"{option} needs a folder of its own: name one")
    there = next(folder for folder in (out, *out.parents) if folder.exists())
    if not there.is_dir():
        raise GodeeperError(f"{option} {str(there)!r} is a file: name a folder")
    _check_writable(there, f"{option} {str(out)!r}")


def _check_writable(folder: Path, given: str) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise GodeeperError(f"{given}: {str(folder)!r} may not be written to")


def _listed(suffixes: Sequence[str]) -> str:
    *others, last = suffixes
    return f"{', '.join(others)} or {last}" if others else last
