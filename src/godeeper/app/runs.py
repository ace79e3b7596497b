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
from ..train.curves import draw_curves
from ..train.run import RECIPE_FILE, RunFolder
from .html import heading, note, shown, table
from .words import Lang, say

DEEP = 3  # folders beneath
MOST = 50  # runs, the newest


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
    keys = ("runs", "model", "data", "epochs", "loss", "top1_error", "seconds")
    body = [_line(folder / name, name, records) for name, records in metrics.items()]
    return (
        bad
        + heading(say("curves", lang))
        + f'<div class="drawing">{curves}</div>'
        + table([escape(say(key, lang)) for key in keys], body, 3)
    )


def _line(run: Path, name: str, records: Sequence[dict[str, Any]]) -> list[str]:
    try:
        recipe = dict(json.loads((run / RECIPE_FILE).read_text(encoding="utf-8")))
        model = dict(recipe["model"])
    except (OSError, ValueError, KeyError, TypeError):  # a run whose description is damaged still has its curves
        recipe, model = {}, {}
    last = records[-1]
    seconds = [record["seconds"] for record in records if isinstance(record.get("seconds"), float | int)]
    error = f"{last['top1_error']:.2f}" if "top1_error" in last else ""
    return [
        *map(escape, (name, str(model.get("name", "")), str(recipe.get("data", "")))),
        str(last["epoch"]), f"{last['loss']:.3f}", error, f"{median(seconds):.1f}" if seconds else "",
    ]  # fmt: skip
