"""What a Faster R-CNN learns: the boxes and names of the objects in pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from ..data.loader import EpochBatches
from ..data.objects import DetectionSet
from ..models.network import device_of
from ..train.checks import check_same
from ..train.task import Loss, Task
from .faster_rcnn import FasterRCNN
from .loader import ObjectBatch, ObjectTrainingSet, Target, object_loader
from .recipe import DetectionRecipe
from .weights import save_detector


class Detection(Task):
    """The four losses of Faster R-CNN: is something here and where, in guesses and then in regions."""

    network: FasterRCNN
    recipe: DetectionRecipe

    def __init__(self, network: FasterRCNN, pictures: DetectionSet, recipe: DetectionRecipe, accelerator: Accelerator) -> None:
        self.network, self.pictures, self.recipe = network, pictures, recipe
        rank, ranks = accelerator.process_index, accelerator.num_processes
        self.batches = EpochBatches(len(pictures), recipe.batch_size, recipe.seed, rank, ranks)
        self.rank = rank
        if recipe.batch_norm == "frozen":
            network.freeze_batch_norm()

    def prepare(self, saved: Mapping[str, Any]) -> None:
        if "pictures" in saved:
            check_same(saved["pictures"], fingerprint(self.pictures))

    def description(self) -> dict[str, Any]:
        preprocess = self.network.preprocess.as_dict()
        return {"preprocess": preprocess, "pictures": fingerprint(self.pictures), "classes": list(self.network.classes)}

    def loader(self, workers: int) -> Iterable[ObjectBatch]:
        dataset = ObjectTrainingSet(self.pictures, self.recipe.seed, self.recipe.mirror, self.recipe.distort)
        return object_loader(dataset, self.batches, workers)

    def objective(self) -> nn.Module:
        return Objective(self.network)

    def loss(self, objective: nn.Module, batch: ObjectBatch, number: int) -> Loss:
        device = device_of(self.network)
        pictures = [picture.to(device).float() / 255 for picture in batch.pictures]
        targets = [{name: tensor.to(device) for name, tensor in target.items()} for target in batch.targets]
        # Which guesses and regions are learnt from is drawn anew in each step, and in each process for its own pictures.
        torch.manual_seed((self.recipe.seed * 1_000_003 + number) * 1009 + self.rank)
        losses = objective(pictures, targets)
        figures = {name: loss.detach() * len(batch) for name, loss in losses.items()}
        total = sum(losses.values())
        assert isinstance(total, Tensor)
        return Loss(total, {"loss": total.detach() * len(batch), **figures})

    def save(self, network: nn.Module, file: Path) -> None:
        assert isinstance(network, FasterRCNN)
        save_detector(network, file)


class Objective(nn.Module):
    """The losses of pictures and their objects, by name."""

    def __init__(self, network: FasterRCNN) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Sequence[Tensor], targets: Sequence[Target]) -> dict[str, Tensor]:
        return self.network.losses(pictures, targets)


def fingerprint(pictures: DetectionSet) -> str:
    """How many pictures there are, and a digest of their names and objects."""
    digest = sha256()
    for file, objects in zip(pictures.files, pictures.objects, strict=True):
        digest.update(f"{file.name} {objects.boxes.tolist()} {objects.labels.tolist()} {objects.difficult.tolist()}".encode())
    return f"{len(pictures)} pictures (objects {digest.hexdigest()[:8]})"
