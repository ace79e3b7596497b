"""The shape, receptive field and cost of every row's output, computed from the table alone, without torch."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from ..errors import GodeeperError
from ..fields import quoted
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
    FullyConnected,
    Linear,
    LinearNorm,
    Max,
    Residual,
    Row,
    Separable,
    Stage,
    Whitening,
    Window,
    rows,
)

# Rows that multiply these, one after the other, would soon make numbers of thousands of digits.
MOST_CHANNELS, MOST_JUMP = 10_000_000, 10**9


class TooSmall(GodeeperError):
    """The image is smaller than the network's minimum size."""


class Uneven(GodeeperError):
    """At this image size, branches that are concatenated or added have outputs of different sizes."""


@dataclass(frozen=True)
class FeatureShape:
    """The features between two rows: C x H x W units, and which pixels of the image they depend on.

    `receptive_field` is the height and width in pixels that one unit depends on; `jump` is the distance in pixels between
    the fields of neighbouring units. GodeeperError beyond `MOST_CHANNELS` or `MOST_JUMP`.
    """

    channels: int
    height: int
    width: int
    receptive_field: tuple[int, int] = (1, 1)
    jump: int = 1

    def __post_init__(self) -> None:
        if self.channels > MOST_CHANNELS or self.jump > MOST_JUMP:
            what = f"{quoted(self.channels)} channels, {quoted(self.jump)} pixels apart"
            raise GodeeperError(
                f"the table cannot be read: a row has {what}: at most {MOST_CHANNELS:,}, {MOST_JUMP:,} apart, can be"
            )

    @property
    def chw(self) -> tuple[int, int, int]:
        return self.channels, self.height, self.width

    def window_field(self, window: tuple[int, int]) -> tuple[int, int]:
        """The receptive field (height, width) of a window over (height, width) neighbouring units, in pixels."""
        (high, wide), (rows, columns) = self.receptive_field, window
        return high + (rows - 1) * self.jump, wide + (columns - 1) * self.jump


