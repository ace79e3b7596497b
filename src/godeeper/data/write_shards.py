"""A class folder as WebDataset shards."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from random import Random

from ..errors import GodeeperError
from .sources import FileDataset, Source


def write_shards(
    source: Source, root: Path, out: Path, megabytes: float = 300, progress: Callable[[int, int], None] | None = None
) -> list[Path]:
    """Writes OUT/train-000000.tar ... and OUT/test-000000.tar ... of a class folder at `root`; returns the shards.

    Each image is its file's very bytes, KEY.jpg or what its name ends in, beside KEY.json with label, class and name. Keys
    count the images in the folder's order, in which godeeper reads them again; within the shards they are shuffled, so that
    what reads them one after the other sees all classes. GodeeperError for a source that is not of files, and where shards are
    already. A file that cannot be read leaves no shard of its part half written.
    """
    if root.resolve() in (out.resolve(), *out.resolve().parents):
        raise GodeeperError(f"{str(out)!r} lies in the images' own folder: choose one outside {str(root)!r}")
    if any(out.glob("*.tar")):
        raise GodeeperError(f"{str(out)!r} holds shards already: choose another folder")
    out.mkdir(parents=True, exist_ok=True)
    parts = {"train": source.train, "test": source.test}
    total, done = sum(map(len, parts.values())), 0
    written: list[Path] = []
    for part, images in parts.items():
        if not isinstance(images, FileDataset):
            raise GodeeperError("shards are made of class folders only")
        order = list(range(len(images)))
        Random(f"shards/{part}").shuffle(order)
        while order:
            shard = out / f"{part}-{sum(path.name.startswith(part) for path in written):06d}.tar"
            taken = _write(shard, images, order, source.classes, root, megabytes * 1e6)
            order = order[taken:]
            written.append(shard)
            done += taken
            if progress is not None:
                progress(done, total)
    return written


def _write(shard: Path, images: FileDataset, order: list[int], classes: tuple[str, ...], root: Path, limit: float) -> int:
    """One shard, whole or not at all, of as many images as fit, at least one; how many."""
    partial = shard.with_name(f".{shard.name}.partial")
    taken = 0
    try:
        with tarfile.open(partial, "w", format=tarfile.USTAR_FORMAT) as tar:
            for index in order:
                file, label = images.files[index], images.labels[index]
                data = file.read_bytes()
                if taken and tar.offset + len(data) > limit:
                    break
                notes = {"label": label, "class": classes[label], "name": file.relative_to(root).as_posix()}
                for extension, content in ((file.suffix.lower(), data), (".json", json.dumps(notes).encode())):
                    info = tarfile.TarInfo(f"{index:08d}{extension}")
                    info.size = len(content)
                    tar.addfile(info, io.BytesIO(content))
                taken += 1
        partial.replace(shard)
    except OSError as error:
        raise GodeeperError(f"{error.filename or str(shard)!r}: {error.strerror or error}") from None
    finally:
        partial.unlink(missing_ok=True)
    return taken
