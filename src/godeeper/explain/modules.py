"""A stage's rows as boxes: the branches of a module side by side, a residual block with its shortcut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from ..papers.flow import Cost, Flow, through
from ..papers.notation import (
    LRN,
    Adaptive,
    Avg,
    AvgTo,
    BatchNorm,
    Cat,
    Conv,
    Dropout,
    Embedding,
    FullyConnected,
    Linear,
    Max,
    Residual,
    Row,
    Separable,
)
from ..papers.words import words
from .pieces import Piece, Style, forked, framed, plate, shortcut, stacked


@dataclass(frozen=True)
class Step:
    """A row with what enters it, what leaves it, and what it costs."""

    row: Row
    before: Flow
    after: Flow
    cost: Cost


def steps(rows: Sequence[Row], flow: Flow, batch_norm: BatchNorm | None) -> list[Step]:
    """Rows one after the other, fed `flow`."""
    found = []
    for row in rows:
        after, cost = through(row, flow, batch_norm)
        found.append(Step(row, flow, after, cost))
        flow = after
    return found


def shape(flow: Flow) -> str:
    """A block's size as the papers write it: height x width x channels."""
    return f"{flow.height}x{flow.width}x{flow.channels}"


def said(row: Row, flow: Flow) -> str:
    """A row fed `flow`, in the words of the figures, or where they have none, in words like theirs."""
    match row:
        case Conv() | Max() | Avg():
            return words(row)
        case Separable(filters, _, stride):
            return f"separable {row.size} {filters}" + (f" /{stride}" if stride > 1 else "")
        case AvgTo(grid):
            kernel, stride = row.window(flow.height)
            return f"avgpool {kernel}x{kernel}" + (f" /{stride}" if grid > 1 and stride > 1 else "")
        case Adaptive(grid):
            return f"avgpool to {grid}x{grid}"
        case LRN():
            return "local response norm"
        case Dropout(ratio):
            return f"dropout {ratio:.0%}"
        case FullyConnected(units):
            return f"fully connected {units}"
        case Embedding(units):
            return f"embedding {units}"
        case Linear(classes):
            return f"linear {classes}"
        case Cat():
            return "Inception"
        case Residual():
            return "Inception-ResNet"


def kind(row: Row) -> str:
    """The kind of box that a row is."""
    match row:
        case Conv() if row.sides == (1, 1):
            return "one"
        case Conv() | Separable():
            return "conv"
        case Max() | Avg() | AvgTo() | Adaptive():
            return "pool"
        case LRN() | Dropout():
            return "norm"
        case _:
            return "linear"


def stage_piece(rows: Sequence[Row], flow: Flow, batch_norm: BatchNorm | None, style: Style) -> Piece:
    """A stage: its rows one below the other, those that are equal (and, where counted, fed alike) drawn once."""

    def same(step: Step) -> object:
        return (step.row, step.before.shape) if style.counted else step.row

    runs = [list(run) for _, run in groupby(steps(rows, flow, batch_norm), same)]
    style = replace(style, most=max(cost for run in runs for cost in _boxes(run[0], batch_norm)))
    return stacked([framed(_row(run[0], batch_norm, style), len(run), style) for run in runs], style)


def _boxes(step: Step, batch_norm: BatchNorm | None) -> Iterator[int]:
    """The multiply-adds of every box that a row is drawn as."""
    match step.row:
        case Cat(branches):
            for branch in branches:
                for inner in steps(branch, step.before, batch_norm):
                    yield from _boxes(inner, batch_norm)
        case Residual(body):
            (inner,) = steps([body], step.before, batch_norm)
            yield from _boxes(inner, batch_norm)
            yield step.cost.multiply_adds - inner.cost.multiply_adds
        case _:
            yield step.cost.multiply_adds


def _row(step: Step, batch_norm: BatchNorm | None, style: Style, ends_branch: bool = False) -> Piece:
    match step.row:
        case Cat():
            return _cat(step.row, step, batch_norm, style, ends_branch)
        case Residual():
            return _residual(step.row, step, batch_norm, style)
        case row:
            return _box(said(row, step.before), step.after, step.cost, style, kind(row))


def _box(said: str, after: Flow, cost: Cost, style: Style, kind: str) -> Piece:
    if not style.counted:
        return plate([said], style, kind)
    counts = [f"{cost.parameters:,}", f"{cost.multiply_adds:,}"] if cost.parameters else []
    return plate([said, shape(after), *counts], style, kind, bar=cost.multiply_adds / max(style.most, 1))


def _cat(row: Cat, step: Step, batch_norm: BatchNorm | None, style: Style, ends_branch: bool = False) -> Piece:
    """Branches, then the box that joins them; without it where they end a branch whose own concatenation takes them all."""
    lanes, channels = [], []
    for branch in row.branches:
        along = steps(branch, step.before, batch_norm)
        lanes.append(stacked([_row(inner, batch_norm, style, inner is along[-1]) for inner in along], style))
        channels.append(along[-1].after.channels)
    fork = forked(lanes, style)
    if ends_branch:
        return fork
    total = " + ".join(map(str, channels)) + f" = {step.after.channels}"
    lines = ["concat", shape(step.after), total] if style.counted else []
    return stacked([fork, plate(lines, style, "join", fork.width)], style)


def _residual(row: Residual, step: Step, batch_norm: BatchNorm | None, style: Style) -> Piece:
    """The branches, the linear 1x1 and the scale, added to the input; then ReLU."""
    (body,) = steps([row.body], step.before, batch_norm)
    spent = Cost(step.cost.parameters - body.cost.parameters, step.cost.multiply_adds - body.cost.multiply_adds)
    linear = _box(f"1x1 {step.after.channels} linear", step.after, spent, style, "one")
    branches = _cat(row.body, body, batch_norm, style)
    if not style.counted:
        return shortcut(stacked([branches, linear], style), [], style)
    scale = [plate([f"x {row.scale:g}"], style, "join")] if row.scale != 1 else []
    end = plate(["ReLU" if row.relu else "no ReLU", shape(step.after)], style, "join")
    return shortcut(stacked([branches, linear, *scale], style), [end], style)
