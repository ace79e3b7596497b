"""Which pixels of the image a unit of a stage sees, and where they lie: geometry only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import GodeeperError, unknown
from ..papers.notation import (
    LRN,
    Avg,
    BatchNorm,
    Cat,
    Conv,
    Definition,
    Dropout,
    Max,
    Residual,
    Row,
    Separable,
    Whitening,
    rows,
)
from ..papers.shape import FeatureShape, stage_output


@dataclass(frozen=True)
class Extent:
    """What units see along one side of the image: unit n sees `size` pixels from `start + n * stride`.

    Padding counts, so that `start` may be below 0.
    """

    start: int = 0
    size: int = 1
    stride: int = 1

    @property
    def centre(self) -> float:
        """The middle of what unit 0 sees, in pixels from the image's edge."""
        return self.start + self.size / 2

    def after_window(self, window: int, stride: int, padding: int) -> Extent:
        """What units see after a filter or pool of that window, stride and padding."""
        return Extent(self.start - padding * self.stride, self.size + (window - 1) * self.stride, self.stride * stride)

    def union(self, other: Extent) -> Extent:
        """What units see whose inputs see this and `other`."""
        start = min(self.start, other.start)
        return Extent(start, max(self.start + self.size, other.start + other.size) - start, self.stride)


ReceptiveField = tuple[Extent, Extent]  # top to bottom, left to right


def receptive_field(definition: Definition, stage: str, channel: int | None = None) -> ReceptiveField:
    """What units of a stage see of the image; with `channel`, through the branch of a module that the channel belongs to.

    GodeeperError for an unknown stage, and for a channel that the stage does not have.
    """
    if stage not in definition.stages:
        raise unknown("stage", stage, definition.stages)
    field: ReceptiveField = (Extent(), Extent())
    shape = FeatureShape(definition.in_channels, definition.image_size, definition.image_size)
    for name, before in definition.stages.items():
        if name == stage:
            break
        field = _after_rows(rows(before), field)
        shape, _ = stage_output(before, shape, definition.batch_norm)
    *earlier, last = rows(definition.stages[stage])
    shape, _ = stage_output(tuple(earlier), shape, definition.batch_norm)
    field = _after_rows(earlier, field)
    if channel is None:
        return _after_row(last, field)
    channels = stage_output(last, shape, definition.batch_norm)[0].channels
    if not 0 <= channel < channels:
        raise GodeeperError(f"{stage} of {definition.name} has the channels 0 to {channels - 1}, not {channel}")
    return _of_channel(last, field, shape, definition.batch_norm, channel)


def _of_channel(
    row: Row, field: ReceptiveField, shape: FeatureShape, batch_norm: BatchNorm | None, channel: int
) -> ReceptiveField:
    """The receptive field of one output channel of a row with input `shape`."""
    if not isinstance(row, Cat):
        return _after_row(row, field)
    for branch in row.branches:
        inside, _ = stage_output(branch[:-1], shape, batch_norm)
        channels = stage_output(branch[-1], inside, batch_norm)[0].channels
        if channel < channels:
            break
        channel -= channels
    return _of_channel(branch[-1], _after_rows(branch[:-1], field), inside, batch_norm, channel)


def _after_rows(path: Sequence[Row], field: ReceptiveField) -> ReceptiveField:
    for row in path:
        field = _after_row(row, field)
    return field


def _after_row(row: Row, field: ReceptiveField) -> ReceptiveField:
    match row:
        case Conv() | Whitening() | Separable() | Max() | Avg():
            down, across = (
                extent.after_window(window, row.stride, padding)
                for extent, window, padding in zip(field, row.reach, row.margins, strict=True)
            )
            return down, across
        case Cat(branches):
            first, *others = (_after_rows(branch, field) for branch in branches)
            for other in others:
                first = _union(first, other)
            return first
        case Residual(body):
            return _union(field, _after_row(body, field))
        case LRN() | Dropout():
            return field
        case _:
            raise ValueError(f"{row} belongs to a head: its units see the whole image")


def _union(field: ReceptiveField, other: ReceptiveField) -> ReceptiveField:
    return field[0].union(other[0]), field[1].union(other[1])
