"""More crops and more models lower the error, less and less; averaging beats the maximum (arXiv 1409.4842, Section 7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations, pairwise
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from ..evaluate.classify import Average, Member, evaluate_members
from ..models.network import best_device
from .claim import Cell, Claim, Figure, Line, Outcome, Part, Scale, Table, Words
from .images import Set
from .jobs import Arm, Training
from .lab import Lab
from .sizes import cpu, gpu, imagenet
from .stats import by_image, is_above
from .words import IMAGES, errors, measured

CROPS, MODELS = (1, 10, 144), (1, 2, 3, 4, 5, 6, 7)
COMPARED = 10  # crops, by average and by maximum
MAXIMUM = f"maximum of {COMPARED} crops"
CHINESE = {"crops": "裁剪", "models": "模型"}


def looked(images: Set, scale: Scale, runs: Sequence[Training], crops: int, average: Average, seed: int) -> dict[str, Any]:
    """A network's probabilities for the test images (N, classes), of so many crops, and the images' labels."""
    network = runs[seed].network()
    member = Member(f"seed {seed}", network, network.preprocess)
    source, device = images.open(), best_device()
    found = evaluate_members(
        [member], source.test, crops=crops, average=average, workers=images.workers, device=device, keep=True
    )
    assert found.probabilities is not None
    return {"probabilities": found.probabilities[:, 0], "labels": found.labels}


def named(crops: int) -> str:
    """What a number of crops is called in the tables."""
    return f"{crops} crop{'s' * (crops > 1)}"


def wrong(probabilities: Tensor, labels: Tensor) -> list[bool]:
    """Which images (N,) are not named right by the mean of the members' probabilities (N, members, classes)."""
    return (probabilities.mean(1).argmax(1) != labels).tolist()


class Grid:
    """Table 3: which images every subset of the networks misses, by how many models and crops."""

    def __init__(self, found: dict[int, Tensor], labels: Tensor) -> None:
        self.most = next(iter(found.values())).shape[1]
        self.missed = {
            (models, crops): [wrong(probabilities[:, list(subset)], labels) for subset in combinations(range(self.most), models)]
            for crops, probabilities in found.items()
            for models in MODELS[: self.most]
        }
        self.error = {place: fmean(100 * fmean(one) for one in subsets) for place, subsets in self.missed.items()}

    def gains(self, *places: tuple[int, int]) -> list[list[float]]:
        """Image by image, how much smaller the share of subsets that miss it becomes from each cell to the next."""
        shares = [torch.tensor(self.missed[place], dtype=torch.float64).mean(0) for place in places]
        return [(first - second).tolist() for first, second in pairwise(shares)]


def test(lab: Lab) -> Outcome:
    """Table 3's grid: seven networks that differ by their seeds, every subset of them, three numbers of crops; the maximum."""
    recipe = lab.recipe()
    table = replace(lab.definition("googlenet_bn"), auxiliary={})
    runs = lab.train([Arm("googlenet_bn", table, recipe)])["googlenet_bn"]
    ways = {named(crops): {"runs": runs, "crops": crops, "average": "softmax"} for crops in CROPS}
    ways[MAXIMUM] = {"runs": runs, "crops": COMPARED, "average": "max"}
    said = lab.measure(looked, ways)
    labels = said[MAXIMUM][0]["labels"]
    found = {way: torch.stack([one["probabilities"] for one in of_way], 1) for way, of_way in said.items()}
    grid = Grid({crops: found[named(crops)] for crops in CROPS}, labels)
    maximum = by_image(wrong(found[MAXIMUM], labels), grid.missed[grid.most, COMPARED][0])
    averaging = Part(
        Words("averaging the crops' probabilities beats their maximum", "裁剪的概率取平均，胜过取最大"),
        is_above(maximum),
        measured(
            Words("error of the maximum minus of the average, points", "取最大的错误率减去取平均的，百分点"), maximum, IMAGES
        ),
    )
    alone: list[list[Cell]] = [
        [f"seed {seed}", *(round(100 * fmean(wrong(one[:, [seed]], labels)), 2) for one in found.values())]
        for seed in range(grid.most)
    ]
    cells: list[list[Cell]] = [
        [models, *(round(grid.error[models, crops], 2) for crops in CROPS)] for models in MODELS[: grid.most]
    ]
    tables = {
        "as Table 3, top-1 error": _table_3(grid),
        "top-1 error (%), means over all subsets": Table(["models", *map(named, CROPS)], cells),
        "each network, top-1 error (%)": Table(["network", *found], alone),
        "after training, one crop, top-1 error (%)": errors({"googlenet_bn": runs}),
    }
    return Outcome([*_returns(grid), averaging], tables, {"grid": _figure(grid)})


