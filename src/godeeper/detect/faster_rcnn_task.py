"""Training of Faster R-CNN: the boxes and classes of the objects in images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from ..data.annotations import DetectionDataset
from ..models.network import device_of
from ..train.batch_norm import needs_two
from ..train.task import Loss
from .detection_recipes import DetectionRecipe
from .detector_files import save_detector
from .faster_rcnn import FasterRCNN
from .object_loader import ObjectBatch, Target, to_device_together
from .object_task import ObjectTask, sum_losses


class FasterRCNNTask(ObjectTask):
    """The four losses of Faster R-CNN: objectness and box of the anchors, then class and box of the regions."""

    network: FasterRCNN

    def __init__(self, network: FasterRCNN, images: DetectionDataset, recipe: DetectionRecipe, accelerator: Accelerator) -> None:
        super().__init__(network, images, recipe, accelerator)
        self.frozen, self.regions = recipe.batch_norm == "frozen", recipe.regions
        if self.frozen:
            network.freeze_batch_norm()

    def sees_single_values(self) -> bool:
        rois = self.network.rcnn.roi_heads  # later stages see each region on its own
        grid = rois.box_roi_pool.output_size
        channels: int = self.network.rcnn.backbone.out_channels
        return self.regions == 1 and not self.frozen and needs_two(rois.box_head, channels, *grid)

    def spec(self) -> dict[str, Any]:
        return self.network.spec.as_dict()

    def module(self) -> nn.Module:
        return FasterRCNNLosses(self.network)

    def loss(self, module: nn.Module, batch: ObjectBatch, global_step: int) -> Loss:
        device = device_of(self.network)
        images = [image.float() / 255 for image in to_device_together(batch.images, device)]  # (3, H, W) each
        moved = [to_device_together([target[name] for target in batch.targets], device) for name in ("boxes", "labels")]
        targets: list[Target] = [{"boxes": boxes, "labels": labels} for boxes, labels in zip(*moved, strict=True)]
        # The anchors and regions to learn from are sampled anew in each step, and in each process for its own images.
        torch.manual_seed((self.recipe.seed * 1_000_003 + global_step) * 1009 + self.rank)
        return sum_losses(module(images, targets), len(batch))

    def save(self, network: nn.Module, file: Path) -> None:
        assert isinstance(network, FasterRCNN)
        save_detector(network, file)


class FasterRCNNLosses(nn.Module):
    """The losses of images and their objects, by name."""

    def __init__(self, network: FasterRCNN) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Sequence[Tensor], targets: Sequence[Target]) -> dict[str, Tensor]:
        return self.network.losses(images, targets)
