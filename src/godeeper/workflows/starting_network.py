"""The network that a training run begins with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ..errors import GodeeperError
from ..models.network import Network
from ..models.registry import create_model
from ..models.spec import ModelSpec
from ..papers.describe import describe
from ..papers.registry import variant
from ..train.checkpoint import checkpoints
from ..train.checks import check_training_memory
from ..train.recipe import Recipe
from ..train.run import RunFolder
from .plan import Plan


def starting_network(
    out: Path, plan: Plan[Any], spec: ModelSpec, *, num_classes: int | None = None, aux: bool = False
) -> Network:  # fmt: skip
    """The network to begin with: with the weights that the plan names, unless a checkpoint will bring its own.

    `spec` is the model's, or that of a run that goes on, to which width and the like were applied already.
    """
    torch.manual_seed(plan.recipe.seed)
    options = plan.options
    changes: dict[str, Any] = {"num_classes": num_classes, "width": options["width"], "small": options["small"]}
    check_training_memory(describe(variant(spec.definition, **({} if plan.resumes else changes))))
    if plan.resumes:
        return create_model(spec, weights=None if checkpoints(RunFolder(out).checkpoints) else options["weights"])
    spec = replace(spec, aux=False)  # the recipe decides, not the run whose table this is
    return create_model(spec, aux=aux, weights=options["weights"], **changes)


def check_takes_effect(spec: ModelSpec, recipe: Recipe, overrides: Sequence[str], weights: str | None) -> None:
    """GodeeperError for an override of what the table lacks, and for frozen batch norm that nothing has trained."""
    asked = {setting.partition("=")[0].strip() for setting in overrides}
    table = spec.definition
    if "auxiliary_weight" in asked and recipe.auxiliary_weight and not table.auxiliary:
        raise GodeeperError(f"recipe: auxiliary_weight has no effect: {table.name} has no auxiliary heads")
    if recipe.batch_norm == "frozen" and "batch_norm" in asked and table.batch_norm is None:
        raise GodeeperError(f"recipe: batch_norm=frozen, but {table.name} has no batch norm: leave it out")
    if recipe.batch_norm == "frozen" and table.batch_norm is not None and weights is None:
        raise GodeeperError(
            "recipe: batch_norm=frozen keeps the statistics of trained weights, and none are named to start from: name them with "
            "--weights, or set batch_norm=trained"
        )
