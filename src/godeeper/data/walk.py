"""The one walk of folders: what is hidden or a system's is left out, links are followed, and what else is left out is counted."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import GodeeperError
from .decode import SUFFIXES

logger = logging.getLogger("godeeper")

# What systems put beside people's files, in lower case: macOS's archives, Synology's and QNAP's thumbnails and snapshots, the
# bins of Windows and Linux. Names that begin with a dot are hidden on all of them.
SYSTEM_NAMES = frozenset({
    "__macosx", "icon\r", "@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "@__thumb", "@tmp", "$recycle.bin",
    "recycler", "system volume information", "found.000", "thumbs.db", "ehthumbs.db", "desktop.ini", "lost+found",
})  # fmt: skip
NAMED = 5  # names in a line, at most


def is_hidden(name: str) -> bool:
    """Whether a file or folder of that name is hidden or a system's: no walk of folders looks at it."""
    return name.startswith(".") or name.lower() in SYSTEM_NAMES


@dataclass
class LeftOutFiles:
    """What a walk does not list: files that are no images, by suffix; folders by name; links that lead nowhere, in a circle, or
    to a folder to which another has led.
    """

    suffixes: Counter[str] = field(default_factory=Counter)
    stray: int = 0  # images beside the class folders
    folders: Counter[str] = field(default_factory=Counter)
    links: list[str] = field(default_factory=list)

    def add(self, other: LeftOutFiles) -> None:
        """Counts what another walk left out as well."""
        self.suffixes += other.suffixes
        self.stray += other.stray
        self.folders += other.folders
        self.links += other.links

    def line(self) -> str:
        """All of it in one line; "" where nothing was left out."""
        parts = [f"{count:,} {suffix or 'without an ending'}" for suffix, count in _ranked(self.suffixes)]
        parts += [f"images beside the class folders: {self.stray:,}"] * (self.stray > 0)
        folders = [f"{name!r}" + f" ({count:,})" * (count > 1) for name, count in _ranked(self.folders)]
        parts += [f"the folders {_some(folders)}"] * (len(folders) > 0)
        parts += [f"links that lead nowhere, in a circle or where another leads: {_some(list(map(repr, self.links)))}"] * (
            len(self.links) > 0
        )
        heic = " (pip install pillow-heif, and .heic is read)" if self.suffixes.keys() & {".heic", ".heif"} else ""
        return ", ".join(parts) + heic

    def log(self, where: object) -> None:
        """Says it, as a warning, where anything was left out."""
        if line := self.line():
            logger.warning("%s: left out: %s", str(where), line)


def _ranked(counts: Counter[str]) -> list[tuple[str, int]]:
    """The most frequent first, equal ones by name: the same line each time."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _some(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED:,} more" if len(names) > NAMED else "")


def visible(folder: str | Path, left_out: LeftOutFiles | None = None) -> list[os.DirEntry[str]]:
    """What is in a folder, sorted by name, without what is hidden or a system's; system folders are counted in `left_out`.

    GodeeperError where it cannot be read.
    """
    try:
        with os.scandir(folder) as scanned:  # which knows what is a folder without asking once more for each of a million
            entries = sorted(scanned, key=lambda entry: entry.name)
    except OSError as error:
        raise GodeeperError(f"{str(folder)!r} cannot be read: {error.strerror}") from None
    hidden = [entry for entry in entries if is_hidden(entry.name)]
    if left_out is not None:
        left_out.folders.update(entry.name for entry in hidden if not entry.name.startswith(".") and is_folder(entry))
    return [entry for entry in entries if not is_hidden(entry.name)] if hidden else entries


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder, or a link to one."""
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def is_broken(entry: os.DirEntry[str]) -> bool:
    """Whether it is a link that leads nowhere."""
    return entry.is_symlink() and not os.path.exists(entry.path)


def suffix_of(name: str) -> str:
    """A file's ending, in lower case, with its dot."""
    return os.path.splitext(name)[1].lower()


def list_images(folder: str | Path, left_out: LeftOutFiles) -> list[str]:
    """The files below a folder that are named like images, each folder's in the order of names; the others join `left_out`.

    Linked folders are followed, each once, except into a folder that is being walked. An image that is a link to nowhere is
    listed, to be reported like any other that cannot be read.
    """
    walk = _Walk(left_out)
    walk.collect(os.fspath(folder), ())
    return walk.files


@dataclass
class _Walk:
    """A walk of a folder: the images found, what is left out, and the folders, without links, to which links have led."""

    left_out: LeftOutFiles
    files: list[str] = field(default_factory=list)
    followed: set[str] = field(default_factory=set)

    def collect(self, folder: str, walked: tuple[str, ...]) -> None:
        """`walked` are the folders, without links, by which the walk has come through links."""
        for entry in visible(folder, self.left_out):
            suffix = suffix_of(entry.name)
            if is_folder(entry):
                self._collect_below(entry, walked)
            elif suffix in SUFFIXES:
                self.files.append(entry.path)
            elif is_broken(entry):
                self.left_out.links.append(entry.path)
            else:
                self.left_out.suffixes[suffix] += 1

    def _collect_below(self, entry: os.DirEntry[str], walked: tuple[str, ...]) -> None:
        if entry.is_symlink():
            walked = (*walked, os.path.realpath(os.path.dirname(entry.path)))
            target = os.path.realpath(entry.path)
            # Folders that are linked with each other have as many paths as they have orders.
            if target in self.followed or any(_is_within(each, target) for each in walked):
                self.left_out.links.append(entry.path)
                return
            self.followed.add(target)
        self.collect(entry.path, walked)


def _is_within(folder: str, other: str) -> bool:
    return folder == other or folder.startswith(other.rstrip(os.sep) + os.sep)


def image_files(folder: Path) -> list[Path]:
    """The files below `folder` that are named like images; what else is there is counted in a warning."""
    left_out = LeftOutFiles()
    files = list_images(folder, left_out)
    left_out.log(folder)
    return list(map(Path, files))


def without_hidden(paths: Iterable[Path], given: str | Path) -> list[Path]:
    """The paths, sorted, without those in hidden or system folders that `given`, their folder or pattern, does not name."""
    allowed = {".", "..", *Path(given).parts}
    return sorted(path for path in paths if not any(is_hidden(part) for part in path.parts if part not in allowed))
