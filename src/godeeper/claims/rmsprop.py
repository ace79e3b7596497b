"""RMSProp with an epsilon of 1.0 against momentum; averaged weights against the last (arXiv 1602.07261, Section 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

from ..evaluate.classify import evaluate
from ..models.network import Network, best_device, device_of, to_device
from ..papers.registry import definition
from ..tensor_files import load_tensors
from .claim import Claim, ClaimResult, Statement
from .claim_data import ClaimData
from .figures import error_curves
from .jobs import Arm, ArmRun
from .lab import Lab
from .result_table import Cell, Table, error_table
from .scales import Scale, cpu, gpu, imagenet
from .stats import paired, verdict_above

RATES = {"rmsprop": (0.015, 0.045, 0.135), "momentum": (0.01, 0.03, 0.1)}  # 0.045 is the paper's
FAMILY = 2  # intervals that decide


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
    measured = lab.measure(held_out_error, {f"{arm}, held out": {"runs": arm_runs} for arm, arm_runs in runs.items()})
    held_out = {arm: [result["error"] for result in measured[f"{arm}, held out"]] for arm in runs}
    averaged = {arm: [run.error for run in arm_runs] for arm, arm_runs in runs.items()}
    last = {arm: [last_error(lab, run) for run in arm_runs] for arm, arm_runs in runs.items()}
    rows: list[list[Cell]] = [
        [arm, seed, *(round(errors[arm][seed], 2) for errors in (held_out, averaged, last))]
        for arm in runs
        for seed in range(lab.scale.seeds)
    ]
    tables = {
        "top-1 error (%)": error_table(runs),
        "averaged and last weights, top-1 error (%)": Table(
            ["arm", "seed", "held-out images", "averaged weights", "last weights"], rows
        ),
    }
    statements = [better_optimiser(averaged, held_out), better_weights(averaged, last)]
    return ClaimResult(statements, tables, {"curves": error_curves(runs)})


def held_out_error(images: ClaimData, scale: Scale, runs: Sequence[ArmRun], seed: int) -> dict[str, Any]:
    """The top-1 error (%) of a seed's averaged weights on the images that are held out of training."""
    network = runs[seed].network()
    workers, device = images.workers, device_of(network)
    errors = evaluate(network, images.held_out_images(), network.preprocess, workers=workers, skip_bad=True, device=device)
    return {"error": errors.top1_error}


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


def better_optimiser(errors: Mapping[str, Sequence[float]], held_out: Mapping[str, Sequence[float]]) -> Statement:
    """Whether RMSProp has a lower test error than momentum, each with the rate that is best on the held-out images.

    `errors` and `held_out` (%) are those of every arm's seeds. A rate chosen by the test errors would flatter its optimiser.
    """
    best = {
        name: min((f"{name} {rate}" for rate in rates), key=lambda arm: fmean(held_out[arm])) for name, rates in RATES.items()
    }
    gain = paired(errors[best["momentum"]], errors[best["rmsprop"]], FAMILY)
    return Statement("optimiser", verdict_above(gain), {**best, "gain": gain})


def better_weights(averaged: Mapping[str, Sequence[float]], last: Mapping[str, Sequence[float]]) -> Statement:
    """Whether averaged weights have a lower error than the last ones; the arms of a seed count as one value, their mean."""
    before, after = ([fmean(of_seed) for of_seed in zip(*errors.values(), strict=True)] for errors in (last, averaged))
    gain = paired(before, after, FAMILY)
    return Statement("averaging", verdict_above(gain), {"gain": gain})


CLAIM = Claim(
    name="rmsprop",
    source="arXiv 1602.07261, Section 4",
    scales={
        "cpu": replace(cpu(13, train=8000, test=2500, epochs=4, recipe="inception_2016"), held_out=2500),
        "gpu": replace(gpu(18, recipe="inception_2016"), held_out=5000),
        "imagenet": replace(imagenet(18, epochs=100, hours=111, recipe="inception_2016"), held_out=50_000),
    },
    experiment=experiment,
)
