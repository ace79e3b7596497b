"""A set of images as FID's statistics in an .npz file, which pytorch-fid and clean-fid read and write as well."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import GodeeperError
from ..files import atomic_write
from .generated import FeatureStatistics


@dataclass(frozen=True)
class SavedStatistics:
    """Statistics, and what they were made from: how many images, whose way of resizing, which weights; None where unknown."""

    statistics: FeatureStatistics
    images: int | None = None
    like: str | None = None
    weights: str | None = None


def save_statistics(file: Path, saved: SavedStatistics) -> None:
    """Writes `mu` and `sigma`, float64, and what is known of their origin, atomically."""
    origin: dict[str, Any] = {"images": saved.images, "like": saved.like, "weights": saved.weights}
    known = {name: np.array(value) for name, value in origin.items() if value is not None}
    with atomic_write(file) as partial, partial.open("wb") as opened:
        arrays: dict[str, Any] = {"mu": saved.statistics.mu, "sigma": saved.statistics.sigma, **known}
        np.savez_compressed(opened, **arrays)


def load_statistics(file: Path) -> SavedStatistics:
    """What `save_statistics`, pytorch-fid or clean-fid has written; nothing is unpickled. GodeeperError for another file."""
    try:
        with np.load(file, allow_pickle=False) as archive:
            arrays: dict[str, Any] = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise GodeeperError(f"{str(file)!r} cannot be read as saved statistics: {error}") from None
    if not {"mu", "sigma"} <= arrays.keys():
        raise GodeeperError(f"{str(file)!r} holds no FID statistics: they are the arrays mu and sigma")
    mu, sigma = arrays["mu"], arrays["sigma"]
    floats = mu.dtype.kind == sigma.dtype.kind == "f"
    if (
        not floats
        or mu.ndim != 1
        or sigma.shape != (len(mu), len(mu))
        or not np.isfinite(mu).all()
        or not np.isfinite(sigma).all()
    ):
        raise GodeeperError(f"{str(file)!r}: mu {mu.shape} and sigma {sigma.shape} are no mean and covariance of features")
    statistics = FeatureStatistics(mu.astype(np.float64), sigma.astype(np.float64))
    count = arrays.get("images")
    images = int(count) if count is not None and count.shape == () and count.dtype.kind in "iu" else None
    like, weights = (str(arrays[name]) if name in arrays else None for name in ("like", "weights"))
    return SavedStatistics(statistics, images, like, weights)
