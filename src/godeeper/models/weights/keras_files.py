"""Keras' files: .h5 (a whole model, or weights alone), .weights.h5 and .keras, read without running anything in them.

An HDF5 file's arrays come through h5py; of a .keras archive its two parts are read, the arrays and the JSON of the layers. What
Keras' own reader does is in its `legacy_h5_format.py` and `saving_lib.py`.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...errors import BadCheckpoint
from ...packages import require

UNZIPPING = (zipfile.BadZipFile, zlib.error, OSError, ValueError, RuntimeError)  # the last: encrypted, or compressed otherwise
HDF5, ZIP = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04"
SUFFIXES = (".h5", ".hdf5", ".keras")
ARRAYS, CONFIG = "model.weights.h5", "config.json"  # the parts of a .keras archive that are read
LARGEST_CONFIG, LARGEST_PART, LARGEST_ARRAYS = 1 << 26, 1 << 31, 1 << 30  # bytes: of JSON, of an archive's part, of the weights
MOST_NAMES = 20_000
TORCH_NAMES = {  # of a layer's arrays
    "kernel": "weight", "gamma": "weight", "bias": "bias", "beta": "bias",
    "moving_mean": "running_mean", "moving_variance": "running_var",
}  # fmt: skip
OLD_LAYERS = "_layer_checkpoint_dependencies"  # what Keras 2.12 and 2.13 call the group of layers
IN_ORDER = {  # the arrays of a layer of Keras 3, which numbers them, by the layer's kind and how many they are
    ("conv2d", 1): ("kernel",), ("conv2d", 2): ("kernel", "bias"), ("dense", 1): ("kernel",), ("dense", 2): ("kernel", "bias"),
    ("batch_normalization", 3): ("beta", "moving_mean", "moving_variance"),
    ("batch_normalization", 4): ("gamma", "beta", "moving_mean", "moving_variance"),
}  # fmt: skip


@dataclass(frozen=True)
class Layer:
    """A layer with weights, by torch's names and in torch's order of axes: OIHW of a convolution, (out, in) of a dense layer.

    `kind` is "conv", "norm" (with a scale of ones where Keras keeps none) or "dense".
    """

    name: str
    kind: str
    tensors: Mapping[str, Tensor]


@dataclass(frozen=True)
class KerasFile:
    """The layers of a file in the model's order, and the JSON that describes the model where the file has it."""

    layers: tuple[Layer, ...]
    config: Mapping[str, Any] | None


def is_keras(file: Path) -> bool:
    """Whether a file is Keras', by its content, or by its name where the content is of no kind known here."""
    with file.open("rb") as opened:
        start = opened.read(8)
    if start[:4] == ZIP and file.suffix != ".keras":
        try:
            with zipfile.ZipFile(file) as archive:
                return ARRAYS in archive.namelist()
        except UNZIPPING:
            return False
    return start == HDF5 or file.suffix.lower() in SUFFIXES


def read_keras(file: Path) -> KerasFile:
    """The layers of a Keras file. BadCheckpoint, in one line, where it is damaged, or has other layers than are read here."""
    h5py = require("h5py", "keras")
    with _one_line(file):
        with file.open("rb") as opened:
            zipped = opened.read(4) == ZIP
        if not zipped:
            with h5py.File(file, "r") as arrays:
                return _read(arrays, None, file)
        with zipfile.ZipFile(file) as archive:
            config = json.loads(_part(archive, CONFIG, LARGEST_CONFIG))
            content = io.BytesIO(_part(archive, ARRAYS, LARGEST_PART))
        with h5py.File(content, "r") as arrays:
            return _read(arrays, config, file)


@contextmanager
def _one_line(file: Path) -> Iterator[None]:
    """What h5py, zipfile and json raise becomes a BadCheckpoint that names the file."""
    try:
        yield
    except (*UNZIPPING, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadCheckpoint(f"{str(file)!r} is not a file of Keras, or is damaged: {_first_line(error)}") from None


def _first_line(error: BaseException) -> str:
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)  # a KeyError quotes its text
    return text.strip().partition("\n")[0] or type(error).__name__


