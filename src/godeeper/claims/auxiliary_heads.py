"""Auxiliary heads: do they help, and do they bring gradient to the lower layers (arXiv 1409.4842, Section 5)?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch.nn import functional as F

from ..data.augment import normalise
from ..data.dataset import ImageDataset
from ..data.views import take_views
from ..models.network import Network, best_device, to_device
from ..papers.registry import definition, variant
from .claim import Cell, Claim, Figure, Outcome, Part, Scale, Table, Words
from .images import Set
from .jobs import Arm, Training
from .lab import Lab
from .sizes import cpu, gpu, imagenet
from .stats import is_above, mean, paired
from .words import band, curves, errors, measured

NETWORKS = {"plain": "googlenet", "batch norm": "googlenet_bn"}
WEIGHT = 0.3  # of a head's loss, Section 5
STEPS, NOTED, BATCH = 100, 5, 64  # of the gradients' measurement


def gradients(chosen: Set, scale: Scale, network: str, seed: int) -> dict[str, Any]:
    """The norm of the gradient at 3a's filters over the first steps: of the classifier's loss, and with the heads' added."""
    torch.manual_seed(seed)
    source = chosen.open()
    table = variant(definition(network), num_classes=len(source.classes), width=scale.width, small=scale.small)
    model = to_device(Network(table, aux=True).train(), best_device())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    watched = [parameter for parameter in model.stages["3a"].parameters() if parameter.dim() == 4]
    images, order = source.train, torch.Generator().manual_seed(seed)
    assert isinstance(images, ImageDataset)
    noted: dict[str, list[float]] = {"step": [], "classifier": [], "with heads": []}
    for step in range(STEPS):
        batch = torch.randint(len(images), (BATCH,), generator=order).tolist()
        pixels = torch.cat([take_views(images.image(index), model.preprocess) for index in batch])
        x = normalise(pixels.to(best_device()), model.preprocess)
        labels = torch.tensor([images.labels[index] for index in batch], device=best_device())
        logits, heads = model.with_auxiliary(x)
        main = F.cross_entropy(logits, labels)
        total = main + sum(WEIGHT * F.cross_entropy(head, labels) for head in heads.values())
        if step % NOTED == 0:
            noted["step"].append(step)
            for name, loss in (("classifier", main), ("with heads", total)):
                found = torch.autograd.grad(loss, watched, retain_graph=True)
                noted[name].append(torch.cat([one.flatten() for one in found]).norm().item())
        optimizer.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        optimizer.step()
    return noted


def test(lab: Lab) -> Outcome:
    """GoogLeNet with and without batch norm, with and without heads; gradients at 3a over the first hundred steps."""
    recipe = lab.recipe(lr=0.05, clip_norm=2.0)  # without batch norm, 0.1 is too fast
    runs = lab.train([
        Arm(f"{name}, {how}", lab.definition(network), replace(recipe, auxiliary_weight=weight))
        for name, network in NETWORKS.items()
        for how, weight in (("heads", WEIGHT), ("no heads", 0.0))
    ])  # fmt: skip
    noted = lab.measure(gradients, {f"gradients, {name}": {"network": network} for name, network in NETWORKS.items()})
    ratios = {name: [sum(one["with heads"]) / sum(one["classifier"]) for one in noted[f"gradients, {name}"]] for name in NETWORKS}
    rows: list[list[Cell]] = [
        [name, seed, round(ratio, 3), *(round(one["classifier"][i], 4) for i in (0, -1))]
        for name, of_name in ratios.items()
        for seed, (one, ratio) in enumerate(zip(noted[f"gradients, {name}"], of_name, strict=True))
    ]
    lines = [
        band(f"{name}, {which}", noted[f"gradients, {name}"][0]["step"], [one[which] for one in noted[f"gradients, {name}"]])
        for name in NETWORKS
        for which in ("classifier", "with heads")
    ]
    tables = {
        "top-1 error (%)": errors(runs),
        "gradients at 3a": Table(["network", "seed", "ratio", "classifier's, first step", "last"], rows),
    }
    parts = [part for name in NETWORKS for part in _parts(name, runs, ratios[name])]
    return Outcome(
        parts,
        tables,
        {
            "curves": curves(runs, Words("Top-1 error with and without auxiliary heads", "带与不带辅助分类器的 top-1 错误率")),
            "gradients": Figure(
                Words("The gradient at 3a in the first steps", "最初若干步里 3a 处的梯度"),
                "Step",
                "Norm of the gradient at 3a",
                lines,
            ),
        },
    )


def _parts(name: str, runs: dict[str, list[Training]], ratios: list[float]) -> list[Part]:
    """What is said of one of the two networks."""
    without, having = ([run.error for run in runs[f"{name}, {how}"]] for how in ("no heads", "heads"))
    gain, ratio = paired(without, having), mean(ratios)
    return [
        Part(
            Words(f"auxiliary heads lower the error ({name})", f"辅助分类器降低错误率（{CHINESE[name]}）"),
            is_above(gain),
            measured(Words("error without heads minus with them, points", "不带的错误率减去带的，百分点"), gain),
        ),
        Part(
            Words(
                f"auxiliary heads increase the gradient at 3a early in training ({name})",
                f"训练前期，辅助分类器增大 3a 处的梯度（{CHINESE[name]}）",
            ),
            is_above(ratio, 1.0),
            measured(Words("norm with heads over without, times", "带的范数与不带的之比"), ratio),
        ),
    ]


CHINESE = {"plain": "无批归一化", "batch norm": "有批归一化"}
CLAIM = Claim(
    name="auxiliary-heads",
    title=Words("Auxiliary heads help", "辅助分类器有用"),
    source="arXiv 1409.4842, Section 5",
    says=Words(
        (
            "auxiliary heads encourage discrimination in the lower stages, "
            "increase the gradient that is propagated back, and regularise"
        ),
        "辅助分类器促使低层更有区分力，增大回传的梯度，并起正则化作用",
    ),
    limits=Words(
        (
            "The networks are an eighth as wide and are trained for minutes; arXiv "
            "1512.00567 saw a difference only near the end of a long training."
        ),
        "网络宽度只有八分之一，只训练几分钟；arXiv 1512.00567 是到长时间训练的末尾才看到差别的。",
    ),
    scales={
        "cpu": cpu(12, train=7000, test=2500, epochs=4),
        "gpu": gpu(12),
        "imagenet": imagenet(12, epochs=60, hours=13),
    },
    test=test,
)
