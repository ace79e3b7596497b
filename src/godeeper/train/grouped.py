"""What our optimisers share: checked values, and a step over groups of weights that have a gradient."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor


class GroupedOptimizer(torch.optim.Optimizer):
    """An optimiser that updates a group's weights together."""

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step; a `closure` computes the loss again, and its value is returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if weights:
                self._update(weights, group)
        return loss

    @abstractmethod
    def _update(self, weights: list[Tensor], group: dict[str, Any]) -> None:
        """Moves weights, each of which has a gradient."""


def check_values(fractions: Mapping[str, float], others: Mapping[str, float]) -> None:
    """ValueError, naming the value, for a fraction that is not in 0 (included) to 1 (excluded), and for another below 0."""
    for name, value in fractions.items():
        if not 0 <= value < 1:
            raise ValueError(f"{name} is {value}: it must be at least 0 and below 1")
    for name, value in others.items():
        if not value >= 0:
            raise ValueError(f"{name} is {value}: it must be at least 0")
