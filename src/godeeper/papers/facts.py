"""Printed values as data: a `Fact` is a cell of a table, the branches of a figure, or a number in the text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Fact:
    """One printed value: where it is printed, which stage it is about, what it measures, and its text.

    `source` is a table, figure or section of the paper. `stage` is a stage or auxiliary head of the paper's own table; it is
    empty for the whole network. `printed` is a tuple for the branches of a block, from left to right as the figure has them.
    """

    source: str
    stage: str
    quantity: str
    printed: str | tuple[str, ...]


def read_table(source: str, text: str) -> tuple[Fact, ...]:
    """The cells of a printed table as facts, row by row; empty cells are left out.

    Columns are separated by "|"; the first line has the column heads, the first column the stages. The cell under "branches"
    has its branches separated by ";". "{row}" in `source` becomes the row's number, from 1.
    """
    (_, *quantities), *rows = ([cell.strip() for cell in line.split("|")] for line in text.strip().splitlines())
    return tuple(_cells(source, quantities, rows))


def _cells(source: str, quantities: list[str], rows: list[list[str]]) -> Iterator[Fact]:
    for number, (stage, *cells) in enumerate(rows, 1):
        for quantity, cell in zip(quantities, cells, strict=True):
            printed = tuple(cell.split("; ")) if quantity == "branches" else cell
            if cell:
                yield Fact(source.format(row=number), stage, quantity, printed)
