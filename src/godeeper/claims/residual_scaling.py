"""Scaling the residuals stabilises wide networks (arXiv 1602.07261, Section 3.3)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import product
from statistics import fmean
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from ..data.augment import normalise
from ..data.dataset import ImageDataset
from ..data.views import take_views
from ..models.network import Network, best_device, to_device
from ..papers.inception_resnet import c
from ..papers.inception_v4 import BATCH_NORM
from ..papers.notation import AvgTo, Conv, Definition, Linear, Stage, times
from ..preprocess import Preprocess
from ..train.batch_norm import MomentumWarmup
from ..train.rmsprop import RMSpropTF
from .claim import Cell, Claim, Figure, Outcome, Part, Scale, Table, Verdict, Words
from .images import Set
from .lab import Lab
from .stats import Mean, is_above, paired
from .words import band, measured

WIDTHS, SCALES, RATES = (256, 1024, 1792), (1.0, 0.3, 0.1), (0.045, 0.0045)  # "exceeded 1000"; 1792 and 0.045 are the paper's
BLOCKS, NOTED, WATCHED = 5, 20, 512  # the last: steps between looks at the last layer, and images of one
OPPOSITE: dict[Verdict, Verdict] = {
    "supported": "not supported", "not supported": "supported", "inconclusive": "inconclusive",
}  # fmt: skip
DEAD = 50.0  # percent of channels that are zero for every image: more, and a network is called dead


def stack(filters: int, scale: float, classes: int, normed: bool) -> Network:
    """Blocks of Figure 13, scaled as in Figure 20, `filters` wide, on four convolutions; `normed`: batch norm on the residual."""
    stages = {
        "conv1": Conv(32, 3, 2), "conv2": Conv(64, 3, 2), "conv3": Conv(128, 3, 2), "conv4": Conv(filters, 3, 2),
        "C": times(BLOCKS, c(192, 192, scale)),
    }  # fmt: skip
    head: dict[str, Stage] = {"avgpool": AvgTo(1), "linear": Linear(classes)}
    table = Definition("stack", "Figures 13 and 20", stages, head, batch_norm=BATCH_NORM, image_size=32)
    network = Network(table)
    if normed:
        for block in network.stages["C"]:  # type: ignore[attr-defined]
            block.linear = nn.Sequential(block.linear, nn.BatchNorm2d(filters, eps=1e-3))
    return network


def trained(images: Set, scale: Scale, filters: int, factor: float, rate: float, normed: bool, seed: int) -> dict[str, Any]:
    """A stack after some hundred steps: its loss on the way, and its last layer before the pooling."""
    torch.manual_seed(seed)
    device = best_device()
    network = to_device(stack(filters, factor, len(images.open().classes), normed), device).train()
    optimizer = RMSpropTF(network.parameters(), lr=rate)  # decay 0.9, epsilon 1.0, momentum 0.9
    (x, labels), (tests, expected) = (_tensors(images, part, network.preprocess, device) for part in ("train", "test"))
    order = torch.Generator().manual_seed(seed)
    watched = x[torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))[:WATCHED].to(device)]  # of all classes
    noted: dict[str, list[float]] = {"step": [], "loss": [], "deviation": [], "dead": []}
    warm_up_momentum = MomentumWarmup(network)
    for step in range(scale.epochs * len(x) // scale.batch_size):
        chosen = torch.randint(len(x), (scale.batch_size,), generator=order).to(device)
        warm_up_momentum(step)
        looked = last_layer(network, watched) if step % NOTED == 0 else None  # before the step: its gradients want all as it is
        loss = F.cross_entropy(network(x[chosen]), labels[chosen])
        if looked is not None:
            for name, value in zip(noted, (step, loss.item(), *looked), strict=True):
                noted[name].append(value)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        network.eval()
        named = torch.cat([network(part).argmax(1) for part in tests.split(256)])
    error = 100 * (named != expected).float().mean().item()
    return {**noted, "error": error, "finite": bool(torch.isfinite(loss).item())}


@torch.no_grad()
def last_layer(network: Network, images: torch.Tensor) -> tuple[float, float]:
    """The deviation of the last block's output, and the percentage of its channels that are zero for all the images: dead.

    Batch norm normalises by these images, as in training, but its running averages stay as they were.
    """
    running = {name: buffer.clone() for name, buffer in network.named_buffers()}
    features, _ = network.features(images)  # (N, filters, H, W)
    for name, buffer in network.named_buffers():
        buffer.copy_(running[name])
    return features.std().item(), 100 * (features.amax((0, 2, 3)) == 0).float().mean().item()


@cache
def _tensors(chosen: Set, part: str, preprocess: Preprocess, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """The "train" or "test" images, normalised (N, 3, H, W), and labels (N,): read once by a process, for all its runs."""
    images = getattr(chosen.open(), part)
    assert isinstance(images, ImageDataset)
    pixels = torch.cat([take_views(images.image(index), preprocess) for index in range(len(images))])
    return normalise(pixels.to(device), preprocess), torch.tensor(list(images.labels), device=device)


def test(lab: Lab) -> Outcome:
    """Stacks of every width, scale and rate, and unscaled ones with an extra batch norm; their last layer along the way."""
    settings: dict[str, dict[str, Any]] = {
        arm(filters, factor, rate): {"filters": filters, "factor": factor, "rate": rate, "normed": False}
        for filters, factor, rate in product(WIDTHS, SCALES, RATES)
    }
    settings |= {
        f"{arm(filters, 1.0, RATES[0])}, batch norm": {"filters": filters, "factor": 1.0, "rate": RATES[0], "normed": True}
        for filters in WIDTHS[1:]
    }
    found = lab.measure(trained, settings)
    rows = [_row(name, seed, one) for name, runs in found.items() for seed, one in enumerate(runs)]
    head = ["arm", "seed", "loss", "greatest loss", "deviation at first", "at the end", "dead channels, %", "top-1 error, %"]
    return Outcome(_parts(found), {"stacks": Table(head, rows)}, _figures(found))


def _figures(found: dict[str, list[dict[str, Any]]]) -> dict[str, Figure]:
    """The widest stacks at the paper's rate: loss, deviation of the last layer and its dead channels, step by step."""
    widest, rate = WIDTHS[-1], RATES[0]
    shown = {f"scale {factor}": arm(widest, factor, rate) for factor in SCALES}
    shown[f"scale 1.0, rate {RATES[1]}"] = arm(widest, 1.0, RATES[1])
    shown["scale 1.0, batch norm"] = f"{arm(widest, 1.0, rate)}, batch norm"
    figures = {}
    for what, y, chinese in (
        ("loss", "Loss", "损失"),
        ("deviation", "Deviation of the last layer", "最后一层输出的标准差"),
        ("dead", "Dead channels %", "死掉的通道"),
    ):
        lines = [band(name, found[of][0]["step"], [one[what] for one in found[of]]) for name, of in shown.items()]
        title = Words(f"{y.removesuffix(' %')}, {widest} filters", f"{chinese}，{widest} 个卷积核")
        figures[what] = Figure(title, "Step", y, lines)
    return figures


