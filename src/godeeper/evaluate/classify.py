"""Top-1 and top-5 error of one classifier or of several together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import torch
from torch import Tensor
from torch import distributed as dist

from ..data.crops import check_scheme, nested
from ..data.dataset import ImageDataset
from ..data.view_loader import Resized, ResizedBatch, view_loader
from ..data.views import Laid, layout, passes
from ..errors import BadImage, GodeeperError, unknown
from ..preprocess import Normalize, Preprocess
from .journal import Journal, Part
from .outcome import Outcomes, decide, doubtful, wilson

Classifier = Callable[[Tensor], Tensor]  # normalised images (N, 3, H, W) -> logits (N, classes)
Average = Literal["softmax", "logits", "max"]
PLAIN = Normalize((0, 0, 0), (1, 1, 1))
SETTLING_PASS = 16  # views; of the one pass whose bits depend on nothing but the image
PASS_VIEWS, PASS_PIXELS = 48, 12 * 224 * 224  # of a pass on the CPU, at most: larger ones leave its caches


@dataclass(frozen=True)
class Member:
    """One classifier of an evaluation; `order` has the place among its logits of each class of the images, if they differ."""

    name: str
    logits_of: Classifier
    preprocess: Preprocess
    order: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Evaluation:
    """What the members and, last, all of them together decided, at each number of crops that the views hold.

    `counts` are those numbers; `index` (N,) has the places of the images in their set, `decisions` is (N, members + 1 if
    several, counts, 4); `probabilities` (N, members, classes) if they were kept; `skipped` says which could not be decoded, and
    why.
    """

    members: tuple[str, ...]
    crops: int
    counts: tuple[int, ...]
    average: Average
    index: Tensor
    labels: Tensor
    decisions: Tensor
    probabilities: Tensor | None
    skipped: list[str]

    @property
    def images(self) -> int:
        """How many images were evaluated."""
        return len(self.labels)

    @property
    def top1_error(self) -> float:
        """Of all together, at all crops, in percent."""
        return self.outcomes().top1_error

    @property
    def top5_error(self) -> float:
        """Of all together, at all crops, in percent."""
        return self.outcomes().top5_error

    def outcomes(self, member: int = -1, crops: int | None = None) -> Outcomes:
        """What a member (-1: all together) decided at a number of crops, by default all."""
        return Outcomes(self.labels, self.decisions[:, member, self.counts.index(crops or self.crops)])

    def as_dict(self) -> dict[str, Any]:
        """What `--json` gives."""
        together = _errors(self.outcomes())
        members = [
            {"model": name, **_errors(self.outcomes(number)), "by_crops": self._by_crops(number)}
            for number, name in enumerate(self.members)
        ]
        return {
            **together,
            "crops": self.crops,
            "average": self.average,
            "by_crops": self._by_crops(-1),
            "calibration_error": round(self.outcomes().calibration_error(), 6),
            "members": members,
            "skipped": self.skipped,
        }

    def _by_crops(self, member: int) -> dict[str, dict[str, float]]:
        found = {crops: self.outcomes(member, crops) for crops in self.counts}
        return {str(crops): {"top1_error": one.top1_error, "top5_error": one.top5_error} for crops, one in found.items()}


def _errors(found: Outcomes) -> dict[str, Any]:
    return {
        "top1_error": found.top1_error,
        "top5_error": found.top5_error,
        "top1_interval": wilson(found.top1_errors, found.images),
        "top5_interval": wilson(found.top5_errors, found.images),
        "images": found.images,
    }


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

    Each image is shown in `crops` views (1, 10, 12 or 144), whose softmax is averaged; or their logits, or the largest softmax
    is taken and scaled to sum to 1. `batch_size` counts views; `keep` keeps the probabilities. A `journal` keeps what is done,
    and what it holds already is not done again. Under torch.distributed each process takes every n-th image, and all return
    the whole result. On the CPU its decisions depend on neither batch size nor processes, threads or workers. BadImage for a
    image that cannot be decoded unless `skip_bad`; GodeeperError if nothing is left to count.
    """
    check_scheme(crops)
    if average not in get_args(Average):
        raise unknown("average", average, get_args(Average))
    rows = len(members) + (len(members) > 1)
    done = journal.read(images.labels, (rows, len(nested(crops)), 4)) if journal else []
    seen = {place for part in done for place in part.places}
    rank, ranks = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    if ranks > 1:
        dist.barrier()  # all have read the journal before anyone writes into it
    todo = [place for place in range(len(images)) if place not in seen][rank::ranks]
    panel = _Panel(members, crops, average, batch_size, device, keep)
    mine: list[Part] = done if rank == 0 else []
    counted = len(seen)
    try:
        for batch in panel.loader(images, todo, workers):
            if batch.bad and not skip_bad:
                raise BadImage(f"{batch.bad[0][1]} (--skip-bad leaves such images out, and counts them)")
            mine.append(panel.judge(batch))
            counted += len(mine[-1].places)
            if journal is not None:
                journal.add(mine[-1])
            if progress is not None:
                progress(counted, len(seen) + len(todo))
    finally:
        if journal is not None:
            journal.flush()
    return _summed(members, crops, average, Part.joined(_gathered(mine) if ranks > 1 else mine))


