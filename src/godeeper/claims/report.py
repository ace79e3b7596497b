"""A claim reproduced: its test run, and what that leaves behind, `result.json` and the figures."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch

from ..errors import GodeeperError
from ..evaluate.charts import chart, png
from ..files import atomic_write
from ..train.run import versions
from .claim import Cell, Claim, Figure, Outcome, Scale, ScaleName, Table
from .jobs import Training, read_json
from .lab import Lab
from .words import NUMBERED, TERMS, term

COLOURS = {  # of networks, the same in every figure
    "inception_v3": "C2", "inception_resnet_v1": "C3", "inception_v4_printed": "C0", "inception_resnet_v2_printed": "C1",
}  # fmt: skip


def reproduce(claim: Claim, scale: ScaleName, data: str | None, folder: Path) -> dict[str, Any]:
    """Tests a claim, or goes on with that, and returns what is then in the folder's `result.json`, beside its figures.

    `data` is a source of images, by default the scale's. GodeeperError where the folder holds the test of something else.
    """
    chosen = claim.scales[scale]
    lab = Lab(claim.name, folder, data or chosen.data, chosen)
    lab.check()
    plan = {"claim": claim.name, "scale": scale, **_sizes(chosen), "data": lab.data}
    _claimed(folder, plan)
    with _minutes(folder):
        outcome = claim.test(lab)
    for name, figure in outcome.figures.items():
        with atomic_write(folder / f"{name}.png") as file:
            file.write_bytes(drawn(figure))
    result = _document(claim, plan, lab, outcome, read_json(folder / "minutes.json"))
    _write(folder / "result.json", result)
    return result


def _sizes(scale: Scale) -> dict[str, Any]:
    return {name: value for name, value in asdict(scale).items() if name != "cost"}


def _claimed(folder: Path, plan: dict[str, Any]) -> None:
    """Notes what a folder is for; GodeeperError if that is something else."""
    file = folder / "plan.json"
    before = read_json(file) if file.is_file() else plan
    differing = [name for name, value in plan.items() if not isinstance(before, dict) or before.get(name) != value]
    if differing:
        raise GodeeperError(f"{str(folder)!r} holds runs of another {', '.join(differing)}: name another folder with --out")
    _write(file, plan)


@contextmanager
def _minutes(folder: Path) -> Iterator[None]:
    """Adds up in `minutes.json` how long a test takes, over interruptions."""
    file, begun = folder / "minutes.json", time.monotonic()
    before = read_json(file) if file.is_file() else 0.0
    if not isinstance(before, float | int):
        raise GodeeperError(f"{str(file)!r} is damaged: delete it, and the same command makes it again")
    try:
        yield
    finally:
        _write(file, round(before + (time.monotonic() - begun) / 60, 1))


def _document(claim: Claim, plan: dict[str, Any], lab: Lab, outcome: Outcome, minutes: float) -> dict[str, Any]:
    """An outcome as plain data."""
    return {
        **plan,
        "source": claim.source,
        "says": asdict(claim.says),
        "parts": [asdict(part) for part in outcome.parts],
        "tables": {title: asdict(table) for title, table in outcome.tables.items()},
        "runs": {arm: [_epochs(run) for run in runs] for arm, runs in lab.runs.items()},
        "measurements": {name: runs for name, found in lab.measurements.items() if any(runs := list(map(_plain, found)))},
        "figures": {name: asdict(figure) for name, figure in outcome.figures.items()},
        "versions": versions(),
        "minutes": minutes,
    }


def _epochs(run: Training) -> dict[str, list[float]]:
    """What a run noted after each epoch."""
    return {name: [round(value, 4) for value in run.curve(name)] for name in ("loss", "top1_error", "top5_error", "seconds")}


def _plain(found: dict[str, Any]) -> dict[str, Any]:
    """A measurement without its tensors, rounded."""
    plain = {name: value for name, value in found.items() if not isinstance(value, torch.Tensor)}
    return {name: [round(one, 4) for one in value] if isinstance(value, list) else value for name, value in plain.items()}


def _write(file: Path, document: Any) -> None:
    text = json.dumps(document, ensure_ascii=False, indent=1)
    with atomic_write(file) as partial:
        partial.write_text(PLAIN_LIST.sub(_in_a_line, text) + "\n", encoding="utf-8")


PLAIN_LIST = re.compile(r"\[\s+([^\[\]{}]*?)\s+\]")


def _in_a_line(found: re.Match[str]) -> str:
    """A list of numbers or names in one line, for those who read the file."""
    return "[" + re.sub(r"\n\s+", " ", found[1]) + "]"


def drawn(figure: Figure) -> bytes:
    """A PNG of a figure: a line an arm, its intervals as bands."""
    canvas, axis = chart(figure.x, figure.y)
    canvas.set_size_inches(8, 4)
    for number, line in enumerate(figure.lines):
        axis.plot(
            line.x, line.y, "--" if line.dashed else "-", marker=".", color=COLOURS.get(line.name, f"C{number}"), label=line.name
        )
        if line.low is not None and line.high is not None:
            axis.fill_between(line.x, line.low, line.high, color=axis.lines[-1].get_color(), alpha=0.12)
    if figure.logarithmic:
        axis.set_xscale("log")
        axis.set_xticks(figure.lines[0].x, [f"{x:g}" for x in figure.lines[0].x])
        axis.minorticks_off()
    elif figure.x == "Epoch":
        axis.xaxis.get_major_locator().set_params(integer=True)
    canvas.legend(fontsize="small", loc="outside right upper")
    lowest, highest = min(min(line.y) for line in figure.lines), max(max(line.y) for line in figure.lines)
    room = 0.1 * (highest - lowest) or 1.0
    axis.set_ylim(lowest - room, highest + room)  # bands of few seeds reach far
    return png(canvas)


def markdown(table: Table, lang: str = "en") -> str:
    """A table as Markdown; in "zh" its head and what else has a Chinese term."""
    head = [term(one, lang) for one in table.head]
    rows: Sequence[Sequence[Cell]] = [head, ["---"] * len(head), *table.rows]

    def said(cell: Cell) -> str:
        text = "" if cell is None else str(cell)
        return term(text, lang) if text in TERMS or NUMBERED.fullmatch(text) else text

    return "\n".join("| " + " | ".join(map(said, row)) + " |" for row in rows)


@cache
def found() -> dict[str, dict[ScaleName, list[dict[str, Any]]]]:
    """What we found: the parts of every claim, by the scales at which it was tested (`docs/results/`)."""
    text = (files(__package__) / "found.json").read_text(encoding="utf-8")
    result: dict[str, dict[ScaleName, list[dict[str, Any]]]] = json.loads(text)
    return result
