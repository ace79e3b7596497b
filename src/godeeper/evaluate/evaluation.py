"""The result of an evaluation: what each member, and all of them together, decided about each image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from .outcome import Outcomes, wilson

Average = Literal["softmax", "logits", "max"]


@dataclass(frozen=True)
class Evaluation:
    """What the members and, last, all of them together decided, at each number of crops that `crops` hold.

    `counts` are those numbers; `index` (N,) has the images' indices in their dataset, `labels` (N,) their classes; `decisions` is
    (N, members + 1 if several, counts, 4), the last axis as `decide` gives it; `probabilities` (N, members, classes) if they were
    kept; `skipped` says which images could not be decoded, and why.
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
        """Of all members together, at all crops, in percent."""
        return self.outcomes().top1_error

    @property
    def top5_error(self) -> float:
        """Of all members together, at all crops, in percent."""
        return self.outcomes().top5_error

    def outcomes(self, member: int = -1, crops: int | None = None) -> Outcomes:
        """What a member (-1: all together) decided at a number of crops, by default all."""
        return Outcomes(self.labels, self.decisions[:, member, self.counts.index(crops or self.crops)])

    def as_dict(self) -> dict[str, Any]:
        """What `--json` gives."""
        together = self.outcomes()
        members = [
            {"model": name, **_errors(self.outcomes(number)), "by_crops": self._by_crops(number)}
            for number, name in enumerate(self.members)
        ]
        return {
            **_errors(together),
            "crops": self.crops,
            "average": self.average,
            "by_crops": self._by_crops(-1),
            "calibration_error": round(together.calibration_error(), 6),
            "members": members,
            "skipped": self.skipped,
        }

    def _by_crops(self, member: int) -> dict[str, dict[str, float]]:
        outcomes = {str(crops): self.outcomes(member, crops) for crops in self.counts}
        return {crops: {"top1_error": each.top1_error, "top5_error": each.top5_error} for crops, each in outcomes.items()}


def _errors(outcomes: Outcomes) -> dict[str, Any]:
    return {
        "top1_error": outcomes.top1_error,
        "top5_error": outcomes.top5_error,
        "top1_interval": wilson(outcomes.top1_errors, outcomes.images),
        "top5_interval": wilson(outcomes.top5_errors, outcomes.images),
        "images": outcomes.images,
    }
