"""What each branch of a module contributes to a class: its logit, minus its logit once that branch gives nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor, nn

from ..errors import GodeeperError, unknown
from ..models.build import Concat, ResidualBlock
from ..models.network import Network
from ..papers.notation import Cat, Definition, Residual, rows
from ..papers.words import branches as in_words
from ..papers.words import words
from .cam import centre_crop, evaluating, evidence, laid, scaled
from .sight import sight

SHORTCUT, RESIDUAL = "shortcut", "residual"  # of a residual block: what passes by, and all that is added to it


@dataclass(frozen=True)
class Part:
    """A branch in the papers' words, "1x1 96, 3x3 128", and what it adds to the logit of each class asked for."""

    name: str
    adds: tuple[float, ...]


def modules(definition: Definition) -> list[str]:
    """The stages that end in a module with branches."""
    return [name for name, stage in definition.stages.items() if isinstance(rows(stage)[-1], Cat | Residual)]


def check_module(definition: Definition, stage: str | None) -> str:
    """That stage, or by default the last with branches; GodeeperError where there is none, or it has none."""
    having = modules(definition)
    if not having:
        raise GodeeperError(f"{definition.name} has no modules with branches")
    if stage is not None and stage in definition.stages and stage not in having:
        raise GodeeperError(f"{stage} of {definition.name} has no branches: choose one of: {', '.join(having)}")
    if stage is not None and stage not in having:
        raise unknown("module", stage, having)
    return stage or having[-1]


@torch.inference_mode()
def contributions(network: Network, image: Image.Image, classes: Sequence[int], stage: str | None = None) -> list[Part]:
    """What each branch of a stage's last module adds to the logit of each class, for the centre crop of an RGB image.

    The branch's output is set to 0 and the rest of the network run again: measured, not estimated. Branches work together, so
    the parts need not sum to anything; those of a module that only an average pool and a linear layer follow sum to the logit
    less its bias. A residual block's branches end before its linear 1x1; it has two more parts, `SHORTCUT` and `RESIDUAL`.
    `stage` is by default the last with branches. GodeeperError for one without.
    """
    stage = check_module(network.definition, stage)
    with evaluating(network):
        x = centre_crop(network, image)
        places = list(network.stages)
        for name in places[: places.index(stage)]:
            x = network.stages[name](x)
        *earlier, module = _in_row(network, stage)
        for one in earlier:
            x = one(x)
        x = torch.cat(_silenced(module, x))
        for name in places[places.index(stage) + 1 :]:
            x = network.stages[name](x)
        logits = network.classify(x)[:, list(classes)].cpu()
    row = rows(network.definition.stages[stage])[-1]
    names = [*in_words(row, words), *([SHORTCUT, RESIDUAL] if isinstance(row, Residual) else [])]
    return [Part(name, tuple((logits[0] - without).tolist())) for name, without in zip(names, logits[1:], strict=True)]


def _silenced(module: nn.Module, x: Tensor) -> list[Tensor]:
    """The module's output; then that without each branch; then, of a residual block, without shortcut and without residual."""
    if isinstance(module, Concat):
        outputs = [branch(x) for branch in module.branches]
        silent = [torch.zeros_like(output) for output in outputs]
        alone = [[*outputs[:place], silent[place], *outputs[place + 1 :]] for place in range(len(outputs))]
        return [torch.cat(one, dim=1) for one in [outputs, *alone]]
    assert isinstance(module, ResidualBlock)
    added = [module.scale * module.linear(inner) for inner in _silenced(module.body, x)]
    sums = [*(x + one for one in added), added[0], x]
    return [module.relu(one) for one in sums]  # in place, which is well: nobody needs these again


def branch_maps(
    network: Network, image: Image.Image, label: int, stage: str | None = None, size: tuple[int, int] | None = None
) -> list[Tensor]:
    """`class_maps` of one class, for each branch of a stage's last module; all are scaled by the greatest value of any."""
    stage = check_module(network.definition, stage)
    module = _in_row(network, stage)[-1]
    concat = module.body if isinstance(module, ResidualBlock) else module
    assert isinstance(concat, Concat)
    with evaluating(network):
        x = centre_crop(network, image)
        grids = [evidence(network, x, branch, label) for branch in concat.branches]
    seen = sight(network.definition, stage)
    return [laid(grid, seen, network, image.size, size) for grid in scaled(grids, together=True)]


def _in_row(network: Network, stage: str) -> list[nn.Module]:
    """The modules of a stage's rows."""
    module = network.stages[stage]
    return list(module) if isinstance(module, nn.Sequential) else [module]
