"""Detections and their scores for people and for files: a table by class, the precision-recall chart, JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import isnan, nan
from pathlib import Path
from typing import Any

import numpy as np

from ..evaluate.charts import chart, png
from ..files import atomic_write
from .average_precision import DetectionScores
from .detections import Detections

COLOURS = 10  # matplotlib's own


def class_rows(voc: DetectionScores, ilsvrc: DetectionScores) -> list[tuple[str, ...]]:
    """A row for each class: name, objects, detections, their recall, average precision by either rule."""
    return [
        (of_voc.name, str(of_voc.objects), str(of_voc.detections), percent(of_voc.final_recall if of_voc.objects else nan),
         percent(of_voc.average_precision), percent(of_ilsvrc.average_precision))
        for of_voc, of_ilsvrc in zip(voc.classes, ilsvrc.classes, strict=True)
    ]  # fmt: skip


def percent(value: float) -> str:
    """A share in a table; empty for nan."""
    return "" if isnan(value) else f"{value:.2f} %"


def precision_recall_chart(scores: DetectionScores) -> bytes:
    """A PNG of precision over recall, a line for each class that has objects; GodeeperError where matplotlib is missing."""
    figure, axis = chart("recall (%)", "precision (%)")
    classes = [score for score in scores.classes if score.objects]
    for number, score in enumerate(classes):
        recall = np.concatenate([0 * score.recall[:1], score.recall])  # starts at recall 0; empty without detections
        precision = np.concatenate([score.precision[:1], score.precision])
        label = f" {score.name}, AP {score.average_precision:.1f} %".replace("$", r"\$")  # matplotlib hides a leading _
        style = "--" if number // COLOURS % 2 else "-"
        axis.plot(100 * recall, 100 * precision, style, color=f"C{number % COLOURS}", label=label)
    title = f"mAP at 0.5: {scores.mean_average_precision:.1f} %" if classes else "no objects"
    axis.set(xlim=(0, 101), ylim=(0, 103), title=title)
    if 0 < len(classes) <= 2 * COLOURS:  # more lines look the same
        figure.set_figwidth(8)
        figure.legend(loc="outside right upper", fontsize="small")
    return png(figure)


def detections_as_dict(file: Path, detections: Detections, classes: Sequence[str]) -> dict[str, Any]:
    """The detections in an image as JSON has them; a box is left, top, right, bottom in pixels."""
    columns = (detections.boxes.tolist(), detections.labels.tolist(), detections.scores.tolist())
    objects = [
        {"class": classes[label], "score": score, "box": box} for box, label, score in zip(*columns, strict=True)
    ]  # fmt: skip
    return {"file": str(file), "objects": objects}


def save_detections(out: Path, files: Sequence[Path], detections: Sequence[Detections], classes: Sequence[str]) -> None:
    """Writes the detections in each image as one JSON document."""
    images = [detections_as_dict(file, of_image, classes) for file, of_image in zip(files, detections, strict=True)]
    with atomic_write(out) as partial:
        partial.write_text(json.dumps({"classes": list(classes), "images": images}), encoding="utf-8")
