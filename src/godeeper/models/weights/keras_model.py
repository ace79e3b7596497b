"""What a Keras file's layers are to our networks: names as in `layouts.py`, a head of one's own, and how images are prepared."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from ...errors import BadCheckpoint, GodeeperError
from ...papers.notation import AvgTo, Definition, Dropout, FullyConnected, Linear, Stage
from ...preprocess import Normalize, Preprocess
from .keras_files import KerasFile, Layer, described_layers, name_of, number_of

CLASSIFIER = "predictions"  # keras.applications' own name, here that of the last dense layer whatever it is called
AUTOMATIC = {  # the names that Keras gives where nobody does: their numbers grow in the order of making
    "conv": re.compile(r"conv2d(_\d+)?"),
    "norm": re.compile(r"batch_normalization(_v\d+)?(_\d+)?"),
}


@dataclass(frozen=True)
class KerasModel:
    """A Keras file's network by the names of a layout; its dense layers, where they are several; and the file's JSON.

    `tensors` call the convolutions that Keras named conv2d_0, conv2d_1, ... in the order of making, wherever the file's own
    numbers start, and their batch norms the same with _bn.
    """

    file: Path
    tensors: dict[str, Tensor]  # without those of `dense`
    dense: tuple[Layer, ...]
    config: Mapping[str, Any] | None

    @property
    def hidden(self) -> tuple[Layer, ...]:
        """The dense layers before the classifier."""
        return self.dense[:-1]


def keras_model(read: KerasFile, file: Path) -> KerasModel:
    """The layers by the names of a layout. BadCheckpoint where two have one name, or the last gives a single number."""
    renamed = {**_renumbered(read.layers, "conv", ""), **_renumbered(read.layers, "norm", "_bn")}
    dense = [layer for layer in read.layers if layer.kind == "dense"]
    if len(dense) == 1:
        renamed[dense[0].name] = CLASSIFIER
    if dense and len(dense[-1].tensors["weight"]) == 1:
        raise BadCheckpoint(f"{str(file)!r} has one output: networks here have one for each of two classes or more")
    tensors: dict[str, Tensor] = {}
    for layer in read.layers:
        for name, tensor in layer.tensors.items():
            key = f"{renamed.get(layer.name, layer.name)}.{name}"
            if key in tensors:
                raise BadCheckpoint(f"{str(file)!r} has two layers {layer.name!r}: of several networks in one file none is read")
            tensors[key] = tensor
    if len(dense) < 2:
        return KerasModel(file, tensors, (), read.config)
    for key in [f"{layer.name}.{name}" for layer in dense for name in layer.tensors]:
        del tensors[key]
    return KerasModel(file, tensors, tuple(dense), read.config)


def _renumbered(layers: Sequence[Layer], kind: str, ending: str) -> dict[str, str]:
    """The names that Keras gave to layers of a kind -> conv2d_0, conv2d_1, ... with an ending, in the order of making."""
    names = {layer.name for layer in layers if layer.kind == kind and AUTOMATIC[kind].fullmatch(layer.name)}
    return {name: f"conv2d_{index}{ending}" for index, name in enumerate(sorted(names, key=number_of))}


def head_tensors(model: KerasModel) -> dict[str, Tensor]:
    """The tensors of several dense layers, by our names."""
    names = [*(f"head.fc{number}.fc" for number in range(1, len(model.dense))), "head.linear.linear"]
    return {
        f"{name}.{part}": tensor
        for name, layer in zip(names, model.dense, strict=False)
        for part, tensor in layer.tensors.items()
    }


def with_head(table: Definition, model: KerasModel, features: int) -> Definition:
    """The table with the head of the file, where it has dense layers before the classifier or says what its head is.

    `features` is what the last pool gives. BadCheckpoint for a head of other layers than a pool, Dense with ReLU, Dropout.
    """
    units = [len(layer.tensors["weight"]) for layer in model.hidden]
    if model.hidden and model.hidden[0].tensors["weight"].shape[1] != features:
        raise BadCheckpoint(
            f"{str(model.file)!r}: {model.hidden[0].name!r} takes {model.hidden[0].tensors['weight'].shape[1]} features, but the"
            f" network's average pool gives {features}: only heads after a global average pool are read"
        )
    try:
        steps = list(_described_head(model))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        raise BadCheckpoint(f"{str(model.file)!r} describes its head in a way that is not read") from None
    if steps and [step for step in steps if isinstance(step, int)][:-1] != units:
        raise BadCheckpoint(f"{str(model.file)!r}: the dense layers that it describes are not those that it holds")
    head: dict[str, Stage] = {"avgpool": AvgTo(1)}
    number = 1
    for step in steps or [*units, 0]:
        if isinstance(step, Dropout):
            head[f"dropout{number}" if units else "dropout"] = step
        elif number <= len(units):
            head[f"fc{number}"] = FullyConnected(step)
            number += 1
    head["linear"] = Linear(1000)
    if not units and "dropout" not in head:
        return table  # whose dropout matters in training only
    return replace(table, head=head, variant=f"head {'-'.join(map(str, units))}" if units else table.variant)


def _described_head(model: KerasModel) -> Iterator[int | Dropout]:
    """The units of each dense layer and the dropouts after the trunk, in order; nothing where the file has no description."""
    layers = list(_flat(model.config or {}))
    trunk = max((index for index, layer in enumerate(layers) if layer.get("class_name") in ("Conv2D", "Concatenate")), default=0)
    tail = layers[trunk + 1 :]
    start = next((index for index, layer in enumerate(tail) if _kind(layer) in ("pool", "Flatten", "Dense")), len(tail))
    activation, dense = "", ""
    for layer in tail[start:]:
        kind, config = _kind(layer), layer.get("config") or {}
        if kind in ("Dense", "Activation", "ReLU", "Softmax"):
            given = config.get("activation") if kind in ("Dense", "Activation") else kind.lower()
            if kind == "Dense" and dense and activation != "relu":
                raise _other_head(model, dense, f"with {activation}")
            dense = name_of(layer) if kind == "Dense" else dense
            activation = str(given) if kind == "Dense" or given != "linear" else activation
            if kind == "Dense":
                yield int(config["units"])
        elif kind == "Dropout":
            yield Dropout(float(config["rate"]))
        elif kind not in ("pool", "Flatten"):
            raise _other_head(model, name_of(layer), f"a {kind}")
    if dense and activation not in ("softmax", "linear"):
        raise _other_head(model, dense, f"with {activation}")


def _kind(layer: Mapping[str, Any]) -> str:
    kind = str(layer.get("class_name"))
    return "pool" if kind in ("GlobalAveragePooling2D", "AveragePooling2D") else kind


def _other_head(model: KerasModel, name: str, what: str) -> BadCheckpoint:
    return BadCheckpoint(
        f"{str(model.file)!r}: its head has {name!r}, {what}; only a global average pool, Dense with ReLU, Dropout and, last,"
        " Dense with softmax are read"
    )


def _flat(model: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The layers that a model's JSON describes, those of models within it where they stand."""
    for layer in described_layers(model):
        if described_layers(layer):
            yield from _flat(layer)
        else:
            yield layer


