"""Batch norm's running statistics in training: updated quickly at first, and left alone by a step that is skipped."""

from __future__ import annotations

import torch
from torch import nn

FIRST_MOMENTUM = 0.1


class MomentumWarmup:
    """Starts batch norms at momentum 0.1, from where it falls to each layer's own.

    3e-4, as released with Inception-v4, needs ten thousand steps to learn its statistics; a short run has far fewer.
    """

    def __init__(self, network: nn.Module) -> None:
        layers = [module for module in network.modules() if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)]
        self.layers = [(layer, layer.momentum) for layer in layers if layer.momentum and layer.momentum < FIRST_MOMENTUM]

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
