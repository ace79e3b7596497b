"""Shapes, parameters, multiply-adds, receptive field, depth and minimum picture size of any table, without torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Protocol

from ..errors import GodeeperError, unknown
from .notation import (
    LRN,
    SAME,
    AvgTo,
    Cat,
    Conv,
    Definition,
    Dropout,
    FullyConnected,
    Linear,
    Max,
    Padding,
    Row,
    Separable,
    Stage,
    rows,
)
from .registry import definition as named


class TooSmall(GodeeperError):
    """The picture is smaller than the network can take."""


@dataclass(frozen=True)
class Flow:
    """What runs between two rows: a C x H x W block whose every unit sees `field` pixels, `jump` pixels apart."""

    channels: int
    height: int
    width: int
    field: int = 1
    jump: int = 1

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.channels, self.height, self.width


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


def through(row: Row, flow: Flow, batch_norm: bool) -> tuple[Flow, Cost]:
    """What leaves `row` when `flow` enters it, and its cost. TooSmall where nothing can leave."""
    match row:
        case Conv(filters, kernel, stride, padding):
            weights = filters * flow.channels * kernel**2
            out = _windows(flow, filters, kernel, stride, padding)
            per_filter = 2 if batch_norm else 1  # scale and shift, or a bias
            return out, Cost(weights + per_filter * filters, weights * out.height * out.width, 1, 1)
        case Separable(filters, kernel, stride, multiplier, padding):
            middle = _windows(flow, flow.channels * multiplier, kernel, stride, padding)
            depthwise = middle.channels * kernel**2 * middle.height * middle.width
            out, cost = through(Conv(filters), middle, batch_norm)
            return out, cost + Cost(middle.channels * kernel**2, depthwise)
        case Max(kernel, stride, padding):
            return _windows(flow, flow.channels, kernel, stride, padding), Cost(depth_with_pools=1)
        case AvgTo():
            return _grid(row, flow), Cost(depth_with_pools=1)
        case FullyConnected(units) | Linear(units):
            inputs = flow.channels * flow.height * flow.width
            seen = flow.field + (max(flow.height, flow.width) - 1) * flow.jump
            return Flow(units, 1, 1, seen, flow.jump), Cost(inputs * units + units, inputs * units, 1, 1)
        case Cat(branches):
            outs, costs = zip(*(along(branch, flow, batch_norm) for branch in branches), strict=True)
            total = costs[0]
            for cost in costs[1:]:
                total = total.beside(cost)
            channels, seen = sum(out.channels for out in outs), max(out.field for out in outs)
            return replace(outs[0], channels=channels, field=seen), total
        case LRN() | Dropout():
            return flow, Cost()


def along(stage: Stage, flow: Flow, batch_norm: bool) -> tuple[Flow, Cost]:
    """`through` for rows one after the other."""
    total = Cost()
    for row in rows(stage):
        flow, cost = through(row, flow, batch_norm)
        total += cost
    return flow, total


def _windows(flow: Flow, channels: int, kernel: int, stride: int, padding: Padding) -> Flow:
    lost = 0 if padding == SAME else kernel - 1
    height, width = (-(-(side - lost) // stride) for side in (flow.height, flow.width))  # ceil
    if min(height, width) < 1:
        raise TooSmall(f"a {kernel}x{kernel} filter does not fit in {flow.height}x{flow.width}")
    return Flow(channels, height, width, flow.field + (kernel - 1) * flow.jump, flow.jump * stride)


def _grid(pool: AvgTo, flow: Flow) -> Flow:
    if min(flow.height, flow.width) < pool.grid:
        raise TooSmall(f"{flow.height}x{flow.width} cannot be pooled to {pool.grid}x{pool.grid}")
    kernel, stride = pool.window(max(flow.height, flow.width))
    return Flow(flow.channels, pool.grid, pool.grid, flow.field + (kernel - 1) * flow.jump, flow.jump * stride)


@dataclass(frozen=True)
class Line:
    """One stage described: its output (C, H, W), its cost, and the pixels of the picture that one output sees."""

    name: str
    kind: str
    output: tuple[int, int, int]
    parameters: int
    multiply_adds: int
    receptive_field: int
    depth: int
    depth_with_pools: int


@dataclass(frozen=True)
class Description:
    """A network described: its lines from the picture to the logits, and the lines of its auxiliary heads."""

    name: str
    image_size: int
    minimum_size: int
    lines: tuple[Line, ...]
    auxiliary: Mapping[str, tuple[Line, ...]]

    def __iter__(self) -> Iterator[Line]:
        return iter(self.lines)

    def __len__(self) -> int:
        return len(self.lines)

    def __getitem__(self, name: str) -> Line:
        for line in self.lines:
            if line.name == name:
                return line
        raise unknown("stage", name, (line.name for line in self.lines))

    @property
    def parameters(self) -> int:
        """Of the network without auxiliary heads."""
        return sum(line.parameters for line in self.lines)

    @property
    def parameters_with_heads(self) -> int:
        """Of the network with its auxiliary heads."""
        return self.parameters + sum(line.parameters for lines in self.auxiliary.values() for line in lines)

    @property
    def multiply_adds(self) -> int:
        """Of one picture through the network, without auxiliary heads."""
        return sum(line.multiply_adds for line in self.lines)

    @property
    def depth(self) -> int:
        """Layers with parameters on the longest path."""
        return sum(line.depth for line in self.lines)

    @property
    def depth_with_pools(self) -> int:
        """Layers with parameters, and pools, on the longest path."""
        return sum(line.depth_with_pools for line in self.lines)


class Defined(Protocol):
    """Anything built from a definition, as a network is."""

    definition: Definition


def describe(network: str | Defined | Definition, image_size: int | None = None) -> Description:
    """Every stage of a network, by name, definition or built, for square pictures of `image_size` pixels (default: the paper's).

    Auxiliary heads are described where the picture is large enough for them. GodeeperError for an unknown name; TooSmall,
    naming the minimum, for a picture smaller than the network takes.
    """
    definition = named(network) if isinstance(network, str) else getattr(network, "definition", network)
    if not isinstance(definition, Definition):
        raise GodeeperError(f"describe takes a model's name, a definition or a network, not {network!r}")
    size = definition.image_size if image_size is None else image_size
    minimum = minimum_size(definition)
    if size < minimum:
        raise TooSmall(f"{definition.name} takes pictures of at least {minimum}x{minimum} pixels, not {size}x{size}")
    flow = Flow(definition.in_channels, size, size)
    lines, flows = _lines({**definition.stages, **definition.head}, flow, definition.batch_norm is not None)
    auxiliary = {}
    if size >= minimum_size(definition, heads=True):
        for name, aux in definition.auxiliary.items():
            auxiliary[name], _ = _lines(aux.stages, flows[aux.on], definition.batch_norm is not None)
    return Description(definition.name, size, minimum, lines, auxiliary)


def _lines(stages: Mapping[str, Stage], flow: Flow, batch_norm: bool) -> tuple[tuple[Line, ...], dict[str, Flow]]:
    lines, flows = [], {}
    for name, stage in stages.items():
        before, _ = along(rows(stage)[:-1], flow, batch_norm)
        kind = kind_of(rows(stage)[-1], before)
        flow, cost = along(stage, flow, batch_norm)
        flows[name] = flow
        lines.append(
            Line(name, kind, flow.shape, cost.parameters, cost.multiply_adds, flow.field, cost.depth, cost.depth_with_pools)
        )
    return tuple(lines), flows


def kind_of(row: Row, flow: Flow) -> str:
    """What a row is called in the papers' first column, with filter size and stride, when `flow` enters it."""
    match row:
        case Conv(_, kernel, stride):
            return f"convolution {kernel}x{kernel}/{stride}"
        case Separable(_, kernel, stride):
            return f"separable convolution {kernel}x{kernel}/{stride}"
        case Max(kernel, stride):
            return f"max pool {kernel}x{kernel}/{stride}"
        case AvgTo(grid):
            kernel, stride = row.window(flow.height)
            return f"avg pool {kernel}x{kernel}/{stride if grid > 1 else 1}"
        case LRN():
            return "local response norm"
        case Dropout(ratio):
            return f"dropout {ratio:.0%}"
        case FullyConnected():
            return "fully connected"
        case Linear():
            return "linear"
        case Cat():
            return "inception"


@lru_cache(maxsize=256)
def _minimum(stages: tuple[Stage, ...], tails: tuple[tuple[Stage, ...], ...], channels: int) -> int:
    size = 1
    while True:
        try:
            for path in (stages, *tails):
                along(tuple(row for stage in path for row in rows(stage)), Flow(channels, size, size), False)
            return size
        except TooSmall:
            size += 1


def minimum_size(definition: Definition, heads: bool = False) -> int:
    """The smallest picture side, in pixels, from which every row still has something to give; `heads` counts them in."""
    trunk = list(definition.stages)
    tails = []
    for aux in definition.auxiliary.values() if heads else ():
        upto = trunk[: trunk.index(aux.on) + 1]
        tails.append((*(definition.stages[name] for name in upto), *aux.stages.values()))
    return _minimum((*definition.stages.values(), *definition.head.values()), tuple(tails), definition.in_channels)
