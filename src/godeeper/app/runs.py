"""The fourth tab: the run folders beneath a folder, their curves and what they were."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from ..errors import GodeeperError
from ..train.curves import TESTED, draw_curves
from ..train.run import RECIPE_FILE, RunFolder
from .html import heading, note, shown, table
from .words import Lang, say

DEEP = 3  # folders beneath
MOST = 50  # runs, the newest
FACTS = ("run", "model", "data", "optimizer")
SETTINGS = ("batch_size", "lr")


def found(folder: Path) -> list[str]:
    """The run folders beneath a folder, the newest first, by their paths from there."""
    if not folder.is_dir():
        return []
    metrics = [path for depth in range(1, DEEP + 1) for path in folder.glob("/".join(["*"] * depth) + "/metrics.jsonl")]
    newest = sorted(metrics, key=lambda path: -path.stat().st_mtime)
    return [path.parent.relative_to(folder).as_posix() for path in newest[:MOST]]


def page(folder: Path, chosen: Sequence[str], lang: Lang) -> str:
    """The curves of the chosen runs, and a line on each; runs that are not beneath the folder are not looked at."""
    known = found(folder)
    if not known:
        return note(say("no_runs", lang, folder=folder))
    runs = [name for name in chosen if name in known]
    if not runs:
        return note(say("choose_one", lang))
    metrics, bad = {}, ""
    for name in runs:
        records = RunFolder(folder / name).metrics()
        if records:
            metrics[name] = records
        else:
            bad += note(say("gone", lang, run=name, reason="metrics.jsonl"))
    if not metrics:
        return bad
    try:
        with TemporaryDirectory() as place:
            draw_curves(metrics, Path(place) / "curves.png")
            curves = shown((Path(place) / "curves.png").read_bytes(), say("curves", lang))
    except GodeeperError as error:
        curves = note(str(error))
    tested = [name for name in TESTED if any(name in records[-1] for records in metrics.values())]
    numbers = (*SETTINGS, "epochs", "loss", *tested, "seconds")
    body = [_line(folder / name, name, records, tested) for name, records in metrics.items()]
    return (
        bad
        + heading(say("curves", lang))
        + f'<div class="drawing">{curves}</div>'
        + table([escape(say(key, lang)) for key in (*FACTS, *numbers)], body, len(FACTS))
    )


def _line(run: Path, name: str, records: Sequence[dict[str, Any]], tested: Sequence[str]) -> list[str]:
    """A run: what it was asked to do, and what its last epoch says."""
    try:
        about = dict(json.loads((run / RECIPE_FILE).read_text(encoding="utf-8")))
        model, recipe = dict(about["model"]), dict(about["recipe"])
    except (OSError, ValueError, KeyError, TypeError):  # a run whose description is damaged still has its curves
        about, model, recipe = {}, {}, {}
    last = records[-1]
    seconds = [record["seconds"] for record in records if isinstance(record.get("seconds"), float | int)]
    said = (name, model.get("name", ""), about.get("data", ""), *(recipe.get(key, "") for key in ("optimizer", *SETTINGS)))
    return [
        *(escape(str(one)) for one in said), str(last["epoch"]), f"{last['loss']:.3f}",
        *(f"{last[key]:.2f}" if isinstance(last.get(key), float | int) else "" for key in tested),
        f"{median(seconds):.1f}" if seconds else "",
    ]  # fmt: skip
