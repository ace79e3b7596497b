"""Classifiers and labelled images, brought together by their classes."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from ..data.dataset import DataSplits, ImageDataset, Split
from ..data.ilsvrc import without_blacklisted
from ..data.open import open_data
from ..errors import GodeeperError
from ..evaluate.classify import Member
from ..evaluate.ensemble import class_order
from ..labels import imagenet, imagenet_names
from ..models.comparators import Comparator, load_classifier
from ..models.network import Network, network_of, unwrapped

if TYPE_CHECKING:
    from collections.abc import Iterable

Classifier = str | Path | Network | Comparator


def open_classifiers(models: Iterable[Classifier]) -> tuple[list[str], list[Network | Comparator]]:
    """The names and the networks of runs, files, published names and networks of other libraries; copies of those given."""
    names, networks = [], []
    if isinstance(models, str | Path | nn.Module):
        raise GodeeperError("give the models as a list, even a single one")
    for model in models:
        opened = load_classifier(model) if isinstance(model, str | Path) else copy.deepcopy(_given(model)).float()
        names.append(str(model) if isinstance(model, str | Path) else title_of(opened))
        networks.append(opened)
    if not networks:
        raise GodeeperError("no model is given: name at least one")
    return names, networks


def _given(model: object) -> Network | Comparator:
    """The network that is given, out of its wrapping."""
    inner = unwrapped(model)
    return inner if isinstance(inner, Comparator) else network_of(inner)


def title_of(model: Network | Comparator) -> str:
    """What the architecture is called, without the library that it is from and without the tag of its weights."""
    if isinstance(model, Comparator):
        return model.name.partition(":")[2].partition(".")[0]
    return model.definition.title


def open_images(data: str, networks: Sequence[Network | Comparator], download: bool, split: Split) -> DataSplits:
    """The images, those of `split` at least, in the class order of the first network that names its classes."""
    classes = next((network.classes for network in networks if network.classes is not None), None)
    return open_with_classes(data, classes, download, split)


def open_with_classes(data: str, classes: tuple[str, ...] | None, download: bool, split: Split) -> DataSplits:
    """The images in the order of these classes; ImageNet's may be called by their English names or by their synsets."""
    errors = []
    for names in dict.fromkeys([in_synsets(classes), classes]):
        try:
            return open_data(data, names, download=download, split=split)
        except GodeeperError as error:
            errors.append(error)
    by_synset = re.search(r"'n\d{8}'", str(errors[-1]))  # the folder that it stumbled over is a synset's
    raise errors[0 if by_synset else -1]


def in_synsets(classes: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The classes; ImageNet's 1000 English names as synsets."""
    return tuple(known.synset for known in imagenet()) if classes == imagenet_names() else classes


def members_of(
    names: Sequence[str], networks: Sequence[Network | Comparator], splits: DataSplits, data: str, device: torch.device
) -> list[Member]:
    """The classifiers as members of an ensemble, each with its classes in the order of the images'."""
    members = []
    for name, network in zip(names, networks, strict=True):
        classes = network.classes if network.classes == splits.classes else in_synsets(network.classes)
        order = class_order(name, classes, network.num_classes, splits.classes, f"the data {data!r}")
        on_device = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        members.append(Member(name, on_device, network.preprocess, order))
    return members


def images_of(splits: DataSplits, split: Split, blacklist: Path | None) -> tuple[ImageDataset, int]:
    """The images to evaluate on, and how many blacklisted ones were left out."""
    images = splits.subset(split)
    return (images, 0) if blacklist is None else without_blacklisted(images, blacklist)
