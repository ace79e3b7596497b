"""A name or a table -> a network."""

from __future__ import annotations

from pathlib import Path

from ..errors import GodeeperError
from ..papers.describe import describe
from ..papers.notation import Definition
from ..papers.registry import definition, variant
from .network import Network
from .spec import ModelSpec, check_parameters
from .spec import num_classes as classes_of
from .weights.fill import fill
from .weights.read import read_weights


def create_model(
    model: str | Definition | ModelSpec,
    *,
    num_classes: int | None = None,
    in_channels: int | None = None,
    width: float = 1.0,
    small: bool = False,
    aux: bool = False,
    weights: str | Path | None = None,
) -> Network:
    """The network of a name, a table or a spec, with fresh weights or those of `weights`: a run, a file or a published name.

    `num_classes` is by default that of the weights, or the table's own; where the two differ, every classifier is a fresh one,
    with a warning. `width` scales every filter count (to multiples of 8), `small` drops the stem's strides for images of 64
    pixels and less, `aux` attaches the auxiliary heads. GodeeperError for a bad argument, BadCheckpoint for weights that do not
    fit.
    """
    if not isinstance(model, str | Definition | ModelSpec):
        raise GodeeperError(
            f"a model is a name, a Definition or a ModelSpec, not a {type(model).__name__}: of a network, give .spec"
        )
    spec = model if isinstance(model, ModelSpec) else ModelSpec.of(definition(model) if isinstance(model, str) else model)
    table = variant(spec.definition, num_classes=num_classes, in_channels=in_channels, width=width, small=small)
    read = None if weights is None else read_weights(weights, table.name)  # after bad arguments were refused: it may download
    if read is not None and num_classes is None:
        table = variant(table, num_classes=read.spec.num_classes)
    check_parameters(describe(table))  # before memory is taken for them
    network = Network(_changed(spec, table, aux))
    if read is not None:
        fill(network, read)
    return network


def _changed(spec: ModelSpec, table: Definition, aux: bool) -> ModelSpec:
    """The spec with another table: classes keep their names while they are as many, images their size while the table's is."""
    classes = spec.classes if classes_of(table) == spec.num_classes else None
    resized = spec.preprocess.with_size(table.image_size)
    preprocess = spec.preprocess if table.image_size == spec.definition.image_size else resized
    return ModelSpec(table, preprocess, classes, aux or spec.aux)
