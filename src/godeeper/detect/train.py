"""What a Faster R-CNN learns: the boxes and names of the objects in images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from ..data.objects import DetectionSet
from ..models.network import device_of
from ..train.task import Loss
from .faster_rcnn import FasterRCNN
from .loader import ObjectBatch, Target
from .recipe import DetectionRecipe
from .task import ObjectTask, total
from .weights import save_detector


class Detection(ObjectTask):
    """The four losses of Faster R-CNN: is something here and where, in guesses and then in regions."""

    network: FasterRCNN

    def __init__(self, network: FasterRCNN, images: DetectionSet, recipe: DetectionRecipe, accelerator: Accelerator) -> None:
        super().__init__(network, images, recipe, accelerator)
        if recipe.batch_norm == "frozen":
            network.freeze_batch_norm()

    def description(self) -> dict[str, Any]:
        return {**super().description(), "classes": list(self.network.classes)}

    def objective(self) -> nn.Module:
        return Objective(self.network)

    def loss(self, objective: nn.Module, batch: ObjectBatch, number: int) -> Loss:
        device = device_of(self.network)
        images = [image.to(device).float() / 255 for image in batch.images]
        targets = [{name: tensor.to(device) for name, tensor in target.items()} for target in batch.targets]
        # Which guesses and regions are learnt from is drawn anew in each step, and in each process for its own images.
        torch.manual_seed((self.recipe.seed * 1_000_003 + number) * 1009 + self.rank)
        return total(objective(images, targets), len(batch))

    def save(self, network: nn.Module, file: Path) -> None:
        assert isinstance(network, FasterRCNN)
        save_detector(network, file)


class Objective(nn.Module):
    """The losses of images and their objects, by name."""

    def __init__(self, network: FasterRCNN) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Sequence[Tensor], targets: Sequence[Target]) -> dict[str, Tensor]:
        return self.network.losses(images, targets)
