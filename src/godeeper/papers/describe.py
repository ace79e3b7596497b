"""Shapes, parameters, multiply-adds, receptive fields, depth and minimum image size of any table, without torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from ..errors import GodeeperError, unknown
from . import registry
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
    FullyConnected,
    Linear,
    LinearNorm,
    Max,
    Residual,
    Row,
    Separable,
    Stage,
    Whitening,
    rows,
)
from .shape import FeatureShape, TooSmall, Uneven, stage_output


@dataclass(frozen=True)
class StageDescription:
    """One stage: its output (C, H, W), its cost for one image, and the side in pixels of its receptive field."""

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
    """A network: its stages from the image to the logits, and the stages of its auxiliary heads. Sizes are in pixels."""

    name: str
    image_size: int
    minimum_size: int
    stages: tuple[StageDescription, ...]
    auxiliary: Mapping[str, tuple[StageDescription, ...]]

    def __iter__(self) -> Iterator[StageDescription]:
        return iter(self.stages)

    def __len__(self) -> int:
        return len(self.stages)

    def __getitem__(self, name: str) -> StageDescription:
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise unknown("stage", name, (stage.name for stage in self.stages))

    @property
    def parameters(self) -> int:
        """Without auxiliary heads."""
        return sum(stage.parameters for stage in self.stages)

    @property
    def parameters_with_heads(self) -> int:
        """With auxiliary heads."""
        return self.parameters + sum(stage.parameters for stages in self.auxiliary.values() for stage in stages)

    @property
    def multiply_adds(self) -> int:
        """For one image, without auxiliary heads."""
        return sum(stage.multiply_adds for stage in self.stages)

    @property
    def depth(self) -> int:
        """Layers with parameters on the longest path."""
        return sum(stage.depth for stage in self.stages)

    @property
    def depth_with_pools(self) -> int:
        """Layers with parameters, and pools, on the longest path."""
        return sum(stage.depth_with_pools for stage in self.stages)


class Defined(Protocol):
    """An object built from a definition, as a network is."""

    @property
    def definition(self) -> Definition:
        """The whole table."""


def describe(network: str | Defined | Definition, image_size: int | None = None) -> Description:
    """Every stage of a network (its name, its definition, or the built network), for square images of `image_size` pixels.

    The default size is the definition's. Auxiliary heads are described if the image is large enough for them. GodeeperError
    for an unknown name; TooSmall, with the minimum, for an image smaller than the network takes; Uneven for a size at which
    branches do not fit together.
    """
    definition = registry.definition(network) if isinstance(network, str) else getattr(network, "definition", network)
    if not isinstance(definition, Definition):
        raise GodeeperError(f"describe takes a model's name, a definition or a network, not {network!r}")
    size = definition.image_size if image_size is None else image_size
    minimum = minimum_size(definition)
    if size < minimum:
        raise TooSmall(f"{definition.name} takes images of at least {minimum}x{minimum} pixels, not {size}x{size}")
    check_size(definition, size, size)
    image = FeatureShape(definition.in_channels, size, size)
    stages, outputs = _summaries({**definition.stages, **definition.head}, image, definition.batch_norm)
    auxiliary = {}
    if size >= minimum_size(definition, heads=True):
        for name, aux in definition.auxiliary.items():
            auxiliary[name], _ = _summaries(aux.stages, outputs[aux.on], definition.batch_norm)
    return Description(definition.name, size, minimum, stages, auxiliary)


def _summaries(
    stages: Mapping[str, Stage], shape: FeatureShape, batch_norm: BatchNorm | None
) -> tuple[tuple[StageDescription, ...], dict[str, FeatureShape]]:
    """Every stage in sequence from an input of this shape, and the shape of every stage's output."""
    summaries, outputs = [], {}
    for name, stage in stages.items():
        kind = _stage_kind(stage, shape, batch_norm)
        shape, cost = stage_output(stage, shape, batch_norm)
        outputs[name] = shape
        field = max(shape.receptive_field)
        summary = StageDescription(
            name, kind, shape.chw, cost.parameters, cost.multiply_adds, field, cost.depth, cost.depth_with_pools
        )
        summaries.append(summary)
    return tuple(summaries), outputs


