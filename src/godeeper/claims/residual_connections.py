"""Residual connections speed up training at equal cost; what a network reaches depends on its size (arXiv 1602.07261)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

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


def experiment(lab: Lab) -> ClaimResult:
    """Inception-v3 and Inception-ResNet-v1, Inception-v4 and Inception-ResNet-v2, each trained alike."""
    recipe = lab.recipe()
    tables = {name: replace(lab.definition(name), auxiliary={}) for pair in PAIRS.values() for name in pair}
    runs = lab.train([Arm(name, table, recipe) for name, table in tables.items()])
    needed = {pair: _epochs_needed(runs[plain], runs[residual]) for pair, (plain, residual) in PAIRS.items()}
    statements = []
    for pair, (plain, residual) in PAIRS.items():
        statements += faster(pair, needed[pair], lab.scale.epochs, _seconds(runs[residual]) / _seconds(runs[plain]))
    statements.append(size({name: [run.error for run in arm_runs] for name, arm_runs in runs.items()}))
    costs: list[list[Cell]] = []
    for name, table in tables.items():
        counted = describe(table)
        costs.append([name, counted.parameters, counted.multiply_adds, round(_seconds(runs[name]), 1)])
    return ClaimResult(
        statements,
        {
            "top-1 error (%)": error_table(runs),
            "top-5 error (%)": error_table(runs, "top5_error"),
            "epochs until the plain network's final top-1 error": _epochs_table(needed, lab.scale.epochs),
            "costs": Table(["network", "parameters", "multiply-adds", "seconds an epoch"], costs),
        },
        _figures(runs),
    )


def epochs_to(curve: Sequence[float], error: float) -> float:
    """Epochs until a run's error is at most that, from its error after each, by interpolation; one more than it has if never."""
    for epoch, value in enumerate(curve):
        if value <= error:
            if epoch == 0:
                return 1.0
            before = curve[epoch - 1]
            return epoch + (before - error) / (before - value)
    return len(curve) + 1.0


def faster(pair: str, needed: Sequence[float], epochs: int, time_ratio: float) -> list[Statement]:
    """Whether the residual network of a pair reaches the plain one's final error sooner, in epochs and in time.

    `needed` are the epochs that it takes, by seed, of `epochs`; `time_ratio` its seconds an epoch over the plain one's.
    """
    saved = mean([epochs - value for value in needed])
    time = mean([100 * (1 - time_ratio * value / epochs) for value in needed])
    return [
        Statement("epochs", verdict_above(saved), {"pair": pair, "epochs": epochs, "saved": saved}),
        Statement("time", verdict_above(time), {"pair": pair, "saved": time}),
    ]


def size(errors: Mapping[str, Sequence[float]]) -> Statement:
    """Whether the final error depends on size more than on residual connections, from every network's errors (%) by seed."""
    by_seed = zip(*(errors[name] for pair in PAIRS.values() for name in pair), strict=True)
    by_size, by_connections = [], []
    for small_plain, small_residual, large_plain, large_residual in by_seed:
        by_size.append((small_plain + small_residual - large_plain - large_residual) / 2)
        by_connections.append((small_plain - small_residual + large_plain - large_residual) / 2)
    difference = paired(list(map(abs, by_size)), list(map(abs, by_connections)))
    values = {"size": mean(by_size), "connections": mean(by_connections), "difference": difference}
    return Statement("size", verdict_above(difference), values)


def _seconds(runs: Sequence[ArmRun]) -> float:
    """The mean time of an epoch."""
    return mean([seconds for run in runs for seconds in run.curve("seconds")]).value


def _epochs_needed(plain: Sequence[ArmRun], residual: Sequence[ArmRun]) -> list[float]:
    """Epochs until the residual network has the plain one's final error, seed by seed."""
    return [epochs_to(run.curve(), end.error) for run, end in zip(residual, plain, strict=True)]


def _epochs_table(needed: Mapping[str, Sequence[float]], epochs: int) -> Table:
    rows: list[list[Cell]] = []
    for pair, (plain, residual) in PAIRS.items():
        rows.append([residual, plain, *(round(value, 2) if value <= epochs else "never" for value in needed[pair])])
    seeds = len(next(iter(needed.values())))
    return Table(["network", "plain network", *(f"seed {seed}" for seed in range(seeds))], rows)


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
