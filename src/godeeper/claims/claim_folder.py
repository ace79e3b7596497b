"""A claim's folder: its runs, what they are runs of, and what comes of them, `result.json` and the figures."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from ..errors import GodeeperError
from ..files import atomic_write
from ..locks import locked
from ..train.run import versions
from ..workflows.progress import OnProgress
from .claim import Claim, ClaimResult
from .figures import figure_png
from .jobs import ArmRun, Job
from .lab import Lab
from .result_file import read_json, write_json
from .scales import Scale, ScaleName

LONGEST = 1e9  # minutes
CURVES = ("loss", "top1_error", "top5_error", "seconds")  # of a run, kept in the result


def reproduce(
    claim: Claim, scale: ScaleName, data: str | None, folder: Path, on_progress: OnProgress | None = None
) -> dict[str, Any]:
    """Tests a claim, or resumes that, and returns what is then in the folder's `result.json`, beside its figures.

    `data` is the name of a dataset, by default the scale's. GodeeperError where the folder holds the test of something else, or
    another process works in it.
    """
    size = claim.scales[scale]
    lab = Lab(claim.name, folder, data or size.data, size, on_progress=on_progress)
    lab.check()
    plan = {"claim": claim.name, "scale": scale, **_sizes(size), "data": lab.data}
    with locked(folder, lambda: _keep_plan(folder, plan)):
        return _reproduced(claim, lab, plan, folder)


def _reproduced(claim: Claim, lab: Lab, plan: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Tests a claim in its folder, which no other process works in, and returns what is then in `result.json`."""
    with _minutes(folder):
        outcome = claim.experiment(lab)
    for name, figure in outcome.figures.items():
        with atomic_write(folder / f"{name}.png") as file:
            file.write_bytes(figure_png(figure))
    result = {
        **plan,
        "made_from": lab.made_from(),
        **_measured(lab, outcome),
        "versions": _versions(lab.jobs),
        "minutes": read_json(folder / "minutes.json"),
    }
    write_json(folder / "result.json", result)
    return result


def _sizes(scale: Scale) -> dict[str, Any]:
    return {name: value for name, value in asdict(scale).items() if name != "cost"}


def _keep_plan(folder: Path, plan: dict[str, Any]) -> None:
    """Writes down what a folder is for; GodeeperError if it is for something else."""
    file = folder / "plan.json"
    before = read_json(file) if file.is_file() else plan
    differing = [name for name, value in plan.items() if not isinstance(before, dict) or before.get(name) != value]
    if differing:
        raise GodeeperError(f"{str(folder)!r} holds runs of another {', '.join(differing)}: name another folder with --out")
    write_json(file, plan)


@contextmanager
def _minutes(folder: Path) -> Iterator[None]:
    """Adds up in `minutes.json` how long a test takes, over interruptions."""
    file, begun = folder / "minutes.json", time.monotonic()
    before = read_json(file) if file.is_file() else 0.0
    if type(before) not in (int, float) or not 0 <= before <= LONGEST:
        raise GodeeperError(f"{str(file)!r} is damaged: delete it, and the same command makes it again")
    try:
        yield
    finally:
        write_json(file, round(before + (time.monotonic() - begun) / 60, 1))


def _versions(jobs: Sequence[Job]) -> dict[str, str]:
    """The versions that the figures were made with: of every job, which may be older than this process."""
    each = [job.versions for job in jobs] or [versions()]
    names = dict.fromkeys(name for of_job in each for name in of_job)
    return {name: ", ".join(sorted({of_job[name] for of_job in each if name in of_job})) for name in names}


def _measured(lab: Lab, outcome: ClaimResult) -> dict[str, Any]:
    """Everything that was measured, as plain data."""
    return {
        "statements": [_rounded(asdict(statement)) for statement in outcome.statements],
        "tables": {title: asdict(table) for title, table in outcome.tables.items()},
        "runs": {arm: [_run_curves(run) for run in runs] for arm, runs in lab.runs.items()},
        "measurements": {
            name: plain
            for name, results in lab.measurements.items()
            if any(plain := [_rounded(_plain(values)) for values in results])
        },
        "figures": {name: asdict(figure) for name, figure in outcome.figures.items()},
    }


def _run_curves(run: ArmRun) -> dict[str, list[float]]:
    return {metric: [round(value, 4) for value in run.curve(metric)] for metric in CURVES}


def _plain(measurement: dict[str, Any]) -> dict[str, Any]:
    """A measurement without its tensors."""
    return {name: value for name, value in measurement.items() if not isinstance(value, torch.Tensor)}


def _rounded(value: Any) -> Any:
    """Plain data with its floats rounded to four decimals."""
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return round(value, 4) if isinstance(value, float) else value
