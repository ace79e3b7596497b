"""What was found, for people: tables, the curve, and the paper's numbers beside ours."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import isnan, nan
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import GodeeperError
from ..evaluate.charts import chart, png
from ..files import atomic_write
from ..papers.facts import GOOGLENET_TABLE_4, GOOGLENET_TABLE_5
from .detections import Detections
from .metrics import Scores

COLOURS = 10  # matplotlib's own


def class_rows(voc: Scores, ilsvrc: Scores) -> list[tuple[str, ...]]:
    """A row a class: name, objects, detections, the recall they reach, average precision by either rule."""
    return [
        (one.name, str(one.objects), str(one.detections), _percent(one.recall_reached if one.objects else nan),
         _percent(one.average_precision), _percent(other.average_precision))
        for one, other in zip(voc.classes, ilsvrc.classes, strict=True)
    ]  # fmt: skip


def _percent(value: float) -> str:
    return "" if isnan(value) else f"{value:.2f} %"


def precision_recall_chart(scores: Scores) -> bytes:
    """A PNG of precision against recall, a line a class that has objects; GodeeperError where matplotlib is missing."""
    figure, axis = chart("recall (%)", "precision (%)")
    shown = [one for one in scores.classes if one.objects]
    for number, one in enumerate(shown):
        recall = np.concatenate([0 * one.recall[:1], one.recall])  # from no recall on; empty where nothing was found
        precision = np.concatenate([one.precision[:1], one.precision])
        label = f" {one.name}, AP {one.average_precision:.1f} %".replace("$", r"\$")  # a leading _ would hide it
        style = "--" if number // COLOURS % 2 else "-"
        axis.plot(100 * recall, 100 * precision, style, color=f"C{number % COLOURS}", label=label)
    title = f"mAP at 0.5: {scores.mean_average_precision:.1f} %" if shown else "no objects"
    axis.set(xlim=(0, 101), ylim=(0, 103), title=title)
    if 0 < len(shown) <= 2 * COLOURS:  # more cannot be told apart
        figure.set_figwidth(8)
        figure.legend(loc="outside right upper", fontsize="small")
    return png(figure)


def document(file: Path, found: Detections, classes: Sequence[str]) -> dict[str, Any]:
    """What was found in an image, as JSON has it."""
    objects = [
        {"class": classes[label], "score": score, "box": box}
        for box, label, score in zip(found.boxes.tolist(), found.labels.tolist(), found.scores.tolist(), strict=True)
    ]
    return {"file": str(file), "objects": objects}


def save_detections(out: Path, files: Sequence[Path], detections: Sequence[Detections], classes: Sequence[str]) -> None:
    """Writes what was found in each image; boxes are left, top, right, bottom in pixels."""
    images = [document(file, found, classes) for file, found in zip(files, detections, strict=True)]
    with atomic_write(out) as partial:
        partial.write_text(json.dumps({"classes": list(classes), "images": images}), encoding="utf-8")


PAPER_HEAD = ("table", "who", "mAP", "models", "data")
ILSVRC_2014 = "ILSVRC 2014, 200 classes"


def paper_rows(results: Sequence[Path]) -> list[tuple[str, ...]]:
    """Tables 4 and 5 of arXiv 1409.4842, then results that `godeeper detect evaluate --json` printed, each with its data.

    mAP at a Jaccard overlap of 0.5. GodeeperError for a file that is something else.
    """
    rows = []
    for team, year, _, printed, _, models in GOOGLENET_TABLE_4:
        rows.append(("4", team, f"{printed:g} %", "?" if models is None else str(models), f"ILSVRC {year}, 200 classes"))
    rows += [("5", team, f"{printed:g} %", "1", ILSVRC_2014) for team, printed, _, _ in GOOGLENET_TABLE_5]
    return rows + [_row(file) for file in results]


def _row(file: Path) -> tuple[str, ...]:
    try:
        result = json.loads(file.read_text(encoding="utf-8"))
        models, rule = result["models"], result["ilsvrc"]
        if not isinstance(models, list) or not f"{models}{result['data']}{result['split']}".isprintable():
            raise ValueError("names")
        where = f"{result['data']}, {result['split']}: {int(result['images'])} images, {len(rule['classes'])} classes"
        printed = _percent(nan if rule["map"] is None else float(rule["map"]))  # None: the images had no objects
        return "ours", " + ".join(map(str, models)), printed, str(len(models)), where
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        raise GodeeperError(f"{str(file)!r} is not what `godeeper detect evaluate --json` prints") from None
