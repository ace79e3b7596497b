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
from ..train.checkpoint import checkpoints
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
    if plan.resumes:
        return create_model(spec, weights=None if checkpoints(RunFolder(out).checkpoints) else options["weights"])
    spec = replace(spec, aux=False)  # the recipe decides, not the run whose table this is
    return create_model(
        spec, num_classes=num_classes, width=options["width"], small=options["small"], aux=aux, weights=options["weights"]
    )  # fmt: skip


def check_heads_asked_for(spec: ModelSpec, overrides: Sequence[str], weight: float) -> None:
    """GodeeperError for an override that gives a weight to auxiliary heads, which the table does not have."""
    asked = any(setting.partition("=")[0].strip() == "auxiliary_weight" for setting in overrides)
    if asked and weight and not spec.definition.auxiliary:
        raise GodeeperError(f"recipe: auxiliary_weight has no effect: {spec.definition.name} has no auxiliary heads")
