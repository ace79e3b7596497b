"""What every export has in common: a file is written, run on photographs, and kept only if it gives the right answers."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image

from ..data.decode import decode
from ..data.walk import image_files
from ..destinations import check_output
from ..digests import write_checksum
from ..errors import BadImage, GodeeperError
from ..files import errors_name, is_text, move_together
from ..packages import require
from .export_formats import FORMATS, Exporter, Run
from .export_metadata import checksummed_files, files_of

PREFIX = ".export-"  # of the folder in which a file is written and checked
FEWEST_IMAGES, MOST_IMAGES = 20, 1300  # of a folder: needed to calibrate and check eight bits with; used


def check_target(out: Path, suffixes: Collection[str] = tuple(FORMATS), *, overwrite: bool = False) -> None:
    """GodeeperError unless the file, and its companion, can be written, in one of these formats."""
    if out.suffix.lower() not in suffixes:
        formats = ", ".join(f"{suffix} ({FORMATS[suffix]})" for suffix in suffixes)
        raise GodeeperError(f"{str(out)!r}: the name's ending decides the format; give one of {formats}")
    if not is_text(out):
        raise GodeeperError(f"{str(out)!r}: the name is not UTF-8, and not every engine opens such a file; choose another")
    if out.suffix != ".xml" and out.suffix.lower() == ".xml":
        raise GodeeperError(f"{str(out)!r}: OpenVINO writes and reads .xml in small letters only")
    for file in files_of(out):
        check_output(file, "--out", (file.suffix.lower(),), replaces=overwrite)


def write_checked(
    exporter: Exporter,
    out: Path,
    metadata: dict[str, Any],
    check: Callable[[Run], dict[str, Any]],
    *,
    overwrite: bool = False,
) -> tuple[dict[str, Any], int]:
    """Writes `out`, with its companion where the format has one; what `check` returned, and the size of all in bytes.

    `check` runs the file and raises GodeeperError where it gives other answers than it should: then nothing is left behind.
    What it returns is written into the file, as `check` of the metadata. OSError, naming `out`, where the disk is full;
    GodeeperError where it came into being meanwhile, unless it may `overwrite` that.
    """
    # Beside `out`: finished files are moved, not copied.
    with (
        errors_name(out, out.parent / PREFIX),
        TemporaryDirectory(dir=out.parent, prefix=PREFIX) as folder,
    ):
        file = Path(folder) / out.name
        exporter.write(file, metadata)
        result = check(exporter.load(file))
        exporter.write(file, metadata | {"check": result})
        write_checksum(*checksummed_files(file))
        size = 0
        for written in files_of(file):
            with written.open("rb") as opened:
                os.fsync(opened.fileno())
            size += written.stat().st_size
        # The companion first: a file is complete once it is there.
        move_together(files_of(file)[::-1], out.parent, replaces=overwrite)
    return result, size


@dataclass(frozen=True)
class Samples:
    """Images to calibrate and check with, RGB. Files are decoded one at a time, whenever they are gone through, so that memory
    holds one however many and large they are; those that cannot be decoded are left out.
    """

    images: Sequence[Path | Image.Image]

    def __iter__(self) -> Iterator[Image.Image]:
        for image in self.images:
            try:
                decoded = decode(image) if isinstance(image, Path) else image
            except BadImage:
                continue
            yield decoded

    def evenly(self, most: int) -> Samples:
        """These, or `most` of them, evenly chosen where there are more."""
        if len(self.images) <= most:
            return self
        return Samples([self.images[int(index)] for index in np.linspace(0, len(self.images) - 1, most)])


def photographs(folder: Path | None) -> Samples:
    """Evenly chosen images of a folder, at most `MOST_IMAGES`; pieces of scikit-learn's two photographs where it is None.

    GodeeperError for a folder of fewer than `FEWEST_IMAGES` that can be decoded.
    """
    if folder is None:
        return Samples(photograph_pieces())
    if not folder.is_dir():
        raise GodeeperError(f"there is no folder of images {str(folder)!r}")
    samples = Samples(image_files(folder)).evenly(MOST_IMAGES)
    decoded = sum(1 for _ in islice(samples, FEWEST_IMAGES))
    if decoded < FEWEST_IMAGES:
        raise GodeeperError(f"{str(folder)!r} holds {decoded} images that can be decoded: at least {FEWEST_IMAGES} are needed")
    return samples


def photograph_pieces() -> list[Image.Image]:
    """Two real photographs, whole and in twelve overlapping pieces each."""
    samples = require("sklearn.datasets", "demo")
    pieces = []
    for name in ("china.jpg", "flower.jpg"):
        photograph = Image.fromarray(samples.load_sample_image(name))
        width, height = photograph.size
        side = height // 2
        pieces.append(photograph)
        for left in range(0, width - side + 1, (width - side) // 3):
            pieces += [photograph.crop((left, top, left + side, top + side)) for top in (0, side // 2, height - side)]
    return pieces
