"""Top-1 and top-5 error of one classifier or of several together.

`evaluate_members` reads from top to bottom: load a batch of crops, run each member over them, average, decide, write it down.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, get_args

import torch
from torch import Tensor
from torch import distributed as dist

from ..data.crop_loader import CropBatch, crop_loader
from ..data.crops import check_crops, crops_within
from ..data.dataset import ImageDataset
from ..data.pixels import default_batch_size, normalise
from ..errors import BadImage, GodeeperError, unknown
from ..eval_mode import eval_mode
from ..preprocess import Preprocess
from ..ranks import fail_together, rank_and_ranks
from .evaluation import Average, Evaluation
from .journal import ImageResults, Journal
from .outcome import decide

Classifier = Callable[[Tensor], Tensor]  # normalised images (N, 3, H, W) -> logits (N, classes)


@dataclass(frozen=True)
class Member:
    """One classifier of an evaluation; `order[i]` is its logit for the images' class i, None where both have the same order."""

    name: str
    logits_of: Classifier
    preprocess: Preprocess
    order: tuple[int, ...] | None = None


def evaluate(logits_of: Classifier, images: ImageDataset, preprocess: Preprocess, **options: Any) -> Evaluation:
    """The errors of one classifier; `options` are those of `evaluate_members`."""
    return evaluate_members([Member("", logits_of, preprocess)], images, **options)