def arm(filters: int, factor: float, rate: float) -> str:
    """What a setting is called."""
    return f"{filters} filters, scale {factor}, rate {rate}"


def _row(name: str, seed: int, run: dict[str, Any]) -> list[Cell]:
    deviation = (round(run["deviation"][0], 2), round(run["deviation"][-1], 2))
    loss, greatest = round(run["loss"][-1], 3), round(max(run["loss"]), 1)
    return [name, seed, loss, greatest, *deviation, round(run["dead"][-1], 1), round(run["error"], 2)]


def dies(run: dict[str, Any]) -> bool:
    """Whether a network ended dead: half of its last layer's channels zero for all images, or a loss that is no number."""
    return run["dead"][-1] > DEAD or not run["finite"]


def _parts(found: dict[str, list[dict[str, Any]]]) -> list[Part]:
    wide, (fast, slow) = WIDTHS[1:], RATES

    def runs(filters: Sequence[int], factors: Sequence[float], rates: Sequence[float], then: str = "") -> list[dict[str, Any]]:
        names = [arm(*setting) + then for setting in product(filters, factors, rates)]
        return [run for name in names for run in found[name]]

    unscaled, scaled = runs(wide, [1.0], [fast]), runs(wide, SCALES[1:], [fast])
    slower, normed = runs(wide, [1.0], [slow]), runs(wide, [1.0], [fast], ", batch norm")
    share = _dead(unscaled) / len(unscaled)
    gain = apart(unscaled, runs(wide, [0.3], [fast]), len(wide))
    harm = apart(runs(WIDTHS[:1], [0.1], RATES), runs(WIDTHS[:1], [1.0], RATES), len(RATES))
    return [
        Part(
            Words(
                f"with more than 1000 filters, residuals that are not scaled die (rate {fast})",
                f"超过 1000 个卷积核，不缩放的残差网络会死掉（学习率 {fast}）",
            ),
            "supported" if share > 0.5 else "inconclusive",  # what lives after so few steps may die later
            _counted(unscaled),
        ),
        Part(
            Words("scaled residuals train", "缩放过的残差网络能训练"),
            "not supported" if _dead(scaled) else "supported",
            _counted(scaled),
        ),
        _useless(Words("a lower rate does not help", "降低学习率没有用"), slower, unscaled),
        _useless(Words("nor does an extra batch norm help", "多加一个批归一化也没用"), normed, unscaled),
        Part(
            Words("scaling stabilises wide networks: their error is lower (scale 0.3)", "缩放让宽网络更稳：错误率更低（0.3）"),
            is_above(gain),
            measured(Words("error unscaled minus scaled, points", "不缩放的错误率减去缩放的，百分点"), gain),
        ),
        Part(
            Words("scaling never harms the final accuracy (256 filters, scale 0.1)", "缩放从不损害准确率（256 个卷积核，0.1）"),
            "supported" if harm.high <= 0 else "not supported" if harm.low > 0 else "inconclusive",
            measured(Words("error scaled minus unscaled, points", "缩放的错误率减去不缩放的，百分点"), harm),
        ),
    ]