def _part(archive: zipfile.ZipFile, name: str, largest: int) -> bytes:
    """A part of an archive; ValueError for one of more than `largest` bytes, and for a compressed one: Keras writes none."""
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:  # 2 MB may be 2 GB
        raise ValueError(f"{name!r} is compressed: save it anew")
    with archive.open(name) as opened:
        content = opened.read(largest + 1)
    if len(content) > largest:
        raise ValueError(f"{name!r} is larger than {largest} bytes")
    return content


def _read(opened: Any, config: Any, file: Path) -> KerasFile:
    if config is None and "model_config" in opened.attrs:
        text = opened.attrs["model_config"]
        config = json.loads(text[:LARGEST_CONFIG])
    if config is not None and not isinstance(config, dict):
        raise ValueError("what describes its layers is no JSON object")
    root = _get(opened, "model_weights") if opened.get("model_weights", getlink=True) else opened
    if "layer_names" in root.attrs or "layer_names0" in root.attrs:
        layers = tuple(_layers_by_name(root, file))
    else:
        layers = tuple(_layers_by_number(opened, _names(config or {}), file))
    if not layers:
        raise ValueError("no layer in it has weights")
    return KerasFile(layers, config)


# Keras 1 and 2, and .h5 of Keras 3: a group a layer, with the names of its arrays as an attribute


def _layers_by_name(root: Any, file: Path) -> Iterator[Layer]:
    read = 0
    for layer in _listed(root, "layer_names"):
        group = _get(root, layer)
        units: dict[str, dict[str, NDArray[Any]]] = {}  # of a model within the model there are several
        for path in _listed(group, "weight_names"):
            *parents, leaf = path.split("/")
            array = _array(_get(group, path), path, read)
            read += array.nbytes
            units.setdefault(parents[-1] if parents else layer, {})[leaf.partition(":")[0]] = array
        for name, arrays in units.items():
            yield _layer(name if len(units) > 1 else layer, arrays, file)


def _listed(group: Any, name: str) -> list[str]:
    """An attribute that lists names; one too long for HDF5 goes on as name0, name1, ... KeyError where there is none."""
    keys = [name] if name in group.attrs else [key for key in (f"{name}{n}" for n in range(1000)) if key in group.attrs]
    values = [value for key in keys for value in group.attrs[key]]
    if not keys or len(values) > MOST_NAMES:
        raise KeyError(f"{group.name!r} lists no {name}")
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values]


# Keras 3: groups are numbered by kind within a model, arrays within a layer


def _layers_by_number(root: Any, names: Mapping[str, str], file: Path) -> Iterator[Layer]:
    read = 0
    groups = sorted(_groups_of_arrays(root), key=lambda group: [_natural(part) for part in group[0]])
    for path, group in groups:
        parts = sorted(((int(number), _get(group, number)) for number in group), key=lambda part: part[0])
        kind = _unnumbered(path[-1]) if path else ""
        if all(dataset.dtype.kind in "iub" for _, dataset in parts):  # states of random numbers, or nothing
            continue
        if (kind, len(parts)) not in IN_ORDER:
            raise _other_layer(file, "/".join(path), f"{len(parts)} arrays")
        name = group.attrs.get("name", names.get("/".join(path)))
        if name is None:
            raise BadCheckpoint(
                f"{str(file)!r} does not name its layers, as weights alone of older releases of Keras do not:"
                " save the whole model, as .keras or .h5"
            )
        arrays = {}
        for leaf, (_, dataset) in zip(IN_ORDER[kind, len(parts)], parts, strict=True):
            arrays[leaf] = _array(dataset, f"{'/'.join(path)}/{leaf}", read)
            read += arrays[leaf].nbytes
        yield _layer(str(name), arrays, file)