@torch.inference_mode()
def evaluate_members(
    members: Sequence[Member],
    images: ImageDataset,
    *,
    crops: int = 1,
    average: Average = "softmax",
    batch_size: int | None = None,
    workers: int = 0,
    skip_bad: bool = False,
    device: torch.device | str = "cpu",
    keep: bool = False,
    journal: Journal | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """The errors of classifiers, and of their averaged probabilities, in one pass over the images.

    Each image is shown in `crops` crops (1, 6, 10, 12 or 144). `average` "softmax" averages their probabilities, "logits" their
    logits, "max" takes each class's largest probability and scales them to sum to 1. `batch_size` counts crops; `keep` keeps the
    probabilities. A `journal` keeps what is done, and what it holds already is not done again. Under torch.distributed each
    process takes every n-th image, each image counts once, and all return the whole result. Classifiers that are modules run in
    evaluation mode, and are in their own modes afterwards.

    Batch size, threads and processes change the order of float additions: probabilities agree within a relative 2e-5, so that an
    image whose decision hangs on less may be decided otherwise.

    BadImage for an image that cannot be decoded unless `skip_bad`; GodeeperError if no image is left to count.
    What one process raises, all raise.
    """
    _check(crops, average)
    rank, ranks = rank_and_ranks()
    with fail_together():  # at whose end all have read the journal, before anyone writes into it
        done = journal.read(images.labels, _decisions_shape(members, crops)) if journal else []
    seen = {index for results in done for index in results.seen}
    todo = [index for index in range(len(images)) if index not in seen][rank::ranks]
    results = done if rank == 0 else []
    batch_size = batch_size or _batch_size(members, device)
    resizes, count = [member.preprocess.resize for member in members], len(seen)
    crops_of = crop_loader(images, todo, resizes, crops, max(1, batch_size // crops), workers)
    with journal or nullcontext(), fail_together() as stop_where_failed, crops_of as loader:
        for batch in loader:
            stop_where_failed()
            if batch.bad and not skip_bad:
                raise BadImage(f"{batch.bad[0][1]} (--skip-bad leaves such images out, and counts them)")
            results.append(_decided(_of_members(members, batch, average, batch_size, device), batch, keep))
            if journal is not None:
                journal.add(results[-1])
            count += len(results[-1].seen)
            _report(progress, count, len(seen) + len(todo))
    return _evaluation(members, crops, average, _gather(results) if ranks > 1 else results)


def _check(crops: int, average: str) -> None:
    check_crops(crops)
    if average not in get_args(Average):
        raise unknown("average", average, get_args(Average))


def _report(progress: Callable[[int, int], None] | None, done: int, total: int) -> None:
    if progress is not None:
        progress(done, total)


def _batch_size(members: Sequence[Member], device: torch.device | str) -> int:
    return default_batch_size(max(member.preprocess.image_size for member in members), device)


def _of_members(
    members: Sequence[Member], batch: CropBatch, average: Average, batch_size: int, device: torch.device | str
) -> Tensor:
    """What all members say of a batch of N images: (members, counts, N, classes) on the CPU."""
    with eval_mode(*(member.logits_of for member in members)):
        return torch.stack([_probabilities(member, batch, average, batch_size, device) for member in members])


def _probabilities(member: Member, batch: CropBatch, average: Average, batch_size: int, device: torch.device | str) -> Tensor:
    """What a member says of a batch of N images at each number of crops: (counts, N, classes) on the CPU."""
    crops = batch.crops[member.preprocess.resize]  # uint8 (N, crops, 3, S, S)
    if not len(crops):
        return torch.empty((len(crops_within(crops.shape[1])), 0, 1))
    passes = crops.flatten(0, 1).split(batch_size)  # (batch_size, 3, S, S) each
    of_passes = [member.logits_of(normalise(x.to(device, non_blocking=True), member.preprocess)).float() for x in passes]
    logits = torch.cat(of_passes).cpu()  # once a batch: each time, the device is waited for
    logits = logits.unflatten(0, crops.shape[:2])  # (N, crops, classes)
    if member.order is not None:
        logits = logits[..., list(member.order)]
    return torch.stack([averaged(logits[:, list(numbers)], average) for numbers in crops_within(crops.shape[1]).values()])


def _decided(probabilities: Tensor, batch: CropBatch, keep: bool) -> ImageResults:
    """What the members, and last all together, decide, from probabilities (members, counts, N, classes)."""
    rows = list(probabilities)
    if len(rows) > 1:
        rows.append(mean_of(rows))
    decisions = torch.stack([torch.stack([decide(p, batch.labels) for p in row], 1) for row in rows], 1)  # (N, rows, counts, 4)
    kept = probabilities[:, -1].transpose(0, 1).contiguous() if keep and batch.indices else None  # (N, members, classes)
    return ImageResults(batch.indices, batch.labels, decisions, kept, batch.bad)


def averaged(logits: Tensor, average: Average) -> Tensor:
    """Logits of crops (N, crops, classes) -> probabilities (N, classes)."""
    if average == "logits":
        return logits.double().mean(1).softmax(1).float()
    softmax = logits.softmax(2)
    if average == "max":
        largest = softmax.amax(1)
        return largest / largest.sum(1, keepdim=True)
    return softmax.double().mean(1).float()


def mean_of(members: Sequence[Tensor]) -> Tensor:
    """The members' probabilities, averaged: the same whether they were just computed or saved."""
    return torch.stack(list(members)).double().mean(0).float()


def _decisions_shape(members: Sequence[Member], crops: int) -> tuple[int, int, int]:
    """Of the decisions about one image: members and all together, numbers of crops, what `decide` gives."""
    return len(members) + (len(members) > 1), len(crops_within(crops)), 4


def _gather(results: list[ImageResults]) -> list[ImageResults]:
    """The results of all processes, in each of them."""
    of_ranks: list[list[ImageResults] | None] = [None] * dist.get_world_size()
    dist.all_gather_object(of_ranks, results)
    return [each for of_rank in of_ranks for each in of_rank or []]


def _evaluation(members: Sequence[Member], crops: int, average: Average, results: list[ImageResults]) -> Evaluation:
    if not any(each.indices for each in results):
        raise GodeeperError("there is no image to evaluate on" + (": none could be decoded" if results else ""))
    every = ImageResults.concatenated(results)
    return Evaluation(
        members=tuple(member.name for member in members),
        crops=crops,
        counts=tuple(crops_within(crops)),
        average=average,
        index=torch.tensor(every.indices),
        labels=every.labels,
        decisions=every.decisions,
        probabilities=every.probabilities,
        skipped=[reason for _, reason in every.bad],
    )
