"""Residual connections speed up training at equal cost; what a network reaches depends on its size (arXiv 1602.07261)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from statistics import fmean
from typing import NamedTuple

from ..papers.describe import describe
from .claim import Claim, ClaimResult, Statement
from .figures import Figure, dashed, error_curves
from .jobs import Arm, ArmRun
from .lab import Lab
from .result_table import Cell, Table, error_table
from .scales import cpu, gpu, imagenet
from .stats import mean, paired, verdict_above

PAIRS = {  # plain and residual: Figures 21 to 24, and 25 and 26 together
    "small": ("inception_v3", "inception_resnet_v1"),
    "large": ("inception_v4_printed", "inception_resnet_v2_printed"),
}
FAMILY = 5  # intervals that decide


def experiment(lab: Lab) -> ClaimResult:
    """Inception-v3 and Inception-ResNet-v1, Inception-v4 and Inception-ResNet-v2, each trained alike."""
    recipe = lab.recipe()
    tables = {name: replace(lab.definition(name), auxiliary={}) for pair in PAIRS.values() for name in pair}
    runs = lab.train([Arm(name, table, recipe) for name, table in tables.items()])
    curves = {name: [Curves(run.curve(), run.curve("seconds")) for run in arm_runs] for name, arm_runs in runs.items()}
    chance = 100 * (1 - 1 / len(lab.source.classes))
    needed = {pair: times_needed(curves[plain], curves[residual], chance) for pair, (plain, residual) in PAIRS.items()}
    statements = [statement for pair in PAIRS for statement in faster(pair, needed[pair], lab.scale.epochs)]
    statements.append(size({name: [run.error for run in arm_runs] for name, arm_runs in runs.items()}))
    costs: list[list[Cell]] = []
    for name, table in tables.items():
        counted, seconds = describe(table), fmean(second for run in curves[name] for second in run.seconds)
        costs.append([name, counted.parameters, counted.multiply_adds, round(seconds, 1)])
    return ClaimResult(
        statements,
        {
            "top-1 error (%)": error_table(runs),
            "top-5 error (%)": error_table(runs, "top5_error"),
            "epochs until the error that both of a pair reach": needed_table(needed),
            "costs": Table(["network", "parameters", "multiply-adds", "seconds an epoch"], costs),
        },
        _figures(runs),
    )


class Curves(NamedTuple):
    """A run: its top-1 error (%) after each epoch, and the seconds that each took."""

    errors: Sequence[float]
    seconds: Sequence[float]


class Needed(NamedTuple):
    """What a run takes until an error: epochs, and seconds of its own."""

    epochs: float
    seconds: float


def time_to(error: float, errors: Sequence[float], ends: Sequence[float], chance: float) -> float:
    """When a run's error is first at most `error`, in a straight line from one epoch's end to the next.

    `errors` (%) are those at the `ends` of its epochs; the untrained network's is `chance`. ValueError where none is that low.
    """
    if chance <= error:
        return 0.0
    for (begin, before), (end, after) in pairwise([(0.0, chance), *zip(ends, errors, strict=True)]):
        if after <= error:
            return begin + (end - begin) * (before - error) / (before - after)
    raise ValueError(f"no epoch ends with an error of at most {error}")


def times_needed(plain: Sequence[Curves], residual: Sequence[Curves], chance: float) -> list[tuple[Needed, Needed]]:
    """What the plain and the residual network take, seed by seed, until the worse of their two final errors.

    That error both reach: nothing is censored, as it would be with the final error of one of them, which the other may miss.
    """
    needed = []
    for pair in zip(plain, residual, strict=True):
        error = max(run.errors[-1] for run in pair)
        first, second = (_needed(run, error, chance) for run in pair)
        needed.append((first, second))
    return needed


def _needed(run: Curves, error: float, chance: float) -> Needed:
    epochs, seconds = range(1, len(run.errors) + 1), list(accumulate(run.seconds))
    return Needed(time_to(error, run.errors, epochs, chance), time_to(error, run.errors, seconds, chance))


def faster(pair: str, needed: Sequence[tuple[Needed, Needed]], epochs: int) -> list[Statement]:
    """Whether the residual network of a pair is the first at the error that both reach, in epochs and in time.

    `needed` is what the plain and the residual network take, by seed, of `epochs`; each seed has its own seconds, so that the
    interval covers how these differ, too.
    """
    saved = mean([plain.epochs - residual.epochs for plain, residual in needed], FAMILY)
    time = mean([100 * (1 - residual.seconds / plain.seconds) if plain.seconds else 0.0 for plain, residual in needed], FAMILY)
    return [
        Statement("epochs", verdict_above(saved), {"pair": pair, "epochs": epochs, "saved": saved}),
        Statement("time", verdict_above(time), {"pair": pair, "saved": time}),
    ]


def size(errors: Mapping[str, Sequence[float]]) -> Statement:
    """Whether the final error depends on size more than on residual connections, from every network's errors (%) by seed.

    Signs are ignored of the two means, not of each seed: magnitudes of noise would add up to an effect.
    """
    by_seed = zip(*(errors[name] for pair in PAIRS.values() for name in pair), strict=True)
    by_size, by_connections = [], []
    for small_plain, small_residual, large_plain, large_residual in by_seed:
        by_size.append((small_plain + small_residual - large_plain - large_residual) / 2)
        by_connections.append((small_plain - small_residual + large_plain - large_residual) / 2)
    difference = paired(_upwards(by_size), _upwards(by_connections), FAMILY)
    values = {"size": mean(by_size, FAMILY), "connections": mean(by_connections, FAMILY), "difference": difference}
    return Statement("size", verdict_above(difference), values)


def _upwards(effect: Sequence[float]) -> list[float]:
    """An effect by seed, with the sign that makes its mean positive."""
    sign = 1 if fmean(effect) >= 0 else -1
    return [sign * value for value in effect]


def needed_table(needed: Mapping[str, Sequence[tuple[Needed, Needed]]]) -> Table:
    """The epochs of both networks of every pair, seed by seed."""
    rows: list[list[Cell]] = [
        [name, *(round(of_seed[position].epochs, 2) for of_seed in needed[pair])]
        for pair, names in PAIRS.items()
        for position, name in enumerate(names)
    ]
    seeds = len(next(iter(needed.values())))
    return Table(["network", *(f"seed {seed}" for seed in range(seeds))], rows)


def _figures(runs: Mapping[str, Sequence[ArmRun]]) -> dict[str, Figure]:
    """Figures 21 to 26, by their numbers, and the first and third against time."""
    small, large = ({name: runs[name] for name in pair} for pair in PAIRS.values())
    figures = {
        "figure-21": error_curves(small),
        "figure-22": error_curves(small, "top5_error"),
        "minutes-small": error_curves(small, against="Minutes of training"),
        "figure-23": error_curves(large),
        "figure-24": error_curves(large, "top5_error"),
        "minutes-large": error_curves(large, against="Minutes of training"),
        "figure-25": error_curves(runs, "top5_error"),
        "figure-26": error_curves(runs),
    }
    plain = [pair[0] for pair in PAIRS.values()]
    return {name: dashed(figure, plain) for name, figure in figures.items()}


CLAIM = Claim(
    name="residual-connections",
    source="arXiv 1602.07261, Section 5, Figures 21 to 26",
    scales={
        "cpu": cpu(21, train=10_000, test=2500, epochs=6, recipe="inception_2016"),
        "gpu": gpu(12, recipe="inception_2016"),
        "imagenet": imagenet(12, epochs=160, hours=173, recipe="inception_2016"),
    },
    experiment=experiment,
)
