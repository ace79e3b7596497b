"""Several models together: their classes in one order, their probabilities saved, recombined, and every subset counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import combinations
from pathlib import Path
from typing import Any, cast, get_args

import torch
from torch import Tensor

from ..data.crops import SCHEMES
from ..data.dataset import ImageDataset
from ..errors import BadCheckpoint, GodeeperError
from ..tensor_files import load_tensors, save_tensors
from .classify import Average, Evaluation, mean_of
from .outcome import Outcomes, decide

SUBSETS_OF = 7  # models, at most: 127 subsets
CHUNK = 2048  # images at a time

Classes = tuple[str, ...]


def order_of(name: str, own: Classes | None, count: int, classes: Classes, other: str) -> tuple[int, ...] | None:
    """The place among a model's `count` classes of each of `other`'s `classes`; None if they are in the same order.

    A model that does not name its classes is taken to have them in the same order. GodeeperError, with the difference, where
    the classes are others.
    """
    if own is None:
        if count != len(classes):
            raise GodeeperError(f"{name!r} has {count} classes without names, {other} has {len(classes)}")
        return None
    if own == classes:
        return None
    missing, unknown = [one for one in classes if one not in set(own)], [one for one in own if one not in set(classes)]
    if missing or unknown or len(set(own)) != len(own) or len(own) != len(classes):
        raise GodeeperError(f"{name!r} and {other} have different classes: {_difference(missing, unknown, name, other)}")
    return tuple(own.index(one) for one in classes)


def _difference(missing: Sequence[str], unknown: Sequence[str], name: str, other: str) -> str:
    parts = []
    for classes, whose in ((unknown, repr(name)), (missing, other)):
        if classes:
            more = f" and {len(classes) - 5} more" if len(classes) > 5 else ""
            parts.append(f"only {whose} knows {', '.join(classes[:5])}{more}")
    return "; ".join(parts) or "a name stands twice, so that their order cannot be told"


def images_digest(images: ImageDataset, classes: Classes) -> str:
    """What tells one set of labelled images from another: of their files' names and their classes."""
    lines = (f"{Path(images.name(index)).name} {classes[label]}" for index, label in enumerate(images.labels))
    return sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()


@dataclass(frozen=True)
class Saved:
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


def save_probabilities(file: Path, found: Evaluation, classes: Classes, images: ImageDataset, about: dict[str, Any]) -> None:
    """Writes an evaluation's probabilities, whole or not at all."""
    assert found.probabilities is not None
    words = {
        "members": found.members, "classes": classes, "crops": found.crops, "average": found.average,
        "images": images_digest(images, classes), "skipped": found.skipped, "about": about,
    }  # fmt: skip
    save_tensors(file, {"index": found.index, "labels": found.labels, "probabilities": found.probabilities}, words)


def read_probabilities(file: Path) -> Saved:
    """What `save_probabilities` wrote; GodeeperError for anything else."""
    try:
        tensors, words = load_tensors(file)
        words |= {name: tuple(words[name]) for name in ("members", "classes")}
        saved = Saved(file=str(file), **words, **cast(dict[str, Any], tensors))
    except (KeyError, TypeError) as error:
        raise BadCheckpoint(f"{str(file)!r} was not saved by `godeeper evaluate --save`: {error}") from None
    for what, sound in _soundness(saved).items():
        if not sound:
            raise BadCheckpoint(f"{str(file)!r} is damaged: its {what}; evaluate again with --save")
    return saved


