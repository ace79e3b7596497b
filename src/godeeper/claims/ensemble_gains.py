"""What single models gain does not carry over fully to ensembles (arXiv 1602.07261, Section 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean

import torch

from ..evaluate.classify import Member, evaluate_members
from ..models.network import best_device
from .claim import Claim, ClaimResult, Statement
from .crops_and_models import missed
from .figures import error_curves
from .jobs import Arm
from .lab import Lab
from .result_table import Cell, Table, error_table
from .scales import cpu, gpu, imagenet
from .stats import by_image, paired, verdict_above

WEAKER, STRONGER = "inception_v3", "inception_resnet_v2_printed"  # of Table 5's ensembles
FAMILY = 2  # intervals that decide


def experiment(lab: Lab) -> ClaimResult:
    """Several networks of the older and of the newer kind: the gain of one, and that of their ensemble."""
    recipe = lab.recipe()
    runs = lab.train([Arm(name, replace(lab.definition(name), auxiliary={}), recipe) for name in (WEAKER, STRONGER)])
    single: dict[str, list[float]] = {}  # by image: the fraction of the networks that miss it
    ensemble: dict[str, list[bool]] = {}  # by image: whether all together miss it
    rows: list[list[Cell]] = []
    for name, arm_runs in runs.items():
        networks = [run.network() for run in arm_runs]
        members = [Member(f"seed {seed}", network, network.preprocess) for seed, network in enumerate(networks)]
        evaluation = evaluate_members(members, lab.source.test, workers=lab.images.workers, device=best_device(), keep=True)
        assert evaluation.probabilities is not None
        each = [missed(evaluation.probabilities[:, [seed]], evaluation.labels) for seed in range(len(members))]
        single[name] = torch.tensor(each, dtype=torch.float64).mean(0).tolist()
        ensemble[name] = missed(evaluation.probabilities, evaluation.labels)
        columns: list[Sequence[float]] = [*each, single[name], ensemble[name]]
        rows.append([name, *(round(100 * fmean(column), 2) for column in columns)])
    head = ["network", *(f"seed {seed}" for seed in range(lab.scale.seeds)), "mean", "ensemble"]
    tables = {"top-1 error (%), one crop": Table(head, rows), "after training, one crop, top-1 error (%)": error_table(runs)}
    newer = better_alone({name: [run.error for run in arm_runs] for name, arm_runs in runs.items()})
    return ClaimResult([newer, lost_together(newer, single, ensemble)], tables, {"curves": error_curves(runs)})


def better_alone(errors: Mapping[str, Sequence[float]]) -> Statement:
    """Whether a newer network is better than an older one, from the errors (%) of every seed."""
    gain = paired(errors[WEAKER], errors[STRONGER], FAMILY)
    return Statement("single", verdict_above(gain), {"gain": gain})


def lost_together(newer: Statement, single: Mapping[str, Sequence[float]], ensemble: Mapping[str, Sequence[bool]]) -> Statement:
    """Whether the ensembles' gain is smaller than that of single networks; inconclusive where these have none.

    For each network and image: the fraction of single networks that miss it, and whether their ensemble does.
    """
    gain = by_image(ensemble[WEAKER], ensemble[STRONGER], FAMILY)
    older, newest = ([a - b for a, b in zip(single[name], ensemble[name], strict=True)] for name in (WEAKER, STRONGER))
    lost = by_image(older, newest, FAMILY)
    verdict = verdict_above(lost) if newer.verdict == "supported" else "inconclusive"
    return Statement("ensemble", verdict, {"gain": gain, "lost": lost})


CLAIM = Claim(
    name="ensemble-gains",
    source="arXiv 1602.07261, Section 1, Tables 2 to 5",
    scales={
        "cpu": cpu(13, train=10_000, test=5000, epochs=4, seeds=5, recipe="inception_2016"),
        "gpu": gpu(10, seeds=5, recipe="inception_2016"),
        "imagenet": imagenet(8, epochs=160, hours=104, seeds=4, recipe="inception_2016"),
    },
    experiment=experiment,
)
