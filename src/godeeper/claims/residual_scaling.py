"""Scaling the residuals stabilises wide networks (arXiv 1602.07261, Section 3.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import product
from statistics import fmean
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from ..data.dataset import ImageDataset
from ..data.pixels import normalise, take_crops
from ..models.network import Network, best_device, to_device
from ..papers.inception_resnet import c
from ..papers.inception_v4 import BATCH_NORM
from ..papers.notation import AvgTo, Conv, Definition, Linear, Stage, times
from ..preprocess import Preprocess
from ..text import Text
from ..train.batch_norm import MomentumWarmup
from ..train.rmsprop import RMSpropTF
from .claim import Claim, ClaimResult, Statement
from .claim_data import ClaimData
from .figures import Figure, band
from .lab import Lab
from .prose import texts
from .result_table import Cell, Table
from .scales import Scale
from .stats import Mean, Verdict, exact_interval, paired, verdict_above, verdict_at_most

WIDTHS, SCALES, RATES = (256, 1024, 1792), (1.0, 0.3, 0.1), (0.045, 0.0045)  # "exceeded 1000"; 1792 and 0.045 are the paper's
BLOCKS = 5
LOG_EVERY, PROBE_IMAGES = 20, 512  # steps between measurements of the last layer, and the images of one
DEAD = 50.0  # percent of channels that are zero for every image: above it, a network counts as dead
FAMILY = 5  # intervals that decide
StackRun = Mapping[str, Any]  # what `train_stack` returns


def experiment(lab: Lab) -> ClaimResult:
    """Stacks of every width, scale and rate, and unscaled ones with an extra batch norm; their last layer along the way."""
    settings: dict[str, dict[str, Any]] = {
        arm(filters, factor, rate): {"filters": filters, "factor": factor, "rate": rate, "normed": False}
        for filters, factor, rate in product(WIDTHS, SCALES, RATES)
    }
    settings |= {
        f"{arm(filters, 1.0, RATES[0])}, batch norm": {"filters": filters, "factor": 1.0, "rate": RATES[0], "normed": True}
        for filters in WIDTHS[1:]
    }
    runs = lab.measure(train_stack, settings)
    rows = [_row(name, seed, run) for name, arm_runs in runs.items() for seed, run in enumerate(arm_runs)]
    head = ["arm", "seed", "loss", "greatest loss", "deviation at first", "at the end", "dead channels, %", "top-1 error, %"]
    return ClaimResult(statements(runs), {"stacks": Table(head, rows)}, _figures(runs))


def stack(filters: int, scale: float, classes: int, normed: bool) -> Network:
    """Blocks of Figure 13, scaled as in Figure 20, `filters` wide, on four convolutions; `normed`: batch norm on the residual."""
    stages = {
        "conv1": Conv(32, 3, 2), "conv2": Conv(64, 3, 2), "conv3": Conv(128, 3, 2), "conv4": Conv(filters, 3, 2),
        "C": times(BLOCKS, c(192, 192, scale)),
    }  # fmt: skip
    head: dict[str, Stage] = {"avgpool": AvgTo(1), "linear": Linear(classes)}
    network = Network(Definition("stack", "Figures 13 and 20", stages, head, batch_norm=BATCH_NORM, image_size=32))
    if normed:
        for block in network.stages["C"]:  # type: ignore[attr-defined]
            block.linear = nn.Sequential(block.linear, nn.BatchNorm2d(filters, eps=1e-3))
    return network


def train_stack(
    images: ClaimData, scale: Scale, filters: int, factor: float, rate: float, normed: bool, seed: int
) -> dict[str, Any]:
    """A stack trained for some hundred steps: its loss on the way, and its last layer before the pooling."""
    torch.manual_seed(seed)
    device = best_device()
    network = to_device(stack(filters, factor, len(images.open().classes), normed), device).train()
    optimizer = RMSpropTF(network.parameters(), lr=rate)  # decay 0.9, epsilon 1.0, momentum 0.9
    (x, labels), (test_x, test_labels) = (_tensors(images, split, network.preprocess, device) for split in ("train", "test"))
    order = torch.Generator().manual_seed(seed)
    probe = x[torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))[:PROBE_IMAGES].to(device)]  # of all classes
    curves: dict[str, list[float]] = {"step": [], "loss": [], "deviation": [], "dead": []}
    warm_up_momentum = MomentumWarmup(network)
    for step in range(scale.epochs * len(x) // scale.batch_size):
        batch = torch.randint(len(x), (scale.batch_size,), generator=order).to(device)
        warm_up_momentum(step)
        measured = (
            last_layer(network, probe) if step % LOG_EVERY == 0 else None
        )  # before the forward pass: backward needs its buffers
        loss = F.cross_entropy(network(x[batch]), labels[batch])
        if measured is not None:
            for name, value in zip(curves, (step, loss.item(), *measured), strict=True):
                curves[name].append(value)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        network.eval()
        predicted = torch.cat([network(chunk).argmax(1) for chunk in test_x.split(256)])
    error = 100 * (predicted != test_labels).float().mean().item()
    return {**curves, "error": error, "finite": bool(torch.isfinite(loss).item())}


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
def _tensors(images: ClaimData, split: str, preprocess: Preprocess, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """The "train" or "test" images, normalised (N, 3, H, W), and labels (N,): read once by a process, for all its runs."""
    dataset = getattr(images.open(), split)
    assert isinstance(dataset, ImageDataset)
    pixels = torch.cat([take_crops(dataset.image(index), preprocess) for index in range(len(dataset))])
    return normalise(pixels.to(device), preprocess), torch.tensor(list(dataset.labels), device=device)


def arm(filters: int, factor: float, rate: float) -> str:
    """What a setting is called."""
    return f"{filters} filters, scale {factor}, rate {rate}"


def statements(runs: Mapping[str, Sequence[StackRun]]) -> list[Statement]:
    """The verdicts, from the runs of every arm, a run a seed."""
    wide, (fast, slow) = WIDTHS[1:], RATES

    def pick(filters: Sequence[int], factors: Sequence[float], rates: Sequence[float], suffix: str = "") -> list[StackRun]:
        return [run for setting in product(filters, factors, rates) for run in runs[arm(*setting) + suffix]]

    unscaled, scaled = pick(wide, [1.0], [fast]), pick(wide, SCALES[1:], [fast])
    lower_rate, normed = pick(wide, [1.0], [slow]), pick(wide, [1.0], [fast], ", batch norm")
    seeds = len(unscaled) // len(wide)
    gain = error_difference(unscaled, scaled, seeds)
    harm = error_difference(pick(WIDTHS[:1], SCALES[1:], RATES), pick(WIDTHS[:1], [1.0], RATES), seeds)
    return [
        die(unscaled, fast),
        Statement("scaled", "not supported" if _dead(scaled) else "supported", _deaths(scaled)),
        useless("lower-rate", lower_rate, unscaled, seeds),
        useless("batch-norm", normed, unscaled, seeds),
        Statement("stabilises", verdict_above(gain), {"gain": gain}),
        Statement("harmless", verdict_at_most(harm), {"harm": harm}),
    ]


def is_dead(run: StackRun) -> bool:
    """Whether a network ended dead: half of its last layer's channels zero for all images, or a loss that is not finite."""
    return run["dead"][-1] > DEAD or not run["finite"]


