"""A set of images as FID's statistics in an .npz file, which pytorch-fid and clean-fid read and write as well."""

from __future__ import annotations

import io
import lzma
import math
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..digests import BLANK, check_checksum, write_checksum
from ..errors import GodeeperError, message_lines
from ..files import atomic_write
from .generated import FeatureStatistics

ORIGIN = ("images", "like", "weights")
HEADER = 1 << 14  # bytes of a .npy that hold its header: numpy takes 10,000 at most
LARGEST, LARGEST_TEXT = 1 << 28, 1 << 16  # bytes of an array in float64: a covariance of 5,792 features
# What zipfile and numpy raise for what is no .npz file of arrays; RuntimeError: encrypted, or compressed in an unknown way; the
# last four: an array's header, which is read as Python's source.
UNREADABLE = (
    OSError, ValueError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error, lzma.LZMAError,
    TypeError, SyntaxError, OverflowError, TokenError,
)  # fmt: skip


@dataclass(frozen=True)
class SavedStatistics:
    """Statistics, and what they were made from: how many images, whose way of resizing, which weights; None where unknown."""

    statistics: FeatureStatistics
    images: int | None = None
    like: str | None = None
    weights: str | None = None


def save_statistics(file: Path, saved: SavedStatistics) -> None:
    """Writes `mu` and `sigma`, float64, and what is known of their origin, atomically; the archive's comment is a checksum.

    GodeeperError for a file that exists.
    """
    origin: dict[str, Any] = {"images": saved.images, "like": saved.like, "weights": saved.weights}
    known = {name: np.array(value) for name, value in origin.items() if value is not None}
    arrays: dict[str, Any] = {"mu": saved.statistics.mu, "sigma": saved.statistics.sigma, **known}
    with atomic_write(file, replaces=False) as partial:
        with partial.open("w+b") as opened:  # by name, zipfile would make it anew where it cannot be opened
            np.savez_compressed(opened, **arrays)
            with zipfile.ZipFile(opened, "a") as archive:
                archive.comment = BLANK.encode()
        write_checksum(partial)


def load_statistics(file: Path) -> SavedStatistics:
    """What `save_statistics`, pytorch-fid or clean-fid has written; nothing is unpickled, and nothing else is read.

    GodeeperError for another file, for what are no mean and covariance, and for what was changed since we wrote it.
    """
    try:
        if file.stat().st_size > 2 * LARGEST:
            raise ValueError(f"the file is larger than {2 * LARGEST} bytes")
        check_checksum(file)
        with zipfile.ZipFile(file) as archive:
            arrays = {name: _array(archive, name) for name in ("mu", "sigma", *ORIGIN) if f"{name}.npy" in archive.namelist()}
    except UNREADABLE as error:
        raise GodeeperError(f"{str(file)!r} cannot be read as saved statistics: {message_lines(error)[0]}") from None
    if not {"mu", "sigma"} <= arrays.keys():
        raise GodeeperError(f"{str(file)!r} holds no FID statistics: they are the arrays mu and sigma")
    mu, sigma = arrays["mu"], arrays["sigma"]
    floats = mu.dtype.kind == sigma.dtype.kind == "f"
    if floats:
        with np.errstate(over="ignore"):
            mu, sigma = mu.astype(np.float64), sigma.astype(np.float64)
    if not floats or mu.ndim != 1 or not len(mu) or sigma.shape != (len(mu), len(mu)) or not _is_covariance(sigma, mu):
        raise GodeeperError(f"{str(file)!r}: mu {mu.shape} and sigma {sigma.shape} are no mean and covariance of features")
    images = arrays.get("images")
    count = int(images) if images is not None and images.shape == () and images.dtype.kind in "iu" and images >= 2 else None
    like, weights = (str(arrays[name]) if name in arrays and arrays[name].shape == () else None for name in ("like", "weights"))
    return SavedStatistics(FeatureStatistics(mu, sigma), count, like, weights)


def _array(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    """An array of an archive; ValueError for one of Python objects, and, before memory is taken, for one that is too large."""
    if archive.namelist().count(f"{name}.npy") > 1:
        raise ValueError(f"{name!r} is in it twice")
    with archive.open(f"{name}.npy") as opened:
        start = io.BytesIO(opened.read(HEADER))  # a header may say that it is of 4 GB, and numpy reads it all
    version = np.lib.format.read_magic(start)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(start)
    largest = LARGEST if name in ("mu", "sigma") else LARGEST_TEXT
    if dtype.hasobject:
        raise ValueError(f"{name!r} holds Python objects, which are not unpickled")
    if math.prod(shape) * max(dtype.itemsize, 8) > largest:
        raise ValueError(f"{name!r} is larger than {largest} bytes")
    with archive.open(f"{name}.npy") as opened:
        array: NDArray[Any] = np.lib.format.read_array(opened, allow_pickle=False)
    return array


def _is_covariance(sigma: NDArray[Any], mu: NDArray[Any]) -> bool:
    """Whether the numbers are finite, and the matrix symmetric but for rounding, without a negative variance."""
    if not (np.isfinite(mu).all() and np.isfinite(sigma).all()):
        return False
    rounding = 1e-4 * np.abs(sigma).max()
    return bool((np.abs(sigma - sigma.T) <= rounding).all() and (np.diag(sigma) >= -rounding).all())
