"""Batch norm in training: its running statistics, which adapt quickly at first and are left alone by a step that is skipped."""

from __future__ import annotations

from collections.abc import Collection
from itertools import chain
from typing import Any

import torch
from torch import nn
from torch.func import functional_call

FIRST_MOMENTUM = 0.1


def batch_norms(*modules: nn.Module) -> list[nn.BatchNorm1d | nn.BatchNorm2d]:
    """All batch norms of the modules."""
    return [part for module in modules for part in module.modules() if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d)]


class MomentumWarmup:
    """Starts batch norms at momentum 0.1, from where it falls to each layer's own.

    3e-4, as released with Inception-v4, needs ten thousand steps to learn its statistics; a short run has far fewer.
    """

    def __init__(self, network: nn.Module) -> None:
        self.layers = [
            (layer, layer.momentum) for layer in batch_norms(network) if layer.momentum and layer.momentum < FIRST_MOMENTUM
        ]

    def __call__(self, step: int) -> None:
        """Sets the momentum for the step of that number, counted from 0."""
        for layer, momentum in self.layers:
            layer.momentum = max(momentum, min(FIRST_MOMENTUM, 9 / (10 + step)))


class BufferBackup:
    """A copy of a network's buffers, its running statistics, so that a step whose gradient is not finite can be undone."""

    def __init__(self, network: nn.Module) -> None:
        self.buffers = list(network.buffers())
        self.saved = [buffer.clone() for buffer in self.buffers]

    def save(self) -> None:
        """Saves their values."""
        if self.buffers:  # a network without batch norm has none
            torch._foreach_copy_(self.saved, self.buffers)

    def restore(self) -> None:
        """Puts the saved values back."""
        if self.buffers:
            torch._foreach_copy_(self.buffers, self.saved)


@torch.no_grad()
def needs_two(module: nn.Module, *shape: int, frozen: Collection[nn.Module] = ()) -> bool:
    """Whether training needs at least two inputs of `shape`, as a batch norm sees a single value of each channel of one.

    Those that are `frozen` take no statistics. Nothing is computed: the module is run on the meta device.
    """
    single = []

    def look(norm: nn.Module, inputs: tuple[Any, ...]) -> None:
        single.append(inputs[0][0, 0].numel() == 1)

    hooks = [norm.register_forward_pre_hook(look) for norm in batch_norms(module) if norm not in frozen]
    tensors = chain(module.named_parameters(), module.named_buffers())
    try:
        functional_call(module, {name: tensor.to("meta") for name, tensor in tensors}, torch.empty(2, *shape, device="meta"))
    finally:
        for hook in hooks:
            hook.remove()
    return any(single)
