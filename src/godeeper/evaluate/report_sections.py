"""What the report of an evaluation says: titles, paragraphs, tables and images, without any layout."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from ..data.dataset import ImageDataset
from ..errors import BadImage
from ..templating import PageImage
from .charts import calibration_chart, crops_chart
from .evaluation import Evaluation
from .outcome import Outcomes
from .tables import HEAD, difference, ilsvrc_results, printed_errors, table_rows

WORST_CLASSES = 10  # in the confusion matrix
MISTAKES, SIDE = 24, 160  # images shown, and their longer side in pixels
ALL_TOGETHER = "all together"  # the members of an ensemble


@dataclass(frozen=True)
class ReportTable:
    """A table: its column heads and its rows."""

    head: Sequence[object]
    rows: Sequence[Sequence[object]]


@dataclass(frozen=True)
class Section:
    """A title and what stands below it: paragraphs, tables and rows of images."""

    title: str
    blocks: Sequence[str | ReportTable | list[PageImage]]


def sections(result: dict[str, Any], evaluation: Evaluation, names: Sequence[str], images: ImageDataset) -> Iterator[Section]:
    """The sections in order; `result` is what `evaluate --json` prints, `names` are the classes' names."""
    outcomes = evaluation.outcomes()
    yield Section("Evaluation", [_summary(result, evaluation), _errors(result, evaluation)])
    if len(evaluation.counts) > 1:
        yield _errors_by_crops(evaluation)
    yield _calibration(outcomes)
    yield Section("Errors by class", [_class_errors(outcomes, names)])
    if outcomes.top1_errors:
        yield _confusions(outcomes, names)
        yield Section("The worst mistakes", [_mistakes(evaluation, names, images)])
    rule = (
        "Errors in percent. Our cells are filled where this evaluation keeps to the table's rule: its network, its crops, and"
        " ILSVRC 2012's 50,000 validation images (Table 2 of 1602.07261: without the 1,762 blacklisted ones)."
    )
    yield Section("The papers' tables", [rule, ReportTable(HEAD, table_rows(ilsvrc_results(result)))])
    if evaluation.skipped:
        reasons = ReportTable(["reason"], [[reason] for reason in evaluation.skipped])
        yield Section("Skipped", ["Images that could not be decoded:", reasons])


def _summary(result: dict[str, Any], evaluation: Evaluation) -> str:
    left_out = f", {result['blacklisted']:,} blacklisted ones left out" if result["blacklisted"] else ""
    crops = f"{evaluation.crops} crop{'s' if evaluation.crops > 1 else ''}, average: {evaluation.average}"
    return (
        f"{evaluation.images:,} images of {result['data']} ({result['split']}; {result['split_note']}){left_out}, {crops}. "
        f"{len(evaluation.skipped)} skipped. Intervals hold 95 % (Wilson). {result['versions']}."
    )


def _errors(result: dict[str, Any], evaluation: Evaluation) -> ReportTable:
    """Top-1 and top-5 error of all members together and of each, with the paper's."""
    head = ("model", "top-1 error", "interval", "paper", "difference", "top-5 error", "interval", "paper", "difference")
    runs = ilsvrc_results(result)
    members = result["members"]
    combined = [(ALL_TOGETHER, result)] if len(members) > 1 else []
    lines: list[Sequence[object]] = []
    for index, (name, errors) in enumerate([*combined, *((member["model"], member) for member in members)]):
        printed = printed_errors(runs[index]) if runs else (None, None)
        line = [name]
        for number, paper in zip((1, 5), printed, strict=True):
            error, (low, high) = errors[f"top{number}_error"], errors[f"top{number}_interval"]
            count = round(error * evaluation.images / 100)
            from_paper = ("", "") if paper is None else (f"{paper:g}", difference(count, evaluation.images, paper))
            line += [f"{error:.2f} %", f"{low:.2f} to {high:.2f}", *from_paper]
        lines.append(line)
    return ReportTable(head, lines)


