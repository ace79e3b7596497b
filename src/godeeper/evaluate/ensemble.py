"""Several models together: their classes in one order, their probabilities saved, recombined, and every subset counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, cast, get_args

import torch
from torch import Tensor

from ..data.crops import CROPS
from ..data.dataset import ImageDataset
from ..data.description import describe_data
from ..digests import json_digest
from ..errors import BadCheckpoint, GodeeperError
from ..tensor_files import load_tensors, save_tensors
from .classify import mean_of
from .evaluation import Average, Evaluation
from .outcome import Outcomes, decide

SUBSETS_OF = 7  # models, at most: 127 subsets
CHUNK = 2048  # images at a time

Classes = tuple[str, ...]


def class_order(name: str, own: Classes | None, count: int, classes: Classes, other: str) -> tuple[int, ...] | None:
    """For each of `other`'s `classes`, its number among a model's `count` classes; None if they are in the same order.

    A model that does not name its classes is taken to have them in the same order. GodeeperError, with the difference, where
    the classes are others.
    """
    if own is None:
        if count != len(classes):
            raise GodeeperError(f"{name!r} has {count} classes without names, {other} has {len(classes)}")
        return None
    if own == classes:
        return None
    only_own, only_other = [each for each in own if each not in set(classes)], [each for each in classes if each not in set(own)]
    if only_own or only_other or len(set(own)) != len(own) or len(own) != len(classes):
        raise GodeeperError(f"{name!r} and {other} have different classes: {_difference(only_other, only_own, name, other)}")
    return tuple(own.index(each) for each in classes)


def _difference(missing: Sequence[str], unknown: Sequence[str], name: str, other: str) -> str:
    differences = []
    for classes, whose in ((unknown, repr(name)), (missing, other)):
        if classes:
            more = f" and {len(classes) - 5} more" if len(classes) > 5 else ""
            differences.append(f"only {whose} knows {', '.join(classes[:5])}{more}")
    return "; ".join(differences) or "a name stands twice, so that their order is not known"


def images_digest(images: ImageDataset, classes: Classes) -> str:
    """The SHA-256 of what a dataset is, by which one is known from another: its classes, and its images' names and sizes."""
    return json_digest(describe_data(images, classes))


@dataclass(frozen=True)
class SavedProbabilities:
    """Probabilities (N, members, classes) of the images at `index`, and what they are of; `about` is what the caller added."""

    file: str
    members: tuple[str, ...]
    classes: Classes
    crops: int
    average: Average
    images: str  # digest
    skipped: list[str]
    about: dict[str, Any]
    index: Tensor
    labels: Tensor
    probabilities: Tensor


def save_probabilities(
    file: Path, evaluation: Evaluation, classes: Classes, images: ImageDataset, about: dict[str, Any], *, replaces: bool = True
) -> None:
    """Writes an evaluation's probabilities, atomically; GodeeperError where a file is there, unless it `replaces` that."""
    assert evaluation.probabilities is not None
    tensors = {"index": evaluation.index, "labels": evaluation.labels, "probabilities": evaluation.probabilities}
    metadata = {
        "members": evaluation.members, "classes": classes, "crops": evaluation.crops, "average": evaluation.average,
        "images": images_digest(images, classes), "skipped": evaluation.skipped, "about": about,
    }  # fmt: skip
    save_tensors(file, tensors, metadata, replaces=replaces)


def read_probabilities(file: Path) -> SavedProbabilities:
    """What `save_probabilities` wrote; GodeeperError for anything else."""
    try:
        tensors, metadata = load_tensors(file)
        metadata |= {name: tuple(metadata[name]) for name in ("members", "classes") if isinstance(metadata[name], list)}
        saved = SavedProbabilities(file=str(file), **metadata, **cast(dict[str, Any], tensors))
    except (KeyError, TypeError) as error:
        raise BadCheckpoint(f"{str(file)!r} was not saved by `godeeper evaluate --save`: {error}") from None
    for fault, sound in _soundness(saved).items():
        if not sound:
            raise BadCheckpoint(f"{str(file)!r} is damaged: its {fault}; evaluate again with --save")
    return saved


def _soundness(saved: SavedProbabilities) -> dict[str, bool]:
    """What may be wrong with probabilities, and whether it is not."""
    count, members, classes = saved.index.numel(), len(saved.members), len(saved.classes)
    index, labels = [
        each if each.dtype == torch.long and each.shape == (count,) else None for each in (saved.index, saved.labels)
    ]
    about = saved.about if isinstance(saved.about, dict) else {}
    described = [about.get(name, ()) for name in ("models", "architectures")]
    p = saved.probabilities
    in_range = p.dtype == torch.float32 and p.shape == (count, members, classes)
    return {
        "names are no names": members > 0 and all(map(_are_names, (saved.members, saved.classes, saved.skipped))),
        "crops or average are none": type(saved.crops) is int and saved.crops in CROPS and saved.average in get_args(Average),
        "description is incomplete": all(map(_are_names, described)) and [len(names) for names in described] == 2 * [members],
        "images are not counted, or counted twice": index is not None and _are_distinct(index),
        "labels are incomplete or out of range": labels is not None and bool(((labels >= 0) & (labels < classes)).all()),
        "probabilities are incomplete or no probabilities": in_range and _are_probabilities(p),
    }


