"""What learning from pictures with objects has in common, whatever is learnt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor

from ..data.loader import EpochBatches
from ..data.objects import DetectionSet
from ..preprocess import Preprocess
from ..train.checks import check_same
from ..train.task import Loss, Task
from .loader import ObjectBatch, ObjectTrainingSet, object_loader
from .recipe import ObjectRecipe


class ObjectTask(Task):
    """Varied pictures with their objects, and losses by name; `network` has the preprocessing."""

    recipe: ObjectRecipe

    def __init__(self, network: Any, pictures: DetectionSet, recipe: ObjectRecipe, accelerator: Accelerator) -> None:
        self.network, self.pictures, self.recipe = network, pictures, recipe
        self.rank, ranks = accelerator.process_index, accelerator.num_processes
        self.batches = EpochBatches(len(pictures), recipe.batch_size, recipe.seed, self.rank, ranks)

    def prepare(self, saved: Mapping[str, Any]) -> None:
        if "pictures" in saved:
            check_same(saved["pictures"], fingerprint(self.pictures))

    def description(self) -> dict[str, Any]:
        preprocess = self.network.preprocess
        assert isinstance(preprocess, Preprocess)
        return {"preprocess": preprocess.as_dict(), "pictures": fingerprint(self.pictures)}

    def loader(self, workers: int) -> Iterable[ObjectBatch]:
        dataset = ObjectTrainingSet(self.pictures, self.recipe.seed, self.recipe.mirror, self.recipe.distort)
        return object_loader(dataset, self.batches, workers)


def total(losses: Mapping[str, Tensor], pictures: int) -> Loss:
    """The sum of losses that are means over that many pictures, each among the figures."""
    value = torch.stack([loss.float() for loss in losses.values()]).sum()
    return Loss(value, {name: loss.detach() * pictures for name, loss in {"loss": value, **losses}.items()})


def fingerprint(pictures: DetectionSet) -> str:
    """How many pictures there are, and a digest of their names, objects and classes."""
    digest = sha256(repr(pictures.classes).encode())
    for file, objects in zip(pictures.files, pictures.objects, strict=True):
        digest.update(f"{file.name!r} {objects.boxes.tolist()} {objects.labels.tolist()} {objects.difficult.tolist()}".encode())
    return f"{len(pictures)} pictures (objects {digest.hexdigest()[:8]})"
