"""A report of an evaluation, for people: `report.html`, one file with everything in it, and `report.md` with its images."""

from __future__ import annotations

import base64
import contextlib
import html
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from ..data.dataset import ImageDataset
from ..errors import BadImage
from .charts import calibration_chart, crops_chart
from .classify import Evaluation
from .outcome import Outcomes
from .tables import HEAD, difference, printed_for, rows, runs_of

WORST = 10  # classes in the matrix of confusions
MISTAKES, SIDE = 24, 160  # images shown, and their longer side in pixels


@dataclass(frozen=True)
class ReportImage:
    """An image of the report: the name of its file, its bytes, and what stands below it."""

    file: str
    data: bytes
    caption: str = ""


@dataclass(frozen=True)
class Grid:
    """A table of the report; its first row is the head."""

    lines: list[Sequence[object]]


Block = str | Grid | list[ReportImage]
Section = tuple[str, list[Block]]


def write_report(folder: Path, document: dict[str, Any], found: Evaluation, names: Sequence[str], images: ImageDataset) -> None:
    """Writes report.html, report.md with its images, and result.json into a folder; `names` are what classes are called."""
    sections = list(_sections(document, found, names, images))
    folder.mkdir(parents=True, exist_ok=True)
    for _, blocks in sections:
        for block in blocks:
            for image in block if isinstance(block, list) else ():
                (folder / image.file).parent.mkdir(exist_ok=True)
                (folder / image.file).write_bytes(image.data)
    result = json.dumps(document, indent=1, ensure_ascii=False)
    # The result comes last: it says that the report is whole. Names of files need not be text.
    for name, text in (("report.md", _markdown(sections)), ("report.html", _html(sections)), ("result.json", result)):
        (folder / name).write_text(text, "utf-8", errors="backslashreplace")


def _sections(document: dict[str, Any], found: Evaluation, names: Sequence[str], images: ImageDataset) -> Iterator[Section]:
    together = found.outcomes()
    yield "Evaluation", [_about(document, found), Grid(_errors(document, found))]
    if len(found.counts) > 1:
        yield "Error against the number of crops", _crops(found)
    yield "Calibration", _calibration(together)
    yield "Errors by class", [Grid(_classes(together, names))]
    if together.top1_errors:
        yield "Confusions", _confusions(together, names)
        yield "The worst mistakes", [_mistakes(found, names, images)]
    yield (
        "The papers' tables",
        [
            "Errors in percent. Our cells are filled where this evaluation keeps to the table's rule: its network, its crops, and"
            " ILSVRC 2012's 50,000 validation images (Table 2 of 1602.07261: without the 1,762 blacklisted ones).",
            Grid([HEAD, *rows(runs_of(document))]),
        ],
    )
    if found.skipped:
        yield "Skipped", ["Images that could not be decoded:", Grid([["why"], *([reason] for reason in found.skipped)])]


def _about(document: dict[str, Any], found: Evaluation) -> str:
    left_out = f", {document['blacklisted']:,} blacklisted ones left out" if document["blacklisted"] else ""
    crops = f"{found.crops} crop{'s' if found.crops > 1 else ''}, average: {found.average}"
    return (
        f"{found.images:,} images of {document['data']} ({document['part']}; {document['split']}){left_out}, {crops}. "
        f"{len(found.skipped)} skipped. Intervals hold 95 % (Wilson). {document['versions']}."
    )


def _errors(document: dict[str, Any], found: Evaluation) -> list[Sequence[object]]:
    head = ("model", "top-1 error", "interval", "paper", "difference", "top-5 error", "interval", "paper", "difference")
    runs = runs_of(document)
    lines: list[Sequence[object]] = [head]
    members = document["members"]
    together = [("all together", document)] if len(members) > 1 else []
    for place, (name, errors) in enumerate([*together, *((one["model"], one) for one in members)]):
        printed = printed_for(runs[place]) if runs else (None, None)
        line = [name]
        for number, paper in zip((1, 5), printed, strict=True):
            error, (low, high) = errors[f"top{number}_error"], errors[f"top{number}_interval"]
            count = round(error * found.images / 100)
            apart = "" if paper is None else difference(count, found.images, paper)
            line += [f"{error:.2f} %", f"{low:.2f} to {high:.2f}", "" if paper is None else f"{paper:g}", apart]
        lines.append(line)
    return lines


def _crops(found: Evaluation) -> list[Block]:
    every = [(name, number) for number, name in enumerate(found.members)]
    if len(found.members) > 1:
        every = [("all together", -1), *every]
    errors = [(name, {crops: found.outcomes(number, crops).top1_error for crops in found.counts}) for name, number in every]
    head = ("model", *(f"{crops} crops" if crops > 1 else "1 crop" for crops in found.counts))
    lines = [(name, *(f"{error:.2f} %" for error in points.values())) for name, points in errors]
    why = "Top-1 errors of the first of these crops, from the same pass; fewer crops are a part of the more."
    return [why, Grid([head, *lines]), [ReportImage("crops.png", crops_chart(errors))]]


def _calibration(together: Outcomes) -> list[Block]:
    bins = together.calibration()
    step = 100 // len(bins)
    lines = [
        (f"{step * number} to {step * (number + 1)} %", n, f"{total / n:.1f} %", f"{100 * right / n:.1f} %")
        for number, (n, total, right) in enumerate(bins)
        if n
    ]
    error = f"Expected calibration error: {together.calibration_error():.2f} %, over confidences in whole percents."
    chart = [ReportImage("calibration.png", calibration_chart(bins))]
    return [error, Grid([("confidence", "images", "mean confidence", "accuracy"), *lines]), chart]