def _groups_of_arrays(root: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every group "vars" of a model, with the path of its layer; those of the optimiser and of metrics are left out."""
    h5py = require("h5py", "keras")
    ahead: list[tuple[tuple[str, ...], Any]] = [((), root)]
    seen = set[int]()
    while ahead:
        path, group = ahead.pop()
        address = h5py.h5o.get_info(group.id).addr
        if address in seen or len(seen) > MOST_NAMES:
            raise ValueError("its groups lie within one another, or are too many")
        seen.add(address)
        for name in group:
            if not path and (name == "optimizer" or (name.startswith("_") and name != OLD_LAYERS)):
                continue
            item = _get(group, name)
            if name == "vars" and not hasattr(item, "keys"):
                raise ValueError(f"{'/'.join(path)!r} has an array for a group of arrays")
            if name == "vars":
                yield path, item
            elif hasattr(item, "keys"):
                ahead.append(((*path, "layers" if name == OLD_LAYERS else name), item))


def _names(model: Mapping[str, Any], within: str = "") -> dict[str, str]:
    """Of each layer that a model's JSON describes, the path of its group -> its name."""
    result, numbers = {}, dict[str, int]()
    for layer in described_layers(model):
        kind = re.sub("([a-z])([A-Z])", r"\1_\2", str(layer.get("class_name"))).lower()
        number = numbers[kind] = numbers.get(kind, -1) + 1
        path = f"{within}layers/{kind}_{number}" if number else f"{within}layers/{kind}"
        result[path] = name_of(layer)
        result |= _names(layer, f"{path}/")
    return result


def described_layers(model: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The layers of a model as its JSON describes them, in its own order; none of a layer that is no model."""
    config = model.get("config")
    layers = config.get("layers") if isinstance(config, dict) else config  # a list: Sequential, of Keras 1 and early 2
    return [layer for layer in layers if isinstance(layer, dict)] if isinstance(layers, list) else []


def name_of(layer: Mapping[str, Any]) -> str:
    """The name of a layer that a model's JSON describes."""
    config = layer.get("config")
    return str(config.get("name")) if isinstance(config, dict) else ""


def _natural(part: str) -> tuple[str, int]:
    """Orders conv2d, conv2d_2, conv2d_10."""
    return _unnumbered(part), number_of(part)


def _unnumbered(name: str) -> str:
    return re.sub(r"_\d+$", "", name)


def number_of(name: str) -> int:
    """The number that a name ends with, 0 where it has none, as Keras 3 starts."""
    ending = re.search(r"_(\d{1,9})$", name)
    return int(ending[1]) if ending else 0


# Both


def _get(group: Any, path: str) -> Any:
    """What lies under a path in the file itself: KeyError where nothing does, ValueError for a link to elsewhere."""
    h5py = require("h5py", "keras")
    for name in path.split("/"):
        link = group.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise KeyError(f"it lists {path!r} and lacks it") if link is None else ValueError(f"{path!r} is a link to elsewhere")
        group = group[name]
    return group


def _array(dataset: Any, name: str, read: int) -> NDArray[Any]:
    """An array of floats that lies in the file; `read` are the bytes of those before it."""
    if not hasattr(dataset, "dtype") or dataset.external or dataset.is_virtual:
        raise ValueError(f"{name!r} is no array of the file's own")
    if dataset.dtype.kind != "f" or dataset.dtype.itemsize not in (2, 4, 8):
        raise ValueError(f"{name!r} is of {dataset.dtype}, not of floats")
    if read + dataset.size * dataset.dtype.itemsize > LARGEST_ARRAYS:
        raise ValueError(f"its arrays are larger than {LARGEST_ARRAYS} bytes")
    array: NDArray[Any] = dataset[()]
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _layer(name: str, arrays: Mapping[str, NDArray[Any]], file: Path) -> Layer:
    """A layer by its arrays; BadCheckpoint for any but a convolution, a batch norm and a dense layer."""
    names, rank = set(arrays), np.ndim(arrays.get("kernel", 0))
    tensors = {TORCH_NAMES[leaf]: torch.from_numpy(array) for leaf, array in arrays.items() if leaf in TORCH_NAMES}
    if rank == 4 and names <= {"kernel", "bias"}:
        return Layer(name, "conv", tensors | {"weight": tensors["weight"].permute(3, 2, 0, 1).contiguous()})  # HWIO -> OIHW
    if rank == 2 and names <= {"kernel", "bias"}:
        return Layer(name, "dense", tensors | {"weight": tensors["weight"].T.contiguous()})  # (in, out) -> (out, in)
    if {"beta", "moving_mean", "moving_variance"} <= names <= set(TORCH_NAMES):
        return Layer(name, "norm", {"weight": torch.ones_like(tensors["bias"])} | tensors)
    raise _other_layer(file, name, ", ".join(sorted(names)))


def _other_layer(file: Path, name: str, holds: str) -> BadCheckpoint:
    return BadCheckpoint(
        f"{str(file)!r} is of no network known here: its layer {name!r}, which holds {holds},"
        " is no convolution, batch norm or dense layer"
    )
