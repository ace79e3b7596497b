"""Average pooling before the classifier instead of fully connected layers, and dropout (arXiv 1409.4842, Section 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..papers.notation import AvgTo, Dropout, FullyConnected, Linear, Stage
from ..papers.registry import definition
from .claim import Claim, ClaimResult, Statement
from .figures import error_curves
from .jobs import Arm
from .lab import Lab
from .result_table import error_table
from .scales import cpu, gpu, imagenet
from .stats import paired, verdict_above

HEADS: dict[str, dict[str, Stage]] = {  # AlexNet's way: two layers of units on the whole grid; here one, as wide as the features
    "average": {"avgpool": AvgTo(1), "dropout": Dropout(0.4), "linear": Linear(1000)},
    "average, no dropout": {"avgpool": AvgTo(1), "linear": Linear(1000)},
    "connected": {"fc": FullyConnected(1024), "dropout": Dropout(0.4), "linear": Linear(1000)},
    "connected, no dropout": {"fc": FullyConnected(1024), "linear": Linear(1000)},
}
FAMILY = 2  # intervals that decide


def experiment(lab: Lab) -> ClaimResult:
    """GoogLeNet with batch norm and four heads."""
    recipe = lab.recipe()
    table = replace(definition("googlenet_bn"), auxiliary={})
    runs = lab.train([Arm(name, lab.variant(replace(table, head=head)), recipe) for name, head in HEADS.items()])
    errors = {arm: [run.error for run in arm_runs] for arm, arm_runs in runs.items()}
    return ClaimResult(compare_heads(errors), {"top-1 error (%)": error_table(runs)}, {"curves": error_curves(runs)})


def compare_heads(errors: Mapping[str, Sequence[float]]) -> list[Statement]:
    """Average pooling against a connected layer, and against itself without dropout, from the errors (%) of every seed."""
    pooling = paired(errors["connected"], errors["average"], FAMILY)
    dropout = paired(errors["average, no dropout"], errors["average"], FAMILY)
    return [
        Statement("pooling", verdict_above(pooling), {"gain": pooling}),
        Statement("dropout", verdict_above(dropout), {"gain": dropout}),
    ]


CLAIM = Claim(
    name="average-pooling",
    source="arXiv 1409.4842, Section 5",
    scales={
        "cpu": cpu(14, train=2000, test=2500, epochs=20),
        "gpu": gpu(12),
        "imagenet": imagenet(12, epochs=60, hours=12),
    },
    experiment=experiment,
)
