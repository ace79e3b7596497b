"""The network that a training run begins with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

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
    return create_model(
        spec, num_classes=num_classes, width=options["width"], small=options["small"], aux=aux, weights=options["weights"]
    )  # fmt: skip
