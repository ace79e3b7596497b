"""Muon: steps of filters that change all their directions equally."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from .grouped import GroupedOptimizer, check_values

# Of the Newton-Schulz iteration, Keller Jordan's: singular values come near 1 in few iterations, and stay between 0.7 and 1.2.
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 3  # as in airbench; more do not pay


class Muon(GroupedOptimizer):
    """Muon (Keller Jordan, 2024) for filters, AdamW for everything else: biases, batch norms, linear layers.

    Filters (filters, channels, height, width) are a matrix of `filters` rows. A step: b <- momentum * b + g; u is g + momentum
    * b with its singular values near 1; w <- (1 - lr * weight_decay) * w - lr * u. In groups with `adamw=True`, a step is
    AdamW's, with `betas`; its means start at the first gradient, so that they need no correction. torch.optim.Muon has
    matrices only. ValueError for a value out of range.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 0.1,
        momentum: float = 0.6,
        weight_decay: float = 0.0,
        betas: tuple[float, float] = (0.85, 0.95),
        eps: float = 1e-8,
        adamw: bool = False,
    ) -> None:
        fractions = {"momentum": momentum, "betas[0]": betas[0], "betas[1]": betas[1]}
        check_values(fractions, {"lr": lr, "weight_decay": weight_decay, "eps": eps})
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "betas": betas, "eps": eps, "adamw": adamw}
        super().__init__(params, defaults)

    def _update(self, weights: list[Tensor], group: dict[str, Any]) -> None:
        move = self._adamw if group["adamw"] else self._muon
        for weight in weights:
            assert weight.grad is not None
            weight.mul_(1 - group["lr"] * group["weight_decay"])
            move(weight, weight.grad, group)

    def _muon(self, weight: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[weight]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(weight)
        buffer = state["momentum_buffer"].mul_(group["momentum"]).add_(gradient)
        update = gradient.add(buffer, alpha=group["momentum"])
        weight.add_(orthogonal(update.flatten(1)).view_as(weight), alpha=-group["lr"])

    def _adamw(self, weight: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[weight]
        if not state:
            state["mean"], state["mean_square"] = gradient.clone(), gradient.square()
        first, second = group["betas"]
        mean = state["mean"].lerp_(gradient, 1 - first)
        mean_square = state["mean_square"].lerp_(gradient.square(), 1 - second)
        weight.addcdiv_(mean, mean_square.sqrt().add_(group["eps"]), value=-group["lr"])


def orthogonal(matrix: Tensor) -> Tensor:
    """The matrix with its singular values near 1, where they are not far below the largest, in its own precision.

    Newton-Schulz: each iteration x <- (a + b x x' + c x x' x x') x moves all singular values at once, in bfloat16.
    """
    a, b, c = COEFFICIENTS
    x = matrix.bfloat16()
    x = x / (x.norm() + 1e-7)
    wide: Tensor = x if x.shape[0] <= x.shape[1] else x.T  # the smaller products
    for _ in range(ITERATIONS):
        square = wide @ wide.T
        wide = a * wide + (b * square + c * square @ square) @ wide
    return (wide if x.shape[0] <= x.shape[1] else wide.T).to(matrix.dtype)
