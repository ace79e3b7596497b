"""RMSProp as TensorFlow has it, which is what the papers trained with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from .grouped import GroupedOptimizer, check_values


class RMSpropTF(GroupedOptimizer):
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
        check_values({"alpha": alpha, "momentum": momentum}, {"lr": lr, "eps": eps, "weight_decay": weight_decay})
        defaults = {"lr": lr, "alpha": alpha, "eps": eps, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__(params, defaults)

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
