"""The classifiers and the images of an evaluation, brought together by their classes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..errors import GodeeperError
from ..labels import imagenet

if TYPE_CHECKING:
    import torch

    from ..data.sources import ImageDataset, Source
    from ..evaluate.classify import Member
    from ..models.comparators import Comparator
    from ..models.network import Network

Part = Literal["test", "train", "all"]


def models_and_source(runs: Sequence[str], data: str, download: bool) -> tuple[list[Network | Comparator], Source]:
    """The classifiers, and the images in the class order of the first that names its classes."""
    from ..models.comparators import load_classifier

    models = [load_classifier(run) for run in runs]
    named = next((model.classes for model in models if model.classes is not None), None)
    return models, open_images(data, named, download)


def open_images(data: str, classes: tuple[str, ...] | None, download: bool) -> Source:
    """The images; ImageNet's classes may be called by their English names or by their synsets."""
    from ..data.sources import open_source

    forms = list(dict.fromkeys([in_synsets(classes), classes]))
    errors = []
    for form in forms:
        try:
            return open_source(data, form, download=download)
        except GodeeperError as error:
            errors.append(error)
    speaks_synsets = re.search(r"'n\d{8}'", str(errors[-1]))  # the folder it stumbled over is a synset's
    raise errors[0 if speaks_synsets else -1]


def in_synsets(classes: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The classes; ImageNet's 1000 English names as synsets."""
    every = imagenet()
    return tuple(one.synset for one in every) if classes == tuple(one.english for one in every) else classes


def members_of(
    runs: Sequence[str], models: Sequence[Network | Comparator], source: Source, data: str, device: torch.device
) -> list[Member]:
    """The classifiers, each with its classes in the order of the images'."""
    import torch

    from ..evaluate.classify import Member
    from ..evaluate.ensemble import order_of

    members = []
    for run, model in zip(runs, models, strict=True):
        own = model.classes if model.classes == source.classes else in_synsets(model.classes)
        order = order_of(str(run), own, model.num_classes, source.classes, f"the data {data!r}")
        there = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        members.append(Member(str(run), there, model.preprocess, order))
    return members


def architecture(model: Network | Comparator) -> str:
    """The model's name, without the library that it is from and what tells its weights; with what changes the network."""
    from ..models.comparators import Comparator

    if isinstance(model, Comparator):
        return model.name.partition(":")[2].partition(".")[0]
    return model.definition.title


def images_of(source: Source, part: Part, blacklist: Path | None) -> tuple[ImageDataset, int]:
    """The images to evaluate on, and how many blacklisted ones were left out."""
    images = source.part(part)
    if blacklist is None:
        return images, 0
    from ..data.ilsvrc import without_blacklisted

    return without_blacklisted(images, blacklist)
