"""Top-1 and top-5 error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist

from ..data.augment import normalise
from ..data.crops import check_scheme
from ..data.loader import view_loader
from ..data.sources import Pictures
from ..errors import BadImage, GodeeperError
from ..preprocess import Preprocess

Classifier = Callable[[Tensor], Tensor]  # normalised pictures (N, 3, H, W) -> logits (N, classes)


@dataclass
class Evaluation:
    """Errors counted over pictures, each by its averaged views; `skipped` says which could not be decoded, and why."""

    crops: int
    images: int = 0
    top1_errors: int = 0
    top5_errors: int = 0
    skipped: list[str] = field(default_factory=list)

    @property
    def top1_error(self) -> float:
        """In percent."""
        return 100 * self.top1_errors / self.images

    @property
    def top5_error(self) -> float:
        """In percent."""
        return 100 * self.top5_errors / self.images

    def add(self, probabilities: Tensor, labels: Tensor) -> None:
        """Takes in pictures: probabilities (N, classes), labels (N,).

        A picture is right at k if fewer than k other classes are at least as likely as its own: ties, and values that are not
        numbers, count against the network.
        """
        own = probabilities.gather(1, labels[:, None])  # (N, 1)
        ahead = (~(probabilities < own)).sum(1) - 1  # (N,), without itself
        self.images += len(labels)
        self.top1_errors += int((ahead >= 1).sum())
        self.top5_errors += int((ahead >= 5).sum())

    def as_dict(self) -> dict[str, Any]:
        """What `--json` gives."""
        return {
            "top1_error": self.top1_error,
            "top5_error": self.top5_error,
            "images": self.images,
            "crops": self.crops,
            "skipped": self.skipped,
        }


@torch.inference_mode()
def evaluate(
    logits_of: Classifier,
    pictures: Pictures,
    preprocess: Preprocess,
    *,
    crops: int = 1,
    batch_size: int = 128,
    workers: int = 0,
    skip_bad: bool = False,
    device: torch.device | str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """The errors of a classifier, softmax probabilities averaged over the views of each picture (1, 10 or 144 `crops`).

    `batch_size` counts views. Under torch.distributed each process takes every n-th picture, and all return the whole result.
    BadImage for a picture that cannot be decoded unless `skip_bad`; GodeeperError if nothing is left to count.
    """
    check_scheme(crops)
    rank, ranks = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    mine = range(rank, len(pictures), ranks)
    loader = view_loader(pictures, mine, preprocess, crops, max(1, batch_size // crops), workers)
    counted = Evaluation(crops)
    for batch in loader:
        if batch.bad and not skip_bad:
            raise BadImage(f"{batch.bad[0]} (--skip-bad leaves such pictures out, and counts them)")
        counted.skipped += batch.bad
        if len(batch.labels):
            counted.add(_probabilities(logits_of, batch.pictures, preprocess, batch_size, device), batch.labels)
        if progress is not None:
            progress(counted.images + len(counted.skipped), len(mine))
    result = _gathered(counted) if ranks > 1 else counted
    if not result.images:
        raise GodeeperError(
            "there is no picture to evaluate on: none could be decoded" if result.skipped else "there is no picture"
        )
    return result


def _probabilities(
    logits_of: Classifier, pictures: Tensor, preprocess: Preprocess, batch_size: int, device: torch.device | str
) -> Tensor:
    """Pictures (N, views, 3, H, W) uint8 -> probabilities (N, classes), averaged over views."""
    flat = pictures.flatten(0, 1)
    parts = [logits_of(normalise(part.to(device), preprocess)).float().softmax(1).cpu() for part in flat.split(batch_size)]
    probabilities: Tensor = torch.cat(parts).unflatten(0, pictures.shape[:2])  # (N, views, classes)
    return probabilities.mean(1)


def _gathered(mine: Evaluation) -> Evaluation:
    everyones: list[Evaluation | None] = [None] * dist.get_world_size()
    dist.all_gather_object(everyones, mine)
    total = Evaluation(mine.crops)
    for part in everyones:
        assert part is not None
        total.images += part.images
        total.top1_errors += part.top1_errors
        total.top5_errors += part.top5_errors
        total.skipped += part.skipped
    total.skipped.sort()
    return total
