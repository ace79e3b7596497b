"""What a Faster R-CNN or a MultiBox network is, as data: the table that it is made of, and what is its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from math import prod
from typing import Any, Self

from ..errors import GodeeperError
from ..fields import flag, only, quoted, whole
from ..models.spec import ModelSpec, check_memory, check_names, check_parameters
from ..papers.describe import Description, describe
from ..papers.detection import split
from ..papers.notation import Conv, Definition, FullyConnected, Linear, Stage

FORMAT_VERSION = 1
DETECTOR_SIZES, MULTIBOX_SIZES = (16, 10_000), (1, 10_000)  # pixels
MAX_CLASSES = 100_000
MAX_ANCHORS = 100
PYRAMID_GRID = 7  # the side that regions are pooled to with a feature pyramid (arXiv 1612.03144)


@dataclass(frozen=True)
class DetectorSpec:
    """Everything that is needed to build a Faster R-CNN again: the metadata of every file that holds one.

    `model` is the classifier that the detector is made of; `classes` are the detector's own, without background. Images are
    resized so that the shorter side has `image_size` pixels, but the longer one at most `longest`. `anchors` are sides in
    pixels of the resized image, each at aspect ratios 0.5, 1 and 2. With `pyramid`, regions come from a feature pyramid of
    `pyramid_channels` channels and go through two fully connected layers of `pyramid_units`; without it, the rest of the
    network runs on each region. `atrous` keeps features 8 pixels apart, not 16. GodeeperError for values out of range.
    """

    model: ModelSpec
    classes: tuple[str, ...]
    pyramid: bool = False
    atrous: bool = False
    image_size: int = 600
    longest: int = 1000
    anchors: tuple[int, ...] = (32, 64, 128, 256, 512)
    pyramid_channels: int = 256
    pyramid_units: int = 1024
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        check_geometry(self.image_size, self.longest, self.anchors)
        check_classes(self.classes)
        for name in ("pyramid", "atrous"):
            flag(name, getattr(self, name))
        for name in ("pyramid_channels", "pyramid_units"):
            whole(name, getattr(self, name), 1, 65_536)
        if self.pyramid and self.atrous:
            raise GodeeperError("atrous features and a feature pyramid exclude each other: choose one of them")

    @classmethod
    def of(cls, model: ModelSpec, classes: Sequence[str], **options: Any) -> Self:
        """The spec of a detector on a classifier, whose auxiliary heads and class names it has no use for."""
        return cls(replace(model, classes=None, aux=False), tuple(classes), **options)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; `from_dict` is the reverse."""
        lists = {"classes": list(self.classes), "anchors": list(self.anchors)}
        return vars(self) | lists | {"model": self.model.as_dict()}

    @classmethod
    def from_dict(cls, values: Any) -> Self:
        """The reverse of `as_dict`, for an untrusted file: GodeeperError for what is no sound spec."""
        _check_fields(values, cls)
        for name in ("classes", "anchors"):
            if not isinstance(values[name], list):
                raise GodeeperError(f"{name} is {values[name]!r}: it must be a list")
        lists = {name: tuple(values[name]) for name in ("classes", "anchors")}
        spec = cls(**values | lists | {"model": ModelSpec.from_dict(values["model"])})
        described = describe(spec.model.definition)
        check_parameters(described, spec._own_parameters(described))
        check_memory(described, spec.longest, spec.image_size)
        return spec

    def _own_parameters(self, described: Description) -> int:
        """About how many weights there are beside the classifier's: of features and proposals, of regions, of their classes."""
        if self.pyramid:
            channels, units = self.pyramid_channels, self.pyramid_units
            features, regions = len(self.anchors) * 9 * channels**2, PYRAMID_GRID**2 * channels * units + units**2
        else:
            channels, units = described[split(self.model.definition)].output[0], prod(described.stages[-2].output)
            features, regions = 9 * channels**2, 0
        return features + regions + 5 * (len(self.classes) + 1) * units


@dataclass(frozen=True)
class MultiBoxSpec:
    """Everything that is needed to build a MultiBox network again: the metadata of every file that holds one.

    `model` is the classifier whose stages it has; images become squares of `image_size` pixels; the head predicts `boxes`
    boxes through a 1x1 convolution of `channels` filters and a fully connected layer of `units`. GodeeperError for values out
    of range.
    """

    model: ModelSpec
    image_size: int
    boxes: int = 200
    channels: int = 64
    units: int = 512
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        whole("image_size", self.image_size, *MULTIBOX_SIZES)
        whole("boxes", self.boxes, 1, 10_000)
        for name in ("channels", "units"):
            whole(name, getattr(self, name), 1, 65_536)

    @classmethod
    def of(cls, model: ModelSpec, image_size: int = 0, **options: Any) -> Self:
        """The spec of a MultiBox network on a classifier; `image_size` 0 is the classifier's own."""
        return cls(replace(model, classes=None, aux=False), image_size or model.preprocess.image_size, **options)

    @property
    def definition(self) -> Definition:
        """The whole table: the classifier's stages, then a head that gives the 4 box deltas and the logit of each box."""
        head: dict[str, Stage] = {"conv": Conv(self.channels), "fc": FullyConnected(self.units), "linear": Linear(5 * self.boxes)}
        return replace(self.model.definition, head=head, auxiliary={}, image_size=self.image_size)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; `from_dict` is the reverse."""
        return vars(self) | {"model": self.model.as_dict()}

    @classmethod
    def from_dict(cls, values: Any) -> Self:
        """The reverse of `as_dict`, for an untrusted file: GodeeperError for what is no sound spec."""
        _check_fields(values, cls)
        spec = cls(**values | {"model": ModelSpec.from_dict(values["model"])})
        described = describe(spec.definition)
        check_parameters(described)
        check_memory(described, spec.image_size, spec.image_size)
        return spec


def _check_fields(values: Any, spec: type[DetectorSpec] | type[MultiBoxSpec]) -> None:
    names = [field.name for field in fields(spec)]
    version = values.get("format_version", FORMAT_VERSION) if isinstance(values, dict) else FORMAT_VERSION
    if version != FORMAT_VERSION:
        raise GodeeperError(f"its spec has format version {version!r}, this godeeper reads {FORMAT_VERSION}: update godeeper")
    only("the detector's spec", values, names)


def check_geometry(image_size: int, longest: int, anchors: Sequence[int]) -> None:
    """GodeeperError for sizes in pixels that no detector can have."""
    whole("image_size", image_size, *DETECTOR_SIZES)
    whole("longest", longest, *DETECTOR_SIZES)
    if longest < image_size:
        raise GodeeperError(f"longest is {longest}, below image_size, {image_size}")
    if not 1 <= len(anchors) <= MAX_ANCHORS or not all(type(side) is int and 1 <= side <= 100_000 for side in anchors):
        raise GodeeperError(f"anchors are {tuple(anchors)}: they must be sides of at least 1 pixel, such as 32,64,128")


def check_classes(classes: Sequence[Any]) -> None:
    """GodeeperError unless `classes` are different names."""
    check_names(classes)
    if not 1 <= len(classes) <= MAX_CLASSES or len(set(classes)) < len(classes):
        many = f"its {len(classes):,} classes are {quoted(classes)}"
        raise GodeeperError(f"{many}: they must be 1 to {MAX_CLASSES:,} different names")
