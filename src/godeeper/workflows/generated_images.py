"""How far generated images are from real ones: FID, KID, Inception Score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from accelerate import PartialState
from numpy.typing import NDArray

from ..data.dataset import FileDataset, ImageDataset
from ..data.shards import list_shards
from ..data.stretched import check_library
from ..deploy.engines import check_engine
from ..deploy.fid_features import FidFeatures, logits_without_bias
from ..deploy.table_parts import fingerprint
from ..destinations import check_output
from ..errors import BadImage, GodeeperError
from ..evaluate.generated import FeatureStatistics, frechet_distance, inception_score, kernel_distance
from ..evaluate.statistics_file import SavedStatistics, load_statistics, save_statistics
from ..models.load import open_network
from ..models.network import Network, best_device
from ..ranks import fail_together, rank_and_ranks
from .image_files import files_of
from .progress import OnProgress, Progress

FID_WEIGHTS = "pytorch-fid/pt_inception-2015-12-05"
ENOUGH = 2048  # images, of FID's 2048 features: with fewer, a covariance is singular


@dataclass(frozen=True)
class FidResult:
    """What was computed; None for what was not asked for.

    `images` counts those of each side, None where a statistics file does not say. `notes` are lines for people: what makes the
    figures doubtful. `seconds` is where the time went: decode, preprocess (both in threads of their own), network, statistics,
    distances. `is_main` is false, and nothing computed, in all processes but one of torchrun's.
    """

    fid: float | None = None
    kid: float | None = None
    kid_std: float | None = None
    inception_score: float | None = None
    inception_score_std: float | None = None
    images: tuple[int | None, ...] = ()
    like: str = ""
    bad: list[BadImage] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: Mapping[str, float] = field(default_factory=dict)
    is_main: bool = True

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready: what was computed, and how."""
        figures = ("fid", "kid", "kid_std", "inception_score", "inception_score_std")
        computed = {name: getattr(self, name) for name in figures if getattr(self, name) is not None}
        return {**computed, "images": list(self.images), "like": self.like, "bad": list(map(str, self.bad)), "notes": self.notes}


@dataclass(frozen=True)
class _Side:
    """A side of the comparison: its statistics, and its features (N, D) where it was given as images."""

    saved: SavedStatistics
    features: NDArray[np.float32] | None = None


@dataclass
class _Extraction:
    """Features of datasets by one network, what could not be decoded, and the seconds that statistics took."""

    network: Network
    weights: str
    like: str
    loop: FidFeatures
    on_progress: OnProgress | None
    bad: list[BadImage] = field(default_factory=list)
    seconds: float = 0.0

    def side(self, dataset: ImageDataset) -> _Side | None:
        """A side given as images; None in all processes but the first, which gathers what each has of its share."""
        features, bad = self._gathered(*self._share(dataset))
        with fail_together():  # all images may be bad
            if rank_and_ranks()[0]:
                return None
            self.bad += bad
            start = perf_counter()
            statistics = FeatureStatistics.of(features)
            self.seconds += perf_counter() - start
        return _Side(SavedStatistics(statistics, len(features), self.like, self.weights), features)

    def _share(self, dataset: ImageDataset) -> tuple[list[NDArray[np.float32]], list[BadImage]]:
        """The features, (units,) each, and the bad images of this process's share, which are neighbours."""
        rank, ranks = rank_and_ranks()
        indices = np.array_split(np.arange(len(dataset)), ranks)[rank].tolist()
        features: list[NDArray[np.float32]] = []
        bad: list[BadImage] = []
        with fail_together() as stop_where_failed:
            for done, outcome in enumerate(self.loop.outputs((dataset, index) for index in indices), 1):
                if isinstance(outcome, BadImage):
                    bad.append(outcome)
                else:
                    features.append(outcome[0].numpy())
                if done % 64 == 0:
                    stop_where_failed()
                if self.on_progress is not None:
                    self.on_progress(Progress("features", done, len(indices)))
        return features, bad

    def _gathered(self, features: list[NDArray[np.float32]], bad: list[BadImage]) -> tuple[NDArray[np.float32], list[BadImage]]:
        """Of all processes, in the order of the images: (N, units)."""
        shares: list[Any] = [(features, bad)]
        rank, ranks = rank_and_ranks()
        if ranks > 1:
            shares = [None] * ranks
            torch.distributed.gather_object((features, bad), None if rank else shares)
        if rank:
            return np.empty((0, 0), np.float32), []
        each = [vector for share, _ in shares for vector in share]
        stacked = np.stack(each) if each else np.empty((0, 1), np.float32)
        return stacked, [reason for _, reasons in shares for reason in reasons]


