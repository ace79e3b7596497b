"""The networks by name, and the variants a user may ask of any of them."""

from __future__ import annotations

from dataclasses import replace

from ..errors import GodeeperError, unknown
from .googlenet import GOOGLENET, GOOGLENET_BN, GOOGLENET_COUNTED
from .notation import Cat, Conv, Definition, FullyConnected, Linear, Max, Row, Separable, Stage

DEFINITIONS = {definition.name: definition for definition in (GOOGLENET, GOOGLENET_COUNTED, GOOGLENET_BN)}


def list_models() -> list[str]:
    """The names that `create_model`, `describe` and the command line know."""
    return list(DEFINITIONS)


def definition(name: str) -> Definition:
    """The definition of that name; GodeeperError, with the nearest name, where there is none."""
    if name not in DEFINITIONS:
        raise unknown("model", name, DEFINITIONS)
    return DEFINITIONS[name]


def variant(
    original: Definition, *, num_classes: int = 1000, in_channels: int = 3, width: float = 1.0, small: bool = False
) -> Definition:
    """The same network for other classes, channels, widths and small pictures, as a definition of its own.

    `width` scales every filter and unit count, to the nearest multiple of 8 and at least 8. `small` sets the strides of the
    stem to 1, for pictures of 64 pixels and less, and expects 32 pixels. GodeeperError for values out of range.
    """
    for what, value in {"num_classes": num_classes, "in_channels": in_channels}.items():
        if value < 1:
            raise GodeeperError(f"{what} is {value}: it must be at least 1")
    if not 0 < width <= 16:
        raise GodeeperError(f"width is {width}: it must be above 0 and at most 16")

    def stage_variant(name: str, stage: Stage) -> Stage:
        change = lambda row: _row_variant(row, num_classes, width, small and name in original.stem)  # noqa: E731
        return tuple(change(row) for row in stage) if isinstance(stage, tuple) else change(stage)

    return replace(
        original,
        stages={name: stage_variant(name, stage) for name, stage in original.stages.items()},
        head={name: stage_variant(name, stage) for name, stage in original.head.items()},
        auxiliary={
            name: replace(aux, stages={key: stage_variant(key, stage) for key, stage in aux.stages.items()})
            for name, aux in original.auxiliary.items()
        },
        in_channels=in_channels,
        image_size=32 if small else original.image_size,
    )


def scaled(count: int, width: float) -> int:
    """A filter count at that width: the nearest multiple of 8, at least 8; at width 1 the count itself."""
    return count if width == 1 else max(8, int(count * width / 8 + 0.5) * 8)


def _row_variant(row: Row, num_classes: int, width: float, unstrided: bool) -> Row:
    stride = {"stride": 1} if unstrided else {}
    match row:
        case Conv() | Separable():
            return replace(row, filters=scaled(row.filters, width), **stride)
        case Max():
            return replace(row, **stride)
        case FullyConnected():
            return FullyConnected(scaled(row.units, width))
        case Linear():
            return Linear(num_classes)
        case Cat():
            return Cat(*([_row_variant(r, num_classes, width, unstrided) for r in branch] for branch in row.branches))
        case _:
            return row
