"""A stage's rows as boxes: the branches of a module side by side, a residual block with its shortcut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from ..papers.notation import (
    LRN,
    Adaptive,
    Avg,
    AvgTo,
    BatchNorm,
    Cat,
    Conv,
    Dropout,
    FullyConnected,
    Linear,
    LinearNorm,
    Max,
    Residual,
    Row,
    Separable,
    Whitening,
)
from ..papers.shape import Cost, FeatureShape, row_output
from .layout import Layout, Style, add_shortcut, fork, repeated, stack, text_box
from .row_text import CONCAT, LINEAR_1X1, NO_RELU, RELU, row_text, shape_text


@dataclass(frozen=True)
class TracedRow:
    """A row with its input shape, its output shape and its cost."""

    row: Row
    input: FeatureShape
    output: FeatureShape
    cost: Cost


def trace(rows: Sequence[Row], shape: FeatureShape, batch_norm: BatchNorm | None) -> list[TracedRow]:
    """Rows one after the other, the first with input `shape`."""
    traced = []
    for row in rows:
        output, cost = row_output(row, shape, batch_norm)
        traced.append(TracedRow(row, shape, output, cost))
        shape = output
    return traced


def box_kind(row: Row) -> str:
    """The kind of box, and so the colour, that a row is drawn in."""
    match row:
        case Conv() if row.sides == (1, 1):
            return "conv1x1"
        case Conv() | Separable() | Whitening():
            return "conv"
        case Max() | Avg() | AvgTo() | Adaptive():
            return "pool"
        case LRN() | Dropout():
            return "norm"
        case FullyConnected() | LinearNorm() | Linear() | Cat() | Residual():
            return "linear"


def stage_layout(rows: Sequence[Row], shape: FeatureShape, batch_norm: BatchNorm | None, style: Style) -> Layout:
    """A stage: its rows one below the other, equal neighbours drawn once with their count.

    Where boxes show costs, neighbours are equal only if their inputs have the same shape, too.
    """

    def same(row: TracedRow) -> object:
        return (row.row, row.input.chw) if style.counted else row.row

    runs = [list(run) for _, run in groupby(trace(rows, shape, batch_norm), same)]
    style = replace(style, most=max(cost for run in runs for cost in _box_costs(run[0], batch_norm)))
    return stack([repeated(_row_layout(run[0], batch_norm, style), len(run), style) for run in runs], style)


def _box_costs(traced: TracedRow, batch_norm: BatchNorm | None) -> Iterator[int]:
    """The multiply-adds of every box that a row is drawn as."""
    match traced.row:
        case Cat(branches):
            for branch in branches:
                for inner in trace(branch, traced.input, batch_norm):
                    yield from _box_costs(inner, batch_norm)
        case Residual(body):
            (inner,) = trace([body], traced.input, batch_norm)
            yield from _box_costs(inner, batch_norm)
            yield traced.cost.multiply_adds - inner.cost.multiply_adds
        case _:
            yield traced.cost.multiply_adds


def _row_layout(traced: TracedRow, batch_norm: BatchNorm | None, style: Style, ends_branch: bool = False) -> Layout:
    match traced.row:
        case Cat():
            return _cat_layout(traced.row, traced, batch_norm, style, ends_branch)
        case Residual():
            return _residual_layout(traced.row, traced, batch_norm, style)
        case row:
            return _row_box(row_text(row, traced.input).get(style.lang), traced.output, traced.cost, style, box_kind(row))


def _row_box(text: str, output: FeatureShape, cost: Cost, style: Style, kind: str) -> Layout:
    if not style.counted:
        return text_box([text], style, kind)
    counts = [f"{cost.parameters:,}", f"{cost.multiply_adds:,}"] if cost.parameters else []
    return text_box([text, shape_text(output), *counts], style, kind, bar=cost.multiply_adds / max(style.most, 1))


def _cat_layout(row: Cat, traced: TracedRow, batch_norm: BatchNorm | None, style: Style, ends_branch: bool = False) -> Layout:
    """Branches, then a box for the concatenation; no box at the end of a branch, where the outer concatenation joins all."""
    lanes, channels = [], []
    for branch in row.branches:
        inner = trace(branch, traced.input, batch_norm)
        lanes.append(stack([_row_layout(step, batch_norm, style, step is inner[-1]) for step in inner], style))
        channels.append(inner[-1].output.channels)
    branches = fork(lanes, style)
    if ends_branch:
        return branches
    total = " + ".join(map(str, channels)) + f" = {traced.output.channels}"
    lines = [CONCAT.get(style.lang), shape_text(traced.output), total] if style.counted else []
    return stack([branches, text_box(lines, style, "join", branches.width)], style)


def _residual_layout(row: Residual, traced: TracedRow, batch_norm: BatchNorm | None, style: Style) -> Layout:
    """The branches, the linear 1x1 and the scale, added to the input; then ReLU."""
    (body,) = trace([row.body], traced.input, batch_norm)
    linear_cost = Cost(traced.cost.parameters - body.cost.parameters, traced.cost.multiply_adds - body.cost.multiply_adds)
    words = LINEAR_1X1.format(filters=traced.output.channels).get(style.lang)
    linear = _row_box(words, traced.output, linear_cost, style, "conv1x1")
    branches = _cat_layout(row.body, body, batch_norm, style)
    if not style.counted:
        return add_shortcut(stack([branches, linear], style), [], style)
    scale = [text_box([f"x {row.scale:g}"], style, "join")] if row.scale != 1 else []
    end = text_box([(RELU if row.relu else NO_RELU).get(style.lang), shape_text(traced.output)], style, "join")
    return add_shortcut(stack([branches, linear, *scale], style), [end], style)
