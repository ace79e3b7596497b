"""Weights: ours on disk, as safetensors with what is needed to build the network again, and those of other libraries."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..errors import BadCheckpoint, GodeeperError
from ..preprocess import Preprocess
from .foreign import fetch, imagenet_classes, is_safetensors, preprocessing_of, read_pickled, recognise, renamed
from .layouts import LAYOUTS
from .network import Network
from .published import PUBLISHED, Published
from .registry import create_model

logger = logging.getLogger("godeeper")

WEIGHTS_FILE = "model.safetensors"
CLASSIFIER = "head.linear.linear.weight"
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


@dataclass(frozen=True)
class Weights:
    """A file's weights by our names, with what they say of themselves; not in a network yet."""

    file: Path
    tensors: dict[str, Tensor]
    arguments: dict[str, Any]  # of `create_model`
    classes: tuple[str, ...] | None
    preprocess: Preprocess | None
    notes: tuple[str, ...] = ()  # what was converted on the way
    names: Mapping[str, str] = field(default_factory=dict)  # our name -> the file's, where they differ


def load(source: str | Path) -> Network:
    """The network of a run folder, weights file or published name, in evaluation mode, with `.classes` and `.preprocess`.

    Weights of other libraries are known by their names. BadCheckpoint where there are none, or they cannot be read.
    """
    weights = read_weights(source)
    try:
        network = create_model(**weights.arguments)
    except (GodeeperError, TypeError) as error:
        raise BadCheckpoint(f"{str(weights.file)!r} describes a model that this version cannot make: {error}") from None
    fill(network, weights)
    return network.eval()


def read_weights(source: str | Path) -> Weights:
    """The weights that `source`, a run folder, a file or a published name, means; BadCheckpoint where they cannot be read."""
    file, published = _located(source)
    if not is_safetensors(file) and file.suffix != ".safetensors":
        return _foreign(read_pickled(file), file, published)
    try:
        with safe_open(file, framework="pt") as opened:
            ours = "model" in (opened.metadata() or {})
    except (SafetensorError, OSError):
        ours = True  # and the next line says what is wrong
    if ours:
        return _ours(file)
    with safe_open(file, framework="pt") as opened:
        return _foreign({name: opened.get_tensor(name) for name in opened.keys()}, file, published)  # noqa: SIM118


def _located(source: str | Path) -> tuple[Path, Published | None]:
    name = str(source)
    if len(name) > 4000 or len(Path(name).name) > 255:  # no file system has such a name; asking for it would raise
        raise BadCheckpoint(f"there is no run folder or weights file {name[:40]!r}...")
    if Path(name).exists() or name not in PUBLISHED:
        return weights_file(Path(name)), None
    return fetch(PUBLISHED[name]), PUBLISHED[name]


def _ours(file: Path) -> Weights:
    tensors, metadata = load_tensors(file)
    arguments = metadata.get("model")
    if not isinstance(arguments, dict) or "name" not in arguments:
        raise BadCheckpoint(f"{str(file)!r} does not say which model it holds: it was not written by godeeper")
    for name in arguments.keys() ^ ARGUMENTS:
        raise BadCheckpoint(f"{str(file)!r} describes its model in terms that this version does not know: {name!r}")
    classes = metadata.get("classes")
    if classes is not None:
        if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
            raise BadCheckpoint(f"{str(file)!r} names its classes in a way that this version does not know")
        if len(classes) != arguments["num_classes"]:
            raise BadCheckpoint(f"{str(file)!r} does not name {arguments['num_classes']} classes, but {len(classes)}")
    try:
        preprocess = metadata.get("preprocess") and Preprocess.from_dict(metadata["preprocess"])
    except GodeeperError as error:
        raise BadCheckpoint(f"{str(file)!r}: {error}") from None
    return Weights(file, tensors, arguments, tuple(classes) if classes else None, preprocess)


def _foreign(tensors: dict[str, Tensor], file: Path, published: Published | None) -> Weights:
    layout = LAYOUTS[published.layout] if published else recognise(tensors, file)
    named = renamed(tensors, layout, file)
    before, kept = len(tensors[layout.classifier]), len(named[CLASSIFIER])
    notes = []
    if kept != before:
        notes.append(f"of its {before} classes the {kept} of ImageNet are kept")
    if published is None:
        published = preprocessing_of(layout)
        notes.append(f"named as {layout.name}: pictures are prepared as for {published.name!r}")
    arguments = {"name": layout.architecture, "num_classes": kept, "in_channels": 3, "width": 1.0, "small": False}
    # A file of 1008 classes has ImageNet's in another order, which nothing here names.
    classes = imagenet_classes() if kept == 1000 and before != 1008 else None
    return Weights(file, named, arguments, classes, published.preprocess, tuple(notes), layout.names)


