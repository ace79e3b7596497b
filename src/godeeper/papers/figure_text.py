"""Rows as the figures of arXiv 1512.00567 and 1602.07261 label them: "1x1 64, 3x3 96 /2 V", from the input upwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from .notation import VALID, Avg, Cat, Conv, Max, Residual, Row, Window


def figure_branches(rows: Iterable[Row], label: Callable[[Row], str]) -> tuple[str, ...]:
    """The label of every branch, if the rows are blocks with equal labels; otherwise one label for the whole sequence."""
    rows = tuple(rows)
    blocks = [row.body if isinstance(row, Residual) else row for row in rows]
    if all(isinstance(block, Cat) for block in blocks):
        labels = {tuple(chain(branch, label) for branch in block.branches) for block in blocks if isinstance(block, Cat)}
        if len(labels) == 1:
            return labels.pop()
    return (chain(rows, label),)


def chain(rows: Iterable[Row], label: Callable[[Row], str]) -> str:
    """The labels of rows in sequence."""
    return ", ".join(map(label, rows))


def figure_text(row: Row, filters: Callable[[int], object] = int) -> str:
    """A row as in arXiv 1602.07261, where average pools have no size; `filters` writes a filter count.

    ValueError for a row that its figures do not have.
    """
    match row:
        case Conv(count):
            return f"{row.size} {filters(count)}" + _window(row)
        case Max():
            return f"maxpool {row.size}" + _window(row)
        case Avg():
            return "avgpool"
        case Cat(branches):
            return " | ".join(chain(branch, partial(figure_text, filters=filters)) for branch in branches)
        case _:
            raise ValueError(f"no figure draws {row}")


def outline_text(row: Row) -> str:
    """A row as in arXiv 1512.00567, without filter counts, padding and sizes of pools; ValueError as in `figure_text`."""
    match row:
        case Conv():
            return row.size + _stride(row)
        case Max() | Avg():
            return "pool" + _stride(row)
        case Cat(branches):
            return " | ".join(chain(branch, outline_text) for branch in branches)
        case _:
            raise ValueError(f"no figure draws {row}")


def _stride(window: Window) -> str:
    return f" /{window.stride}" if window.stride > 1 else ""


def _window(window: Window) -> str:
    return _stride(window) + (" V" if window.padding == VALID else "")
