"""More crops and more models lower the error, less and less; averaging beats the maximum (arXiv 1409.4842, Section 7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations, pairwise
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from ..evaluate.classify import Member, evaluate_members
from ..evaluate.evaluation import Average
from ..models.network import best_device
from .claim import Claim, ClaimResult, Statement
from .claim_data import ClaimData
from .figures import Curve, Figure
from .jobs import Arm, ArmRun
from .lab import Lab
from .result_table import Cell, Table, error_table
from .scales import Scale, cpu, gpu, imagenet
from .stats import by_image, verdict_above

CROPS, MODELS = (1, 10, 144), (1, 2, 3, 4, 5, 6, 7)
COMPARED = 10  # crops, by average and by maximum
FAMILY = 5  # intervals that decide
MAXIMUM = f"maximum of {COMPARED} crops"


def experiment(lab: Lab) -> ClaimResult:
    """Table 3's grid: seven networks that differ by their seeds, every subset of them, three numbers of crops; the maximum."""
    table = replace(lab.definition("googlenet_bn"), auxiliary={})
    runs = lab.train([Arm("googlenet_bn", table, lab.recipe())])["googlenet_bn"]
    settings = {crops_label(crops): {"runs": runs, "crops": crops, "average": "softmax"} for crops in CROPS}
    settings[MAXIMUM] = {"runs": runs, "crops": COMPARED, "average": "max"}
    measured = lab.measure(crop_probabilities, settings)
    labels = measured[MAXIMUM][0]["labels"]  # (N,)
    probabilities = {  # each (N, networks, classes)
        setting: torch.stack([result["probabilities"] for result in results], 1) for setting, results in measured.items()
    }
    grid = Grid({crops: probabilities[crops_label(crops)] for crops in CROPS}, labels)
    maximum, average = missed(probabilities[MAXIMUM], labels), grid.missed[grid.networks, COMPARED][0]
    tables = {
        "as Table 3, top-1 error": _table_3(grid),
        "top-1 error (%), means over all subsets": _subset_table(grid),
        "each network, top-1 error (%)": _network_table(probabilities, labels),
        "after training, one crop, top-1 error (%)": error_table({"googlenet_bn": runs}),
    }
    return ClaimResult([*returns(grid), averaging(maximum, average)], tables, {"grid": _figure(grid)})


def crop_probabilities(
    images: ClaimData, scale: Scale, runs: Sequence[ArmRun], crops: int, average: Average, seed: int
) -> dict[str, Any]:
    """A network's probabilities for the test images (N, classes), over so many crops, and the images' labels (N,)."""
    network = runs[seed].network()
    member = Member(f"seed {seed}", network, network.preprocess)
    test, workers = images.open().test, images.workers
    evaluation = evaluate_members([member], test, crops=crops, average=average, workers=workers, device=best_device(), keep=True)
    assert evaluation.probabilities is not None
    return {"probabilities": evaluation.probabilities[:, 0], "labels": evaluation.labels}


def crops_label(crops: int) -> str:
    """What a number of crops is called in the tables."""
    return f"{crops} crop{'s' * (crops > 1)}"


def missed(probabilities: Tensor, labels: Tensor) -> list[bool]:
    """Which images (N,) the mean of the members' probabilities (N, members, classes) classifies wrongly."""
    return (probabilities.mean(1).argmax(1) != labels).tolist()


class Grid:
    """Table 3: which images every subset of the networks misses, by how many models and crops.

    From the probabilities (N, networks, classes) by number of crops, and labels (N,).
    """

    def __init__(self, probabilities: Mapping[int, Tensor], labels: Tensor) -> None:
        self.networks = next(iter(probabilities.values())).shape[1]
        self.missed = {
            (models, crops): [missed(of_crops[:, list(subset)], labels) for subset in combinations(range(self.networks), models)]
            for crops, of_crops in probabilities.items()
            for models in MODELS[: self.networks]
        }
        self.error = {cell: fmean(100 * fmean(images) for images in subsets) for cell, subsets in self.missed.items()}

    def gains(self, *cells: tuple[int, int]) -> list[list[float]]:
        """Image by image, how much smaller the fraction of subsets that miss it becomes from each cell to the next."""
        fractions = [torch.tensor(self.missed[cell], dtype=torch.float64).mean(0) for cell in cells]
        return [(first - second).tolist() for first, second in pairwise(fractions)]


def returns(grid: Grid) -> list[Statement]:
    """Whether more crops, and more models, lower the error, and whether they do so less and less."""
    middle = grid.networks // 2 + 1
    steps = {"crops": [(1, crops) for crops in CROPS], "models": [(1, 1), (middle, 1), (grid.networks, 1)]}
    statements = []
    for what, (first, then, last) in steps.items():
        early, late = grid.gains(first, then, last)
        gain = by_image(grid.gains(first, last)[0], [0.0] * len(early), FAMILY)
        difference = by_image(early, late, FAMILY)
        statements += [
            Statement("more", verdict_above(gain), {"what": what, "gain": gain}),
            Statement("returns", verdict_above(difference), {"what": what, "difference": difference}),
        ]
    return statements


def averaging(maximum: Sequence[bool], average: Sequence[bool]) -> Statement:
    """Whether averaging over crops beats their maximum, from which images either misses."""
    gain = by_image(maximum, average, FAMILY)
    return Statement("averaging", verdict_above(gain), {"gain": gain})


def _table_3(grid: Grid) -> Table:
    """The fewest and the most models, as the paper has them; for one model the mean of all."""
    base = grid.error[1, 1]
    rows: list[list[Cell]] = []
    for models in (1, grid.networks):
        for crops in CROPS:
            error = grid.error[models, crops]
            compared = round(error - base, 2) if models * crops > 1 else "base"
            rows.append([models, crops, models * crops, round(error, 2), compared])
    return Table(["models", "crops", "cost", "top-1 error (%)", "compared to base"], rows)


def _subset_table(grid: Grid) -> Table:
    rows: list[list[Cell]] = [
        [models, *(round(grid.error[models, crops], 2) for crops in CROPS)] for models in MODELS[: grid.networks]
    ]
    return Table(["models", *map(crops_label, CROPS)], rows)


def _network_table(probabilities: Mapping[str, Tensor], labels: Tensor) -> Table:
    networks = next(iter(probabilities.values())).shape[1]
    rows: list[list[Cell]] = [
        [f"seed {seed}", *(round(100 * fmean(missed(values[:, [seed]], labels)), 2) for values in probabilities.values())]
        for seed in range(networks)
    ]
    return Table(["network", *probabilities], rows)


def _figure(grid: Grid) -> Figure:
    curves = [
        Curve(f"{models} model{'s' * (models > 1)}", list(map(float, CROPS)), [grid.error[models, crops] for crops in CROPS])
        for models in MODELS[: grid.networks]
    ]
    return Figure("Crops", "Error (top-1) %", curves, logarithmic=True)


CLAIM = Claim(
    name="crops-and-models",
    source="arXiv 1409.4842, Section 7, Table 3",
    scales={
        "cpu": cpu(12, train=10_000, test=700, epochs=3, seeds=7),
        "gpu": gpu(7, seeds=7),
        "imagenet": imagenet(7, epochs=60, hours=7, seeds=7),
    },
    experiment=experiment,
)
