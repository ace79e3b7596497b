"""The optimiser, its learning rate, and the averaged weights."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import torch
from accelerate.utils import broadcast
from torch import nn

from ..models.network import Network
from .muon import Muon
from .recipe import TrainConfig
from .rmsprop import RMSpropTF


def make_optimizer(scaled: Sequence[tuple[float, list[nn.Parameter]]], recipe: TrainConfig) -> torch.optim.Optimizer:
    """The recipe's optimiser; weight decay on filters and linear weights only. Each group's `scale` multiplies the rate."""
    if recipe.optimizer == "muon":
        return _make_muon(scaled, recipe)
    groups = []
    for scale, parameters in scaled:
        for weight_decay, chosen in (
            (recipe.weight_decay, [p for p in parameters if p.ndim > 1]),
            (0.0, [p for p in parameters if p.ndim <= 1]),
        ):
            if chosen:
                groups.append({"params": chosen, "weight_decay": weight_decay, "scale": scale})
    if recipe.optimizer == "rmsprop":
        return RMSpropTF(groups, recipe.lr, recipe.rmsprop_decay, recipe.rmsprop_eps, recipe.momentum)
    nesterov = recipe.nesterov and recipe.momentum > 0
    return torch.optim.SGD(groups, lr=recipe.lr, momentum=recipe.momentum, nesterov=nesterov)


def _make_muon(scaled: Sequence[tuple[float, list[nn.Parameter]]], recipe: TrainConfig) -> Muon:
    """Muon for filters; AdamW without decay for linear layers, at its own rate, and for biases and norms, at another."""
    kinds: list[tuple[int, float, dict[str, Any]]] = [
        (4, recipe.lr, {"weight_decay": recipe.weight_decay}),
        (2, recipe.adamw_lr, {"adamw": True}),
        (1, recipe.bias_lr, {"adamw": True}),
    ]
    groups = []
    for scale, parameters in scaled:
        for dimensions, lr, how in kinds:
            chosen = [parameter for parameter in parameters if parameter.ndim == dimensions]
            if chosen:
                groups.append({"params": chosen, "scale": scale * lr / (recipe.lr or 1), **how})
    return Muon(groups, recipe.lr, recipe.momentum)


def scaled_parameters(network: Network, layer_decay: float) -> list[tuple[float, list[nn.Parameter]]]:
    """A network's parameters: at 1 the classifiers, at `layer_decay` the last stage, at its square the one before, and so on."""
    if layer_decay == 1:
        return [(1.0, list(network.parameters()))]
    stages = list(network.stages.values())
    scaled = [(layer_decay ** (len(stages) - index), list(stage.parameters())) for index, stage in enumerate(stages)]
    return [*scaled, (1.0, [*network.head.parameters(), *network.auxiliary.parameters()])]


def learning_rate(recipe: TrainConfig, step: int, steps_per_epoch: int) -> float:
    """The rate of a step, counted from 0 over the whole run: a linear warm-up, then the recipe's schedule."""
    epoch = step / steps_per_epoch
    if epoch < recipe.warmup_epochs:
        return recipe.lr * (step + 1) / math.ceil(recipe.warmup_epochs * steps_per_epoch)
    if recipe.schedule == "step":
        return recipe.lr * recipe.step_factor ** int(epoch // recipe.step_epochs)
    done = min((epoch - recipe.warmup_epochs) / max(recipe.epochs - recipe.warmup_epochs, 1e-9), 1.0)
    if recipe.schedule == "linear":
        return recipe.lr * (1 - done)
    return recipe.lr * 0.5 * (1 + math.cos(math.pi * done))


def set_learning_rate(optimizer: torch.optim.Optimizer, recipe: TrainConfig, step: int, steps_per_epoch: int) -> float:
    """Gives each group of parameters its rate for a step, and returns the recipe's."""
    lr = learning_rate(recipe, step, steps_per_epoch)
    for group in optimizer.param_groups:
        group["lr"] = lr * group["scale"]
    return lr


def clip_gradients(network: nn.Module, clip_norm: float) -> float:
    """The norm of all gradients together, before they are scaled down to `clip_norm`, if that is not 0; NaN stays NaN.

    Of a step's numbers the only one that is read from the device, which is waited for.
    """
    parameters = [parameter for parameter in network.parameters() if parameter.grad is not None]
    norm = torch.nn.utils.get_total_norm([parameter.grad for parameter in parameters])  # type: ignore[misc]
    value = float(norm)
    if clip_norm and math.isfinite(value):
        torch.nn.utils.clip_grads_with_norm_(parameters, clip_norm, norm)
    return value


class WeightAverage:
    """A running average of a network's weights and batch-norm statistics: the model that is kept.

    The decay grows with the steps, (1 + n) / (10 + n), up to `ema_decay`, so that the random start is soon forgotten.
    """

    def __init__(self, network: nn.Module, ema_decay: float) -> None:
        self.ema_decay = ema_decay
        self.network = copy.deepcopy(network).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Takes in the weights after step number `step`, counted from 0."""
        factor = min(self.ema_decay, (1 + step) / (10 + step))
        averages, currents = self.network.state_dict(), network.state_dict()
        floats = [name for name, tensor in averages.items() if tensor.is_floating_point()]
        torch._foreach_lerp_([averages[name] for name in floats], [currents[name] for name in floats], 1 - factor)
        counts = sorted(averages.keys() - set(floats))
        if counts:  # of batches, which batch norm keeps
            torch._foreach_copy_([averages[name] for name in counts], [currents[name] for name in counts])

    def synchronise(self) -> None:
        """Gives all processes the first one's batch-norm statistics; the weights are equal already."""
        for buffer in self.network.buffers():
            broadcast(buffer)
