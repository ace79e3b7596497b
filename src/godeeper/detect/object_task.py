"""What training on images with objects has in common."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor

from ..data.annotations import DetectionDataset
from ..data.batches import EpochBatches
from ..data.description import describe_data
from ..data.workers import WorkerLoader
from ..train.checks import check_batch, check_same_data
from ..train.task import Loss, Task
from .detection_recipes import ObjectRecipe
from .faster_rcnn import FasterRCNN
from .multibox import MultiBox
from .object_loader import ObjectBatch, ObjectTrainingSet, object_loader


class ObjectTask(Task):
    """A task on augmented images with their objects, whose losses have names."""

    network: FasterRCNN | MultiBox
    recipe: ObjectRecipe

    def __init__(
        self, network: FasterRCNN | MultiBox, images: DetectionDataset, recipe: ObjectRecipe, accelerator: Accelerator
    ) -> None:
        self.network, self.images, self.recipe = network, images, recipe
        self.rank, ranks = accelerator.process_index, accelerator.num_processes
        self.batches = EpochBatches(len(images), recipe.batch_size, recipe.seed, self.rank, ranks)
        self.per_process = self.batches.batch_size // ranks  # of a batch, in images
        joint = ranks > 1 and recipe.sync_batch_norm  # then no batch norm sees fewer than `ranks` images
        self.needs_two = cache(lambda: not joint and self.sees_single_values())

    def sees_single_values(self) -> bool:
        """Whether a batch norm would see a single value of each channel of a lone image."""
        return False

    def too_short(self, batch: ObjectBatch) -> bool:
        return not len(batch) or (len(batch) == 1 and self.needs_two())

    def prepare(self, saved: Mapping[str, Any]) -> None:
        check_batch(self.per_process, self.needs_two, f"this detector of {self.network.definition.name}")
        check_same_data(saved, self.images)

    def description(self) -> dict[str, Any]:
        return {"images": describe_data(self.images)}

    def loader(self, workers: int) -> WorkerLoader:
        dataset = ObjectTrainingSet(self.images, self.recipe.seed, self.recipe.hflip, self.recipe.color_jitter)
        return object_loader(dataset, self.batches, workers)


def sum_losses(losses: Mapping[str, Tensor], images: int) -> Loss:
    """The sum of losses, each a mean over `images` images; the sum and each loss are among the metrics."""
    value = torch.stack([loss.float() for loss in losses.values()]).sum()
    return Loss(value, {name: loss.detach() * images for name, loss in {"loss": value, **losses}.items()})