def _useless(says: Words, remedied: Sequence[dict[str, Any]], without: Sequence[dict[str, Any]]) -> Part:
    """Whether a remedy is none: leaves at least half as many dead, or an error that is no lower. It helps if it does neither."""
    gain = apart(without, remedied, len(WIDTHS[1:]))
    if not _dead(without):
        verdict: Verdict = "inconclusive"
    elif _dead(remedied) >= _dead(without) / 2:
        verdict = "supported"
    else:
        verdict = OPPOSITE[is_above(gain)]
    died = _counted(remedied)
    why = measured(Words("error without minus with it, points", "不用的错误率减去用了的，百分点"), gain)
    return Part(says, verdict, Words(f"{died.en}; {why.en}", f"{died.zh}；{why.zh}"))


def apart(first: Sequence[dict[str, Any]], second: Sequence[dict[str, Any]], arms: int) -> Mean:
    """The difference in error, of means over `arms` within each seed: arms that share a seed are no repetitions."""
    seeds = len(first) // arms
    means = [[fmean(run["error"] for run in runs[seed::seeds]) for seed in range(seeds)] for runs in (first, second)]
    return paired(*means)


def _dead(runs: Sequence[dict[str, Any]]) -> int:
    return sum(map(dies, runs))


def _counted(runs: Sequence[dict[str, Any]]) -> Words:
    return Words(f"{_dead(runs)} of {len(runs)} networks died", f"{len(runs)} 个网络里死了 {_dead(runs)} 个")


CLAIM = Claim(
    name="residual-scaling",
    title=Words("Residual scaling stabilises wide networks", "残差缩放让宽网络稳定"),
    source="arXiv 1602.07261, Section 3.3",
    says=Words(
        (
            "beyond 1000 filters residual variants die early in training; a lower rate or an extra "
            "batch norm do not prevent it, scaling by 0.1 to 0.3 does, and never harms"
        ),
        "卷积核超过 1000 个，残差网络训练不久就会死掉；降低学习率、多加批归一化都挡不住，乘以 0.1 到 0.3 可以，而且从不损害结果",
    ),
    limits=Words(
        (
            "The paper's networks die after tens of thousands of steps, at the end of some twenty blocks; here are 125 steps of "
            "five blocks. What does not die here may die later, and a final accuracy is far."
        ),
        "论文的网络有二十来个块，在几万步之后死掉；这里只有五个块、125 步。这里没死的，以后未必不死；最终的准确率也还远着。",
    ),
    scales={
        "cpu": Scale("cifar10", Words("about 10 minutes on two cores", "双核约 10 分钟"), "", 32, 2000, 2000, epochs=2),
        "gpu": Scale("cifar10", Words("60 runs of 31,000 steps", "60 次训练，各三万一千步"), "", 32, epochs=20),
        "imagenet": Scale(
            "imagenet",
            Words(
                "60 runs of 40,000 steps on images of 32 pixels, a few minutes each; before, half an hour of reading images",
                "60 次训练，各四万步，图片缩到 32 像素，每次几分钟；另有半小时读图片",
            ),
            "",
            32,
            train=100_000,
            test=10_000,
            epochs=13,
        ),
    },
    test=test,
)
