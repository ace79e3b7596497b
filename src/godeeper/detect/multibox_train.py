"""What a MultiBox network learns: where objects are, whatever they are called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from ..data.loader import EpochBatches
from ..data.objects import DetectionSet
from ..models.network import device_of
from ..train.checks import check_same
from ..train.recipe import Training
from ..train.task import Loss, Task
from .loader import ObjectBatch, ObjectTrainingSet, object_loader
from .multibox import MultiBox, cluster, multibox_loss, save_multibox
from .train import fingerprint


@dataclass(frozen=True)
class MultiBoxRecipe(Training):
    """One training run of a MultiBox network."""

    RANGES = Training.RANGES | {"image_size": (0, 10_000), "boxes": (1, 10_000)}

    epochs: int = 60
    batch_size: int = 16
    lr: float = 0.02
    average_decay: float = 0.99
    clip_norm: float = 10.0
    image_size: int = 0  # pixels of the square that pictures become; 0: the network's own
    boxes: int = 200  # arXiv 1409.4842, Section 8
    mirror: bool = True
    distort: bool = True  # brightness, contrast, colour


class MultiBoxTask(Task):
    """MultiBox's two losses on a set's pictures, its priors the clusters of their boxes."""

    network: MultiBox
    recipe: MultiBoxRecipe

    def __init__(self, network: MultiBox, pictures: DetectionSet, recipe: MultiBoxRecipe, accelerator: Accelerator) -> None:
        self.network, self.pictures, self.recipe = network, pictures, recipe
        rank, ranks = accelerator.process_index, accelerator.num_processes
        self.batches = EpochBatches(len(pictures), recipe.batch_size, recipe.seed, rank, ranks)
        sides = [np.array([width, height] * 2, np.float32) for width, height in pictures.sizes]
        shares = [there.boxes[~there.difficult] / side for there, side in zip(pictures.objects, sides, strict=True)]
        network.priors.copy_(torch.from_numpy(cluster(np.concatenate(shares), len(network.priors), recipe.seed)))

    def prepare(self, saved: Mapping[str, Any]) -> None:
        if "pictures" in saved:
            check_same(saved["pictures"], fingerprint(self.pictures))

    def description(self) -> dict[str, Any]:
        return {"preprocess": self.network.preprocess.as_dict(), "pictures": fingerprint(self.pictures)}

    def loader(self, workers: int) -> Iterable[ObjectBatch]:
        dataset = ObjectTrainingSet(self.pictures, self.recipe.seed, self.recipe.mirror, self.recipe.distort)
        return object_loader(dataset, self.batches, workers)

    def objective(self) -> nn.Module:
        return Objective(self.network)

    def loss(self, objective: nn.Module, batch: ObjectBatch, number: int) -> Loss:
        device = device_of(self.network)
        objects = []
        for picture, target in zip(batch.pictures, batch.targets, strict=True):
            height, width = picture.shape[1:]
            objects.append((target["boxes"] / torch.tensor([width, height] * 2)).to(device))
        torch.manual_seed(self.recipe.seed * 1_000_003 + number)
        losses = objective(self.network.squares(batch.pictures), objects)
        total = sum(losses.values())
        figures = {name: loss.detach() * len(batch) for name, loss in losses.items()}
        return Loss(total, {"loss": total.detach() * len(batch), **figures})

    def save(self, network: nn.Module, file: Path) -> None:
        assert isinstance(network, MultiBox)
        save_multibox(network, file)


class Objective(nn.Module):
    """The losses of pictures and the places of their objects, by name."""

    def __init__(self, network: MultiBox) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, objects: list[Tensor]) -> dict[str, Tensor]:
        places, odds = self.network(x)
        return multibox_loss(places, odds, self.network.priors, objects)