def _stage_kind(stage: Stage, shape: FeatureShape, batch_norm: BatchNorm | None) -> str:
    """The kind of the last row, with the number of rows in front if they are all equal."""
    *first, last = rows(stage)
    before_last, _ = stage_output(tuple(first), shape, batch_norm)
    repeated = f"{len(first) + 1} x " if first and len({*first, last}) == 1 else ""
    return repeated + kind_of(last, before_last)


def kind_of(row: Row, shape: FeatureShape) -> str:
    """A row with an input of this shape as the papers' first column names it, with filter size and stride."""
    match row:
        case Conv():
            return f"convolution {row.size}/{row.stride}"
        case Whitening():
            return f"whitening {row.size}/{row.stride}"
        case Separable():
            return f"separable convolution {row.size}/{row.stride}"
        case Max():
            return f"max pool {row.size}/{row.stride}"
        case Avg():
            return f"avg pool {row.size}/{row.stride}"
        case AvgTo(grid):
            kernel, stride = row.window(shape.height)
            return f"avg pool {kernel}x{kernel}/{stride if grid > 1 else 1}"
        case Adaptive(grid):
            return f"avg pool to {grid}x{grid}"
        case LRN():
            return "local response norm"
        case Dropout(ratio):
            return f"dropout {ratio:.0%}"
        case FullyConnected():
            return "fully connected"
        case LinearNorm():
            return "linear and norm"
        case Linear():
            return "linear"
        case Cat():
            return "inception"
        case Residual():
            return "inception-resnet"


LARGEST = 4096  # pixels: the search for a size that fits ends here,
MOST_WORK = 300_000  # or where it has computed the shapes of so many rows: a table of thousands may fit no size


@lru_cache(maxsize=256)
def _minimum(stages: tuple[Stage, ...], tails: tuple[tuple[Stage, ...], ...], channels: int) -> int:
    paths = [tuple(row for stage in path for row in rows(stage)) for path in (stages, *tails)]
    for size in range(1, _sizes_to_try(*paths) + 1):
        try:
            for path in paths:
                stage_output(path, FeatureShape(channels, size, size), None)
            return size
        except (TooSmall, Uneven) as error:
            refusal = error
    raise refusal


def minimum_size(definition: Definition, heads: bool = False) -> int:
    """The smallest image side in pixels at which every row has an output; with `heads`, also every auxiliary head's rows."""
    names = list(definition.stages)
    tails = []
    for aux in definition.auxiliary.values() if heads else ():
        trunk = names[: names.index(aux.on) + 1]
        tails.append((*(definition.stages[name] for name in trunk), *aux.stages.values()))
    return _minimum((*definition.stages.values(), *definition.head.values()), tuple(tails), definition.in_channels)


def _sizes_to_try(*paths: Stage) -> int:
    """How many sizes a search for one that fits tries."""
    every = sum(_count(row) for path in paths for row in rows(path))
    return max(1, min(LARGEST, MOST_WORK // max(1, every)))


def _count(row: Row) -> int:
    """How many rows it is, with those within it."""
    if isinstance(row, Cat):
        return 1 + sum(_count(inner) for branch in row.branches for inner in branch)
    return 1 + _count(row.body) if isinstance(row, Residual) else 1


def check_size(definition: Definition, height: int, width: int) -> None:
    """Raises Uneven, with the nearest larger size that fits, if branches do not fit together on images of that size in pixels."""
    path = tuple(row for stage in definition.stages.values() for row in rows(stage))

    def misfit(height: int, width: int) -> Uneven | None:
        try:
            stage_output(path, FeatureShape(1, height, width), None)
        except Uneven as error:
            return error
        return None

    if (error := misfit(height, width)) is not None:
        start = max(height, width)
        sizes = range(start, min(LARGEST, start + _sizes_to_try(path)))
        fits = next((side for side in sizes if misfit(side, side) is None), None)
        remedy = f"; {fits}x{fits} fits" if fits else ""
        raise Uneven(f"{definition.name} cannot take images of {height}x{width} pixels: {error}{remedy}")
