"""What a table's rows do to the block of numbers that runs through them, and what they cost; without torch."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..errors import GodeeperError
from .notation import (
    CEIL,
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
    Stage,
    Window,
    rows,
)


class TooSmall(GodeeperError):
    """The image is smaller than the network can take."""


class Uneven(GodeeperError):
    """At this image size, branches that are to be concatenated have outputs of different sizes."""


@dataclass(frozen=True)
class Flow:
    """What runs between two rows: a C x H x W block whose every unit sees `sees` pixels, high and wide, `jump` pixels apart."""

    channels: int
    height: int
    width: int
    sees: tuple[int, int] = (1, 1)
    jump: int = 1

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.channels, self.height, self.width

    @property
    def field(self) -> int:
        """The receptive field's longer side, in pixels."""
        return max(self.sees)

    def seeing(self, places: tuple[int, int]) -> tuple[int, int]:
        """What a unit sees that looks at so many neighbouring places of this block, high and wide."""
        return self.sees[0] + (places[0] - 1) * self.jump, self.sees[1] + (places[1] - 1) * self.jump


@dataclass(frozen=True)
class Cost:
    """What a row costs; `depth` counts layers with parameters on the longest path, `depth_with_pools` the pools too.

    Multiply-adds are those of convolutions and linear layers, biases left out: the paper's "ops".
    """

    parameters: int = 0
    multiply_adds: int = 0
    depth: int = 0
    depth_with_pools: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.parameters + other.parameters,
            self.multiply_adds + other.multiply_adds,
            self.depth + other.depth,
            self.depth_with_pools + other.depth_with_pools,
        )

    def beside(self, other: Cost) -> Cost:
        """The cost of two branches: their sum, at the greater depth."""
        longest = max(self.depth, other.depth), max(self.depth_with_pools, other.depth_with_pools)
        return Cost(self.parameters + other.parameters, self.multiply_adds + other.multiply_adds, *longest)


def through(row: Row, flow: Flow, batch_norm: BatchNorm | None) -> tuple[Flow, Cost]:
    """What leaves `row` when `flow` enters it, and its cost. TooSmall where nothing can leave, Uneven where branches disagree."""
    match row:
        case Conv(filters):
            weights = filters * flow.channels * math.prod(row.sides)
            out = _windows(row, flow, filters)
            per_filter = 1 if batch_norm is None else 2 + batch_norm.conv_bias  # a bias, or scale and shift, or all three
            return out, Cost(weights + per_filter * filters, weights * out.height * out.width, 1, 1)
        case Separable(filters, kernel, _, multiplier):
            middle = _windows(row, flow, flow.channels * multiplier)
            depthwise = middle.channels * kernel**2 * middle.height * middle.width
            out, cost = through(Conv(filters), middle, batch_norm)
            return out, cost + Cost(middle.channels * kernel**2, depthwise)
        case Max() | Avg():
            return _windows(row, flow, flow.channels), Cost(depth_with_pools=1)
        case AvgTo() | Adaptive():
            return _grid(row, flow), Cost(depth_with_pools=1)
        case FullyConnected(units) | Linear(units) | Embedding(units):
            inputs = flow.channels * flow.height * flow.width
            per_unit = 2 if isinstance(row, Embedding) else 1  # scale and shift, or a bias
            whole = flow.seeing((flow.height, flow.width))
            return Flow(units, 1, 1, whole, flow.jump), Cost((inputs + per_unit) * units, inputs * units, 1, 1)
        case Cat(branches):
            outs, costs = zip(*(along(branch, flow, batch_norm) for branch in branches), strict=True)
            if len({(out.height, out.width) for out in outs}) > 1:
                sizes = ", ".join(f"{out.height}x{out.width}" for out in outs)
                raise Uneven(f"branches whose outputs are {sizes} cannot be concatenated")
            total = costs[0]
            for cost in costs[1:]:
                total = total.beside(cost)
            return replace(outs[0], channels=sum(out.channels for out in outs), sees=_largest(outs)), total
        case Residual(body):
            inner, cost = through(body, flow, batch_norm)
            if (inner.height, inner.width) != (flow.height, flow.width):
                raise Uneven(
                    f"branches of {inner.height}x{inner.width} cannot be added to their input of {flow.height}x{flow.width}"
                )
            linear = inner.channels * flow.channels
            added = Cost(linear + flow.channels, linear * flow.height * flow.width, 1, 1)
            return replace(flow, sees=_largest((flow, inner))), cost + added
        case LRN() | Dropout():
            return flow, Cost()


def along(stage: Stage, flow: Flow, batch_norm: BatchNorm | None) -> tuple[Flow, Cost]:
    """`through` for rows one after the other."""
    total = Cost()
    for row in rows(stage):
        flow, cost = through(row, flow, batch_norm)
        total += cost
    return flow, total


def _windows(window: Window, flow: Flow, channels: int) -> Flow:
    height, width = (
        _places(side + 2 * margin, reach, window.stride, hang=window.padding == CEIL)
        for side, reach, margin in zip((flow.height, flow.width), window.reach, window.margins, strict=True)
    )
    if min(height, width) < 1:
        raise TooSmall(f"a {window.size} filter does not fit in {flow.height}x{flow.width}")
    return Flow(channels, height, width, flow.seeing(window.reach), flow.jump * window.stride)


def _largest(flows: Iterable[Flow]) -> tuple[int, int]:
    high, wide = zip(*(flow.sees for flow in flows), strict=True)
    return max(high), max(wide)


def _places(side: int, kernel: int, stride: int, hang: bool) -> int:
    """Where a filter fits along one side, one stride apart; `hang`: the last place may reach over the edge, not lie beyond it."""
    rest = side - kernel
    if not hang:
        return rest // stride + 1
    return min(-(-rest // stride), (side - 1) // stride) + 1


def _grid(pool: AvgTo | Adaptive, flow: Flow) -> Flow:
    side = max(flow.height, flow.width)
    if isinstance(pool, AvgTo):
        if min(flow.height, flow.width) < pool.grid:
            raise TooSmall(f"{flow.height}x{flow.width} cannot be pooled to {pool.grid}x{pool.grid}")
        kernel, stride = pool.window(side)
    else:
        windows = [(-(-(i + 1) * side // pool.grid), i * side // pool.grid) for i in range(pool.grid)]
        kernel, stride = max(end - start for end, start in windows), max(1, side // pool.grid)
    return Flow(flow.channels, pool.grid, pool.grid, flow.seeing((kernel, kernel)), flow.jump * stride)
