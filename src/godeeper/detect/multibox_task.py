"""Training of MultiBox: where objects are, whatever their class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from ..data.annotations import DetectionDataset
from ..models.network import device_of
from ..train.batch_norm import needs_two
from ..train.task import Loss
from .detection_recipes import MultiBoxRecipe
from .detector_files import save_multibox
from .multibox import MultiBox, cluster_boxes, multibox_loss
from .object_loader import ObjectBatch, to_device_together
from .object_task import ObjectTask, sum_losses


class MultiBoxTask(ObjectTask):
    """MultiBox's two losses; the priors are cluster centres of the training boxes."""

    network: MultiBox

    def __init__(self, network: MultiBox, images: DetectionDataset, recipe: MultiBoxRecipe, accelerator: Accelerator) -> None:
        super().__init__(network, images, recipe, accelerator)
        sides = [np.array([width, height] * 2, np.float32) for width, height in images.sizes]
        relative = [objects.boxes[~objects.difficult] / side for objects, side in zip(images.objects, sides, strict=True)]
        network.priors.copy_(torch.from_numpy(cluster_boxes(np.concatenate(relative), len(network.priors), recipe.seed)))

    def sees_single_values(self) -> bool:
        size = self.network.preprocess.image_size
        return needs_two(self.network, self.network.definition.in_channels, size, size)

    def spec(self) -> dict[str, Any]:
        return self.network.spec.as_dict()

    def module(self) -> nn.Module:
        return MultiBoxLosses(self.network)

    def loss(self, module: nn.Module, batch: ObjectBatch, global_step: int) -> Loss:
        device = device_of(self.network)
        sides = [torch.tensor([image.shape[2], image.shape[1]] * 2) for image in batch.images]  # width, height, width, height
        relative = [target["boxes"] / side for target, side in zip(batch.targets, sides, strict=True)]  # (M, 4) in 0..1
        objects = to_device_together(relative, device)
        torch.manual_seed(self.recipe.seed * 1_000_003 + global_step)  # of dropout
        return sum_losses(module(self.network.resize_normalize(batch.images), objects), len(batch))

    def save(self, network: nn.Module, file: Path) -> None:
        assert isinstance(network, MultiBox)
        save_multibox(network, file)


class MultiBoxLosses(nn.Module):
    """The losses of images (N, 3, size, size) and each one's objects (M, 4), by name."""

    def __init__(self, network: MultiBox) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, objects: list[Tensor]) -> dict[str, Tensor]:
        boxes, logits = self.network(x)
        return multibox_loss(boxes, logits, self.network.priors, objects)
