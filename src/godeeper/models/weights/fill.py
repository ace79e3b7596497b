"""Weights into a network: every key accounted for, every shape compared before the first number is copied."""

from __future__ import annotations

import logging
from collections.abc import Collection

from torch import Tensor

from ...errors import BadCheckpoint
from ...papers.registry import takes_weights_of
from ...tensor_files import value_fault
from ..build import initialise
from ..network import Network, device_of
from .foreign import is_classifier
from .read import Weights

logger = logging.getLogger("godeeper")


def fill(network: Network, weights: Weights) -> None:
    """Puts the weights into the network, or leaves it as it was and raises BadCheckpoint, naming the first difference.

    Warns of what does not come along: auxiliary heads that the network lacks, and every classifier where the numbers of classes
    differ; heads and classifiers that the file lacks stay fresh.
    """
    own, theirs = network.definition, weights.spec.definition
    if not takes_weights_of(own.name, theirs.name):
        raise BadCheckpoint(f"{str(weights.file)!r} holds {theirs.name!r}, not {own.name!r}")
    unmatched, notes = _unmatched_keys(network, weights)
    if theirs.name != own.name:
        notes.append(f"weights of {theirs.name!r} with the pools of {own.name!r}")
    tensors = {key: tensor for key, tensor in weights.tensors.items() if key not in unmatched}
    _check_same({key: tensor for key, tensor in network.state_dict().items() if key not in unmatched}, tensors, weights)
    if device_of(network).type == "meta":
        network.to_empty(device="cpu")
        for buffer in network.buffers():
            buffer.zero_()  # of batches seen, which older files do not count
        if not _has_classifier(weights):
            initialise(network.head["linear"])
    network.load_state_dict(tensors, strict=False)
    network.classes = weights.spec.classes if weights.spec.num_classes == network.num_classes else None
    # A small network and a whole one have the same shapes, but images of different sizes.
    same_size = theirs.stages == own.stages
    size = weights.spec.preprocess.image_size if same_size else network.preprocess.image_size
    network.preprocess = weights.spec.preprocess.with_size(size)
    if notes:
        logger.warning("%s: %s", weights.file, "; ".join(notes))


def name_classes(network: Network, classes: tuple[str, ...]) -> None:
    """Names the classes that the network is to learn.

    Weights that know others of that number get fresh classifiers, with a warning.
    """
    if network.classes is not None and network.classes != classes:
        for head in (network.head, *network.auxiliary.values()):
            initialise(head["linear"])  # type: ignore[index]
        logger.warning("with fresh classifiers: the weights know other classes, such as %r", network.classes[0])
    network.classes = classes


def _unmatched_keys(network: Network, weights: Weights) -> tuple[set[str], list[str]]:
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
    unmatched = {key for key in keys for head in (*dropped, *fresh) if key.startswith(f"auxiliary.{head}.")}
    classes = weights.spec.num_classes
    if not _has_classifier(weights):
        notes.append(f"with a fresh classifier of {network.num_classes} classes, as it has none")
        return unmatched | {key for key in keys if is_classifier(key)}, notes
    if classes != network.num_classes:
        notes.append(f"with fresh classifiers of {network.num_classes} classes for its {classes}")
        return unmatched | {key for key in keys if is_classifier(key)}, notes
    for head in sorted(theirs & set(network.auxiliary)):
        keys_of_head = {key for key in keys if is_classifier(key) and key.startswith(f"auxiliary.{head}.")}
        if other := _other_classes(keys_of_head, weights, network.num_classes):
            notes.append(f"with a fresh classifier of {head}, whose has {other} classes")
            unmatched |= keys_of_head
    return unmatched, notes


def _has_classifier(weights: Weights) -> bool:
    """Whether the file has the last layer; those that others make their own classifiers on do not."""
    return any(is_classifier(key) and key.startswith("head.") for key in weights.tensors)


def _other_classes(keys: Collection[str], weights: Weights, num_classes: int) -> int:
    """How many classes an auxiliary head's own classifier has, 0 where as many as the network.

    It has others in files whose trunk was tuned to new classes while the heads were forgotten.
    """
    rows = {len(weights.tensors[key]) for key in keys if key in weights.tensors and weights.tensors[key].ndim}
    return max(rows) if rows - {num_classes} else 0


def _check_same(ours: dict[str, Tensor], tensors: dict[str, Tensor], weights: Weights) -> None:
    """BadCheckpoint, naming the first difference by the file's name for it, unless `tensors` are `ours`."""
    file, misfit = repr(str(weights.file)), f"{str(weights.file)!r} does not fit {weights.spec.definition.name!r}"
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
        if fault := value_fault(key, tensor):
            raise BadCheckpoint(f"{file} holds {fault}, in {name!r}")
