"""A network's table as a detector needs it: split where features are 16 pixels apart, on grids that lie over the image.

Faster R-CNN (arXiv 1506.01497) slides a classification network up to there over the whole image and gives the rest of it to
each region. Grids follow the image if a filter's zeros are the same on both sides and its stride leaves nothing over: "same"
padding does that, "valid" padding shifts the grid by half a filter a layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..errors import GodeeperError
from .notation import CEIL, SAME, VALID, Avg, Conv, Definition, Max, Row, Separable, Stage, altered
from .shape import FeatureShape, stage_output

STRIDE = 16  # pixels between features, in Faster R-CNN and before it


def stage_outputs(definition: Definition) -> dict[str, FeatureShape]:
    """The shape of every stage's output, on images of the network's own size."""
    shape = FeatureShape(definition.in_channels, definition.image_size, definition.image_size)
    result = {}
    for name, stage in definition.stages.items():
        shape, _ = stage_output(stage, shape, definition.batch_norm)
        result[name] = shape
    return result


def split(definition: Definition) -> str:
    """The last stage whose features are at most 16 pixels apart: the trunk's last; GodeeperError where they never are so far."""
    jumps = {name: shape.jump for name, shape in stage_outputs(definition).items()}
    if max(jumps.values()) < STRIDE:
        raise GodeeperError(f"{definition.name}'s features are {max(jumps.values())} pixels apart: a detector needs {STRIDE}")
    return [name for name, jump in jumps.items() if jump <= STRIDE][-1]


def levels(definition: Definition) -> dict[str, FeatureShape]:
    """The last stage at each stride from 4 pixels on, and its features: the levels of a feature pyramid (arXiv 1612.03144)."""
    last: dict[int, tuple[str, FeatureShape]] = {shape.jump: (name, shape) for name, shape in stage_outputs(definition).items()}
    return {name: shape for jump, (name, shape) in last.items() if jump >= 4}


def trunk(definition: Definition, atrous: bool = False) -> Mapping[str, Stage]:
    """The stages up to the split, their grids aligned with the image.

    `atrous` keeps features 8 pixels apart: the stage that would double that has no stride, and the filters after it are spread
    over twice the area (dilation 2), so that each weight still sees what it was trained to see.
    """
    jumps = {name: shape.jump for name, shape in stage_outputs(definition).items()}
    stages: dict[str, Stage] = {}
    before = 1
    for name, stage in definition.stages.items():
        if atrous and jumps[name] == STRIDE:
            stages[name] = altered(altered(stage, _unstrided if before < STRIDE else _dilated), _aligned)
        else:
            stages[name] = altered(stage, _aligned)
        before = jumps[name]
        if name == split(definition):
            break
    return stages


def aligned(definition: Definition) -> Mapping[str, Stage]:
    """All stages, their grids aligned with the image."""
    return {name: altered(stage, _aligned) for name, stage in definition.stages.items()}


def _aligned(row: Row) -> Row:
    if isinstance(row, Conv | Separable | Max | Avg) and row.padding in (VALID, CEIL) and all(side % 2 for side in row.sides):
        return replace(row, padding=SAME)
    return row


def _unstrided(row: Row) -> Row:
    return replace(row, stride=1) if isinstance(row, Conv | Separable | Max | Avg) else row


def _dilated(row: Row) -> Row:
    return replace(row, dilation=2) if isinstance(row, Conv) else row