def fid(
    a: str | Path,
    b: str | Path | None = None,
    *,
    weights: Network | str | Path = FID_WEIGHTS,
    like: str = "pytorch-fid",
    kid: bool = False,
    inception_score: bool = False,
    engine: str = "auto",
    precision: str = "auto",
    batch_size: int | None = None,
    save: str | Path | None = None,
    on_progress: OnProgress | None = None,
) -> FidResult:
    """FID between `a` and `b`; with `kid` the kernel distance as well, with `inception_score` that score of `a`.

    Each is a folder, file pattern or `wds:SHARDS` of images, or an .npz file of saved statistics, of which FID alone is computed.
    `like` is the library whose way of reading and stretching images is taken: pytorch-fid, torch-fidelity or clean-fid. `save`
    keeps the statistics of `a`; for these and for the score `b` may be left out. `weights` are FID's own, or any network's. What
    cannot be decoded is left out and named. Under torchrun the processes share the images. Batch sizes change nothing.
    GodeeperError for fewer than 2 images, and for statistics of other weights or of another library.
    """
    check_library(like)
    check_engine(engine, precision)
    saves = None if save is None else Path(save)
    _check_save(saves, compares=b is not None or inception_score)
    given = [_opened(str(name)) for name in (a, b) if name is not None]
    _check_features(given, kid, inception_score)
    PartialState(cpu=best_device().type == "cpu")  # each process of a machine on a GPU of its own
    extraction = None
    if any(isinstance(side, ImageDataset) for side in given):
        network = open_network(weights)
        loop = FidFeatures(network, like, engine, precision)  # type: ignore[arg-type]
        loop.batch_size = batch_size or loop.batch_size
        extraction = _Extraction(network, fingerprint(network), like, loop, on_progress)
    _check_origins([str(a), str(b)], given, extraction)
    sides: list[_Side] = []
    for side in given:
        if isinstance(side, SavedStatistics):
            sides.append(_Side(side))
        elif extraction is not None and (features := extraction.side(side)) is not None:
            sides.append(features)
    if rank_and_ranks()[0]:
        return FidResult(is_main=False)
    if saves is not None:
        save_statistics(saves, sides[0].saved)
    return _result(sides, extraction, like, kid, inception_score)


def _result(sides: list[_Side], extraction: _Extraction | None, like: str, with_kid: bool, with_score: bool) -> FidResult:
    values: dict[str, Any] = {}
    start = perf_counter()
    if len(sides) == 2:
        values["fid"] = frechet_distance(sides[0].saved.statistics, sides[1].saved.statistics)
    if with_kid and sides[0].features is not None and sides[1].features is not None:
        values["kid"], values["kid_std"] = kernel_distance(sides[0].features, sides[1].features)
    if with_score and extraction is not None and sides[0].features is not None:
        logits = logits_without_bias(extraction.network, sides[0].features)
        values["inception_score"], values["inception_score_std"] = inception_score(logits)
    images = tuple(side.saved.images for side in sides)
    notes = [
        f"{count:,} images are fewer than {ENOUGH:,}: FID is too high by an amount that grows as images get fewer; compare it "
        "only with FIDs of as many images, or take --kid"
        for count in sorted({count for count in images if count is not None and count < ENOUGH})
    ]
    seconds = {**extraction.loop.seconds, "statistics": extraction.seconds} if extraction else {}
    seconds["distances"] = perf_counter() - start
    bad = extraction.bad if extraction else []
    return FidResult(**values, images=images, like=sides[0].saved.like or like, bad=bad, notes=notes, seconds=seconds)


def _opened(name: str) -> ImageDataset | SavedStatistics:
    if name.lower().endswith(".npz"):
        return load_statistics(Path(name))
    if name.startswith("wds:"):
        return list_shards(name)
    files = files_of([name])
    return FileDataset(files, [0] * len(files))


def _check_save(file: Path | None, compares: bool) -> None:
    if file is not None:
        check_output(file, "--save", (".npz",), replaces=False)
    if file is None and not compares:
        raise GodeeperError("FID compares two sets of images: name the second, or --save the statistics of one")


def _check_features(given: list[ImageDataset | SavedStatistics], kid: bool, inception_score: bool) -> None:
    """GodeeperError for figures that need the features of images, of which statistics know too little."""
    if kid and (len(given) < 2 or any(isinstance(side, SavedStatistics) for side in given)):
        raise GodeeperError("KID needs the images of both sides: statistics in .npz hold a mean and a covariance only")
    if inception_score and isinstance(given[0], SavedStatistics):
        raise GodeeperError("the Inception Score needs the images of the first side: .npz holds a mean and a covariance only")
    for side in given:
        if isinstance(side, ImageDataset) and len(side) < 2:
            raise GodeeperError(f"FID takes at least 2 images a side, and thousands to mean anything, not {len(side)}")


def _check_origins(names: list[str], given: list[ImageDataset | SavedStatistics], extraction: _Extraction | None) -> None:
    """GodeeperError where a statistics file says that it is of another library's way, or of other weights, than the rest."""
    known = [(name, side) for name, side in zip(names, given, strict=False) if isinstance(side, SavedStatistics)]
    for what in ("like", "weights"):
        expected = None if extraction is None else getattr(extraction, what)
        for name, side in known:
            own = getattr(side, what)
            if None not in (own, expected) and own != expected:
                remedy = f"give --like {own}" if what == "like" else "give the --weights that it was made with"
                where = f"is of {own}" if what == "like" else "is of other weights"
                raise GodeeperError(f"{name!r} {where}, the other side is not: figures of two kinds are not compared; {remedy}")
            expected = expected if own is None else own
