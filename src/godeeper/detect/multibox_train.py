"""What a MultiBox network learns: where objects are, whatever they are called."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from ..data.objects import DetectionSet
from ..models.network import device_of
from ..papers.facts import GOOGLENET_MULTIBOX
from ..train.recipe import Training
from ..train.task import Loss
from .loader import ObjectBatch
from .multibox import MultiBox, cluster, multibox_loss, save_multibox
from .recipe import ObjectRecipe
from .task import ObjectTask, total


@dataclass(frozen=True)
class MultiBoxRecipe(ObjectRecipe):
    """One training run of a MultiBox network."""

    RANGES = Training.RANGES | {"image_size": (0, 10_000), "boxes": (1, 10_000)}

    epochs: int = 60
    batch_size: int = 16
    image_size: int = 0  # pixels of the square that images become; 0: the network's own
    boxes: int = GOOGLENET_MULTIBOX  # arXiv 1409.4842, Section 8


class MultiBoxTask(ObjectTask):
    """MultiBox's two losses on a set's images, its priors the clusters of their boxes."""

    network: MultiBox

    def __init__(self, network: MultiBox, images: DetectionSet, recipe: MultiBoxRecipe, accelerator: Accelerator) -> None:
        super().__init__(network, images, recipe, accelerator)
        sides = [np.array([width, height] * 2, np.float32) for width, height in images.sizes]
        shares = [there.boxes[~there.difficult] / side for there, side in zip(images.objects, sides, strict=True)]
        network.priors.copy_(torch.from_numpy(cluster(np.concatenate(shares), len(network.priors), recipe.seed)))

    def objective(self) -> nn.Module:
        return Objective(self.network)

    def loss(self, objective: nn.Module, batch: ObjectBatch, number: int) -> Loss:
        device = device_of(self.network)
        objects = []
        for image, target in zip(batch.images, batch.targets, strict=True):
            height, width = image.shape[1:]
            objects.append((target["boxes"] / torch.tensor([width, height] * 2)).to(device))
        torch.manual_seed(self.recipe.seed * 1_000_003 + number)  # dropout, too, is reproducible
        return total(objective(self.network.squares(batch.images), objects), len(batch))

    def save(self, network: nn.Module, file: Path) -> None:
        assert isinstance(network, MultiBox)
        save_multibox(network, file)


class Objective(nn.Module):
    """The losses of images and the places of their objects, by name."""

    def __init__(self, network: MultiBox) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, objects: list[Tensor]) -> dict[str, Tensor]:
        places, odds = self.network(x)
        return multibox_loss(places, odds, self.network.priors, objects)
