"""The notation of the tables: plain data, without torch.

A row is one line of a table. A stage is a row, or several rows in sequence. A `Definition` is a whole network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

__all__ = [  # what a table is written with; the tables import all of it
    "CEIL", "LRN", "SAME", "VALID", "Adaptive", "Auxiliary", "Avg", "AvgTo", "BatchNorm", "Cat", "Conv", "Definition", "Dropout",
    "FullyConnected", "Linear", "LinearNorm", "Max", "Residual", "Row", "Separable", "Stage", "Whitening", "altered",
    "times",
]  # fmt: skip

Padding = Literal["same", "valid", "ceil"] | int
SAME: Padding = "same"  # ceil(size / stride) outputs, with as many zeros on one side as on the other
VALID: Padding = "valid"  # no zeros: only where the whole filter fits; the figures' "V"
CEIL: Padding = "ceil"  # as valid, but the last window may overlap the edge, as in Caffe's pools


class Window:
    """A filter or a pool, which slides over its input; a number as padding is that many zeros on each side."""

    kernel: int | tuple[int, int]  # the side of a square, or (height, width): the papers' "1x7" is (1, 7)
    stride: int
    padding: Padding
    dilation: int = 1  # distance between the inputs of neighbouring weights ("atrous" filters)

    def __post_init__(self) -> None:
        if self.padding == SAME and any(side % 2 == 0 for side in self.sides):  # no centre, so the zeros would differ
            raise ValueError(f"same padding needs an odd filter, not {self.size}")

    @property
    def sides(self) -> tuple[int, int]:
        """(height, width) of the filter."""
        return self.kernel if isinstance(self.kernel, tuple) else (self.kernel, self.kernel)

    @property
    def reach(self) -> tuple[int, int]:
        """(height, width) of the input that the filter spans, with dilation."""
        height, width = self.sides
        return self.dilation * (height - 1) + 1, self.dilation * (width - 1) + 1

    @property
    def margins(self) -> tuple[int, int]:
        """Zeros on each side: (above and below, left and right)."""
        if isinstance(self.padding, int):
            return self.padding, self.padding
        height, width = self.reach
        return (height // 2, width // 2) if self.padding == SAME else (0, 0)

    @property
    def size(self) -> str:
        """The filter's size as the papers write it: "1x7"."""
        return "{}x{}".format(*self.sides)


@dataclass(frozen=True)
class Conv(Window):
    """A convolution, batch norm if the definition has it, then ReLU."""

    filters: int
    kernel: int | tuple[int, int] = 1
    stride: int = 1
    padding: Padding = SAME
    dilation: int = 1


@dataclass(frozen=True)
class Whitening(Window):
    """A first convolution that is not learned, then ReLU: it makes the pixels of a patch uncorrelated and equally strong.

    Its filters are the principal components of the training images' patches, each over its standard deviation, and the negatives
    of all these: twice as many as a patch has values. As in airbench (arXiv 2404.00498, Section 3.2).
    """

    kernel: int = 2
    stride: int = 1
    padding: Padding = VALID

    def filters(self, channels: int) -> int:
        """How many filters images of so many channels have."""
        height, width = self.sides
        return 2 * channels * height * width


@dataclass(frozen=True)
class Separable(Window):
    """A depthwise convolution with `multiplier` filters per channel, a 1x1 to `filters`, then batch norm (if any) and ReLU."""

    filters: int
    kernel: int
    stride: int = 1
    multiplier: int = 1
    padding: Padding = SAME


@dataclass(frozen=True)
class Max(Window):
    """A max pool."""

    kernel: int
    stride: int = 1
    padding: Padding = SAME


@dataclass(frozen=True)
class Avg(Window):
    """An average pool; `counts_padding` says whether the zeros around the input count in the average."""

    kernel: int
    stride: int = 1
    padding: Padding = SAME
    counts_padding: bool = False


@dataclass(frozen=True)
class AvgTo:
    """An average pool without padding, with the filter and stride that give `grid` x `grid` outputs at any image size.

    At the papers' image size these are the printed ones: 7x7 for `AvgTo(1)` on 7x7, 5x5/3 for `AvgTo(4)` on 14x14.
    """

    grid: int

    def window(self, side: int) -> tuple[int, int]:
        """(filter side, stride) on an input of that side."""
        stride = side // self.grid
        return side - (self.grid - 1) * stride, stride


