"""What can be counted: Table 1, layers, costs; and what can be timed (arXiv 1409.4842 and 1602.07261)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import torch
from torch.nn import functional as F

from ..models.network import Network, best_device, to_device
from ..papers.audit import Finding, audit
from ..papers.describe import describe
from ..papers.registry import definition
from ..text import Text
from .claim import Claim, ClaimResult, Statement
from .lab import Lab
from .prose import texts
from .result_table import Cell, Table
from .scales import Scale
from .stats import Verdict, mean, verdict_above

COUNTED = {  # statements on findings of `godeeper audit`: the network, and their quantities
    "layers": ("googlenet", {"layers with parameters", "layers with pools"}),
    "operations": ("googlenet", {"multiply-adds"}),
    "alexnet": ("googlenet", {"fewer parameters than AlexNet"}),
    "v3-pair": ("inception_resnet_v1", {"cost of Inception-ResNet-v1 over Inception-v3's"}),
    "v4-pair": ("inception_resnet_v2_printed", {"cost of Inception-ResNet-v2 over Inception-v4's"}),
}
RIVALS = ("alexnet", "zfnet", "vgg16", "vgg19")
PAIRS = {
    "as printed": ("inception_v4_printed", "inception_resnet_v2_printed"),
    "as released": ("inception_v4", "inception_resnet_v2"),
}
INFERENCE_BATCH, TRAINING_BATCH = 4, 2  # images of a timed pass, and of a timed step


def experiment(lab: Lab) -> ClaimResult:
    """The audit's verdicts; passes and steps timed side by side, in turns."""
    statements = counts()
    inference = _timed({name: _pass(name) for name in ("googlenet", *RIVALS)}, lab.scale.seeds)
    statements.append(faster(inference))
    rows = _rows("inference, per image", inference, INFERENCE_BATCH)
    for which, pair in PAIRS.items():
        steps = _timed({name: _step(name) for name in pair}, lab.scale.seeds)
        plain, residual = pair
        cost = describe(plain).multiply_adds / describe(residual).multiply_adds
        statements.append(slower(which, steps[plain], steps[residual], cost))
        rows += _rows("training step, per image", steps, TRAINING_BATCH)
    head = ["network", "timed", *(f"round {number}" for number in range(1, lab.scale.seeds + 1)), "multiply-adds"]
    return ClaimResult(statements, {"seconds": Table(head, rows)})


def counts() -> list[Statement]:
    """What the papers print and the audit of our tables counts."""
    table_1 = [finding for finding in audit("googlenet") if finding.source == "Table 1" and finding.stage != "softmax"]
    statements = [printed_values("table-1", table_1)]
    for name, (model, quantities) in COUNTED.items():
        statements.append(printed_values(name, [finding for finding in audit(model) if finding.quantity in quantities]))
    return statements


def printed_values(name: str, findings: Sequence[Finding]) -> Statement:
    """Whether our tables give all that is printed: a single value is shown beside ours, several are counted."""
    reproduced = sum(finding.verdict == "reproduced" for finding in findings)
    verdict: Verdict = "supported" if findings and reproduced == len(findings) else "not supported"
    if len(findings) == 1:
        return Statement(name, verdict, {"printed": findings[0].printed, "computed": findings[0].computed})
    return Statement(name, verdict, {"reproduced": reproduced, "printed": len(findings)})


def faster(seconds: Mapping[str, Sequence[float]]) -> Statement:
    """Whether GoogLeNet is at least twice as fast as VGG16, from the seconds of each in every round."""
    times = mean([vgg / ours for vgg, ours in zip(seconds["vgg16"], seconds["googlenet"], strict=True)])
    return Statement("faster", verdict_above(times, 2.0), {"times": times})


def slower(pair: str, plain: Sequence[float], residual: Sequence[float], cost: float) -> Statement:
    """Whether a step of Inception-v4 takes longer than its multiply-adds explain, from the seconds of each in every round.

    `cost` is how many times the multiply-adds of its residual counterpart it has.
    """
    times = mean([a / b for a, b in zip(plain, residual, strict=True)])
    return Statement("slower", verdict_above(times, cost), {"pair": pair, "times": times, "cost": cost})


def _network(name: str) -> Network:
    torch.manual_seed(0)
    return to_device(Network(definition(name)), best_device())


def _pass(name: str) -> Callable[[], None]:
    network, device = _network(name).eval(), best_device()
    x = torch.randn(INFERENCE_BATCH, 3, definition(name).image_size, definition(name).image_size, device=device)
    x = x.contiguous(memory_format=torch.channels_last)

    def run() -> None:
        with torch.inference_mode():
            network(x).sum().item()

    return run


def _step(name: str) -> Callable[[], None]:
    network, device = _network(name).train(), best_device()
    x = torch.randn(TRAINING_BATCH, 3, definition(name).image_size, definition(name).image_size, device=device)
    x = x.contiguous(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-6)

    def run() -> None:
        optimizer.zero_grad()
        F.cross_entropy(network(x), torch.zeros(TRAINING_BATCH, dtype=torch.long, device=device)).backward()
        optimizer.step()
        next(network.parameters()).sum().item()  # waits for an accelerator

    return run


def _timed(runs: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each, in turns, so that what else the machine does falls on all; the first turn is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(rounds + 1):
        for name, run in runs.items():
            begun = time.perf_counter()
            run()
            if turn:
                seconds[name].append(time.perf_counter() - begun)
    return seconds


def _rows(timed: str, seconds: Mapping[str, Sequence[float]], images: int) -> list[list[Cell]]:
    return [
        [name, timed, *(round(value / images, 4) for value in values), describe(name).multiply_adds]
        for name, values in seconds.items()
    ]


def _cost(scale: str) -> Text:
    return texts("counting")[f"costs.{scale}"]


CLAIM = Claim(
    name="counting",
    source="arXiv 1409.4842, Sections 1, 4, 5, Table 1; arXiv 1602.07261, Section 3.2",
    scales={
        "cpu": Scale("digits", _cost("cpu"), seeds=5),
        "gpu": Scale("digits", _cost("gpu"), seeds=20),
        "imagenet": Scale("digits", _cost("imagenet"), seeds=20),
    },
    experiment=experiment,
)
