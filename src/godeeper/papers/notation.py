"""The words the papers' tables are written in: plain data, no torch.

A row is one line of a table. A stage is a row, or a few rows one after the other. A `Definition` is the whole network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Padding = Literal["same", "valid"]
SAME: Padding = "same"  # as many outputs as strides fit: ceil(size / stride); the figures' "(S)"
VALID: Padding = "valid"  # only where the whole filter fits; the figures' "(V)"


class _Window:
    """What slides over its input; an even filter has no middle to put "same" padding around."""

    kernel: int
    padding: Padding

    def __post_init__(self) -> None:
        if self.padding == SAME and self.kernel % 2 == 0:
            raise ValueError(f"same padding needs an odd filter, not {self.kernel}x{self.kernel}")

    @property
    def margin(self) -> int:
        """The zeros on each side of the input."""
        return self.kernel // 2 if self.padding == SAME else 0


@dataclass(frozen=True)
class Conv(_Window):
    """A convolution, then (by the definition) batch norm, then ReLU."""

    filters: int
    kernel: int = 1
    stride: int = 1
    padding: Padding = SAME


@dataclass(frozen=True)
class Separable(_Window):
    """A depthwise convolution with `multiplier` filters a channel, then 1x1 to `filters`, then norm and ReLU."""

    filters: int
    kernel: int
    stride: int = 1
    multiplier: int = 1
    padding: Padding = SAME


@dataclass(frozen=True)
class Max(_Window):
    """A max pool."""

    kernel: int
    stride: int = 1
    padding: Padding = SAME


@dataclass(frozen=True)
class AvgTo:
    """An average pool, valid, whose filter and stride are such that the output is `grid` x `grid`.

    At the papers' picture size that is what they print: 7x7 for `AvgTo(1)` on 7x7, 5x5/3 for `AvgTo(4)` on 14x14. It serves
    every other size too.
    """

    grid: int

    def window(self, side: int) -> tuple[int, int]:
        """The filter's side and the stride, on an input of that side."""
        stride = side // self.grid
        return side - (self.grid - 1) * stride, stride


@dataclass(frozen=True)
class LRN:
    """Local response normalisation across channels: x / (k + alpha / size * sum of squares) ** beta."""

    size: int = 5
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0


@dataclass(frozen=True)
class Dropout:
    """Dropout: `ratio` of the inputs are dropped in training."""

    ratio: float


@dataclass(frozen=True)
class FullyConnected:
    """A fully connected layer with ReLU, on the flattened input."""

    units: int


@dataclass(frozen=True)
class Linear:
    """The classifier: a linear layer from the flattened input to one logit a class."""

    classes: int


@dataclass(frozen=True, init=False)
class Cat:
    """Branches side by side on the same input, their outputs concatenated along channels."""

    branches: tuple[tuple[Row, ...], ...]

    def __init__(self, *branches: list[Row] | tuple[Row, ...]) -> None:
        object.__setattr__(self, "branches", tuple(tuple(branch) for branch in branches))


Row = Conv | Separable | Max | AvgTo | LRN | Dropout | FullyConnected | Linear | Cat
Stage = Row | tuple[Row, ...]


def rows(stage: Stage) -> tuple[Row, ...]:
    """The rows of a stage, whether it is one row or several."""
    return stage if isinstance(stage, tuple) else (stage,)


@dataclass(frozen=True)
class BatchNorm:
    """Batch norm after every convolution, which then has no bias; `momentum` is the new batch's share."""

    eps: float = 1e-3
    momentum: float = 0.1


@dataclass(frozen=True)
class Auxiliary:
    """An auxiliary head: a small classifier on the output of stage `on`, in training only."""

    on: str
    stages: Mapping[str, Stage]


@dataclass(frozen=True)
class Definition:
    """One network, whole: named stages from the picture upwards, the head, and the auxiliary heads.

    `stem` names the stages whose strides a `small` network drops. Without `batch_norm`, convolutions have biases.
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
