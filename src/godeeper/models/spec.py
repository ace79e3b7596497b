"""What a network is, as data: its whole table, its preprocessing and its classes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Self

from ..digests import json_digest
from ..errors import GodeeperError
from ..fields import flag, only, quoted
from ..files import read_file
from ..papers.describe import Description, describe
from ..papers.notation import Definition, Linear
from ..papers.serialize import definition_as_dict, definition_from_dict
from ..preprocess import Preprocess

FORMAT_VERSION = 1
FIELDS = ("format_version", "definition", "preprocess", "classes", "aux")
LONGEST_NAME = 1000  # letters
# What a file may ask for: weights of 8 GB; a layer's output of 2 GB, for one image.
MOST_PARAMETERS, MOST_OUTPUTS = 2_000_000_000, 500_000_000


@dataclass(frozen=True)
class ModelSpec:
    """Everything that is needed to build a network again and to use it: the metadata of every file that holds one.

    `definition` is the whole table, after width, small and the number of classes were applied. Images are as `preprocess` says;
    its size wins over the definition's. `classes` are called as the data call them, None where nobody has named them; `aux`
    says whether auxiliary heads are attached. GodeeperError where the names are not as many as the classes,
    or a file could not hold one.
    """

    definition: Definition
    preprocess: Preprocess
    classes: tuple[str, ...] | None = None
    aux: bool = False
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        if self.classes is None:
            return
        check_names(self.classes)
        if len(self.classes) != self.num_classes:
            raise GodeeperError(f"{len(self.classes)} names of classes for {self.num_classes} classes: name each of them")

    @classmethod
    def of(cls, definition: Definition, *, aux: bool = False) -> Self:
        """The spec of a table on its own: ImageNet's preprocessing at the table's image size, classes without names."""
        return cls(definition, Preprocess.of(definition.image_size), None, aux)

    @property
    def num_classes(self) -> int:
        """The number of logits; GodeeperError for a table whose head has no classifier."""
        return num_classes(self.definition)

    @property
    def digest(self) -> str:
        """Identifies the spec: SHA-256 of its JSON."""
        return json_digest(self.as_dict())

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; `from_dict` is the reverse."""
        return {
            "format_version": self.format_version,
            "definition": definition_as_dict(self.definition),
            "preprocess": self.preprocess.as_dict(),
            "classes": None if self.classes is None else list(self.classes),
            "aux": self.aux,
        }

    @classmethod
    def from_dict(cls, values: Any) -> Self:
        """The reverse of `as_dict`, of an untrusted file: GodeeperError, naming the place, for what is no sound spec."""
        version = values.get("format_version", FORMAT_VERSION) if isinstance(values, dict) else FORMAT_VERSION
        if version != FORMAT_VERSION:
            raise GodeeperError(
                f"the spec has format version {quoted(version)}, this godeeper reads {FORMAT_VERSION}: update godeeper"
            )
        only("the model's spec", values, FIELDS)
        classes, aux = values["classes"], flag("the spec's aux", values["aux"])
        if classes is not None:
            if not isinstance(classes, list):
                raise GodeeperError(f"classes is {quoted(classes)}: it must be a list of names")
            classes = tuple(classes)
        definition = definition_from_dict(values["definition"])
        described = describe(definition)
        check_parameters(described)
        preprocess = Preprocess.from_dict(values["preprocess"])
        check_memory(described, preprocess.image_size, preprocess.image_size)
        return cls(definition, preprocess, classes, aux)


def check_names(classes: Sequence[Any]) -> None:
    """GodeeperError, naming the first, where a file could not hold these as the names of classes: no reader would take them."""
    for name in classes:
        if not isinstance(name, str) or len(name) > LONGEST_NAME:
            raise GodeeperError(f"classes must be a list of names of at most {LONGEST_NAME} letters: rename {quoted(name)}")


def check_parameters(described: Description, others: int = 0) -> None:
    """GodeeperError for more parameters than a file may ask for: a network of so many could not be loaded again.

    `others` are those of what is built on the network, such as a detector.
    """
    parameters = described.parameters_with_heads + others
    if parameters > MOST_PARAMETERS:
        raise GodeeperError(
            f"{described.name!r} has {parameters:,} parameters: a file may ask for {MOST_PARAMETERS:,} at most; take fewer"
            " filters"
        )


def check_memory(described: Description, height: int, width: int) -> None:
    """GodeeperError for images of a size, in pixels, at which a stage's output takes more memory than a file may ask for."""
    scale = height * width / described.image_size**2
    outputs = scale * max([3 * described.image_size**2, *(prod(stage.output) for stage in described if stage.output[1] > 1)])
    if outputs > MOST_OUTPUTS:
        raise GodeeperError(
            f"of images of {height:,} x {width:,} pixels, a stage of {described.name!r} makes {4 * outputs / 1e9:,.0f} GB:"
            f" a file may ask for {4 * MOST_OUTPUTS / 1e9:.0f} GB at most; lower the size that its preprocessing names"
        )


def num_classes(definition: Definition) -> int:
    """The number of logits of a table; GodeeperError where its head, or an auxiliary one, has no classifier `linear`."""
    heads = [definition.head, *(auxiliary.stages for auxiliary in definition.auxiliary.values())]
    classifiers = [row for head in heads if isinstance(row := head.get("linear"), Linear)]
    if len(classifiers) < len(heads):
        raise GodeeperError(f"a head of {definition.name!r} has no Linear row that is called 'linear': it classifies nothing")
    return classifiers[0].classes


def read_spec(file: Path) -> ModelSpec:
    """The spec in a JSON file, as `godeeper describe NAME --json` writes it. GodeeperError where there is none."""
    try:
        values = json.loads(read_file(file))
    except (OSError, ValueError, RecursionError) as error:
        raise GodeeperError(f"{str(file)!r} cannot be read as JSON: {getattr(error, 'strerror', None) or error}") from None
    try:
        return ModelSpec.from_dict(values.get("spec", values) if isinstance(values, dict) else values)
    except GodeeperError as error:
        raise GodeeperError(f"{str(file)!r}: {error}") from None