def _classes(together: Outcomes, names: Sequence[str]) -> list[Sequence[object]]:
    head = ("class", "images", "top-1 error", "top-5 error")
    return [head, *((names[c], n, f"{100 * e1 / n:.1f} %", f"{100 * e5 / n:.1f} %") for c, n, e1, e5 in _worst_first(together))]


def _worst_first(together: Outcomes) -> list[tuple[int, int, int, int]]:
    """Class, images, top-1 and top-5 errors, the class with the greatest error first."""
    every = [(label, *counts) for label, counts in together.class_errors().items()]
    return sorted(every, key=lambda one: (-one[2] / one[1], -one[3] / one[1], one[0]))


def _confusions(together: Outcomes, names: Sequence[str]) -> list[Block]:
    counted = together.confusions()
    worst = [label for label, *_ in _worst_first(together)[:WORST]]
    matrix: list[Sequence[object]] = [("class", *(names[other] for other in worst), "others")]
    right = {label: n - errors for label, (n, errors, _) in together.class_errors().items()}
    for label in worst:
        cells = [right[label] if label == other else counted[label, other] for other in worst]
        outside = sum(n for (own, other), n in counted.items() if own == label and other not in worst)
        matrix.append((names[label], *cells, outside))
    pairs = sorted(counted.items(), key=lambda one: (-one[1], one[0]))[: 2 * WORST]
    often = [(names[own], names[other], n) for (own, other), n in pairs]
    return [
        "The classes with the greatest errors (rows), and what they were taken for:", Grid(matrix),
        "The commonest confusions:", Grid([("class", "taken for", "times"), *often]),
    ]  # fmt: skip


def _mistakes(found: Evaluation, names: Sequence[str], images: ImageDataset) -> list[ReportImage]:
    together = found.outcomes()
    result = []
    for number, place in enumerate(together.worst(MISTAKES)):
        predicted, _, confidence, own = together.decisions[place].tolist()
        index = int(found.index[place])
        caption = (
            f"{names[int(together.labels[place])]} ({own} %), taken for {names[predicted]} ({confidence} %): "
            f"{Path(images.name(index)).name}"
        )
        with contextlib.suppress(BadImage):  # it was there when it was evaluated; its loss is not the report's
            result.append(ReportImage(f"mistakes/{number + 1:02}.jpg", _thumbnail(images.image(index)), caption))
    return result


def _thumbnail(image: Image.Image) -> bytes:
    scale = SIDE / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    small = image.resize(size, Image.Resampling.NEAREST if scale > 4 else Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def _markdown(sections: Sequence[Section]) -> str:
    lines: list[str] = []
    for level, (heading, blocks) in enumerate(sections):
        lines += [f"{'#' if level == 0 else '##'} {heading}", ""]
        for block in blocks:
            if isinstance(block, Grid):
                head, *rest = ([_in_cell(cell) for cell in line] for line in block.lines)
                lines += [f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *rest)]
            elif isinstance(block, list):
                lines += [f"![{_plain(one.caption)}]({one.file}) {_plain(one.caption)}\n" for one in block]
            else:
                lines.append(_plain(block))
            lines.append("")
    return "\n".join(lines)


def _plain(text: str) -> str:
    """Text that Markdown takes for nothing else: names of files and classes may hold anything."""
    marked = "".join(f"\\{letter}" if letter in "\\`*_{}[]<>#|!" else letter for letter in text)
    return " ".join(marked.split())


def _in_cell(cell: object) -> str:
    return _plain(str(cell)) or " "


STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 70em; padding: 0 1em; color: #1f2328 }
table { border-collapse: collapse; margin: 1em 0; display: block; overflow-x: auto }
th, td { border: 1px solid #d0d7de; padding: 3px 9px; text-align: right; white-space: nowrap }
th:first-child, td:first-child { text-align: left }
th { background: #f6f8fa }
figure { display: inline-block; vertical-align: top; margin: 6px; max-width: 100% }
figure.small { width: 170px }
figcaption { font-size: 12px; overflow-wrap: anywhere }
img { max-width: 100% }
"""


def _html(sections: Sequence[Section]) -> str:
    body = []
    for level, (heading, blocks) in enumerate(sections):
        tag = "h1" if level == 0 else "h2"
        body.append(f"<{tag}>{html.escape(heading)}</{tag}>")
        for block in blocks:
            if isinstance(block, Grid):
                head, *rest = block.lines
                body.append(f"<table>{_row('th', head)}{''.join(_row('td', line) for line in rest)}</table>")
            elif isinstance(block, list):
                body += [_figure(one) for one in block]
            else:
                body.append(f"<p>{html.escape(block)}</p>")
    page = '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>godeeper: evaluation</title>'
    return f"{page}<style>{STYLE}</style>\n{chr(10).join(body)}\n</html>\n"


def _row(tag: str, cells: Sequence[object]) -> str:
    return "<tr>" + "".join(f"<{tag}>{html.escape(str(cell))}</{tag}>" for cell in cells) + "</tr>\n"


def _figure(image: ReportImage) -> str:
    kind = "jpeg" if image.file.endswith(".jpg") else "png"
    source = f"data:image/{kind};base64,{base64.b64encode(image.data).decode()}"
    small, caption = (' class="small"' if image.caption else ""), html.escape(image.caption)
    return f'<figure{small}><img alt="{caption}" src="{source}"><figcaption>{caption}</figcaption></figure>'
