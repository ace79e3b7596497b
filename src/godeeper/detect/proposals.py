"""Region proposals: boxes where an object might be, of an image and of a dataset."""

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

from ..data.annotations import DetectionDataset, Floats, Objects
from ..data.decode import decode
from ..errors import BadImage, GodeeperError
from ..files import atomic_write, cache_folder
from ..packages import require
from ..version import __version__
from .average_precision import IOU_THRESHOLD
from .iou import box_iou
from .selective_search import LARGER_SUPERPIXELS, selective_search


class Proposer(Protocol):
    """Proposes regions of an image."""

    @property
    def name(self) -> str:
        """The method and everything that its boxes depend on besides the image: part of the key that they are cached under."""
        ...

    def __call__(self, image: Image.Image) -> Floats:
        """Boxes (N, 4) in an RGB image."""
        ...


@dataclass(frozen=True)
class SelectiveSearch:
    """Selective search; it starts with superpixels `superpixels` times the size of R-CNN's."""

    superpixels: float = LARGER_SUPERPIXELS

    @property
    def name(self) -> str:
        version = f"godeeper {__version__}, OpenCV {require('cv2', 'detect').__version__}"
        return f"selective search, superpixels {self.superpixels:g}, {version}"

    def __call__(self, image: Image.Image) -> Floats:
        return selective_search(image, self.superpixels)


@dataclass(frozen=True)
class CombinedProposals:
    """The proposals of several methods, one after the other."""

    proposers: tuple[Proposer, ...]

    @property
    def name(self) -> str:
        return " + ".join(proposer.name for proposer in self.proposers)

    def __call__(self, image: Image.Image) -> Floats:
        return np.concatenate([proposer(image) for proposer in self.proposers])


@dataclass(frozen=True)
class CachedProposals:
    """A proposer's boxes, cached on disk where that is possible.

    The files are in `proposals/` of the cache folder (GODEEPER_CACHE, or ~/.cache/godeeper), named after the image's pixels
    and the proposer's name.
    """

    proposer: Proposer

    @property
    def name(self) -> str:
        return self.proposer.name

    def __call__(self, image: Image.Image) -> Floats:
        key = sha256(f"{self.name}|{image.mode}|{image.size}|".encode() + image.tobytes()).hexdigest()
        file = cache_folder() / "proposals" / key[:32]
        with suppress(OSError, ValueError):  # missing or damaged: made again
            return _decode(file.read_bytes())
        boxes = self.proposer(image)
        with suppress(OSError), atomic_write(file) as partial_file:
            partial_file.write_bytes(_encode(boxes))
        return boxes


def _encode(boxes: Floats) -> bytes:
    """A digest, then the numbers: a damaged .npy may well be read, as other boxes."""
    numbers = boxes.astype("<f4").tobytes()
    return sha256(numbers).digest() + numbers


def _decode(data: bytes) -> Floats:
    """The reverse of `_encode`; ValueError for anything else."""
    digest, numbers = data[:32], data[32:]
    if sha256(numbers).digest() != digest:
        raise ValueError("damaged")
    return np.frombuffer(numbers, "<f4").reshape(-1, 4).astype(np.float32)


@dataclass(frozen=True)
class ProposalResults:
    """The proposals in a dataset's images.

    `indices` are the images' positions in the dataset, one for each of `boxes` (N, 4); `skipped` names the images that could not
    be decoded, with the reason.
    """

    indices: list[int]
    boxes: list[Floats]
    skipped: list[str]


def propose_all(
    proposer: Proposer,
    images: DetectionDataset,
    *,
    workers: int = 0,
    skip_bad: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> ProposalResults:
    """The proposals in each image of a dataset, by `workers` processes beside this one.

    BadImage for an image that cannot be decoded, unless `skip_bad`; GodeeperError where one of the processes dies, or a package
    that the proposer needs is not installed.
    """
    results = ProposalResults([], [], [])
    _ = proposer.name  # imports its packages here: a process that lacks one could only die
    with _process_pool(workers) as each:
        for index, proposed in enumerate(each(partial(_propose, proposer), images.files)):
            if not isinstance(proposed, str):
                results.indices.append(index)
                results.boxes.append(proposed)
            elif skip_bad:
                results.skipped.append(proposed)
            else:
                raise BadImage(f"{proposed} (--skip-bad leaves such images out, and counts them)")
            if progress is not None:
                progress(index + 1, len(images))
    return results


def _propose(proposer: Proposer, file: Path) -> Floats | str:
    """An image's boxes, or why it cannot be decoded."""
    try:
        return proposer(decode(file))
    except BadImage as error:
        return str(error)


Propose = Callable[[Path], Floats | str]


@contextmanager
def _process_pool(workers: int) -> Iterator[Callable[[Propose, Sequence[Path]], Iterator[Floats | str]]]:
    """A `map` over processes, or in this one where `workers` is 0."""
    if not workers:
        yield map
        return
    executor = ProcessPoolExecutor(workers, get_context("spawn"), _use_one_thread)  # threads of this one do not survive a fork
    try:
        yield executor.map
    except BrokenProcessPool:
        raise GodeeperError("a process that proposes regions died, often for want of memory: try fewer --workers") from None
    finally:
        executor.shutdown(cancel_futures=True)


def _use_one_thread() -> None:
    torch.set_num_threads(1)
    with suppress(GodeeperError):  # not every proposer needs it
        require("cv2", "detect").setNumThreads(1)


@dataclass(frozen=True)
class Coverage:
    """How many objects of a dataset its proposals cover; how many proposals an image has on average."""

    objects: int
    covered: int
    proposals: float

    @property
    def percent(self) -> float:
        return 100 * self.covered / self.objects if self.objects else nan


def coverage(proposals: Sequence[Floats], objects: Sequence[Objects], threshold: float = IOU_THRESHOLD) -> Coverage:
    """Counts the objects, without difficult ones, that a proposal in their image overlaps with an IoU of at least `threshold`.

    arXiv 1409.4842, Section 8, prints it as "coverage": 92 %, then 93 % of ILSVRC's.
    """
    count = covered = 0
    for boxes, annotated in zip(proposals, objects, strict=True):
        truth = annotated.boxes[~annotated.difficult]
        count += len(truth)
        covered += int((box_iou(truth, boxes) >= threshold).any(1).sum())
    return Coverage(count, covered, sum(map(len, proposals)) / max(1, len(proposals)))
