"""What is checked before a run begins or goes on."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import torch

from ..data.annotations import DetectionDataset
from ..data.dataset import ImageDataset, ImageStream
from ..data.description import describe_data, differences
from ..errors import GodeeperError
from ..models.network import Network
from ..papers.describe import Description, check_size, minimum_size
from .recipe import Recipe, TrainConfig

TEST_IMAGES = "test_images"  # what describes them in recipe.json; those to learn from are "images"


def check_same_data(
    saved: Mapping[str, Any], images: ImageDataset | ImageStream | DetectionDataset, field: str = "images"
) -> None:
    """GodeeperError, naming what differs, unless a run goes on with the images it began with, which `saved[field]` describes."""
    if field in saved:
        check_same(saved[field], describe_data(images), "data" if field == "images" else "test images")


def check_same(then: object, now: Mapping[str, Any], what: str = "data") -> None:
    """GodeeperError, naming what differs, unless data have the same description as when the run began."""
    if changed := differences(then, now):
        raise GodeeperError(f"the {what} have changed since the run began: {changed}; bring them back to resume")


def check_same_recipe(saved: Mapping[str, Any], recipe: TrainConfig) -> None:
    """GodeeperError, naming the fields, unless a run goes on by the recipe it began with."""
    then = type(recipe).from_dict(saved).as_dict()
    changed = [f"{name} was {then[name]}, now {value}" for name, value in recipe.as_dict().items() if then[name] != value]
    if changed:
        raise GodeeperError(f"a run keeps the recipe it began with: {'; '.join(changed)}")


def check_heads(network: Network, recipe: Recipe) -> None:
    """GodeeperError for a weight of auxiliary heads that were not attached, and for heads without a weight.

    A table that has none takes any recipe.
    """
    weight, name = recipe.auxiliary_weight, network.definition.name
    if weight and network.definition.auxiliary and not network.auxiliary:
        raise GodeeperError(
            f"recipe: auxiliary_weight is {weight:g}, but this {name} was made without its auxiliary heads: attach them "
            "(create_model(..., aux=True)), or set auxiliary_weight=0"
        )
    if network.auxiliary and not weight:
        raise GodeeperError(
            f"recipe: auxiliary_weight is 0, but this {name} has auxiliary heads, which would learn nothing: make it without "
            "them (aux=False), or give them a weight such as 0.3"
        )


def check_mixing(per_process: int, recipe: Recipe) -> None:
    """GodeeperError for batches, of `per_process` images a process, in which there is no other image to mix one with."""
    if per_process == 1 and (recipe.mixup or recipe.cutmix):
        raise GodeeperError("recipe: mixup and cutmix mix the images of a batch: give batch_size=2 or more in each process")


def check_batch(per_process: int, needs_two: Callable[[], bool], name: str) -> None:
    """GodeeperError for batches of one image, a process, where a batch norm would see one value: `needs_two` says so."""
    if per_process == 1 and needs_two():
        raise GodeeperError(
            f"recipe: {name} cannot learn from batches of a single image, as a batch norm sees one value of each channel: give "
            "batch_size=2 or more in each process"
        )


def check_sizes(network: Network, recipe: Recipe, sizes: set[int]) -> None:
    """GodeeperError for training images of a size that the network cannot take."""
    minimum = minimum_size(network.definition, heads=len(network.auxiliary) > 0)
    if min(sizes) < minimum:
        field = "start_size" if recipe.start_size else "image_size"
        raise GodeeperError(
            f"recipe: {field} gives images of {min(sizes)} pixels; {network.definition.name} needs at least {minimum} to train"
        )
    for size in sizes:
        check_size(network.definition, size, size)


def check_training_memory(described: Description, images: int = 0) -> None:
    """GodeeperError, before anything is allocated, where training surely takes more memory than this machine has.

    Counted are weights and their gradient in 32 bits, and, in 16, the stages' outputs for a batch of `images` in each process; an
    accelerator says by itself that its memory is short, so that with one only the weights count, which are made outside it.
    """
    alone = not torch.accelerator.is_available()
    outputs = images * sum(prod(stage.output) for stage in described)
    needed = 8 * described.parameters + 2 * outputs if alone else 4 * described.parameters
    there = machine_memory()
    if needed > there:
        smaller = ", or a smaller batch_size or image_size" if images else ""
        raise GodeeperError(
            f"training {described.name!r} takes {needed / 1e9:,.1f} GB at least, this machine has {there / 1e9:,.1f} GB: take"
            f" fewer filters (a smaller --width or table){smaller}"
        )


def machine_memory() -> int:
    """The bytes of memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
