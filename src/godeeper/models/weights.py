"""Weights: ours on disk, as safetensors with what is needed to build the network again, and those of other libraries."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import BadCheckpoint, GodeeperError
from ..preprocess import Preprocess
from ..tensor_files import decoded, is_safetensors, read_safetensors, save_tensors
from .build import initialise
from .foreign import (
    fetch,
    imagenet_classes,
    is_classifier,
    likeliest,
    plain,
    read_pickled,
    recognise,
    renamed,
)
from .layouts import LAYOUTS
from .network import Network, device_of
from .published import PUBLISHED, Published
from .registry import create_model

logger = logging.getLogger("godeeper")

WEIGHTS_FILE = "model.safetensors"
EXPORTED = (".onnx", ".xml", ".pt2", ".pte")  # what `godeeper export` writes: never weights
CLASSIFIER = "head.linear.linear.weight"
ARGUMENTS: dict[str, tuple[type, ...]] = {  # of `create_model`, as a file's metadata keeps them
    "name": (str,), "num_classes": (int,), "in_channels": (int,), "width": (int, float), "small": (bool,),
}  # fmt: skip


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
    remark: str = ""  # on its auxiliary heads


def load(source: str | Path) -> Network:
    """The network of a run folder, weights file or published name, in evaluation mode, with `.classes` and `.preprocess`.

    Weights of other libraries are known by their names. BadCheckpoint where there are none, or they cannot be read;
    GodeeperError where they cannot be fetched.
    """
    weights = read_weights(source)
    try:
        with torch.device("meta"):  # no memory, and no fresh weights, before the file's are known to fit
            network = create_model(**weights.arguments)
    except (GodeeperError, TypeError) as error:
        raise BadCheckpoint(f"{str(weights.file)!r} describes a model that this version cannot make: {error}") from None
    fill(network, weights)
    return network.eval()


def read_weights(source: str | Path, model: str | None = None) -> Weights:
    """The weights that `source`, a run folder, a file or a published name, means.

    BadCheckpoint where they cannot be read, or are published for another model than `model`; those are not even fetched.
    """
    file, published = _located(source, model)
    if file.suffix.lower() in EXPORTED:
        raise BadCheckpoint(
            f"{str(file)!r} is named like an exported network, which only predict and serve take, as .onnx or .xml:"
            " give the run or the weights that it was made of"
        )
    if is_safetensors(file) or file.suffix == ".safetensors":
        tensors, metadata = read_safetensors(file)
        if "detector" in metadata:
            raise BadCheckpoint(f"{str(file)!r} holds a detector, not a classifier: use it with `godeeper detect`")
        if "multibox" in metadata:
            raise BadCheckpoint(f"{str(file)!r} holds a MultiBox network, which proposes regions: name it with --multibox")
    else:
        tensors, metadata = read_pickled(file), {}
    tensors = plain(tensors, file)
    if published is None and any(name.startswith("stages.") for name in tensors):
        return _ours(tensors, decoded(metadata, file), file)
    return _foreign(tensors, file, published)


def _located(source: str | Path, model: str | None) -> tuple[Path, Published | None]:
    name = str(source)
    if not name:
        raise BadCheckpoint("the name of the weights is empty: give a run folder, a weights file or a published name")
    if len(name) > 4000 or len(Path(name).name) > 255:  # no file system has such a name; asking for it would raise
        raise BadCheckpoint(f"there is no run folder or weights file {name[:40]!r}...")
    published = PUBLISHED.get(name)
    if published is None or Path(name).is_file() or (Path(name) / WEIGHTS_FILE).is_file():
        return weights_file(Path(name)), None
    if model is not None and published.architecture != model:
        raise BadCheckpoint(f"{name!r} holds {published.architecture!r}, not {model!r}")
    return fetch(published), published


def _ours(tensors: dict[str, Tensor], metadata: dict[str, Any], file: Path) -> Weights:
    arguments = metadata.get("model")
    if not isinstance(arguments, dict) or "name" not in arguments:
        raise BadCheckpoint(f"{str(file)!r} does not say which model it holds: the metadata that godeeper writes is missing")
    unknown = "describes its model in terms that this version does not know"
    for name in arguments.keys() ^ ARGUMENTS.keys():
        raise BadCheckpoint(f"{str(file)!r} {unknown}: {name!r}")
    for name, kinds in ARGUMENTS.items():
        if type(arguments[name]) not in kinds:
            raise BadCheckpoint(f"{str(file)!r} {unknown}: {name} is {arguments[name]!r}")
    classes = metadata.get("classes")
    if classes is not None:
        if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
            raise BadCheckpoint(f"{str(file)!r} names its classes in a way that this version does not know")
        if len(classes) != arguments["num_classes"]:
            raise BadCheckpoint(f"{str(file)!r} does not name {arguments['num_classes']} classes, but {len(classes)}")
    preprocess = metadata.get("preprocess")
    try:
        read = None if preprocess is None else Preprocess.from_dict(preprocess)
    except GodeeperError as error:
        raise BadCheckpoint(f"{str(file)!r}: {error}") from None
    return Weights(file, tensors, arguments, tuple(classes) if classes else None, read)


def _foreign(tensors: dict[str, Tensor], file: Path, published: Published | None) -> Weights:
    layout = LAYOUTS[published.layout] if published else recognise(tensors, file)
    named = renamed(tensors, layout, file)
    before, kept = len(tensors[layout.classifier]), len(named[CLASSIFIER])
    if published is not None and before not in (published.classes, 1000, 1001):
        raise BadCheckpoint(f"{str(file)!r} has {before} classes, {published.name!r} has {published.classes}: it is another file")
    # A file of 1008 classes has ImageNet's in another order, which nothing here names.
    classes = imagenet_classes() if layout.imagenet and kept == 1000 and before != 1008 else None
    notes = []
    if kept != before:
        notes.append(f"of its {before} classes the {kept} of ImageNet are kept")
    remark = published.remark if published else ""
    if published is None:
        published = likeliest(layout, file, before)
        assumed = ", and its classes are taken for ImageNet's" if classes else ""
        notes.append(f"named as {layout.name}: images are prepared as for {published.name!r}{assumed}")
    arguments = {"name": layout.architecture, "num_classes": kept, "in_channels": 3, "width": 1.0, "small": False}
    return Weights(file, named, arguments, classes, published.preprocess, tuple(notes), layout.names, remark)


def weights_file(path: Path) -> Path:
    """The weights file that `path`, a run folder or a file, means. BadCheckpoint, with the remedy, where there is none."""
    if path.is_file():
        return path
    if not path.is_dir():
        library, slash, _ = str(path).partition("/")
        ours = [name for name, weights in PUBLISHED.items() if weights.architecture == str(path)]
        theirs = [name for name in PUBLISHED if slash and name.startswith(f"{library}/")]
        hint = ", and no published weights of that name"
        if ours or theirs:
            hint = f"; published are {', '.join(ours or theirs)}"
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
    if weights.arguments["name"] != network.arguments["name"]:
        raise BadCheckpoint(f"{str(weights.file)!r} holds {weights.arguments['name']!r}, not {network.arguments['name']!r}")
    apart, notes = _apart(network, weights)
    tensors = {key: tensor for key, tensor in weights.tensors.items() if key not in apart}
    _check_same({key: tensor for key, tensor in network.state_dict().items() if key not in apart}, tensors, weights)
    if device_of(network).type == "meta":
        network.to_empty(device="cpu")
        for buffer in network.buffers():
            buffer.zero_()  # of batches seen, which older files do not count
    network.load_state_dict(tensors, strict=False)
    network.classes = weights.classes if weights.arguments["num_classes"] == network.num_classes else None
    if weights.preprocess is not None:
        # A small network and a whole one have the same shapes, but images of different sizes.
        sized = weights.preprocess if weights.arguments["small"] == network.arguments["small"] else network.preprocess
        network.preprocess = weights.preprocess.with_size(sized.image_size)
    if notes:
        logger.warning("%s: %s", weights.file, "; ".join(notes))


def _apart(network: Network, weights: Weights) -> tuple[set[str], list[str]]:
    """The names, in the file or the network, that have no counterpart in the other by intention; and what to say of it."""
    notes = list(weights.notes)
    keys = network.state_dict().keys() | weights.tensors.keys()
    theirs = {key.split(".")[1] for key in weights.tensors if key.startswith("auxiliary.")}
    dropped, fresh = sorted(theirs - set(network.auxiliary)), sorted(set(network.auxiliary) - theirs)
    if dropped:
        notes.append(f"without its auxiliary heads {', '.join(dropped)}")
    if fresh:
        notes.append(f"with fresh auxiliary heads {', '.join(fresh)}")
    if theirs & set(network.auxiliary) and weights.remark:
        notes.append(weights.remark)
    apart = {key for key in keys for head in (*dropped, *fresh) if key.startswith(f"auxiliary.{head}.")}
    classes, wanted = weights.arguments["num_classes"], network.num_classes
    if classes != wanted:
        notes.append(f"with fresh classifiers of {wanted} classes for its {classes}")
        return apart | {key for key in keys if is_classifier(key)}, notes
    for head in sorted(theirs & set(network.auxiliary)):  # of a file that was tuned to other classes, its heads forgotten
        own = {key for key in keys if is_classifier(key) and key.startswith(f"auxiliary.{head}.")}
        rows = {weights.tensors[key].shape[0] for key in own & weights.tensors.keys() if weights.tensors[key].ndim}
        if rows - {wanted}:
            notes.append(f"with a fresh classifier of {head}, whose has {max(rows)} classes")
            apart |= own
    return apart, notes


def name_classes(network: Network, classes: tuple[str, ...]) -> None:
    """Names the classes that the network is to learn; weights that know others of that number get fresh classifiers, aloud."""
    if network.classes is not None and network.classes != classes:
        for head in (network.head, *network.auxiliary.values()):
            initialise(head["linear"])  # type: ignore[index]
        logger.warning("with fresh classifiers: the weights know other classes, such as %r", network.classes[0])
    network.classes = classes


def _check_same(ours: dict[str, Tensor], tensors: dict[str, Tensor], weights: Weights) -> None:
    """BadCheckpoint, naming the first difference by the file's name for it, unless `tensors` are `ours`."""
    file, misfit = repr(str(weights.file)), f"{str(weights.file)!r} does not fit {weights.arguments['name']!r}"
    missing = [key for key in ours if key not in tensors and not key.endswith("num_batches_tracked")]  # older files lack those
    for key in [*missing, *(key for key in tensors if key not in ours)]:
        where = "lacks" if key in ours else "has"
        raise BadCheckpoint(f"{misfit}: it {where} {weights.names.get(key, key)!r}")
    for key, tensor in tensors.items():
        name = weights.names.get(key, key)
        if tensor.shape != ours[key].shape:
            raise BadCheckpoint(
                f"{misfit}: {name!r} is {tuple(tensor.shape)} there, {tuple(ours[key].shape)} here;"
                " compare width, in_channels and the number of classes"
            )
        if key.endswith("running_var") and (tensor < 0).any():
            raise BadCheckpoint(f"{file} holds variances below 0, in {name!r}")
        if tensor.is_floating_point() and not torch.isfinite(tensor.to(ours[key].dtype)).all():
            raise BadCheckpoint(f"{file} holds values that are not finite, in {name!r}")
