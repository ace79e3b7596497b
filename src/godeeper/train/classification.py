"""What a classifier learns: labels of augmented images."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from ..data.batches import batches_of
from ..data.dataset import ImageDataset, ImageStream
from ..data.description import describe_data
from ..data.loader import Batch, training_loader
from ..data.pixels import normalise
from ..data.workers import WorkerLoader
from ..errors import BadCheckpoint, GodeeperError
from ..models.load import save
from ..models.network import Network, device_of
from ..models.spec import ModelSpec
from ..papers.describe import describe
from .batch_norm import batch_norms, needs_two
from .checks import check_batch, check_heads, check_mixing, check_same_data, check_sizes, check_training_memory
from .fit_whitening import fit_whitening
from .loss import ClassificationLoss
from .mix import mix
from .optim import scaled_parameters
from .recipe import Recipe
from .task import Loss, Task


class Classification(Task):
    """Cross-entropy of a network's logits, those of its auxiliary heads among them, on images of one label each.

    With batch_norm=frozen, the norms of stages and head keep statistics, scales and shifts, and normalise by those statistics in
    training, too; those of auxiliary heads, which are mostly fresh, are trained as ever.
    """

    network: Network
    recipe: Recipe

    def __init__(self, network: Network, images: ImageDataset | ImageStream, recipe: Recipe, accelerator: Accelerator) -> None:
        self.network, self.images, self.recipe = network, images, recipe
        rank, ranks = accelerator.process_index, accelerator.num_processes
        self.batches = batches_of(images, recipe.batch_size, recipe.seed, rank, ranks)
        self.per_process = self.batches.batch_size // ranks  # of a batch, in images
        self.criterion = ClassificationLoss(recipe.label_smoothing, recipe.auxiliary_weight)
        joint = ranks > 1 and recipe.sync_batch_norm  # then no batch norm sees fewer than `ranks` images
        channels = network.definition.in_channels
        self.needs_two = cache(
            lambda size: not joint and needs_two(self.module(), channels, size, size, frozen=self._frozen_norms())
        )
        self._frozen: bool | None = None  # all but the classifiers

    def prepare(self, saved: Mapping[str, Any]) -> None:
        network, recipe = self.network, self.recipe
        if saved:
            network.spec = _same_network(ModelSpec.from_dict(saved["spec"]), network.spec)
        size = recipe.image_size or network.preprocess.image_size
        if recipe.start_size > size:
            raise GodeeperError(f"recipe: start_size is {recipe.start_size}, but images grow to {size} pixels only")
        network.preprocess = network.preprocess.with_size(size)
        if recipe.shift:  # evaluation sees of an image what training has seen
            network.preprocess = network.preprocess.whole()
        self.size_at = partial(recipe.size_at, full=size)
        sizes = {self.size_at(epoch) for epoch in range(recipe.epochs)}
        check_heads(network, recipe)
        check_sizes(network, recipe, sizes)
        trains_stages = recipe.freeze_epochs < recipe.epochs  # else their outputs need not be kept
        check_training_memory(describe(network, max(sizes)), self.per_process if trains_stages else 0)
        check_mixing(self.per_process, recipe)
        check_batch(self.per_process, lambda: any(map(self.needs_two, sizes)), network.definition.name)
        check_same_data(saved, self.images)
        fit_whitening(network, self.images)  # of a run that goes on, too, which may have no checkpoint yet

    def description(self) -> dict[str, Any]:
        return {"images": describe_data(self.images)}

    def spec(self) -> dict[str, Any]:
        return self.network.spec.as_dict()

    def loader(self, workers: int) -> WorkerLoader:
        return training_loader(self.images, self.size_at, self.recipe.augment, self.batches, workers)

    def too_short(self, batch: Batch) -> bool:
        return not len(batch) or (len(batch) == 1 and self.needs_two(batch.images.shape[-1]))

    def set_trainable(self, epoch: int) -> bool:
        """At first only the classifiers learn, where the recipe says so."""
        frozen = epoch < self.recipe.freeze_epochs
        if frozen == self._frozen:
            return False
        self._frozen = frozen
        self.network.stages.requires_grad_(not frozen)
        for norm in self._frozen_norms():
            norm.requires_grad_(False)
        return True

    def _frozen_norms(self) -> list[nn.BatchNorm1d | nn.BatchNorm2d]:
        """Looked up each time, as `share_batches` exchanges them."""
        return batch_norms(self.network.stages, self.network.head) if self.recipe.batch_norm == "frozen" else []

    def module(self) -> nn.Module:
        return WithAuxiliary(self.network)

    def loss(self, module: nn.Module, batch: Batch, global_step: int) -> Loss:
        if self._frozen:
            self.network.stages.eval()  # their statistics stay as they are
        for norm in self._frozen_norms():
            norm.eval()
        device = device_of(self.network)
        images, labels = (tensor.to(device, non_blocking=True) for tensor in (batch.images, batch.labels))
        x = normalise(images, self.network.preprocess)  # uint8 (N, 3, H, W) -> float
        x = x.contiguous(memory_format=torch.channels_last)
        mixed = mix(x, labels, self.recipe, global_step)
        torch.manual_seed(self.recipe.seed * 1_000_003 + global_step)  # dropout, too, is reproducible
        logits, auxiliary = module(mixed.images)  # (N, classes), and the same of each head
        loss = self.criterion(logits, mixed.labels, auxiliary, mixed.other_labels, mixed.lam)
        larger = mixed.labels if mixed.lam >= 0.5 else mixed.other_labels
        wrong = (logits.detach().argmax(1) != larger).sum()
        # Of mixed images, even a network that knows every image misses some: they are not counted under the same name.
        name = "mixed_error" if self.recipe.mixup or self.recipe.cutmix else "train_error"
        return Loss(loss, {"loss": loss.detach() * len(batch), name: 100 * wrong})

    def save(self, network: nn.Module, file: Path) -> None:
        assert isinstance(network, Network)
        network.spec = self.network.spec
        save(network, file)

    def scaled_parameters(self) -> list[tuple[float, list[nn.Parameter]]]:
        return scaled_parameters(self.network, self.recipe.layer_decay)


class WithAuxiliary(nn.Module):
    """A network whose forward pass is the training one, auxiliary heads included, so that all parameters take part in it."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Images (N, C, H, W), normalised -> logits (N, classes), and those of each auxiliary head by name."""
        return self.network.with_auxiliary(x)


def _same_network(saved: ModelSpec, spec: ModelSpec) -> ModelSpec:
    """The run's own spec, with its classes and preprocessing; BadCheckpoint where it is of another network than `spec`."""
    if saved.definition != spec.definition:
        raise BadCheckpoint(f"the run is of {saved.definition.title!r}, not of {spec.definition.title!r}")
    if saved.aux != spec.aux:
        raise BadCheckpoint("the run does not fit: was auxiliary_weight changed to or from 0?")
    return saved
