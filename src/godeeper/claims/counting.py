"""What can be counted: Table 1, layers, costs; and what can be timed (arXiv 1409.4842 and 1602.07261)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

import torch
from torch import Tensor
from torch.nn import functional as F

from ..models.network import Network, best_device, to_device
from ..papers.audit import Finding, audit
from ..papers.describe import describe
from ..papers.notation import Definition
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
ROUNDS = 1  # that are timed in each process, after one that is not
FAMILY = 1 + len(PAIRS)  # intervals that decide
Seconds = Mapping[str, Sequence[float]]  # of a network's pass or step, a value a process


def experiment(lab: Lab) -> ClaimResult:
    """The audit's verdicts; passes and steps timed side by side, in turns, in one process after the other."""
    passes = {name: definition(name) for name in ("googlenet", *RIVALS)}
    steps = [{name: definition(name) for name in pair} for pair in PAIRS.values()]
    each = lab.repeat(in_turns, passes, steps)
    inference, *training = (
        {name: [seconds[name] for seconds in of_group] for name in of_group[0]} for of_group in zip(*each, strict=True)
    )
    statements = [*counts(), faster(inference)]
    rows = _rows("inference, per image", inference, INFERENCE_BATCH)
    for (which, (plain, residual)), seconds in zip(PAIRS.items(), training, strict=True):
        cost = describe(plain).multiply_adds / describe(residual).multiply_adds
        statements.append(slower(which, seconds[plain], seconds[residual], cost))
        rows += _rows("training step, per image", seconds, TRAINING_BATCH)
    head = ["network", "timed", *(f"process {number}" for number in range(1, lab.scale.seeds + 1)), "multiply-adds"]
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


def faster(seconds: Seconds) -> Statement:
    """Whether GoogLeNet is at least twice as fast as VGG16, from the seconds of each in every process."""
    times = mean([vgg / ours for vgg, ours in zip(seconds["vgg16"], seconds["googlenet"], strict=True)], FAMILY)
    return Statement("faster", verdict_above(times, 2.0), {"times": times})


def slower(pair: str, plain: Sequence[float], residual: Sequence[float], cost: float) -> Statement:
    """Whether a step of Inception-v4 takes longer than its multiply-adds explain, from the seconds of each in every process.

    `cost` is how many times the multiply-adds of its residual counterpart it has.
    """
    times = mean([a / b for a, b in zip(plain, residual, strict=True)], FAMILY)
    return Statement("slower", verdict_above(times, cost), {"pair": pair, "times": times, "cost": cost})


def _network(table: Definition) -> Network:
    torch.manual_seed(0)
    return to_device(Network(table), best_device())


def _images(table: Definition, count: int) -> Tensor:
    x = torch.randn(count, 3, table.image_size, table.image_size, device=best_device())  # (count, 3, H, W)
    return x.contiguous(memory_format=torch.channels_last)


def _pass(table: Definition) -> Callable[[], None]:
    network, x = _network(table).eval(), _images(table, INFERENCE_BATCH)

    def run() -> None:
        with torch.inference_mode():
            network(x).sum().item()

    return run


def _step(table: Definition) -> Callable[[], None]:
    network, x = _network(table).train(), _images(table, TRAINING_BATCH)
    labels = torch.zeros(TRAINING_BATCH, dtype=torch.long, device=best_device())
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-6)

    def run() -> None:
        optimizer.zero_grad()
        F.cross_entropy(network(x), labels).backward()
        optimizer.step()
        next(network.parameters()).sum().item()  # waits for an accelerator

    return run


def in_turns(passes: Mapping[str, Definition], steps: Sequence[Mapping[str, Definition]]) -> list[dict[str, float]]:
    """The mean seconds of each network's pass, and then of each one's step in every group of networks, in this process.

    The rounds of one process are alike (the same memory, the same neighbours) and say little of how another would go: it is the
    process that is repeated.
    """
    timed = [_seconds({name: _pass(table) for name, table in passes.items()})]
    return timed + [_seconds({name: _step(table) for name, table in group.items()}) for group in steps]


def _seconds(runs: Mapping[str, Callable[[], None]]) -> dict[str, float]:
    """The mean seconds of each run, in turns, so that what else the machine does falls on all."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(1 + ROUNDS):
        for name, run in runs.items():
            begun = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - begun)
    return {name: fmean(each[1:]) for name, each in seconds.items()}  # the first turn is not counted


def _rows(timed: str, seconds: Seconds, images: int) -> list[list[Cell]]:
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
