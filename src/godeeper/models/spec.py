"""What a network is, as data: its whole table, its preprocessing and its classes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from ..digests import json_digest
from ..errors import GodeeperError
from ..papers.describe import describe
from ..papers.notation import Definition, Linear, rows
from ..papers.serialize import definition_as_dict, definition_from_dict
from ..preprocess import Preprocess

FORMAT_VERSION = 1
FIELDS = {"format_version", "definition", "preprocess", "classes", "aux"}
LONGEST_NAME = 1000  # letters
MOST_PARAMETERS = 2_000_000_000  # of a table from a file: 8 GB of weights


@dataclass(frozen=True)
class ModelSpec:
    """Everything that is needed to build a network again and to use it: the metadata of every file that holds one.

    `definition` is the whole table, after width, small and the number of classes were applied. Images are as `preprocess` says;
    its size wins over the definition's. `classes` are called as the data call them, None where nobody has named them; `aux`
    says whether auxiliary heads are attached. GodeeperError where the names are not as many as the classes.
    """

    definition: Definition
    preprocess: Preprocess
    classes: tuple[str, ...] | None = None
    aux: bool = False
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        if self.classes is not None and len(self.classes) != self.num_classes:
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
        if not isinstance(values, dict) or not values.keys() >= FIELDS:
            raise GodeeperError(f"a model's spec has the fields {', '.join(sorted(FIELDS))}")
        version, classes, aux = values["format_version"], values["classes"], values["aux"]
        if version != FORMAT_VERSION:
            raise GodeeperError(f"the spec has format version {version!r}, this godeeper reads {FORMAT_VERSION}: update godeeper")
        if not isinstance(aux, bool):
            raise GodeeperError(f"the spec's aux is {aux!r}: it must be true or false")
        if classes is not None:
            if not isinstance(classes, list) or not all(isinstance(name, str) and len(name) <= LONGEST_NAME for name in classes):
                raise GodeeperError(f"the spec's classes must be a list of names of at most {LONGEST_NAME} letters")
            classes = tuple(classes)
        definition = definition_from_dict(values["definition"])
        parameters = describe(definition).parameters_with_heads
        if parameters > MOST_PARAMETERS:
            raise GodeeperError(
                f"{definition.name!r} has {parameters:,} parameters: a file may ask for {MOST_PARAMETERS:,} at most"
            )
        return cls(definition, Preprocess.from_dict(values["preprocess"]), classes, aux)


def num_classes(definition: Definition) -> int:
    """The number of logits of a table; GodeeperError where its head has no classifier."""
    linear = [row for stage in definition.head.values() for row in rows(stage) if isinstance(row, Linear)]
    if not linear:
        raise GodeeperError(f"the head of {definition.name!r} has no Linear row: it classifies nothing")
    return linear[-1].classes


def read_spec(file: Path) -> ModelSpec:
    """The spec in a JSON file, as `godeeper describe NAME --json` writes it. GodeeperError where there is none."""
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise GodeeperError(f"{str(file)!r} cannot be read as JSON: {error}") from None
    try:
        return ModelSpec.from_dict(values.get("spec", values) if isinstance(values, dict) else values)
    except GodeeperError as error:
        raise GodeeperError(f"{str(file)!r}: {error}") from None
