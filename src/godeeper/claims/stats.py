"""Means and differences of a few seeds, with their intervals, and what they decide."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

Verdict = Literal["supported", "not supported", "inconclusive"]

LEVEL = 0.95  # with which all intervals of a claim hold together
STEPS = 60  # of bisection: below what a float can tell apart


@dataclass(frozen=True)
class Mean:
    """A mean of repetitions and the half-width of its interval; infinite for a single one."""

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


def mean(values: Sequence[float], family: int = 1) -> Mean:
    """The mean of independent repetitions, by Student's t.

    `family` is the number of intervals that a claim decides by: each is so much wider (Bonferroni) that all hold together.
    """
    count = len(values)
    centre = sum(values) / count
    if count == 1:
        return Mean(centre, math.inf, 1)
    deviation = math.sqrt(sum((value - centre) ** 2 for value in values) / (count - 1))
    return Mean(centre, students_t(count - 1, _beyond(family)) * deviation / math.sqrt(count), count)


def paired(first: Sequence[float], second: Sequence[float], family: int = 1) -> Mean:
    """The mean difference, first minus second, of arms that share seeds, and so the order of images."""
    return mean([a - b for a, b in zip(first, second, strict=True)], family)


def by_image(first: Sequence[float], second: Sequence[float], family: int = 1) -> Mean:
    """The difference of two errors, first minus second, in points; the interval is that of which images are tested.

    `first` and `second` hold for each image whether a network is wrong, or the fraction of networks that are, in 0..1.
    """
    count = len(first)
    differences = [100.0 * (a - b) for a, b in zip(first, second, strict=True)]
    centre = sum(differences) / count
    variance = sum((value - centre) ** 2 for value in differences) / (count - 1)
    return Mean(centre, NormalDist().inv_cdf(1 - _beyond(family)) * math.sqrt(variance / count), count)


def students_t(freedom: int, beyond: float) -> float:
    """What Student's t with so many degrees of freedom exceeds with the probability `beyond`, in 0..0.5 (both exclusive)."""
    angle = _root(lambda angle: _within(freedom, angle) - (1 - 2 * beyond), 0.0, math.pi / 2)
    return math.sqrt(freedom) * math.tan(angle)


def exact_interval(count: int, total: int, family: int = 1) -> tuple[float, float]:
    """The interval, in percent, of the probability of what happened `count` times of `total` (Clopper and Pearson)."""
    beyond = _beyond(family)
    low = _root(lambda p: _at_least(count, total, p) - beyond, 0.0, 1.0) if count else 0.0
    high = _root(lambda p: beyond - (1 - _at_least(count + 1, total, p)), 0.0, 1.0) if count < total else 1.0
    return 100 * low, 100 * high


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


def _beyond(family: int) -> float:
    """The probability that a value lies beyond one end of an interval."""
    return (1 - LEVEL) / (2 * family)


def _within(freedom: int, angle: float) -> float:
    """P(|t| < sqrt(freedom) tan(angle)): the finite sums of Abramowitz and Stegun, 26.7.3 and 26.7.4."""
    cosine, odd = math.cos(angle), freedom % 2
    term, total = (cosine if odd else 1.0), 0.0
    for power in range(1 + odd, freedom, 2):
        total += term
        term *= cosine**2 * power / (power + 1)
    return 2 / math.pi * (angle + math.sin(angle) * total) if odd else math.sin(angle) * total


def _at_least(count: int, total: int, p: float) -> float:
    """The probability of `count` or more successes of `total`, each with the probability p."""
    return sum(math.comb(total, k) * p**k * (1 - p) ** (total - k) for k in range(count, total + 1))


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function that rises from below zero to above it is zero, between `low` and `high`."""
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) < 0 else (low, middle)
    return low
