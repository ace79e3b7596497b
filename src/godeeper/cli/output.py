"""Results on stdout: a table for people, one JSON document for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import BadImage
from ..labels import Lang

if TYPE_CHECKING:
    from ..workflows.prediction import TableResult

Engine = Annotated[str, typer.Option(help="torch, openvino, onnxruntime; auto: the fastest here, measured once.")]
Precision = Annotated[str, typer.Option(help="fp32, bf16 (torch, openvino); auto: fp32, or an exported file's own, as int8.")]
Language = Annotated[Lang, typer.Option("--lang", help="What classes are called: in English, in Chinese where known, or both.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def print_json(value: Any) -> None:
    """A value as JSON, indented, in UTF-8 letters where the terminal has them."""
    plain = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    text = json.dumps(value, indent=2, ensure_ascii=plain)
    print(text.encode("utf-8", "backslashreplace").decode())  # names of files need not be text


def print_table(head: Sequence[str], rows: Iterable[Sequence[object]], right: Iterable[str] = ()) -> None:
    """A plain table, columns named in `right` flush right, that a pipe may read as well; without a head where it is empty."""
    lines = [[str(cell) for cell in line] for line in [*([head] if head else []), *rows]]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    flush = [name in set(right) for name in head] or [False] * len(widths)
    for line in lines:
        cells = [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(line, widths, flush, strict=True)]
        print("  ".join(cells).rstrip())


def printable(file: Path) -> str:
    """A file's name, quoted where it would do more to a terminal than stand there."""
    return str(file) if str(file).isprintable() else repr(str(file))


def end_for_bad(bad: Iterable[BadImage], what: str = "") -> None:
    """Names on stderr each image that could not be decoded; status 2 if there is one."""
    reasons = list(bad)
    for reason in reasons:
        print(f"godeeper: {what}{reason}", file=sys.stderr)
    if reasons:
        raise typer.Exit(2)


def print_times(table: TableResult) -> None:
    """Where the time of a table went, on stderr."""
    by_stage = ", ".join(f"{stage} {spent:.1f} s" for stage, spent in table.by_stage.items())
    print(f"{table.images} images in {table.seconds:.1f} s ({table.engine}; {by_stage}): {table.file}", file=sys.stderr)
