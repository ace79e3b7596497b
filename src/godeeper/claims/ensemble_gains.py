"""What single models gain does not carry over fully to ensembles (arXiv 1602.07261, Section 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

import torch

from ..evaluate.classify import Member, evaluate_members
from ..models.network import best_device
from .claim import Cell, Claim, Outcome, Part, Table, Words
from .crops_and_models import wrong
from .jobs import Arm
from .lab import Lab
from .sizes import cpu, gpu, imagenet
from .stats import by_image, is_above
from .words import IMAGES, curves, errors, measured

WEAKER, STRONGER = "inception_v3", "inception_resnet_v2_printed"  # of Table 5's ensembles


def test(lab: Lab) -> Outcome:
    """Several networks of the older and of the newer kind: the gain of one, and of all together."""
    recipe = lab.recipe()
    runs = lab.train([Arm(name, replace(lab.definition(name), auxiliary={}), recipe) for name in (WEAKER, STRONGER)])
    single: dict[str, list[float]] = {}
    together: dict[str, list[bool]] = {}
    rows: list[list[Cell]] = []
    for name, of_name in runs.items():
        networks = [run.network() for run in of_name]
        members = [Member(f"seed {place}", network, network.preprocess) for place, network in enumerate(networks)]
        found = evaluate_members(members, lab.source.test, workers=lab.images.workers, device=best_device(), keep=True)
        assert found.probabilities is not None
        each = [wrong(found.probabilities[:, [place]], found.labels) for place in range(len(members))]
        single[name] = torch.tensor(each, dtype=torch.float64).mean(0).tolist()
        together[name] = wrong(found.probabilities, found.labels)
        columns: list[Sequence[float]] = [*each, single[name], together[name]]
        rows.append([name, *(round(100 * fmean(one), 2) for one in columns)])
    gain_single, gain_together = (by_image(kind[WEAKER], kind[STRONGER]) for kind in (single, together))
    lost = by_image(*([a - b for a, b in zip(single[name], together[name], strict=True)] for name in (WEAKER, STRONGER)))
    parts = [
        Part(
            Words("the newer network is better by itself", "单个来看，新的网络更好"),
            is_above(gain_single),
            measured(Words("points gained by one network", "单个网络降低的百分点"), gain_single, IMAGES),
        ),
        Part(
            Words("the gain of one network does not carry over fully to ensembles", "单个网络的进步不能全部带进集成"),
            is_above(lost) if gain_single.low > 0 else "inconclusive",
            Words(
                f"points gained by the ensemble: {gain_together}; lost on the way: {lost}",
                f"集成降低的百分点：{gain_together}；路上丢掉的：{lost}",
            ),
        ),
    ]
    head = ["network", *(f"seed {seed}" for seed in range(lab.scale.seeds)), "mean", "together"]
    return Outcome(
        parts,
        {"top-1 error (%), one crop": Table(head, rows), "after training, one crop, top-1 error (%)": errors(runs)},
        {"curves": curves(runs, Words("Top-1 error of single networks", "单个网络的 top-1 错误率"))},
    )


CLAIM = Claim(
    name="ensemble-gains",
    title=Words("Gains of single models do not carry over fully to ensembles", "单个模型的进步不能全部带进集成"),
    source="arXiv 1602.07261, Section 1, Tables 2 to 5",
    says=Words(
        "the gains of single models did not translate to equally large gains of ensembles",
        "单个模型的进步，没有变成集成的同等进步",
    ),
    limits=Words(
        (
            "Five networks of each kind, an eighth as wide, in the first epochs, where a network gains far more "
            "than the paper's did; the intervals are "
            "the images' chance, not that of training other networks."
        ),
        "每种五个网络，宽度八分之一，只训练最初几轮，这时一个网络的进步比论文里大得多；"
        "区间反映的是抽到哪些图片的偶然性，不包括换一批网络重新训练的偶然性。",
    ),
    scales={
        "cpu": cpu(13, train=10_000, test=5000, epochs=4, seeds=5, recipe="inception_2016"),
        "gpu": gpu(10, seeds=5, recipe="inception_2016"),
        "imagenet": imagenet(8, epochs=160, hours=104, seeds=4, recipe="inception_2016"),
    },
    test=test,
)
