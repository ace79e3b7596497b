"""A class folder as WebDataset shards."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from random import Random

from ..destinations import check_output
from ..errors import GodeeperError
from ..files import atomic_folder
from ..locks import locked
from .dataset import DataSplits, FileDataset


def write_shards(
    data: DataSplits, root: Path, out: Path, megabytes: float = 300, progress: Callable[[int, int], None] | None = None
) -> list[Path]:
    """Writes OUT/train-000000.tar ... and OUT/test-000000.tar ... of a class folder at `root`; returns the shards.

    Each image is its file's very bytes, KEY.jpg or what its name ends in, beside KEY.json with label, class and name. Keys
    count the images in the folder's order, in which godeeper reads them again; within the shards they are shuffled, so that
    what reads them one after the other sees all classes. GodeeperError for data that are not of files, where shards are already,
    and where another process writes some. They appear in the folder once all are written: some of them would pass for the whole
    set.
    """
    if root.resolve() in (out.resolve(), *out.resolve().parents):
        raise GodeeperError(f"{str(out)!r} lies in the images' own folder: choose one outside {str(root)!r}")
    check_output(out, "OUT")
    try:
        with locked(out, lambda: _check_new(out)), atomic_folder(out) as partial:
            names = _write_all(data, root, partial, megabytes, progress)
    except OSError as error:
        raise GodeeperError(f"{error.filename or str(out)!r}: {error.strerror or error}") from None
    return [out / name for name in names]


def _check_new(out: Path) -> None:
    if any(out.glob("*.tar")):
        raise GodeeperError(f"{str(out)!r} holds shards already: choose another folder")


def _write_all(
    data: DataSplits, root: Path, out: Path, megabytes: float, progress: Callable[[int, int], None] | None
) -> list[str]:
    """Writes the shards of both parts, and returns their names."""
    total, done = len(data.train) + len(data.test), 0
    names: list[str] = []
    for split, images in {"train": data.train, "test": data.test}.items():
        if not isinstance(images, FileDataset):
            raise GodeeperError("shards are made of class folders only")
        order = list(range(len(images)))
        Random(f"shards/{split}").shuffle(order)
        first = len(names)
        while order:
            names.append(f"{split}-{len(names) - first:06d}.tar")
            written = _write(out / names[-1], images, order, data.classes, root, megabytes * 1e6)
            order = order[written:]
            done += written
            if progress is not None:
                progress(done, total)
    return names


def _write(shard: Path, images: FileDataset, order: list[int], classes: tuple[str, ...], root: Path, limit: float) -> int:
    """One shard of as many images as fit into `limit` bytes, at least one; returns how many."""
    written = 0
    with tarfile.open(shard, "w", format=tarfile.USTAR_FORMAT) as tar:
        for index in order:
            file, label = images.files[index], images.labels[index]
            data = file.read_bytes()
            if written and tar.offset + len(data) > limit:
                break
            notes = {"label": label, "class": classes[label], "name": file.relative_to(root).as_posix()}
            for extension, content in ((file.suffix.lower(), data), (".json", json.dumps(notes).encode())):
                info = tarfile.TarInfo(f"{index:08d}{extension}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
            written += 1
    return written
