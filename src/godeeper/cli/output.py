"""Results on stdout: a table for people, one JSON document for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def print_json(document: Any) -> None:
    """One JSON document, indented, in UTF-8 letters where the terminal has them."""
    plain = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    print(json.dumps(document, indent=2, ensure_ascii=plain))


def print_table(head: Sequence[str], rows: Iterable[Sequence[object]], right: Iterable[str] = ()) -> None:
    """A plain table, columns named in `right` flush right, that a pipe may read as well."""
    body = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(line[column]) for line in [list(head), *body]) for column in range(len(head))]
    flush = [name in set(right) for name in head]
    for line in [list(head), *body]:
        cells = [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(line, widths, flush, strict=True)]
        print("  ".join(cells).rstrip())
