"""Means and differences of a few seeds, with their intervals, and what they decide."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["supported", "not supported", "inconclusive"]

# Student's t at 97.5 % for 1, 2, ... degrees of freedom; with few seeds the normal distribution's 1.96 would be too narrow.
T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145)


@dataclass(frozen=True)
class Mean:
    """A mean of repetitions and the half-width of its 95 % interval; infinite for a single one."""

    value: float
    half: float
    count: int

    @property
    def low(self) -> float:
        return self.value - self.half

    @property
    def high(self) -> float:
        return self.value + self.half

    def __str__(self) -> str:
        return f"{self.value:.2f} ± {self.half:.2f}"


def mean(values: Sequence[float]) -> Mean:
    """The mean of independent repetitions, by Student's t."""
    count = len(values)
    centre = sum(values) / count
    if count == 1:
        return Mean(centre, math.inf, 1)
    deviation = math.sqrt(sum((value - centre) ** 2 for value in values) / (count - 1))
    return Mean(centre, T[min(count - 1, len(T)) - 1] * deviation / math.sqrt(count), count)


def paired(first: Sequence[float], second: Sequence[float]) -> Mean:
    """The mean difference, first minus second, of arms that share seeds, and so the order of images."""
    return mean([a - b for a, b in zip(first, second, strict=True)])


def by_image(first: Sequence[float], second: Sequence[float]) -> Mean:
    """The difference of two errors, first minus second, in points; the interval is that of which images are tested.

    `first` and `second` hold for each image whether a network is wrong, or the fraction of networks that are, in 0..1.
    """
    count = len(first)
    differences = [100.0 * (a - b) for a, b in zip(first, second, strict=True)]
    centre = sum(differences) / count
    variance = sum((value - centre) ** 2 for value in differences) / (count - 1)
    return Mean(centre, 1.96 * math.sqrt(variance / count), count)


def verdict_above(difference: Mean, least: float = 0.0) -> Verdict:
    """Whether the difference exceeds `least`: inconclusive where its interval holds `least`."""
    if difference.low > least:
        return "supported"
    return "not supported" if difference.high < least else "inconclusive"


def verdict_at_most(difference: Mean, most: float = 0.0) -> Verdict:
    """Whether the difference is no more than `most`: inconclusive where its interval reaches above and below."""
    if difference.high <= most:
        return "supported"
    return "not supported" if difference.low > most else "inconclusive"
