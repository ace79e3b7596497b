"""What people name images by -> files."""

from __future__ import annotations

from collections.abc import Sequence
from glob import glob
from pathlib import Path

from ..data.walk import image_files, without_hidden
from ..errors import GodeeperError
from ..files import could_exist


def files_of(arguments: Sequence[str]) -> list[Path]:
    """The files that files, folders and patterns mean, in order; GodeeperError for an argument that means none.

    Each argument gives all of its files: one that is given twice is there twice, so that rows belong to arguments.
    """
    files: list[Path] = []
    for argument in arguments:
        if not argument:
            raise GodeeperError("an image's name is empty: give a file, a folder or a pattern")
        if not could_exist(argument):
            raise GodeeperError(f"there are no images at {argument[:40]!r}...")
        matches = _files(argument)
        if not matches:
            raise GodeeperError(f"there are no images at {argument!r}")
        files += matches
    return files


def _files(argument: str) -> list[Path]:
    path = Path(argument)
    if path.is_dir():
        return image_files(path)
    if path.exists() or path.is_symlink():
        return [path]
    matches = without_hidden(map(Path, glob(argument, recursive=True)), argument)
    return [match for match in matches if match.is_file()]
