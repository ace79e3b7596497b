"""The report of an evaluation: `report.html`, which needs no other file, and `report.md` with its images."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..data.dataset import ImageDataset
from ..files import atomic_folder
from ..templating import render
from .evaluation import Evaluation
from .report_sections import ReportTable, Section, sections


def write_report(
    folder: Path, result: dict[str, Any], evaluation: Evaluation, names: Sequence[str], images: ImageDataset
) -> None:
    """Writes report.html, report.md with its images, and `result` as result.json into a folder; `names` are the classes'."""
    contents = list(sections(result, evaluation, names, images))
    page = render("godeeper.evaluate", "report.html", html_lang="en", title="godeeper: evaluation", sections=contents)
    result_json = json.dumps(result, indent=1, ensure_ascii=False)
    with atomic_folder(folder, last="result.json") as partial:  # which says that the report is complete
        for section in contents:
            for block in section.blocks:
                for image in block if isinstance(block, list) else ():
                    (partial / image.file).parent.mkdir(exist_ok=True)
                    (partial / image.file).write_bytes(image.data)
        for name, text in (("report.md", _markdown(contents)), ("report.html", page), ("result.json", result_json)):
            (partial / name).write_text(text, "utf-8", errors="backslashreplace")  # names of files need not be text


def _markdown(contents: Sequence[Section]) -> str:
    lines: list[str] = []
    for index, section in enumerate(contents):
        lines += [f"{'##' if index else '#'} {section.title}", ""]
        for block in section.blocks:
            if isinstance(block, ReportTable):
                lines += [_row(block.head), _row(["---"] * len(block.head), plain=False), *map(_row, block.rows)]
            elif isinstance(block, list):
                lines += [f"![{_escaped(image.caption)}]({image.file}) {_escaped(image.caption)}\n" for image in block]
            else:
                lines.append(_escaped(block))
            lines.append("")
    return "\n".join(lines)


def _row(cells: Sequence[object], plain: bool = True) -> str:
    return f"| {' | '.join((_escaped(str(cell)) or ' ') if plain else str(cell) for cell in cells)} |"


def _escaped(text: str) -> str:
    """Text that Markdown takes for nothing else: names of files and classes may hold anything."""
    marked = "".join(f"\\{letter}" if letter in "\\`*_{}[]<>#|!" else letter for letter in text)
    return " ".join(marked.split())
