"""What a classifier learns: labels of augmented images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from ..data.augment import normalise
from ..data.batches import batches_of
from ..data.dataset import ImageDataset, ImageStream
from ..data.loader import Batch, training_loader
from ..errors import GodeeperError
from ..models.load import save
from ..models.network import Network, device_of
from ..models.spec import ModelSpec
from .checks import check_same, check_sizes, fingerprint
from .loss import Objective
from .mix import mix
from .optim import scaled_parameters
from .recipe import Recipe
from .task import Loss, Task


class Classification(Task):
    """Cross-entropy of a network's logits, those of its auxiliary heads among them, on images of one label each."""

    network: Network
    recipe: Recipe

    def __init__(self, network: Network, images: ImageDataset | ImageStream, recipe: Recipe, accelerator: Accelerator) -> None:
        self.network, self.images, self.recipe = network, images, recipe
        rank, ranks = accelerator.process_index, accelerator.num_processes
        self.batches = batches_of(images, recipe.batch_size, recipe.seed, rank, ranks)
        self._heads_only: bool | None = None

    def prepare(self, saved: Mapping[str, Any]) -> None:
        network, recipe = self.network, self.recipe
        if saved:  # weights that the run started from may have brought a preprocessing of their own
            network.preprocess = ModelSpec.from_dict(saved["spec"]).preprocess
        size = recipe.image_size or network.preprocess.image_size
        if recipe.start_size > size:
            raise GodeeperError(f"recipe: start_size is {recipe.start_size}, but images grow to {size} pixels only")
        network.preprocess = network.preprocess.with_size(size)
        self.size_at = partial(recipe.size_at, full=size)
        check_sizes(network, recipe, {self.size_at(epoch) for epoch in range(recipe.epochs)})
        if "images" in saved:
            check_same(saved["images"], fingerprint(self.images))

    def description(self) -> dict[str, Any]:
        return {"images": fingerprint(self.images)}

    def spec(self) -> dict[str, Any]:
        return self.network.spec.as_dict()

    def loader(self, workers: int) -> Iterable[Batch]:
        return training_loader(self.images, self.size_at, self.recipe.augment, self.batches, workers)

    def begin(self, epoch: int) -> bool:
        """The classifiers only learn at first, where the recipe says so."""
        heads_only = epoch < self.recipe.freeze_epochs
        if heads_only == self._heads_only:
            return False
        self._heads_only = heads_only
        self.network.stages.requires_grad_(not heads_only)
        return True

    def objective(self) -> nn.Module:
        return Objective(self.network, self.recipe.label_smoothing, self.recipe.auxiliary_weight)

    def loss(self, objective: nn.Module, batch: Batch, number: int) -> Loss:
        if self._heads_only:
            self.network.stages.eval()  # their statistics stay as they were learnt
        device = device_of(self.network)
        x = normalise(batch.images.to(device, non_blocking=True), self.network.preprocess)
        x = x.contiguous(memory_format=torch.channels_last)
        mixed = mix(x, batch.labels.to(device, non_blocking=True), self.recipe, number)
        torch.manual_seed(self.recipe.seed * 1_000_003 + number)  # dropout, too, is reproducible
        loss, logits = objective(mixed.images, mixed.labels, mixed.others, mixed.share)
        wrong = (logits.detach().argmax(1) != mixed.labels).sum()
        return Loss(loss, {"loss": loss.detach() * len(batch), "train_error": 100 * wrong})

    def save(self, network: nn.Module, file: Path) -> None:
        assert isinstance(network, Network)
        network.spec = self.network.spec
        save(network, file)

    def scaled_parameters(self) -> list[tuple[float, list[nn.Parameter]]]:
        return scaled_parameters(self.network, self.recipe.layer_decay)