def _returns(grid: Grid) -> list[Part]:
    """Whether more lowers the error, and less and less, of crops and of models."""
    middle = grid.most // 2 + 1
    steps = {"crops": [(1, crops) for crops in CROPS], "models": [(1, 1), (middle, 1), (grid.most, 1)]}
    parts = []
    for what, (first, then, last) in steps.items():
        early, late = grid.gains(first, then, last)
        nothing = [0.0] * len(early)
        whole, fewer = by_image(grid.gains(first, last)[0], nothing), by_image(early, late)
        parts += [
            Part(
                Words(f"more {what} lower the error", f"{CHINESE[what]}越多，错误率越低"),
                is_above(whole),
                measured(Words("points gained", "降低的百分点"), whole, IMAGES),
            ),
            Part(
                Words(f"more {what} bring diminishing returns", f"{CHINESE[what]}越多，收益递减"),
                is_above(fewer),
                measured(Words("points gained at first minus later", "先降低的百分点减去后来降低的"), fewer, IMAGES),
            ),
        ]
    return parts


def _table_3(grid: Grid) -> Table:
    """The fewest and the most models, as the paper has them; of one model the mean of all."""
    base = grid.error[1, 1]
    rows: list[list[Cell]] = [
        [models, crops, models * crops, round(error, 2), round(error - base, 2) if models * crops > 1 else "base"]
        for models in (1, grid.most)
        for crops in CROPS
        for error in [grid.error[models, crops]]
    ]
    return Table(["models", "crops", "cost", "top-1 error (%)", "compared to base"], rows)


def _figure(grid: Grid) -> Figure:
    crops = [float(one) for one in CROPS]
    lines = [
        Line(f"{models} model{'s' * (models > 1)}", crops, [grid.error[models, one] for one in CROPS])
        for models in MODELS[: grid.most]
    ]
    title = Words("Top-1 error by crops and models", "裁剪数和模型数与 top-1 错误率")
    return Figure(title, "Crops", "Error (top-1) %", lines, logarithmic=True)


CLAIM = Claim(
    name="crops-and-models",
    title=Words("More crops and more models, with diminishing returns", "裁剪和模型越多越好，收益递减"),
    source="arXiv 1409.4842, Section 7, Table 3",
    says=Words(
        (
            "more crops and more models lower the error, the benefit of more crops "
            "becoming marginal; averaging probabilities beats the maximum over crops"
        ),
        "裁剪和模型越多，错误率越低，裁剪多到一定程度收益就很小；概率取平均胜过对裁剪取最大",
    ),
    limits=Words(
        (
            "One group of seven networks, on one set of images: the intervals are "
            "the images' chance, not that of training other networks."
        ),
        "只有一组七个网络、一个测试集：区间反映的是抽到哪些图片的偶然性，不包括换一批网络重新训练的偶然性。",
    ),
    scales={
        "cpu": cpu(12, train=10_000, test=700, epochs=3, seeds=7),
        "gpu": gpu(7, seeds=7),
        "imagenet": imagenet(7, epochs=60, hours=7, seeds=7),
    },
    test=test,
)
