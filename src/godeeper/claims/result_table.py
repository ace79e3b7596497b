"""Tables of a result: every arm and every seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .jobs import ArmRun
from .prose import term
from .stats import mean

Cell = str | float | int | None


@dataclass(frozen=True)
class Table:
    """What was measured: column heads, and rows of as many cells."""

    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]


def error_table(runs: Mapping[str, Sequence[ArmRun]], metric: str = "top1_error") -> Table:
    """An error (%) of every arm and seed after the last epoch, and the mean with its interval."""
    rows: list[list[Cell]] = []
    for arm, arm_runs in runs.items():
        errors = [run.curve(metric)[-1] for run in arm_runs]
        rows.append([arm, *(round(error, 2) for error in errors), str(mean(errors))])
    seeds = len(next(iter(runs.values())))
    return Table(["arm", *(f"seed {seed}" for seed in range(seeds)), "mean"], rows)


def markdown(table: Table, lang: str = "en") -> str:
    """A table as Markdown; in "zh" its column heads and cells by their Chinese terms, where they have one."""
    head = list(table.head)
    rows: Sequence[Sequence[Cell]] = [head, ["---"] * len(head), *table.rows]

    def text(cell: Cell) -> str:
        return term(cell, lang) if isinstance(cell, str) else "" if cell is None else str(cell)

    return "\n".join("| " + " | ".join(map(text, row)) + " |" for row in rows)