def die(unscaled: Sequence[StackRun], rate: float) -> Statement:
    """Whether unscaled networks die more often than not; others may still die after so few steps, so nothing is refuted."""
    deaths = _deaths(unscaled)
    return Statement("unscaled", "supported" if deaths["low"] > 50 else "inconclusive", {"rate": rate, **deaths})


def useless(name: str, remedied: Sequence[StackRun], without: Sequence[StackRun], seeds: int) -> Statement:
    """Whether a remedy does not help: it neither prevents most deaths nor lowers the error; inconclusive where it does one."""
    gain = error_difference(without, remedied, seeds)
    lower, prevents = verdict_above(gain), _dead(remedied) < _dead(without) / 2
    verdict: Verdict = "inconclusive"
    if prevents and lower == "supported":
        verdict = "not supported"
    elif _dead(without) and not prevents and lower != "supported":
        verdict = "supported"
    return Statement(name, verdict, {**_deaths(remedied), "gain": gain})


def error_difference(first: Sequence[StackRun], second: Sequence[StackRun], seeds: int) -> Mean:
    """The difference in error, of means over each side's arms within each seed: arms that share a seed are no repetitions."""
    before, after = ([fmean(run["error"] for run in runs[seed::seeds]) for seed in range(seeds)] for runs in (first, second))
    return paired(before, after, FAMILY)


def _dead(runs: Sequence[StackRun]) -> int:
    return sum(map(is_dead, runs))


def _deaths(runs: Sequence[StackRun]) -> dict[str, float]:
    """How many died, and the exact interval (%) of how many would."""
    low, high = exact_interval(_dead(runs), len(runs), FAMILY)
    return {"dead": _dead(runs), "networks": len(runs), "low": low, "high": high}


def _row(name: str, seed: int, run: StackRun) -> list[Cell]:
    deviation = (round(run["deviation"][0], 2), round(run["deviation"][-1], 2))
    loss, greatest = round(run["loss"][-1], 3), round(max(run["loss"]), 1)
    return [name, seed, loss, greatest, *deviation, round(run["dead"][-1], 1), round(run["error"], 2)]


def _figures(runs: Mapping[str, Sequence[StackRun]]) -> dict[str, Figure]:
    """The widest stacks at the paper's rate: loss, deviation of the last layer and its dead channels, step by step."""
    widest, rate = WIDTHS[-1], RATES[0]
    shown = {f"scale {factor}": arm(widest, factor, rate) for factor in SCALES}
    shown[f"scale 1.0, rate {RATES[1]}"] = arm(widest, 1.0, RATES[1])
    shown["scale 1.0, batch norm"] = f"{arm(widest, 1.0, rate)}, batch norm"
    labels = {"loss": "Loss", "deviation": "Deviation of the last layer", "dead": "Dead channels %"}
    return {
        name: Figure(
            "Step",
            y,
            [
                band(label, runs[shown_arm][0]["step"], [run[name] for run in runs[shown_arm]])
                for label, shown_arm in shown.items()
            ],
        )
        for name, y in labels.items()
    }


def _cost(scale: str) -> Text:
    return texts("residual_scaling")[f"costs.{scale}"]


CLAIM = Claim(
    name="residual-scaling",
    source="arXiv 1602.07261, Section 3.3",
    scales={
        "cpu": Scale("cifar10", _cost("cpu"), "", 32, 2000, 2000, epochs=2),
        "gpu": Scale("cifar10", _cost("gpu"), "", 32, epochs=20),
        "imagenet": Scale("imagenet", _cost("imagenet"), "", 32, train=100_000, test=10_000, epochs=13),
    },
    experiment=experiment,
)