def described_preprocess(assumed: Preprocess, model: KerasModel) -> Preprocess:
    """`assumed`, or the size and the range that the file's own layers say: InputLayer and Rescaling.

    BadCheckpoint where they say it in a way that is not read.
    """
    try:
        for layer in _flat(model.config or {}):
            config = layer.get("config") or {}
            shape = config.get("batch_shape", config.get("batch_input_shape"))
            if layer.get("class_name") == "InputLayer" and isinstance(shape, list) and len(shape) == 4 and shape[1] == shape[2]:
                assumed = assumed.with_size(shape[1]) if isinstance(shape[1], int) else assumed
            if layer.get("class_name") == "Rescaling":
                assumed = replace(assumed, normalize=_of_rescaling(config))
    except (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError, RecursionError, GodeeperError):
        raise BadCheckpoint(
            f"{str(model.file)!r} prepares its images in a way that is not read: say it with --preprocess"
        ) from None
    return assumed


def _of_rescaling(config: Mapping[str, Any]) -> Normalize:
    """Rescaling's x * scale + offset of values in 0..255, as (x - mean) / std of values in 0..1."""
    scale, offset = 255 * float(config["scale"]), float(config.get("offset", 0))
    return Normalize((-offset / scale,) * 3, (1 / scale,) * 3)
