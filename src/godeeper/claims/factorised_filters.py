"""What later versions changed: a separable first layer, and two 3x3 for a 5x5 (arXiv 1502.03167, Appendix; 1512.00567, 3.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..papers.describe import describe
from ..papers.notation import Cat, Conv, Separable, Stage
from ..papers.registry import definition
from .claim import Claim, ClaimResult, Statement
from .figures import error_curves
from .jobs import Arm
from .lab import Lab
from .result_table import Table, error_table
from .scales import cpu, gpu, imagenet
from .stats import paired, verdict_above, verdict_at_most

FAMILY = 2  # intervals that decide


def two_for_five(stage: Stage) -> Stage:
    """A module with two 3x3 in place of its 5x5, each of as many filters."""
    if not isinstance(stage, Cat):
        return stage
    b1, b3, (reduce, five), pool = stage.branches
    assert isinstance(five, Conv)
    return Cat(b1, b3, (reduce, Conv(five.filters, 3), Conv(five.filters, 3)), pool)


def experiment(lab: Lab) -> ClaimResult:
    """GoogLeNet with batch norm, as printed and with one or both of the changes."""
    printed = replace(definition("googlenet_bn"), auxiliary={})
    separable = Separable(64, 7, stride=2, multiplier=8)
    factorised = {name: two_for_five(stage) for name, stage in printed.stages.items()}
    tables = {
        "as printed": printed,
        "separable first layer": replace(printed, stages={**printed.stages, "conv1": separable}),
        "two 3x3 for a 5x5": replace(printed, stages=factorised),
        "both": replace(printed, stages={**factorised, "conv1": separable}),
    }
    arms = {name: lab.variant(table) for name, table in tables.items()}
    recipe = lab.recipe()
    runs = lab.train([Arm(name, table, recipe) for name, table in arms.items()])
    errors = {arm: [run.error for run in arm_runs] for arm, arm_runs in runs.items()}
    costs = Table(
        ["arm", "parameters", "multiply-adds", "at full width, 224 pixels"],
        [
            [name, describe(table).parameters, describe(table).multiply_adds, describe(tables[name]).multiply_adds]
            for name, table in arms.items()
        ],
    )
    return ClaimResult(
        compare_filters(errors), {"top-1 error (%)": error_table(runs), "costs": costs}, {"curves": error_curves(runs)}
    )


def compare_filters(errors: Mapping[str, Sequence[float]]) -> list[Statement]:
    """Each change against the printed network, from the errors (%) of every seed."""
    loss = paired(errors["separable first layer"], errors["as printed"], FAMILY)
    gain = paired(errors["as printed"], errors["two 3x3 for a 5x5"], FAMILY)
    return [
        Statement("separable", verdict_at_most(loss, 0.5), {"loss": loss}),
        Statement("factorised", verdict_above(gain), {"gain": gain}),
    ]


CLAIM = Claim(
    name="factorised-filters",
    source="arXiv 1502.03167, Appendix; arXiv 1512.00567, Section 3.1",
    scales={
        "cpu": cpu(10, train=10_000, test=2500, epochs=3, seeds=4),
        "gpu": gpu(12),
        "imagenet": imagenet(12, epochs=60, hours=12),
    },
    experiment=experiment,
)
