"""A network's table as a detector needs it: split at stride 16, with features aligned with the image.

Faster R-CNN (arXiv 1506.01497) runs the stages up to stride 16 over the whole image, and the later stages on each region.
Features are aligned with the image if a filter has the same zeros on both sides and its stride leaves no remainder: "same"
padding does that, while "valid" padding shifts the grid by half a filter per layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..errors import GodeeperError
from .notation import CEIL, SAME, VALID, Avg, Conv, Definition, Max, Row, Separable, Stage, altered
from .shape import FeatureShape, stage_output

STRIDE = 16  # pixels between features, as in R-CNN and Faster R-CNN


def stage_outputs(definition: Definition) -> dict[str, FeatureShape]:
    """The shape of every stage's output, on images of the network's own size."""
    shape = FeatureShape(definition.in_channels, definition.image_size, definition.image_size)
    result = {}
    for name, stage in definition.stages.items():
        shape, _ = stage_output(stage, shape, definition.batch_norm)
        result[name] = shape
    return result


def split(definition: Definition) -> str:
    """The last stage with at most 16 pixels between features; GodeeperError if no stage reaches a stride of 16."""
    jumps = {name: shape.jump for name, shape in stage_outputs(definition).items()}
    if max(jumps.values()) < STRIDE:
        raise GodeeperError(f"{definition.name}'s features are {max(jumps.values())} pixels apart: a detector needs {STRIDE}")
    return [name for name, jump in jumps.items() if jump <= STRIDE][-1]


def levels(definition: Definition) -> dict[str, FeatureShape]:
    """The last stage at each stride of 4 pixels or more, and its shape: the levels of a feature pyramid (arXiv 1612.03144)."""
    last: dict[int, tuple[str, FeatureShape]] = {shape.jump: (name, shape) for name, shape in stage_outputs(definition).items()}
    return {name: shape for jump, (name, shape) in last.items() if jump >= 4}


def trunk(definition: Definition, atrous: bool = False) -> Mapping[str, Stage]:
    """The stages up to the split, aligned with the image.

    `atrous` keeps a stride of 8 pixels: the stage that would double it gets stride 1, and the filters after it dilation 2, so
    that each weight covers the same part of the image as in training.
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
    """All stages, aligned with the image."""
    return {name: altered(stage, _aligned) for name, stage in definition.stages.items()}


def _aligned(row: Row) -> Row:
    if isinstance(row, Conv | Separable | Max | Avg) and row.padding in (VALID, CEIL) and all(side % 2 for side in row.sides):
        return replace(row, padding=SAME)
    return row


def _unstrided(row: Row) -> Row:
    return replace(row, stride=1) if isinstance(row, Conv | Separable | Max | Avg) else row


def _dilated(row: Row) -> Row:
    return replace(row, dilation=2) if isinstance(row, Conv) else row