class _Panel:
    """The members before a batch of images."""

    def __init__(
        self,
        members: Sequence[Member],
        crops: int,
        average: Average,
        batch_size: int | None,
        device: torch.device | str,
        keep: bool,
    ) -> None:
        self.members, self.crops, self.average, self.device, self.keep = members, crops, average, torch.device(device), keep
        plain = [replace(member.preprocess, normalize=PLAIN) for member in members]  # what resizing depends on
        self.resizings = tuple(dict.fromkeys(plain))
        self.resizing_of = [self.resizings.index(one) for one in plain]
        self.batch_sizes = [batch_size or default_batch_size(one.preprocess.image_size, self.device) for one in members]

    def loader(self, images: ImageDataset, todo: Sequence[int], workers: int) -> Any:
        """Batches of as many images as the largest pass has views for."""
        together = max(1, max(self.batch_sizes) // self.crops)
        return view_loader(images, todo, self.resizings, self.crops, together, workers)

    def judge(self, batch: ResizedBatch) -> Part:
        """What all members decide about the batch."""
        images = list(batch)
        places, labels = [one.index for one in images], torch.tensor([one.label for one in images], dtype=torch.long)
        if not images:
            return Part(places, labels, None, None, batch.bad)
        probabilities = self._probabilities(images, self.batch_sizes)
        if self.device.type == "cpu":
            self._settle(images, labels, probabilities)
        decisions = [[decide(one, labels) for one in row] for row in _with_mean(probabilities)]
        kept = torch.stack([row[-1] for row in probabilities], 1) if self.keep else None
        return Part(places, labels, torch.stack([torch.stack(row, 1) for row in decisions], 1), kept, batch.bad)

    def _probabilities(self, images: Sequence[Resized], batch_sizes: Sequence[int]) -> list[list[Tensor]]:
        """(N, classes) of each member at each number of crops."""
        result = []
        for number, member in enumerate(self.members):
            preprocess, which = member.preprocess, self.resizing_of[number]
            shown = [
                Laid(one.sheets[which], layout(one.size, self.resizings[which], self.crops)[1]).normalised(
                    preprocess, self.device
                )
                for one in images
            ]
            parts = [member.logits_of(x).float().cpu() for x in passes(shown, preprocess.image_size, batch_sizes[number])]
            logits = torch.cat(parts).unflatten(0, (len(images), self.crops))  # (N, views, classes)
            if member.order is not None:
                logits = logits[..., list(member.order)]
            result.append([averaged(logits[:, list(which)], self.average) for which in nested(self.crops).values()])
        return result

    def _settle(self, images: Sequence[Resized], labels: Tensor, probabilities: list[list[Tensor]]) -> None:
        """Computes once more, alone and in one thread, the images whose decisions hang on the last bits."""
        *others, last = (one for row in _with_mean(probabilities) for one in row)  # of the others, only errors are told
        doubts = doubtful(last, labels)
        for one in others:
            doubts |= doubtful(one, labels, errors_only=True)
        if not doubts.any():
            return
        threads = torch.get_num_threads()
        try:
            torch.set_num_threads(1)
            for place in doubts.nonzero()[:, 0].tolist():
                alone = self._probabilities([images[place]], [SETTLING_PASS] * len(self.members))
                for row, settled in zip(probabilities, alone, strict=True):
                    for one, value in zip(row, settled, strict=True):
                        one[place] = value[0]
        finally:
            torch.set_num_threads(threads)


def default_batch_size(image_size: int, device: torch.device) -> int:
    """Views a pass: on the CPU few enough for its caches, elsewhere enough to fill it."""
    return 256 if device.type != "cpu" else max(1, min(PASS_VIEWS, PASS_PIXELS // image_size**2))


def averaged(logits: Tensor, average: Average) -> Tensor:
    """Logits of views (N, views, classes) -> probabilities (N, classes)."""
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


def _with_mean(probabilities: list[list[Tensor]]) -> list[list[Tensor]]:
    """The members' rows and, if there are several, that of all together."""
    if len(probabilities) == 1:
        return probabilities
    return [*probabilities, [mean_of(column) for column in zip(*probabilities, strict=True)]]


def _summed(members: Sequence[Member], crops: int, average: Average, part: Part) -> Evaluation:
    skipped = [reason for _, reason in part.bad]
    if part.decisions is None:
        raise GodeeperError("there is no image to evaluate on" + (": none could be decoded" if skipped else ""))
    names, index = tuple(member.name for member in members), torch.tensor(part.indices)
    return Evaluation(
        names, crops, tuple(nested(crops)), average, index, part.labels, part.decisions, part.probabilities, skipped
    )  # fmt: skip


def _gathered(mine: list[Part]) -> list[Part]:
    everyones: list[list[Part] | None] = [None] * dist.get_world_size()
    dist.all_gather_object(everyones, mine)
    return [part for parts in everyones for part in parts or []]
