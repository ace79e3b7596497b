"""What can be counted: Table 1, layers, costs; and what can be timed (arXiv 1409.4842 and 1602.07261)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch
from torch.nn import functional as F

from ..models.network import Network, best_device, to_device
from ..papers.audit import audit
from ..papers.describe import describe
from ..papers.findings import Finding
from ..papers.registry import definition
from .claim import Cell, Claim, Outcome, Part, Scale, Table, Verdict, Words
from .lab import Lab
from .stats import is_above, mean
from .words import measured

COUNTED = {  # of `godeeper audit`: the place's beginning, and what it is
    "Table 1": ("googlenet", "", Words("Table 1's shapes, parameters and operations", "表 1 的形状、参数和运算量")),
    "layers": ("googlenet", "layers", Words("22 layers with parameters, 27 with pools", "22 个有参数的层，连池化 27 层")),
    "operations": ("googlenet", "multiply-adds", Words("1.5 G multiply-adds", "15 亿次乘加")),
    "AlexNet": ("googlenet", "fewer parameters", Words("12 times fewer parameters than AlexNet", "参数是 AlexNet 的十二分之一")),
    "v3 pair": (
        "inception_resnet_v1", "Section 3.2, cost",
        Words("Inception-ResNet-v1 costs about as much as Inception-v3", "Inception-ResNet-v1 的计算量与 Inception-v3 相当"),
    ),
    "v4 pair": (
        "inception_resnet_v2_printed", "Section 3.2, cost",
        Words("Inception-ResNet-v2 costs about as much as Inception-v4", "Inception-ResNet-v2 的计算量与 Inception-v4 相当"),
    ),
}  # fmt: skip
RIVALS = ("alexnet", "zfnet", "vgg16", "vgg19")
STEPPED = {
    Words("as printed", "论文印的"): ("inception_v4_printed", "inception_resnet_v2_printed"),
    Words("as released", "实际发布的"): ("inception_v4", "inception_resnet_v2"),
}
CHINESE = {"similar": "“相当”"}
ROUNDS = Words("rounds", "轮")
IMAGES, LEARNT = 4, 2  # of a timed pass, and of a timed step


def test(lab: Lab) -> Outcome:
    """The audit's verdicts; passes and steps timed side by side, in turns."""
    parts = []
    for model, begins, says in COUNTED.values():
        found = [one for one in audit(model) if one.where.startswith(begins)] if begins else _table_1()
        parts.append(Part(says, _verdict(found), _counts(found)))
    inference = _timed({name: _pass(name) for name in ("googlenet", *RIVALS)}, lab.scale.seeds)
    parts.append(_faster(inference))
    rows = _rows("an image", inference, IMAGES)
    for which, pair in STEPPED.items():
        steps = _timed({name: _step(name) for name in pair}, lab.scale.seeds)
        parts.append(_slower(which, *pair, steps))
        rows += _rows("an image of a step", steps, LEARNT)
    head = ["network", "of", *(f"round {number}" for number in range(1, lab.scale.seeds + 1)), "multiply-adds"]
    return Outcome(parts, {"seconds": Table(head, rows)})


def _faster(seconds: dict[str, list[float]]) -> Part:
    times = mean([vgg / ours for vgg, ours in zip(seconds["vgg16"], seconds["googlenet"], strict=True)])
    return Part(
        Words(
            "at least twice as fast as a network without Inception of similar quality (VGG16; the paper: 2 to 3 times)",
            "至少是同等水平的非 Inception 网络的两倍快（VGG16；论文：两到三倍）",
        ),
        is_above(times, 2.0),
        measured(Words("times as fast", "倍数"), times, ROUNDS),
    )


def _slower(which: Words, plain: str, residual: str, seconds: dict[str, list[float]]) -> Part:
    times = mean([a / b for a, b in zip(seconds[plain], seconds[residual], strict=True)])
    cost = describe(plain).multiply_adds / describe(residual).multiply_adds
    return Part(
        Words(
            f"Inception-v4 is slower per step than Inception-ResNet-v2, beyond their multiply-adds ({which.en})",
            f"Inception-v4 每步比 Inception-ResNet-v2 慢，且慢得超出乘加次数之比（{which.zh}）",
        ),
        is_above(times, cost),
        Words(f"{times} times the seconds, {cost:.2f} times the multiply-adds", f"时间 {times} 倍，乘加 {cost:.2f} 倍"),
    )


def _table_1() -> list[Finding]:
    stages = set(definition("googlenet").stages) | set(definition("googlenet").head)
    return [one for one in audit("googlenet") if one.where.split()[0] in stages]


def _verdict(found: Sequence[Finding]) -> Verdict:
    return "supported" if found and all(one.verdict == "reproduced" for one in found) else "not supported"


def _counts(found: Sequence[Finding]) -> Words:
    right = sum(one.verdict == "reproduced" for one in found)
    if len(found) == 1:
        printed, computed = found[0].printed, found[0].computed
        return Words(f"printed {printed}, computed {computed}", f"印的是 {CHINESE.get(printed, printed)}，算出 {computed}")
    return Words(f"{right} of {len(found)} printed values reproduced", f"{len(found)} 个印出的值里复现 {right} 个")


def _network(name: str) -> Network:
    torch.manual_seed(0)
    return to_device(Network(definition(name)), best_device())


def _pass(name: str) -> Callable[[], None]:
    network, device = _network(name).eval(), best_device()
    x = torch.randn(IMAGES, 3, definition(name).image_size, definition(name).image_size, device=device)
    x = x.contiguous(memory_format=torch.channels_last)

    def run() -> None:
        with torch.inference_mode():
            network(x).sum().item()

    return run


def _step(name: str) -> Callable[[], None]:
    network, device = _network(name).train(), best_device()
    x = torch.randn(LEARNT, 3, definition(name).image_size, definition(name).image_size, device=device)
    x = x.contiguous(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-6)

    def run() -> None:
        optimizer.zero_grad()
        F.cross_entropy(network(x), torch.zeros(LEARNT, dtype=torch.long, device=device)).backward()
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


def _rows(what: str, seconds: dict[str, list[float]], images: int) -> list[list[Cell]]:
    return [
        [name, what, *(round(one / images, 4) for one in values), describe(name).multiply_adds]
        for name, values in seconds.items()
    ]


CLAIM = Claim(
    name="counting",
    title=Words("What can be counted and timed", "能数的和能计时的"),
    source="arXiv 1409.4842, Sections 1, 4, 5, Table 1; arXiv 1602.07261, Section 3.2",
    says=Words(
        (
            "Table 1; 22 and 27 layers; 1.5 G multiply-adds; 12 times fewer parameters than "
            "AlexNet; 2 to 3 times faster; equal costs in pairs; Inception-v4 slower per step"
        ),
        "表 1；22 和 27 层；15 亿次乘加；参数是 AlexNet 的十二分之一；快两到三倍；两两计算量相当；Inception-v4 每步更慢",
    ),
    limits=Words(
        (
            "Times are of this machine; the authors' were of other ones, and of "
            "another framework. They are not the same in every run."
        ),
        "时间是这台机器的；作者用的是别的机器、别的框架。每次运行的时间也不会完全一样。",
    ),
    scales={
        "cpu": Scale("digits", Words("about a minute on two cores", "双核约 1 分钟"), seeds=5),
        "gpu": Scale("digits", Words("a minute", "一分钟"), seeds=20),
        "imagenet": Scale("digits", Words("needs no images: the same as gpu", "不需要图片：与 gpu 相同"), seeds=20),
    },
    test=test,
)
