"""Results on stdout: a table for people, one JSON document for machines. All that commands print goes through `show`."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterable, Sequence
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.cells import cell_len, chop_cells

from ..errors import BadImage
from ..labels import Lang
from ..text import printable, stands

if TYPE_CHECKING:
    from ..workflows.prediction import TableResult

Engine = Annotated[str, typer.Option(help="torch, openvino, onnxruntime; auto: the fastest here, measured once.")]
Precision = Annotated[str, typer.Option(help="fp32, bf16 (torch, openvino); auto: fp32, or an exported file's own, as int8.")]
Language = Annotated[Lang, typer.Option("--lang", help="What classes are called: in English, in Chinese where known, or both.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def show(line: str = "", *, err: bool = False) -> None:
    """Prints a line, on stderr if `err`; what names of classes and files would do to a terminal is escaped, line breaks stay."""
    print("\n".join(map(printable, line.split("\n"))), file=sys.stderr if err else sys.stdout)


class _Shown(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        show(self.format(record), err=True)


def show_warnings() -> None:
    """What is logged as a warning, and nobody else handles, goes through `show`: names of files stand in some."""
    logging.lastResort = _Shown(logging.WARNING)


def print_json(value: Any) -> None:
    """A value as JSON, indented, in UTF-8 letters where the terminal has them; nothing in it acts on a terminal."""
    plain = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    text = json.dumps(value, indent=2, ensure_ascii=plain)
    lines = (line if line.isprintable() else "".join(map(_json_letter, line)) for line in text.split("\n"))
    print("\n".join(lines))


def _json_letter(letter: str) -> str:
    return letter if stands(letter) else json.dumps(letter)[1:-1]


def print_table(head: Sequence[str], rows: Iterable[Sequence[object]], right: Iterable[str] = ()) -> None:
    """A plain table, columns named in `right` flush right, that a pipe may read as well; without a head where it is empty.

    Where it is wider than the terminal, or than COLUMNS, a block of lines for each row, a line for each column.
    """
    lines = [[printable(cell) for cell in line] for line in [*([head] if head else []), *rows]]
    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    most = _columns()
    if most is not None and sum(widths) + 2 * (len(widths) - 1) > most:
        _print_blocks(lines, bool(head), most)
        return
    flush = [name in set(right) for name in head] or [False] * len(widths)
    for line in lines:
        gaps = [" " * (width - cell_len(cell)) for cell, width in zip(line, widths, strict=True)]
        cells = [gap + cell if r else cell + gap for cell, gap, r in zip(line, gaps, flush, strict=True)]
        show("  ".join(cells).rstrip())


def _columns() -> int | None:
    """How many columns a line may have: those of COLUMNS or of the terminal; None where neither says it."""
    if os.environ.get("COLUMNS", "").isdecimal() or sys.stdout.isatty():
        return max(20, get_terminal_size().columns)
    return None


def _print_blocks(lines: Sequence[Sequence[str]], has_head: bool, most: int) -> None:
    """Rows of a table, each as lines "name  value"; of a table without a head, its first column names the second."""
    keys = lines[0] if has_head else []
    pairs = (
        [list(zip(keys, line, strict=True)) for line in lines[1:]]
        if has_head
        else [[(line[0], " ".join(line[1:]))] for line in lines]
    )
    indent = min(most // 2, 2 + max((cell_len(key) for block in pairs for key, _ in block), default=0))
    for number, block in enumerate(pairs):
        if has_head and number:
            show()
        for key, value in block:
            values = _fold(value, most - indent)
            *above, beside = [key] if cell_len(key) < indent else [*_fold(key, most), ""]
            first = beside + " " * (indent - cell_len(beside)) + values[0]
            for line in [*above, first, *(" " * indent + more for more in values[1:])]:
                show(line.rstrip())


def _fold(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` columns, between words where that is possible; at least one line."""
    lines = [""]
    for piece in (piece for word in text.split() for piece in chop_cells(word, width)):
        joined = f"{lines[-1]} {piece}" if lines[-1] else piece
        if cell_len(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(piece)
    return lines


def end_for_bad(bad: Iterable[BadImage], what: str = "") -> None:
    """Names on stderr each image that could not be decoded; status 2 if there is one."""
    reasons = list(bad)
    for reason in reasons:
        show(f"godeeper: {what}{reason}", err=True)
    if reasons:
        raise typer.Exit(2)


def print_times(table: TableResult) -> None:
    """Where the time of a table went, on stderr."""
    by_stage = ", ".join(f"{stage} {spent:.1f} s" for stage, spent in table.by_stage.items())
    show(f"{table.images} images in {table.seconds:.1f} s ({table.engine}; {by_stage}): {table.file}", err=True)