def _errors_by_crops(evaluation: Evaluation) -> Section:
    members = [(name, number) for number, name in enumerate(evaluation.members)]
    if len(members) > 1:
        members = [(ALL_TOGETHER, -1), *members]
    errors = [
        (name, {crops: evaluation.outcomes(number, crops).top1_error for crops in evaluation.counts}) for name, number in members
    ]
    head = ("model", *(f"{crops} crops" if crops > 1 else "1 crop" for crops in evaluation.counts))
    lines = [(name, *(f"{error:.2f} %" for error in by_crops.values())) for name, by_crops in errors]
    note = "Top-1 errors of the first of these crops, from the same pass; fewer crops are a part of the more."
    chart = [PageImage("crops.png", crops_chart(errors))]
    return Section("Error against the number of crops", [note, ReportTable(head, lines), chart])


def _calibration(outcomes: Outcomes) -> Section:
    bins = outcomes.calibration()
    step = 100 // len(bins)
    lines = [
        (f"{step * number} to {step * (number + 1)} %", n, f"{total / n:.1f} %", f"{100 * right / n:.1f} %")
        for number, (n, total, right) in enumerate(bins)
        if n
    ]
    error = f"Expected calibration error: {outcomes.calibration_error():.2f} %, over confidences in whole percents."
    chart = [PageImage("calibration.png", calibration_chart(bins))]
    return Section("Calibration", [error, ReportTable(("confidence", "images", "mean confidence", "accuracy"), lines), chart])


def _class_errors(outcomes: Outcomes, names: Sequence[str]) -> ReportTable:
    lines = [
        (names[label], count, f"{100 * top1 / count:.1f} %", f"{100 * top5 / count:.1f} %")
        for label, count, top1, top5 in _worst_first(outcomes)
    ]
    return ReportTable(("class", "images", "top-1 error", "top-5 error"), lines)


def _worst_first(outcomes: Outcomes) -> list[tuple[int, int, int, int]]:
    """Class, images, top-1 and top-5 errors, the class with the greatest error first."""
    errors = [(label, *counts) for label, counts in outcomes.class_errors().items()]
    return sorted(errors, key=lambda line: (-line[2] / line[1], -line[3] / line[1], line[0]))


def _confusions(outcomes: Outcomes, names: Sequence[str]) -> Section:
    counts = outcomes.confusions()
    worst = [label for label, *_ in _worst_first(outcomes)[:WORST_CLASSES]]
    right = {label: n - errors for label, (n, errors, _) in outcomes.class_errors().items()}
    matrix = []
    for label in worst:
        cells = [right[label] if label == other else counts[label, other] for other in worst]
        others = sum(n for (own, other), n in counts.items() if own == label and other not in worst)
        matrix.append((names[label], *cells, others))
    pairs = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[: 2 * WORST_CLASSES]
    return Section("Confusions", [
        "The classes with the greatest errors (rows), and what they were taken for:",
        ReportTable(("class", *(names[other] for other in worst), "others"), matrix),
        "The most frequent confusions:",
        ReportTable(("class", "taken for", "times"), [(names[own], names[other], n) for (own, other), n in pairs]),
    ])  # fmt: skip


def _mistakes(evaluation: Evaluation, names: Sequence[str], images: ImageDataset) -> list[PageImage]:
    """The images that were misclassified with the highest confidence."""
    outcomes = evaluation.outcomes()
    mistakes = []
    for number, position in enumerate(outcomes.worst(MISTAKES), 1):
        predicted, _, confidence, own = outcomes.decisions[position].tolist()
        index = int(evaluation.index[position])
        caption = (
            f"{names[int(outcomes.labels[position])]} ({own} %), taken for {names[predicted]} ({confidence} %): "
            f"{Path(images.name(index)).name}"
        )
        with contextlib.suppress(BadImage):  # a file that has gone since it was evaluated
            mistakes.append(PageImage(f"mistakes/{number:02}.jpg", _thumbnail(images.image(index)), caption))
    return mistakes


def _thumbnail(image: Image.Image) -> bytes:
    scale = SIDE / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    small = image.resize(size, Image.Resampling.NEAREST if scale > 4 else Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
