"""RMSProp with an epsilon of 1.0 against momentum; averaged weights against the last (arXiv 1602.07261, Section 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from ..evaluate.classify import evaluate
from ..models.network import Network, best_device, device_of, to_device
from ..papers.registry import definition
from ..tensor_files import load_tensors
from .claim import Claim, ClaimResult, Statement
from .figures import error_curves
from .jobs import Arm, ArmRun
from .lab import Lab
from .result_table import Cell, Table, error_table
from .scales import cpu, gpu, imagenet
from .stats import mean, paired, verdict_above

RATES = {"rmsprop": (0.015, 0.045, 0.135), "momentum": (0.01, 0.03, 0.1)}  # 0.045 is the paper's


def experiment(lab: Lab) -> ClaimResult:
    """Inception-v3 by either optimiser, each with three rates; both kinds of weights."""
    table = lab.variant(replace(definition("inception_v3"), auxiliary={}))
    rmsprop = lab.recipe()
    momentum = replace(rmsprop, optimizer="sgd", nesterov=False)
    arms = [
        Arm(f"{name} {rate}", table, replace(recipe, lr=rate))
        for name, recipe in (("rmsprop", rmsprop), ("momentum", momentum))
        for rate in RATES[name]
    ]
    runs = lab.train(arms)
    averaged = {arm: [run.error for run in arm_runs] for arm, arm_runs in runs.items()}
    last = {arm: [last_error(lab, run) for run in arm_runs] for arm, arm_runs in runs.items()}
    rows: list[list[Cell]] = [
        [arm, seed, *(round(errors[arm][seed], 2) for errors in (averaged, last))]
        for arm in runs
        for seed in range(lab.scale.seeds)
    ]
    tables = {
        "top-1 error (%)": error_table(runs),
        "averaged and last weights, top-1 error (%)": Table(["arm", "seed", "averaged weights", "last weights"], rows),
    }
    return ClaimResult([better_optimiser(averaged), better_weights(averaged, last)], tables, {"curves": error_curves(runs)})


def last_error(lab: Lab, run: ArmRun) -> float:
    """The top-1 error (%) of the weights of the last step, not averaged, from the run's last checkpoint."""
    newest = max((run.folder / "checkpoints").glob("*.safetensors"))
    tensors, _ = load_tensors(newest)
    network = Network(run.arm.definition)
    network.load_state_dict(
        {name.removeprefix("network."): value for name, value in tensors.items() if name.startswith("network.")}
    )
    network = to_device(network.eval(), best_device())
    workers, device = lab.images.workers, device_of(network)
    return evaluate(network, lab.source.test, network.preprocess, workers=workers, skip_bad=True, device=device).top1_error


def better_optimiser(errors: Mapping[str, Sequence[float]]) -> Statement:
    """Whether RMSProp's best rate has a lower error than momentum's, from the errors (%) of every arm's seeds."""
    best = {
        name: min((f"{name} {rate}" for rate in rates), key=lambda arm: mean(errors[arm]).value) for name, rates in RATES.items()
    }
    gain = paired(errors[best["momentum"]], errors[best["rmsprop"]])
    return Statement("optimiser", verdict_above(gain), {**best, "gain": gain})


def better_weights(averaged: Mapping[str, Sequence[float]], last: Mapping[str, Sequence[float]]) -> Statement:
    """Whether averaged weights have a lower error than the last ones; the arms of a seed count as one value, their mean."""
    by_seed = [[fmean(of_seed) for of_seed in zip(*errors.values(), strict=True)] for errors in (last, averaged)]
    gain = paired(*by_seed)
    return Statement("averaging", verdict_above(gain), {"gain": gain})


CLAIM = Claim(
    name="rmsprop",
    source="arXiv 1602.07261, Section 4",
    scales={
        "cpu": cpu(13, train=8000, test=2500, epochs=4, recipe="inception_2016"),
        "gpu": gpu(18, recipe="inception_2016"),
        "imagenet": imagenet(18, epochs=100, hours=111, recipe="inception_2016"),
    },
    experiment=experiment,
)