def _soundness(saved: Saved) -> dict[str, bool]:
    """What may be wrong with probabilities, and whether it is not."""
    names, shape = (*saved.members, *saved.classes), (len(saved.index), len(saved.members), len(saved.classes))
    whole = all(one.dtype == torch.long and one.shape == shape[:1] for one in (saved.index, saved.labels)) and shape[0] > 0
    about, p = saved.about, saved.probabilities
    lists = isinstance(about, dict) and all(
        isinstance(about.get(name), list) and len(about[name]) == len(saved.members) for name in ("models", "architectures")
    )
    return {
        "names are no names": all(isinstance(name, str) for name in names) and isinstance(saved.skipped, list),
        "crops or average are none": saved.crops in SCHEMES and saved.average in get_args(Average),
        "description is incomplete": lists,
        "labels are incomplete or out of range": whole and bool(((saved.labels >= 0) & (saved.labels < shape[2])).all()),
        "probabilities are incomplete or no probabilities": p.dtype == torch.float32
        and p.shape == shape
        and bool(((p >= 0) & (p <= 1) | p.isnan()).all()),
    }


def check_images(saved: Saved, images: ImageDataset, classes: Classes, data: str) -> None:
    """GodeeperError unless the probabilities are of these images."""
    if images_digest(images, classes) != saved.images:
        raise GodeeperError(f"{saved.file!r} is not of the {len(images):,} images of {data!r}, but of others")


def recombined(saved: Sequence[Saved]) -> Evaluation:
    """The evaluation of all saved models together; GodeeperError, with the difference, unless they saw the same images."""
    first = saved[0]
    for other in saved[1:]:
        _check_alike(first, other)
    probabilities = []
    for one in saved:
        order = order_of(one.file, one.classes, len(one.classes), first.classes, repr(first.file))
        probabilities.append(one.probabilities if order is None else one.probabilities[..., list(order)])
    together = torch.cat(probabilities, 1)
    columns = [together[:, number] for number in range(together.shape[1])]
    if len(columns) > 1:
        columns.append(mean_of(columns))
    decisions = torch.stack([decide(column, first.labels) for column in columns], 1)[:, :, None]
    members = tuple(name for one in saved for name in one.members)
    return Evaluation(
        members, first.crops, (first.crops,), first.average, first.index, first.labels, decisions, together, first.skipped
    )


def _check_alike(first: Saved, other: Saved) -> None:
    what = f"{first.file!r} and {other.file!r}"
    for name in ("crops", "average"):
        mine, theirs = getattr(first, name), getattr(other, name)
        if mine != theirs:
            raise GodeeperError(f"{what} do not fit together: {name} {mine} and {theirs}; evaluate both alike")
    if first.images != other.images:
        raise GodeeperError(f"{what} are of different images: {len(first.index)} and {len(other.index)}, other names or labels")
    names = [[one.classes[label] for label in one.labels.tolist()] for one in (first, other)]
    if torch.equal(first.index, other.index) and names[0] != names[1]:
        raise GodeeperError(f"{what} have different labels for the same images")
    if not torch.equal(first.index, other.index):
        apart = set(first.index.tolist()) ^ set(other.index.tolist())
        raise GodeeperError(f"{what} are of different images: {len(apart)} stand in one only, such as number {min(apart)}")


@dataclass(frozen=True)
class Subset:
    """Some of the models together: their places, and what they decided."""

    members: tuple[int, ...]
    outcomes: Outcomes


def subsets(found: Evaluation) -> Iterator[Subset]:
    """Every subset of the models, small ones first; GodeeperError for more than seven models."""
    assert found.probabilities is not None
    count = len(found.members)
    if count > SUBSETS_OF:
        raise GodeeperError(f"{count} models have {2**count - 1:,} subsets: --subsets takes at most {SUBSETS_OF} models")
    chosen = [one for size in range(1, count + 1) for one in combinations(range(count), size)]
    decisions: dict[tuple[int, ...], list[Tensor]] = {one: [] for one in chosen}
    for start in range(0, len(found.labels), CHUNK):
        labels = found.labels[start : start + CHUNK]
        columns = found.probabilities[start : start + CHUNK].unbind(1)
        for one in chosen:
            decisions[one].append(decide(mean_of([columns[number] for number in one]), labels))
    for one in chosen:
        yield Subset(one, Outcomes(found.labels, torch.cat(decisions[one])))
