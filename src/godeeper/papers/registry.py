"""The registered networks by name, and variants of any network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..errors import GodeeperError, unknown
from .bn_inception import BN_INCEPTION, BN_INCEPTION_CAFFE
from .cifar import GOOGLENET_CIFAR
from .googlenet import GOOGLENET, GOOGLENET_BN, GOOGLENET_COUNTED, GOOGLENET_TORCHVISION
from .inception_resnet import (
    INCEPTION_RESNET_V1,
    INCEPTION_RESNET_V1_FACENET,
    INCEPTION_RESNET_V2,
    INCEPTION_RESNET_V2_PRINTED,
)
from .inception_v3 import INCEPTION_V3, INCEPTION_V3_FID, INCEPTION_V3_TF
from .inception_v4 import INCEPTION_V4, INCEPTION_V4_PRINTED
from .notation import (
    CEIL,
    LRN,
    SAME,
    Adaptive,
    Avg,
    AvgTo,
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
    altered,
)
from .related import ALEXNET, VGG16, VGG19, ZFNET

DEFINITIONS = {
    definition.name: definition
    for definition in (
        GOOGLENET, GOOGLENET_COUNTED, GOOGLENET_BN, GOOGLENET_TORCHVISION,
        GOOGLENET_CIFAR,
        BN_INCEPTION, BN_INCEPTION_CAFFE,
        INCEPTION_V3, INCEPTION_V3_TF, INCEPTION_V3_FID,
        INCEPTION_V4, INCEPTION_V4_PRINTED,
        INCEPTION_RESNET_V1, INCEPTION_RESNET_V1_FACENET, INCEPTION_RESNET_V2_PRINTED, INCEPTION_RESNET_V2,
        ALEXNET, ZFNET, VGG16, VGG19,
    )
}  # fmt: skip

# Tables that differ in pools only, and in their number of classes: weights of each can be run with the pools of any other.
INCEPTION_V3S = frozenset({"inception_v3", "inception_v3_tf", "inception_v3_fid"})


def takes_weights_of(name: str, other: str) -> bool:
    """Whether the table of that name has a place for every weight of another table's network, and no other."""
    return name == other or {name, other} <= INCEPTION_V3S


def list_models() -> list[str]:
    """The names of the registered networks, as `create_model`, `describe` and the command line take them."""
    return list(DEFINITIONS)


def register(definition: Definition) -> Definition:
    """Gives a table a name, by which `create_model`, `describe` and the command line of this process know it; returns it.

    GodeeperError where another table has that name already.
    """
    if DEFINITIONS.get(definition.name, definition) != definition:
        raise GodeeperError(f"there is another model {definition.name!r}: give the table a name of its own")
    DEFINITIONS[definition.name] = definition
    return definition


def definition(name: str) -> Definition:
    """The definition of that name; GodeeperError, with the nearest name, if there is none."""
    if name not in DEFINITIONS:
        raise unknown("model", name, DEFINITIONS)
    return DEFINITIONS[name]


def variant(
    original: Definition,
    *,
    num_classes: int | None = None,
    in_channels: int | None = None,
    width: float = 1.0,
    small: bool = False,
) -> Definition:
    """The same network for other classes, channels, widths and small images, as a new definition.

    None keeps the table's own number. `width` scales every filter and unit count, to the nearest multiple of 8 and at least
    8. `small` sets the strides of the stem to 1, for images of 64 pixels and less, and expects 32 pixels. GodeeperError for
    values out of range.
    """
    for option, value in {"num_classes": num_classes, "in_channels": in_channels}.items():
        if value is not None and (type(value) is not int or not 1 <= value <= 1_000_000):
            raise GodeeperError(f"{option} is {value!r}: it must be a whole number from 1 to 1,000,000")
    if not isinstance(width, int | float) or not 0 < width <= 16:
        raise GodeeperError(f"width is {width!r}: it must be a number above 0 and at most 16")

    def stages_variant(stages: Mapping[str, Stage]) -> dict[str, Stage]:
        return {name: stage_variant(name, stage) for name, stage in stages.items()}

    def stage_variant(name: str, stage: Stage) -> Stage:
        unstrided = small and name in original.stem
        return altered(stage, lambda row: _row_variant(row, num_classes, width, unstrided))

    changes = (original.variant, f"width {width:g}" if width != 1 else "", "small" if small else "")
    return replace(
        original,
        stages=stages_variant(original.stages),
        head=stages_variant(original.head),
        auxiliary={name: replace(aux, stages=stages_variant(aux.stages)) for name, aux in original.auxiliary.items()},
        in_channels=original.in_channels if in_channels is None else in_channels,
        image_size=32 if small else original.image_size,
        variant=", ".join(filter(None, changes)),
    )


def scaled(count: int, width: float) -> int:
    """A filter count times `width`, to the nearest multiple of 8 and at least 8; at width 1 the count itself."""
    return count if width == 1 else max(8, int(count * width / 8 + 0.5) * 8)


def _row_variant(row: Row, num_classes: int | None, width: float, unstrided: bool) -> Row:
    match row:
        case Conv() | Separable():
            return replace(row, filters=scaled(row.filters, width), stride=1 if unstrided else row.stride)
        case Max() | Avg():
            if not unstrided:
                return row
            same = row.padding == CEIL and all(side % 2 for side in row.sides)  # keeps the grid too; an even pool has no "same"
            return replace(row, stride=1, padding=SAME if same else row.padding)
        case FullyConnected() | LinearNorm():
            return replace(row, units=scaled(row.units, width))
        case Linear():
            return row if num_classes is None else Linear(num_classes)
        case Whitening() | AvgTo() | Adaptive() | LRN() | Dropout() | Cat() | Residual():
            return row
