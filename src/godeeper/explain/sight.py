"""Which pixels one unit of a stage sees, and where they lie: geometry only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import GodeeperError, unknown
from ..papers.notation import LRN, Avg, BatchNorm, Cat, Conv, Definition, Dropout, Max, Residual, Row, Separable, rows
from ..papers.shape import FeatureShape, stage_output


@dataclass(frozen=True)
class Span:
    """What units see along one side of an image: number n the pixels from `first + n * jump`, `field` of them.

    Zeros beyond the edge count, so that `first` may be below 0.
    """

    first: int = 0
    field: int = 1
    jump: int = 1

    @property
    def centre(self) -> float:
        """The middle of what unit 0 sees, where an image's left or upper edge is 0."""
        return self.first + self.field / 2

    def through(self, reach: int, stride: int, margin: int) -> Span:
        """What is seen through windows of that reach, stride apart, with a margin of zeros."""
        return Span(self.first - margin * self.jump, self.field + (reach - 1) * self.jump, self.jump * stride)

    def beside(self, other: Span) -> Span:
        """What is seen by units that see either."""
        first = min(self.first, other.first)
        return Span(first, max(self.first + self.field, other.first + other.field) - first, self.jump)


Sight = tuple[Span, Span]  # from top to bottom, from left to right


def sight(definition: Definition, stage: str, channel: int | None = None) -> Sight:
    """What a unit of that stage sees of the image; of one channel of a module, through its own branch of that module only.

    GodeeperError for an unknown stage, and for a channel that the stage does not have.
    """
    if stage not in definition.stages:
        raise unknown("stage", stage, definition.stages)
    seen: Sight = (Span(), Span())
    shape = FeatureShape(definition.in_channels, definition.image_size, definition.image_size)
    for name, before in definition.stages.items():
        if name == stage:
            break
        seen = _along(rows(before), seen)
        shape, _ = stage_output(before, shape, definition.batch_norm)
    *earlier, last = rows(definition.stages[stage])
    shape, _ = stage_output(tuple(earlier), shape, definition.batch_norm)
    seen = _along(earlier, seen)
    channels = stage_output(last, shape, definition.batch_norm)[0].channels
    if channel is None:
        return _through(last, seen)
    if not 0 <= channel < channels:
        raise GodeeperError(f"{stage} of {definition.name} has the channels 0 to {channels - 1}, not {channel}")
    return _of_channel(last, seen, shape, definition.batch_norm, channel)


def _of_channel(row: Row, seen: Sight, shape: FeatureShape, batch_norm: BatchNorm | None, channel: int) -> Sight:
    if not isinstance(row, Cat):
        return _through(row, seen)
    for branch in row.branches:
        inside, _ = stage_output(branch[:-1], shape, batch_norm)
        channels = stage_output(branch[-1], inside, batch_norm)[0].channels
        if channel < channels:
            break
        channel -= channels
    return _of_channel(branch[-1], _along(branch[:-1], seen), inside, batch_norm, channel)


def _along(path: Sequence[Row], seen: Sight) -> Sight:
    for row in path:
        seen = _through(row, seen)
    return seen


def _through(row: Row, seen: Sight) -> Sight:
    match row:
        case Conv() | Separable() | Max() | Avg():
            down, across = (
                span.through(reach, row.stride, margin)
                for span, reach, margin in zip(seen, row.reach, row.margins, strict=True)
            )  # fmt: skip
            return down, across
        case Cat(branches):
            first, *others = (_along(branch, seen) for branch in branches)
            for other in others:
                first = first[0].beside(other[0]), first[1].beside(other[1])
            return first
        case Residual(body):
            inner = _through(body, seen)
            return seen[0].beside(inner[0]), seen[1].beside(inner[1])
        case LRN() | Dropout():
            return seen
        case _:
            raise ValueError(f"{row} belongs to a head: its units see the whole image")
