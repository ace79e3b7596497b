"""Shapes, parameters, multiply-adds, receptive field, depth and minimum image size of any table, without torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from ..errors import GodeeperError, unknown
from .flow import Flow, TooSmall, Uneven, along
from .notation import (
    LRN,
    Adaptive,
    Avg,
    AvgTo,
    BatchNorm,
    Cat,
    Conv,
    Definition,
    Dropout,
    Embedding,
    FullyConnected,
    Linear,
    Max,
    Residual,
    Row,
    Separable,
    Stage,
    rows,
)
from .registry import definition as named


@dataclass(frozen=True)
class Line:
    """One stage described: its output (C, H, W), its cost, and the pixels of the image that one output sees."""

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
    """A network described: its lines from the image to the logits, and the lines of its auxiliary heads."""

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
        """Of one image through the network, without auxiliary heads."""
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
    """Every stage of a network, by name, definition or built, for square images of `image_size` pixels (default: the paper's).

    Auxiliary heads are described where the image is large enough for them. GodeeperError for an unknown name; TooSmall,
    naming the minimum, for an image smaller than the network takes.
    """
    definition = named(network) if isinstance(network, str) else getattr(network, "definition", network)
    if not isinstance(definition, Definition):
        raise GodeeperError(f"describe takes a model's name, a definition or a network, not {network!r}")
    size = definition.image_size if image_size is None else image_size
    minimum = minimum_size(definition)
    if size < minimum:
        raise TooSmall(f"{definition.name} takes images of at least {minimum}x{minimum} pixels, not {size}x{size}")
    check_size(definition, size, size)
    flow = Flow(definition.in_channels, size, size)
    lines, flows = _lines({**definition.stages, **definition.head}, flow, definition.batch_norm)
    auxiliary = {}
    if size >= minimum_size(definition, heads=True):
        for name, aux in definition.auxiliary.items():
            auxiliary[name], _ = _lines(aux.stages, flows[aux.on], definition.batch_norm)
    return Description(definition.name, size, minimum, lines, auxiliary)


def _lines(stages: Mapping[str, Stage], flow: Flow, batch_norm: BatchNorm | None) -> tuple[tuple[Line, ...], dict[str, Flow]]:
    lines, flows = [], {}
    for name, stage in stages.items():
        before, _ = along(rows(stage)[:-1], flow, batch_norm)
        kind = kind_of(rows(stage)[-1], before)
        if len(rows(stage)) > 1 and len(set(rows(stage))) == 1:
            kind = f"{len(rows(stage))} x {kind}"
        flow, cost = along(stage, flow, batch_norm)
        flows[name] = flow
        lines.append(
            Line(name, kind, flow.shape, cost.parameters, cost.multiply_adds, flow.field, cost.depth, cost.depth_with_pools)
        )
    return tuple(lines), flows


def kind_of(row: Row, flow: Flow) -> str:
    """What a row is called in the papers' first column, with filter size and stride, when `flow` enters it."""
    match row:
        case Conv():
            return f"convolution {row.size}/{row.stride}"
        case Separable():
            return f"separable convolution {row.size}/{row.stride}"
        case Max():
            return f"max pool {row.size}/{row.stride}"
        case Avg():
            return f"avg pool {row.size}/{row.stride}"
        case AvgTo(grid):
            kernel, stride = row.window(flow.height)
            return f"avg pool {kernel}x{kernel}/{stride if grid > 1 else 1}"
        case Adaptive(grid):
            return f"avg pool to {grid}x{grid}"
        case LRN():
            return "local response norm"
        case Dropout(ratio):
            return f"dropout {ratio:.0%}"
        case FullyConnected():
            return "fully connected"
        case Embedding():
            return "embedding"
        case Linear():
            return "linear"
        case Cat():
            return "inception"
        case Residual():
            return "inception-resnet"


LARGEST = 4096  # pixels; a network that takes no smaller image takes none


@lru_cache(maxsize=256)
def _minimum(stages: tuple[Stage, ...], tails: tuple[tuple[Stage, ...], ...], channels: int) -> int:
    paths = [tuple(row for stage in path for row in rows(stage)) for path in (stages, *tails)]
    for size in range(1, LARGEST + 1):
        try:
            for path in paths:
                along(path, Flow(channels, size, size), None)
            return size
        except (TooSmall, Uneven) as error:
            refusal = error
    raise refusal


def minimum_size(definition: Definition, heads: bool = False) -> int:
    """The smallest image side, in pixels, from which every row still has something to give; `heads` counts them in."""
    trunk = list(definition.stages)
    tails = []
    for aux in definition.auxiliary.values() if heads else ():
        upto = trunk[: trunk.index(aux.on) + 1]
        tails.append((*(definition.stages[name] for name in upto), *aux.stages.values()))
    return _minimum((*definition.stages.values(), *definition.head.values()), tuple(tails), definition.in_channels)


def check_size(definition: Definition, height: int, width: int) -> None:
    """Uneven, naming the size, where the branches of some module would not fit together on images of that size."""
    path = tuple(row for stage in definition.stages.values() for row in rows(stage))

    def misfit(height: int, width: int) -> Uneven | None:
        try:
            along(path, Flow(1, height, width), None)
        except Uneven as error:
            return error
        return None

    if (error := misfit(height, width)) is not None:
        fits = next((side for side in range(max(height, width), LARGEST) if misfit(side, side) is None), None)
        remedy = f"; {fits}x{fits} fits" if fits else ""
        raise Uneven(f"{definition.name} cannot take images of {height}x{width} pixels: {error}{remedy}")