def weights_file(path: Path) -> Path:
    """The weights file that `path`, a run folder or a file, means. BadCheckpoint, with the remedy, where there is none."""
    if path.is_file():
        return path
    if not path.is_dir():
        library, slash, _ = str(path).partition("/")
        published = [name for name in PUBLISHED if slash and name.startswith(f"{library}/")]
        hint = f"; {library} publishes {', '.join(published)}" if published else ", and no published weights of that name"
        raise BadCheckpoint(f"there is no run folder or weights file {str(path)!r}{hint}")
    if not (path / WEIGHTS_FILE).is_file():
        unfinished = (path / "recipe.json").is_file()
        hint = "its training has not finished; go on with --resume" if unfinished else "it is not a run folder"
        raise BadCheckpoint(f"{str(path)!r} holds no {WEIGHTS_FILE}: {hint}")
    return path / WEIGHTS_FILE


def fill(network: Network, weights: Weights) -> None:
    """Puts the weights into the network, or leaves it as it was and raises BadCheckpoint, naming the first difference.

    Says what does not come along: auxiliary heads that the network lacks, and every classifier where the numbers of classes
    differ; heads and classifiers that the file lacks stay fresh.
    """
    ours, file = network.state_dict(), str(weights.file)
    name, theirs = network.arguments["name"], weights.arguments["name"]
    if theirs != name:
        raise BadCheckpoint(f"{file!r} holds {theirs!r}, not {name!r}")
    tensors, notes = dict(weights.tensors), list(weights.notes)
    heads = sorted({key.split(".")[1] for key in tensors if key.startswith("auxiliary.")})
    if heads and not network.auxiliary:
        tensors = {key: tensor for key, tensor in tensors.items() if not key.startswith("auxiliary.")}
        notes.append(f"without its auxiliary heads {', '.join(heads)}")
    elif network.auxiliary and not heads:
        notes.append(f"with fresh auxiliary heads {', '.join(network.auxiliary)}")
    classes = weights.arguments["num_classes"]
    if classes != network.num_classes:
        tensors = {key: tensor for key, tensor in tensors.items() if not _is_classifier(key)}
        notes.append(f"with fresh classifiers of {network.num_classes} classes for its {classes}")
    fresh = {
        key for key in ours
        if key.endswith("num_batches_tracked")
        or (_is_classifier(key) and classes != network.num_classes)
        or (key.startswith("auxiliary.") and not heads)
    }  # fmt: skip
    _check_same(ours, tensors, fresh, weights)
    network.load_state_dict(tensors, strict=False)
    if classes == network.num_classes:
        network.classes = weights.classes
    if weights.preprocess is not None:
        network.preprocess = weights.preprocess
    if notes:
        logger.warning("%s: %s", weights.file, "; ".join(notes))


def _is_classifier(key: str) -> bool:
    return key.endswith((".linear.linear.weight", ".linear.linear.bias"))


def _check_same(ours: dict[str, Tensor], tensors: dict[str, Tensor], fresh: set[str], weights: Weights) -> None:
    """BadCheckpoint, naming the first difference by the file's name for it, unless `tensors` are `ours` but for the `fresh`."""
    file, misfit = repr(str(weights.file)), f"{str(weights.file)!r} does not fit {weights.arguments['name']!r}"
    missing = [key for key in ours if key not in tensors and key not in fresh]
    for key in [*missing, *(key for key in tensors if key not in ours)]:
        where = "lacks" if key in ours else "has"
        raise BadCheckpoint(f"{misfit}: it {where} {weights.names.get(key, key)!r}")
    for key, tensor in tensors.items():
        name = weights.names.get(key, key)
        if tensor.shape != ours[key].shape:
            raise BadCheckpoint(
                f"{misfit}: {name!r} is {tuple(tensor.shape)} there, {tuple(ours[key].shape)} here;"
                " compare width, small, in_channels and the number of classes"
            )
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise BadCheckpoint(f"{file} holds values that are not finite, in {name!r}")
