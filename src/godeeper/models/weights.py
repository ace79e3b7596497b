"""Weights on disk: safetensors, with what is needed to build the network again in the file's metadata."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..errors import BadCheckpoint, GodeeperError
from ..preprocess import Preprocess
from .network import Network
from .registry import create_model

WEIGHTS_FILE = "model.safetensors"
ARGUMENTS = {"name", "num_classes", "in_channels", "width", "small"}  # of `create_model`, as a file's metadata keeps them


def save_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, Any]) -> None:
    """Writes a safetensors file whole or not at all; `metadata` values are kept as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        save_file(
            {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()},
            partial,
            {key: json.dumps(value, ensure_ascii=False) for key, value in metadata.items()},
        )
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """A file of `save_tensors`: its tensors and metadata. BadCheckpoint where it is missing, unreadable or not ours."""
    if not path.is_file():
        raise BadCheckpoint(f"there is no file {str(path)!r}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return tensors, {key: json.loads(value) for key, value in metadata.items()}
    except (SafetensorError, OSError, ValueError) as error:
        raise BadCheckpoint(f"{str(path)!r} is not a safetensors file of godeeper, or is damaged: {error}") from None


def save_weights(network: Network, path: str | Path) -> None:
    """Writes the network's weights, classes and preprocessing; auxiliary heads, which serve training only, stay behind."""
    metadata = {
        "model": network.arguments,
        "classes": list(network.classes) if network.classes else None,
        "preprocess": network.preprocess.as_dict(),
    }
    kept = {name: tensor for name, tensor in network.state_dict().items() if not name.startswith("auxiliary.")}
    save_tensors(Path(path), kept, metadata)


def load(path: str | Path) -> Network:
    """The network of a run folder or weights file, in evaluation mode, with `.classes` and `.preprocess`.

    BadCheckpoint where there is none, or it cannot be read.
    """
    file = weights_file(Path(path))
    tensors, metadata = load_tensors(file)
    arguments = metadata.get("model")
    if not isinstance(arguments, dict) or "name" not in arguments:
        raise BadCheckpoint(f"{str(file)!r} does not say which model it holds: it was not written by godeeper")
    for name in arguments.keys() ^ ARGUMENTS:
        raise BadCheckpoint(f"{str(file)!r} describes its model in terms that this version does not know: {name!r}")
    try:
        network = create_model(**arguments)
    except (GodeeperError, TypeError) as error:
        raise BadCheckpoint(f"{str(file)!r} describes a model that this version cannot make: {error}") from None
    _fill(network, tensors, metadata, file)
    return network.eval()


def load_into(network: Network, path: Path) -> None:
    """Fills `network` with the weights of a run folder or file; BadCheckpoint unless every name and shape agrees."""
    file = weights_file(path)
    tensors, metadata = load_tensors(file)
    _fill(network, tensors, metadata, file)


def weights_file(path: Path) -> Path:
    """The weights file that `path`, a run folder or a file, means. BadCheckpoint, with the remedy, where there is none."""
    if path.is_file():
        return path
    if not path.is_dir():
        raise BadCheckpoint(f"there is no run folder or weights file {str(path)!r}")
    if not (path / WEIGHTS_FILE).is_file():
        unfinished = (path / "recipe.json").is_file()
        hint = "its training has not finished; go on with --resume" if unfinished else "it is not a run folder"
        raise BadCheckpoint(f"{str(path)!r} holds no {WEIGHTS_FILE}: {hint}")
    return path / WEIGHTS_FILE


def _fill(network: Network, tensors: dict[str, Tensor], metadata: dict[str, Any], file: Path) -> None:
    check_same(network, tensors, metadata, file)
    network.load_state_dict(tensors, strict=False)
    classes = metadata.get("classes")
    if classes is not None:
        if not isinstance(classes, list) or len(classes) != network.num_classes or not all(isinstance(c, str) for c in classes):
            raise BadCheckpoint(f"{str(file)!r} does not name {network.num_classes} classes")
        network.classes = tuple(classes)
    if metadata.get("preprocess") is not None:
        try:
            network.preprocess = Preprocess.from_dict(metadata["preprocess"])
        except GodeeperError as error:
            raise BadCheckpoint(f"{str(file)!r}: {error}") from None


def check_same(network: Network, tensors: dict[str, Tensor], metadata: dict[str, Any], file: Path) -> None:
    """BadCheckpoint, naming the first difference, unless `tensors` are this network's (auxiliary heads may be absent)."""
    ours = network.state_dict()
    arguments = metadata.get("model")
    theirs = arguments.get("name") if isinstance(arguments, dict) else None
    name = network.arguments.get("name")
    if theirs and theirs != name:
        raise BadCheckpoint(f"{str(file)!r} holds {theirs!r}, not {name!r}")
    missing = [key for key in ours if key not in tensors and not key.startswith("auxiliary.")]
    for key in [*missing, *(key for key in tensors if key not in ours)]:
        where = "lacks" if key in ours else "has"
        raise BadCheckpoint(f"{str(file)!r} does not fit {name!r}: it {where} {key!r}")
    for key, tensor in tensors.items():
        if tensor.shape != ours[key].shape:
            raise BadCheckpoint(
                f"{str(file)!r} does not fit {name!r}: {key!r} is {tuple(tensor.shape)} there, {tuple(ours[key].shape)} here;"
                " compare --width, --small and the number of classes"
            )
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise BadCheckpoint(f"{str(file)!r} holds values that are not finite, in {key!r}")
