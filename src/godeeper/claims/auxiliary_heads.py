"""Auxiliary heads: do they help, and do they bring gradient to the lower layers (arXiv 1409.4842, Section 5)?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch.nn import functional as F

from ..data.dataset import ImageDataset
from ..data.pixels import normalise, take_crops
from ..models.network import Network, best_device, to_device
from ..papers.registry import definition, variant
from .claim import Claim, ClaimResult, Statement
from .claim_data import ClaimData
from .figures import Figure, band, error_curves
from .jobs import Arm
from .lab import Lab
from .result_table import Cell, Table, error_table
from .scales import Scale, cpu, gpu, imagenet
from .stats import mean, paired, verdict_above

NETWORKS = {"plain": "googlenet", "batch norm": "googlenet_bn"}
WEIGHT = 0.3  # of a head's loss, Section 5
FAMILY = 2 * len(NETWORKS)  # intervals that decide
STEPS, LOG_EVERY, BATCH = 100, 5, 64  # of the gradients' measurement


def experiment(lab: Lab) -> ClaimResult:
    """GoogLeNet with and without batch norm, with and without heads; gradients at 3a over the first hundred steps."""
    recipe = lab.recipe(lr=0.05, clip_norm=2.0)  # without batch norm, 0.1 is too fast
    runs = lab.train([
        Arm(f"{name}, {heads}", lab.definition(network), replace(recipe, auxiliary_weight=weight))
        for name, network in NETWORKS.items()
        for heads, weight in (("heads", WEIGHT), ("no heads", 0.0))
    ])  # fmt: skip
    settings = {f"gradients, {name}": {"network": network, "steps": STEPS} for name, network in NETWORKS.items()}
    measured = lab.measure(gradients, settings)
    norms = {name: measured[f"gradients, {name}"] for name in NETWORKS}
    ratios = {name: [sum(run["with heads"]) / sum(run["classifier"]) for run in seeds] for name, seeds in norms.items()}
    statements = []
    for name in NETWORKS:
        without, heads = ([run.error for run in runs[f"{name}, {arm}"]] for arm in ("no heads", "heads"))
        statements += [lower_error(name, without, heads), greater_gradient(name, ratios[name])]
    tables = {"top-1 error (%)": error_table(runs), "gradients at 3a": _gradient_table(norms, ratios)}
    return ClaimResult(statements, tables, {"curves": error_curves(runs), "gradients": _gradient_figure(norms)})


def gradients(images: ClaimData, scale: Scale, network: str, steps: int, seed: int) -> dict[str, Any]:
    """The norm of the gradient at 3a's filters over the first steps: of the classifier's loss, and with the heads' added."""
    torch.manual_seed(seed)
    source = images.open()
    table = variant(definition(network), num_classes=len(source.classes), width=scale.width, small=scale.small)
    model = to_device(Network(table, aux=True).train(), best_device())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    filters = [parameter for parameter in model.stages["3a"].parameters() if parameter.dim() == 4]
    train, order = source.train, torch.Generator().manual_seed(seed)
    assert isinstance(train, ImageDataset)
    norms: dict[str, list[float]] = {"step": [], "classifier": [], "with heads": []}
    for step in range(steps):
        batch = torch.randint(len(train), (BATCH,), generator=order).tolist()
        pixels = torch.cat([take_crops(train.image(index), model.preprocess) for index in batch])
        x = normalise(pixels.to(best_device()), model.preprocess)  # (BATCH, 3, H, W)
        labels = torch.tensor([train.labels[index] for index in batch], device=best_device())
        logits, heads = model.with_auxiliary(x)
        main = F.cross_entropy(logits, labels)
        total = main + sum(WEIGHT * F.cross_entropy(head, labels) for head in heads.values())
        if step % LOG_EVERY == 0:
            norms["step"].append(step)
            for name, loss in (("classifier", main), ("with heads", total)):
                at_3a = torch.autograd.grad(loss, filters, retain_graph=True)
                norms[name].append(torch.cat([gradient.flatten() for gradient in at_3a]).norm().item())
        optimizer.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        optimizer.step()
    return norms


def lower_error(network: str, without: Sequence[float], heads: Sequence[float]) -> Statement:
    """Whether heads lower the error (%) of "plain" or "batch norm", from the errors of every seed without and with them."""
    gain = paired(without, heads, FAMILY)
    return Statement("error", verdict_above(gain), {"network": network, "gain": gain})


def greater_gradient(network: str, ratios: Sequence[float]) -> Statement:
    """Whether heads increase the gradient at 3a, from the ratio of its norms with and without them in every seed."""
    ratio = mean(ratios, FAMILY)
    return Statement("gradient", verdict_above(ratio, 1.0), {"network": network, "ratio": ratio})


def _gradient_table(norms: dict[str, list[dict[str, Any]]], ratios: dict[str, list[float]]) -> Table:
    rows: list[list[Cell]] = [
        [name, seed, round(ratios[name][seed], 3), *(round(run["classifier"][i], 4) for i in (0, -1))]
        for name, runs in norms.items()
        for seed, run in enumerate(runs)
    ]
    return Table(["network", "seed", "ratio", "classifier's, first step", "last"], rows)


def _gradient_figure(norms: dict[str, list[dict[str, Any]]]) -> Figure:
    curves = [
        band(f"{name}, {loss}", runs[0]["step"], [run[loss] for run in runs])
        for name, runs in norms.items()
        for loss in ("classifier", "with heads")
    ]
    return Figure("Step", "Norm of the gradient at 3a", curves)


CLAIM = Claim(
    name="auxiliary-heads",
    source="arXiv 1409.4842, Section 5",
    scales={
        "cpu": cpu(12, train=7000, test=2500, epochs=4),
        "gpu": gpu(12),
        "imagenet": imagenet(12, epochs=60, hours=13),
    },
    experiment=experiment,
)