@dataclass(frozen=True)
class Adaptive:
    """torch's adaptive average pool: `grid` x `grid` windows of almost equal size, which may overlap."""

    grid: int


@dataclass(frozen=True)
class LRN:
    """Local response normalisation across channels: x / (k + alpha / size * sum of squares) ** beta."""

    size: int = 5
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0


@dataclass(frozen=True)
class Dropout:
    """Dropout of a `ratio` (0..1) of the inputs, in training only."""

    ratio: float


@dataclass(frozen=True)
class FullyConnected:
    """A hidden layer: a linear layer with bias on the flattened input, then ReLU."""

    units: int


@dataclass(frozen=True)
class LinearNorm:
    """A linear layer without bias on the flattened input, then batch norm, without ReLU: an embedding."""

    units: int


@dataclass(frozen=True)
class Linear:
    """The classifier: a linear layer with bias, from the flattened input to one logit per class."""

    classes: int


@dataclass(frozen=True, init=False)
class Cat:
    """Parallel branches on the same input, with their outputs concatenated along channels."""

    branches: tuple[tuple[Row, ...], ...]

    def __init__(self, *branches: Sequence[Row]) -> None:
        object.__setattr__(self, "branches", tuple(tuple(branch) for branch in branches))


@dataclass(frozen=True)
class Residual:
    """x + scale * linear(body(x)), then ReLU: `linear` is a 1x1 convolution to the input's channels, without batch norm."""

    body: Cat
    scale: float = 1.0
    relu: bool = True


Row = (
    Conv | Whitening | Separable | Max | Avg | AvgTo | Adaptive | LRN | Dropout | FullyConnected | LinearNorm | Linear | Cat
    | Residual
)  # fmt: skip
Stage = Row | tuple[Row, ...]


def times(count: int, row: Row) -> Stage:
    """A stage of `count` equal rows: the figures' "4 x Inception-A"."""
    return (row,) * count


def rows(stage: Stage) -> tuple[Row, ...]:
    """The rows of a stage, also of a stage that is a single row."""
    return stage if isinstance(stage, tuple) else (stage,)


def altered(stage: Stage, change: Callable[[Row], Row]) -> Stage:
    """The stage with `change` applied to every row, inside `Cat` and `Residual` too; these two themselves are kept."""
    if isinstance(stage, tuple):
        return tuple(_altered(row, change) for row in stage)
    return _altered(stage, change)


def _altered(row: Row, change: Callable[[Row], Row]) -> Row:
    if isinstance(row, Cat):
        return Cat(*([_altered(inner, change) for inner in branch] for branch in row.branches))
    if isinstance(row, Residual):
        body = _altered(row.body, change)
        assert isinstance(body, Cat)
        return replace(row, body=body)
    return change(row)


@dataclass(frozen=True)
class BatchNorm:
    """Batch norm after every convolution; `momentum` weighs the new batch, `conv_bias` keeps the convolutions' biases."""

    eps: float = 1e-3
    momentum: float = 0.1
    conv_bias: bool = False


@dataclass(frozen=True)
class Auxiliary:
    """An auxiliary head: a small classifier on the output of stage `on`, used in training only."""

    on: str
    stages: Mapping[str, Stage]


@dataclass(frozen=True)
class Definition:
    """A whole network: named stages from the image to the features, the head, and the auxiliary heads.

    `stem` names the stages whose strides a `small` network drops. Without `batch_norm`, convolutions have biases.
    `image_size` is in pixels. `variant` says what `registry.variant` changed besides classes and channels.
    """

    name: str
    source: str
    stages: Mapping[str, Stage]
    head: Mapping[str, Stage]
    auxiliary: Mapping[str, Auxiliary] = field(default_factory=dict)
    batch_norm: BatchNorm | None = None
    stem: tuple[str, ...] = ()
    image_size: int = 224
    in_channels: int = 3
    variant: str = ""

    @property
    def title(self) -> str:
        """The name with what was changed: "googlenet_bn (width 0.25, small)"."""
        return f"{self.name} ({self.variant})" if self.variant else self.name
