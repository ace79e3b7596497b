"""What each branch of a module contributes to a class: the class's logit minus its logit with that branch's output set to 0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..data.decode import ImageInput, as_image
from ..errors import GodeeperError, unknown
from ..eval_mode import eval_mode
from ..models.build import Concat, ResidualBlock
from ..models.network import Network
from ..papers.figure_text import figure_branches, figure_text
from ..papers.notation import Cat, Definition, Residual, rows
from .cam import grad_cam, scale_to_one
from .centre_crop import centre_crop, spread_over_image
from .receptive_field import receptive_field

SHORTCUT, RESIDUAL = "shortcut", "residual"  # of a residual block: its input, and all that is added to it


@dataclass(frozen=True)
class BranchContribution:
    """A branch in the papers' words, "1x1 96, 3x3 128", and by how much the logit of each requested class falls without it."""

    branch: str
    logits: tuple[float, ...]


def stages_with_branches(definition: Definition) -> list[str]:
    """The stages whose last row is a module with branches."""
    return [name for name, stage in definition.stages.items() if isinstance(rows(stage)[-1], Cat | Residual)]


def check_module(definition: Definition, stage: str | None) -> str:
    """The stage itself, or by default the last with branches; GodeeperError if there is none, or it has no branches."""
    modules = stages_with_branches(definition)
    if not modules:
        raise GodeeperError(f"{definition.name} has no modules with branches")
    if stage is not None and stage in definition.stages and stage not in modules:
        raise GodeeperError(f"{stage} of {definition.name} has no branches: choose one of: {', '.join(modules)}")
    if stage is not None and stage not in modules:
        raise unknown("module", stage, modules)
    return stage or modules[-1]


@torch.inference_mode()
def branch_contributions(
    network: Network, image: ImageInput, classes: Sequence[int], stage: str | None = None
) -> list[BranchContribution]:
    """What each branch of a stage's last module adds to the logit of each class, for the centre crop of an image.

    The branch's output is set to 0 and the rest of the network is run again: measured, not estimated. As branches work
    together, the contributions need not sum to anything; in a module followed only by an average pool and a linear layer they
    sum to the logit without its bias. The branches of a residual block end before its linear 1x1; two more contributions are
    those of the `SHORTCUT` and of the whole `RESIDUAL`. `stage` is by default the last with branches. GodeeperError for one
    without, and for an image that cannot be decoded.
    """
    stage = check_module(network.definition, stage)
    names = list(network.stages)
    with eval_mode(network):
        x = centre_crop(network, as_image(image))
        for name in names[: names.index(stage)]:
            x = network.stages[name](x)
        *earlier, module = _row_modules(network, stage)
        for row_module in earlier:
            x = row_module(x)
        x = torch.cat(_ablated(module, x))  # (1 + contributions, C, H, W)
        for name in names[names.index(stage) + 1 :]:
            x = network.stages[name](x)
        logits = network.classify(x)[:, list(classes)].cpu()
    row = rows(network.definition.stages[stage])[-1]
    labels = [*figure_branches((row,), figure_text), *([SHORTCUT, RESIDUAL] if isinstance(row, Residual) else [])]
    falls = (logits[0] - logits[1:]).tolist()
    return [BranchContribution(label, tuple(values)) for label, values in zip(labels, falls, strict=True)]


def _ablated(module: nn.Module, x: Tensor) -> list[Tensor]:
    """The module's output; its output without each branch; of a residual block, then without the shortcut and the residual."""
    if isinstance(module, Concat):
        outputs = [branch(x) for branch in module.branches]
        zeros = [torch.zeros_like(output) for output in outputs]
        ablated = [[*outputs[:index], zeros[index], *outputs[index + 1 :]] for index in range(len(outputs))]
        return [torch.cat(parts, dim=1) for parts in [outputs, *ablated]]
    assert isinstance(module, ResidualBlock)
    residuals = [module.scale * module.linear(inner) for inner in _ablated(module.body, x)]
    sums = [*(x + residual for residual in residuals), residuals[0], x]
    return [module.relu(total) for total in sums]  # in place: nobody needs the sums again


def branch_maps(
    network: Network, image: ImageInput, label: int, stage: str | None = None, size: tuple[int, int] | None = None
) -> list[Tensor]:
    """`class_maps` of one class, for each branch of a stage's last module; all are scaled by their common maximum."""
    image = as_image(image)
    stage = check_module(network.definition, stage)
    module = _row_modules(network, stage)[-1]
    concat = module.body if isinstance(module, ResidualBlock) else module
    assert isinstance(concat, Concat)
    with eval_mode(network):
        x = centre_crop(network, image)
        grids = [grad_cam(network, x, branch, label) for branch in concat.branches]
    field = receptive_field(network.definition, stage)
    return [spread_over_image(grid, field, network, image.size, size) for grid in scale_to_one(grids, shared=True)]


def _row_modules(network: Network, stage: str) -> list[nn.Module]:
    """The modules of a stage's rows."""
    module = network.stages[stage]
    return list(module) if isinstance(module, nn.Sequential) else [module]
