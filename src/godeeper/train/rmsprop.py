"""RMSProp as TensorFlow has it, which is what the papers trained with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor


class RMSpropTF(torch.optim.Optimizer):
    """TensorFlow's RMSProp: epsilon inside the root, a mean square that starts at one, the rate inside the momentum buffer.

    A step: m <- alpha * m + (1 - alpha) * g^2; b <- momentum * b + lr * g / sqrt(m + eps); w <- w - b, where g has
    `weight_decay` * w added. arXiv 1602.07261, Section 4, has alpha ("decay") 0.9 and eps 1.0, with which torch.optim.RMSprop
    (epsilon outside the root, m from zero, the rate outside the buffer) is another optimiser. ValueError for a value out of
    range.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 0.045,
        alpha: float = 0.9,
        eps: float = 1.0,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
    ) -> None:
        for name, value, top in (("alpha", alpha, 1.0), ("momentum", momentum, 1.0)):
            if not 0 <= value < top:
                raise ValueError(f"{name} is {value}: it must be at least 0 and below 1")
        for name, value in (("lr", lr), ("eps", eps), ("weight_decay", weight_decay)):
            if not value >= 0:
                raise ValueError(f"{name} is {value}: it must be at least 0")
        defaults = {"lr": lr, "alpha": alpha, "eps": eps, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step; a `closure` computes the loss again, and its value is returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [p for p in group["params"] if p.grad is not None]
            if weights:
                self._update(weights, group)
        return loss

    def _update(self, weights: list[Tensor], group: dict[str, Any]) -> None:
        for weight in weights:
            if not self.state[weight]:
                self.state[weight]["mean_square"] = torch.ones_like(weight)
                self.state[weight]["momentum_buffer"] = torch.zeros_like(weight)
        means = [self.state[weight]["mean_square"] for weight in weights]
        buffers = [self.state[weight]["momentum_buffer"] for weight in weights]
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        if group["weight_decay"]:
            gradients = list(torch._foreach_add(gradients, weights, alpha=group["weight_decay"]))
        torch._foreach_mul_(means, group["alpha"])
        torch._foreach_addcmul_(means, gradients, gradients, 1 - group["alpha"])
        roots = list(torch._foreach_add(means, group["eps"]))
        torch._foreach_sqrt_(roots)
        torch._foreach_mul_(buffers, group["momentum"])
        torch._foreach_addcdiv_(buffers, gradients, roots, group["lr"])
        torch._foreach_sub_(weights, buffers)