@dataclass(frozen=True)
class Cost:
    """What a row costs: `depth` counts the layers with parameters on the longest path, `depth_with_pools` the pools too.

    Multiply-adds are those of convolutions and linear layers for one image, without biases: the paper's "ops".
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
        """The cost of two parallel branches: the sum of both, the depth of the deeper one."""
        longest = max(self.depth, other.depth), max(self.depth_with_pools, other.depth_with_pools)
        return Cost(self.parameters + other.parameters, self.multiply_adds + other.multiply_adds, *longest)


def row_output(row: Row, shape: FeatureShape, batch_norm: BatchNorm | None) -> tuple[FeatureShape, Cost]:
    """The shape of a row's output, and the row's cost, when its input has this shape.

    TooSmall if no window fits, Uneven if branches have outputs of different sizes.
    """
    match row:
        case Conv(filters):
            weights = filters * shape.channels * math.prod(row.sides)
            out = _windows(row, shape, filters)
            per_filter = 1 if batch_norm is None else 2 + batch_norm.conv_bias  # a bias, or scale and shift, or all three
            return out, Cost(weights + per_filter * filters, weights * out.height * out.width, 1, 1)
        case Whitening():
            filters = row.filters(shape.channels)
            out = _windows(row, shape, filters)
            weights = filters * shape.channels * math.prod(row.sides)  # of which none is a parameter; the biases are
            return out, Cost(filters, weights * out.height * out.width, 1, 1)
        case Separable(filters):
            middle = _windows(row, shape, shape.channels * row.multiplier)
            weights = middle.channels * math.prod(row.sides)
            out, cost = row_output(Conv(filters), middle, batch_norm)
            return out, cost + Cost(weights, weights * middle.height * middle.width)
        case Max() | Avg():
            return _windows(row, shape, shape.channels), Cost(depth_with_pools=1)
        case AvgTo() | Adaptive():
            return _grid(row, shape), Cost(depth_with_pools=1)
        case FullyConnected(units) | Linear(units) | LinearNorm(units):
            inputs = shape.channels * shape.height * shape.width
            per_unit = 2 if isinstance(row, LinearNorm) else 1  # scale and shift, or a bias
            whole = shape.window_field((shape.height, shape.width))
            return FeatureShape(units, 1, 1, whole, shape.jump), Cost((inputs + per_unit) * units, inputs * units, 1, 1)
        case Cat(branches):
            outs, costs = zip(*(stage_output(branch, shape, batch_norm) for branch in branches), strict=True)
            if len({(out.height, out.width) for out in outs}) > 1:
                sizes = ", ".join(f"{out.height}x{out.width}" for out in outs)
                raise Uneven(f"branches whose outputs are {sizes} cannot be concatenated")
            total = costs[0]
            for cost in costs[1:]:
                total = total.beside(cost)
            return replace(outs[0], channels=sum(out.channels for out in outs), receptive_field=_largest(outs)), total
        case Residual(body):
            inner, cost = row_output(body, shape, batch_norm)
            if (inner.height, inner.width) != (shape.height, shape.width):
                raise Uneven(
                    f"branches of {inner.height}x{inner.width} cannot be added to their input of {shape.height}x{shape.width}"
                )
            linear = inner.channels * shape.channels
            added = Cost(linear + shape.channels, linear * shape.height * shape.width, 1, 1)
            return replace(shape, receptive_field=_largest((shape, inner))), cost + added
        case LRN() | Dropout():
            return shape, Cost()


def stage_output(stage: Stage, shape: FeatureShape, batch_norm: BatchNorm | None) -> tuple[FeatureShape, Cost]:
    """`row_output` of one row or of several in sequence; the cost is their sum."""
    total = Cost()
    for row in rows(stage):
        shape, cost = row_output(row, shape, batch_norm)
        total += cost
    return shape, total


def _windows(window: Window, shape: FeatureShape, channels: int) -> FeatureShape:
    height, width = (
        _positions(side + 2 * margin, reach, window.stride, ceil=window.padding == CEIL)
        for side, reach, margin in zip((shape.height, shape.width), window.reach, window.margins, strict=True)
    )
    if min(height, width) < 1:
        raise TooSmall(f"a {window.size} filter does not fit in {shape.height}x{shape.width}")
    return FeatureShape(channels, height, width, shape.window_field(window.reach), shape.jump * window.stride)


def _largest(shapes: Iterable[FeatureShape]) -> tuple[int, int]:
    """The greatest height and the greatest width of the receptive fields."""
    high, wide = zip(*(shape.receptive_field for shape in shapes), strict=True)
    return max(high), max(wide)


def _positions(side: int, kernel: int, stride: int, ceil: bool) -> int:
    """How many positions a filter has along one side; with `ceil` the last one may overlap the edge, but not start beyond it."""
    rest = side - kernel
    if not ceil:
        return rest // stride + 1
    return min(-(-rest // stride), (side - 1) // stride) + 1


def _grid(pool: AvgTo | Adaptive, shape: FeatureShape) -> FeatureShape:
    side = max(shape.height, shape.width)
    if isinstance(pool, AvgTo):
        if min(shape.height, shape.width) < pool.grid:
            raise TooSmall(f"{shape.height}x{shape.width} cannot be pooled to {pool.grid}x{pool.grid}")
        kernel, stride = pool.window(side)
    else:
        kernel, stride = _widest(side, pool.grid), max(1, side // pool.grid)
    return FeatureShape(shape.channels, pool.grid, pool.grid, shape.window_field((kernel, kernel)), shape.jump * stride)


@lru_cache(maxsize=4096)
def _widest(side: int, grid: int) -> int:
    """The widest window of an adaptive pool of `side` places to `grid`."""
    return max(-(-(i + 1) * side // grid) - i * side // grid for i in range(grid))