def _are_distinct(index: Tensor) -> bool:
    return len(index) > 0 and index.min().item() >= 0 and len(index.unique()) == len(index)


def _are_names(names: Any) -> bool:
    return isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)


def _are_probabilities(p: Tensor) -> bool:
    """Whether p (..., classes) is from 0 to 1 and sums up to 1, or is all NaN, as a network with damaged weights gives it."""
    sound = (p >= 0).all(-1) & ((p.sum(-1) - 1).abs() < 1e-3)
    return bool((sound | p.isnan().all(-1)).all())


def check_images(saved: SavedProbabilities, images: ImageDataset, classes: Classes, data: str) -> None:
    """GodeeperError unless the probabilities are of these images."""
    other = f"{saved.file!r} is not of the {len(images):,} images of {data!r}, but of others"
    if images_digest(images, classes) != saved.images or saved.index.max() >= len(images):
        raise GodeeperError(other)
    own = [saved.classes[label] for label in saved.labels.tolist()]
    if own != [classes[images.labels[index]] for index in saved.index.tolist()]:
        raise GodeeperError(f"{other}, whose classes differ")


def combine(saved: Sequence[SavedProbabilities]) -> Evaluation:
    """The evaluation of all saved models together; GodeeperError, with the difference, unless they saw the same images."""
    first = saved[0]
    for other in saved[1:]:
        _check_alike(first, other)
    probabilities = []
    for each in saved:
        order = class_order(each.file, each.classes, len(each.classes), first.classes, repr(first.file))
        probabilities.append(each.probabilities if order is None else each.probabilities[..., list(order)])
    together = torch.cat(probabilities, 1)  # (N, members, classes)
    columns = list(together.unbind(1))
    if len(columns) > 1:
        columns.append(mean_of(columns))
    decisions = torch.stack([decide(column, first.labels) for column in columns], 1)[:, :, None]
    members = tuple(name for each in saved for name in each.members)
    return Evaluation(
        members, first.crops, (first.crops,), first.average, first.index, first.labels, decisions, together, first.skipped
    )


def _check_alike(first: SavedProbabilities, other: SavedProbabilities) -> None:
    files = f"{first.file!r} and {other.file!r}"
    for name in ("crops", "average"):
        mine, theirs = getattr(first, name), getattr(other, name)
        if mine != theirs:
            raise GodeeperError(f"{files} do not fit together: {name} {mine} and {theirs}; evaluate both alike")
    if first.images != other.images:
        raise GodeeperError(
            f"{files} are of different images: {len(first.index)} and {len(other.index)}, other names, sizes or labels"
        )
    names = [[saved.classes[label] for label in saved.labels.tolist()] for saved in (first, other)]
    if torch.equal(first.index, other.index) and names[0] != names[1]:
        raise GodeeperError(f"{files} have different labels for the same images")
    if not torch.equal(first.index, other.index):
        unshared = set(first.index.tolist()) ^ set(other.index.tolist())
        raise GodeeperError(f"{files} are of different images: {len(unshared)} are in one only, such as number {min(unshared)}")


@dataclass(frozen=True)
class MemberSubset:
    """Some of the members together: their numbers, and what they decided."""

    members: tuple[int, ...]
    outcomes: Outcomes


def subsets(evaluation: Evaluation) -> Iterator[MemberSubset]:
    """Every subset of the members, small ones first; GodeeperError for more than seven members."""
    assert evaluation.probabilities is not None
    count = len(evaluation.members)
    if count > SUBSETS_OF:
        raise GodeeperError(f"{count} models have {2**count - 1:,} subsets: --subsets takes at most {SUBSETS_OF} models")
    combined = [members for size in range(1, count + 1) for members in combinations(range(count), size)]
    decisions: dict[tuple[int, ...], list[Tensor]] = {members: [] for members in combined}
    for start in range(0, len(evaluation.labels), CHUNK):
        labels = evaluation.labels[start : start + CHUNK]
        columns = evaluation.probabilities[start : start + CHUNK].unbind(1)
        for members in combined:
            decisions[members].append(decide(mean_of([columns[number] for number in members]), labels))
    for members in combined:
        yield MemberSubset(members, Outcomes(evaluation.labels, torch.cat(decisions[members])))
