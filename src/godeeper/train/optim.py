"""The optimiser, its learning rate, and the averaged weights."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

import torch
from accelerate.utils import broadcast
from torch import nn

from ..models.network import Network
from ..papers.notation import Definition
from .recipe import TrainConfig
from .rmsprop import RMSpropTF


def make_optimizer(scaled: Sequence[tuple[float, list[nn.Parameter]]], recipe: TrainConfig) -> torch.optim.Optimizer:
    """The recipe's optimiser; weight decay on filters and linear weights only. Each group's `scale` multiplies the rate."""
    groups = []
    for scale, parameters in scaled:
        for decay, chosen in (
            (recipe.weight_decay, [p for p in parameters if p.ndim > 1]),
            (0.0, [p for p in parameters if p.ndim <= 1]),
        ):
            if chosen:
                groups.append({"params": chosen, "weight_decay": decay, "scale": scale})
    if recipe.optimizer == "rmsprop":
        return RMSpropTF(groups, recipe.lr, recipe.rmsprop_decay, recipe.rmsprop_eps, recipe.momentum)
    nesterov = recipe.nesterov and recipe.momentum > 0
    return torch.optim.SGD(groups, lr=recipe.lr, momentum=recipe.momentum, nesterov=nesterov)


def scaled_parameters(network: Network, layer_decay: float) -> list[tuple[float, list[nn.Parameter]]]:
    """A network's parameters: at 1 the classifiers, at `layer_decay` the last stage, at its square the one before, and so on."""
    if layer_decay == 1:
        return [(1.0, list(network.parameters()))]
    stages = list(network.stages.values())
    scaled = [(layer_decay ** (len(stages) - place), list(stage.parameters())) for place, stage in enumerate(stages)]
    return [*scaled, (1.0, [*network.head.parameters(), *network.auxiliary.parameters()])]


def learning_rate(recipe: TrainConfig, step: int, steps_per_epoch: int) -> float:
    """The rate of a step, counted from 0 over the whole run: a linear warm-up, then the recipe's schedule."""
    epoch = step / steps_per_epoch
    if epoch < recipe.warmup_epochs:
        return recipe.lr * (step + 1) / math.ceil(recipe.warmup_epochs * steps_per_epoch)
    if recipe.schedule == "step":
        return recipe.lr * recipe.step_factor ** int(epoch // recipe.step_epochs)
    done = (epoch - recipe.warmup_epochs) / max(recipe.epochs - recipe.warmup_epochs, 1e-9)
    return recipe.lr * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


def warm_statistics(network: nn.Module, step: int) -> None:
    """Sets the batch norms' momentum for the step of that number, counted from 0: 0.1 at first, falling to the definition's.

    3e-4, as released with Inception-v4, needs ten thousand steps to learn its statistics; a short run has far fewer.
    """
    definition = network.definition
    assert isinstance(definition, Definition)
    batch_norm = definition.batch_norm
    if batch_norm is None or batch_norm.momentum >= 0.1:
        return
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.momentum = max(batch_norm.momentum, min(0.1, 9 / (10 + step)))


class WeightAverage:
    """A running average of a network's weights and batch-norm statistics: the model that is kept.

    The decay grows with the steps, (1 + n) / (10 + n), up to `decay`, so that the random start is soon forgotten.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.network = copy.deepcopy(network).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Takes in the weights after step number `step`, counted from 0."""
        decay = min(self.decay, (1 + step) / (10 + step))
        averages, currents = self.network.state_dict(), network.state_dict()
        floats = [name for name, tensor in averages.items() if tensor.is_floating_point()]
        torch._foreach_lerp_([averages[name] for name in floats], [currents[name] for name in floats], 1 - decay)
        for name in averages.keys() - set(floats):
            averages[name].copy_(currents[name])

    def synchronise(self) -> None:
        """Gives all processes the first one's batch-norm statistics; the weights are equal already."""
        for buffer in self.network.buffers():
            broadcast(buffer)
