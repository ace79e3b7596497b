"""Regions where an object might be, of images and of whole sets; and how many objects they cover."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from math import nan
from multiprocessing import get_context
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from PIL import Image

from ..data.decode import decode
from ..data.objects import DetectionSet, Floats, Objects
from ..errors import GodeeperError
from ..files import atomic_write, cache_folder
from ..packages import require
from .boxes import jaccard
from .metrics import JACCARD
from .selective_search import LARGER_SUPERPIXELS, selective_search


class Proposer(Protocol):
    """What proposes regions of an image."""

    @property
    def name(self) -> str:
        """The way, and all that decides its boxes: what is kept is found by it."""
        ...

    def __call__(self, image: Image.Image) -> Floats:
        """Boxes (N, 4) in an RGB image."""
        ...


@dataclass(frozen=True)
class SelectiveSearch:
    """Selective search; `superpixels` times R-CNN's is the size of the segments it begins with."""

    superpixels: float = LARGER_SUPERPIXELS

    @property
    def name(self) -> str:
        return f"selective search, superpixels {self.superpixels:g}, OpenCV {require('cv2', 'detect').__version__}"

    def __call__(self, image: Image.Image) -> Floats:
        return selective_search(image, self.superpixels)


@dataclass(frozen=True)
class Together:
    """The proposals of several ways, one after the other."""

    proposers: tuple[Proposer, ...]

    @property
    def name(self) -> str:
        return " + ".join(proposer.name for proposer in self.proposers)

    def __call__(self, image: Image.Image) -> Floats:
        return np.concatenate([proposer(image) for proposer in self.proposers])


@dataclass(frozen=True)
class Kept:
    """A way to propose whose boxes are kept on disk, where that is possible, and found there again.

    They lie in `proposals/` of the folder that GODEEPER_CACHE names, or ~/.cache/godeeper, by the image's pixels and the
    proposer's name.
    """

    proposer: Proposer

    @property
    def name(self) -> str:
        return self.proposer.name

    def __call__(self, image: Image.Image) -> Floats:
        key = sha256(f"{self.name}|{image.mode}|{image.size}|".encode() + image.tobytes()).hexdigest()
        place = cache_folder() / "proposals" / key[:32]
        with suppress(OSError, ValueError):  # missing, or damaged: made again
            return _unpacked(place.read_bytes())
        boxes = self.proposer(image)
        with suppress(OSError), atomic_write(place) as partial_file:
            partial_file.write_bytes(_packed(boxes))
        return boxes


def _packed(boxes: Floats) -> bytes:
    """The boxes' numbers after a digest of them: a damaged .npy may well be read, as other boxes."""
    numbers = boxes.astype("<f4").tobytes()
    return sha256(numbers).digest() + numbers


def _unpacked(data: bytes) -> Floats:
    """ValueError for what `_packed` did not make."""
    digest, numbers = data[:32], data[32:]
    if sha256(numbers).digest() != digest:
        raise ValueError("damaged")
    return np.frombuffer(numbers, "<f4").reshape(-1, 4).astype(np.float32)


def propose_all(
    proposer: Proposer,
    images: DetectionSet,
    *,
    workers: int = 0,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> list[Floats]:
    """The proposals of each image of a set, by `workers` processes beside this one.

    BadImage for an image that cannot be decoded; GodeeperError where one of the processes dies, or what the proposer needs is
    not installed.
    """
    result: list[Floats] = []
    _ = proposer.name  # asks for its packages here: a process that misses one could only die
    with _pool(workers) as each:
        for boxes in each(partial(_propose, proposer), images.files):
            result.append(boxes)
            progress(len(result), len(images))
    return result


def _propose(proposer: Proposer, file: Path) -> Floats:
    return proposer(decode(file))


@contextmanager
def _pool(workers: int) -> Iterator[Callable[[Callable[[Path], Floats], Sequence[Path]], Iterator[Floats]]]:
    """A `map`, over processes if there are to be any."""
    if not workers:
        yield map
        return
    executor = ProcessPoolExecutor(workers, get_context("spawn"), _one_thread)  # threads of this one do not survive a fork
    try:
        yield executor.map
    except BrokenProcessPool:
        raise GodeeperError("a process that proposes regions died, often for want of memory: try fewer --workers") from None
    finally:
        executor.shutdown(cancel_futures=True)


def _one_thread() -> None:
    torch.set_num_threads(1)
    with suppress(GodeeperError):  # not every proposer needs it
        require("cv2", "detect").setNumThreads(1)


@dataclass(frozen=True)
class Coverage:
    """How many objects the proposals of a set cover, in percent; how many proposals an image has, in the mean."""

    objects: int
    covered: int
    proposals: float

    @property
    def percent(self) -> float:
        return 100 * self.covered / self.objects if self.objects else nan


def coverage(proposals: Sequence[Floats], objects: Sequence[Objects], overlap: float = JACCARD) -> Coverage:
    """The objects, difficult ones apart, that a proposal of their image overlaps by at least `overlap`, as a Jaccard overlap.

    arXiv 1409.4842, Section 8, prints it as "coverage": 92 %, then 93 % of ILSVRC's.
    """
    count = covered = 0
    for boxes, there in zip(proposals, objects, strict=True):
        asked = there.boxes[~there.difficult]
        count += len(asked)
        covered += int((jaccard(asked, boxes) >= overlap).any(1).sum())
    return Coverage(count, covered, sum(map(len, proposals)) / max(1, len(proposals)))
