"""The branches of an Inception module with fewer and wider layers, which training on a CPU runs: narrow layers are slow there.

The 1x1 convolutions that branches begin with are computed as one; so are the norms of those that reduce channels, and the norms
that the branches end with. Parameters and statistics stay where they are, and results are the same within rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def can_join(branches: Sequence[Any], x: Tensor) -> bool:
    """Whether `joined_forward` computes what the branches do.

    Each has to end in a unit of convolution, batch norm and ReLU, two have to begin with a 1x1, and all norms have to be alike.
    """
    if x.device.type != "cpu" or torch.compiler.is_compiling():
        return False
    if not all(isinstance(branch, nn.Sequential) and len(branch) and _is_unit(branch[-1]) for branch in branches):
        return False
    units: list[Any] = [unit for branch in branches for unit in (branch[0], branch[-1]) if _is_unit(unit)]
    kinds = {(unit.norm.eps, unit.norm.momentum, unit.conv.bias is None) for unit in units}
    return len(kinds) == 1 and sum(_is_pointwise(branch[0]) for branch in branches) > 1


def joined_forward(branches: Sequence[Any], x: Tensor) -> Tensor:
    """The concatenated outputs of branches: (N, C, H, W) -> (N, sum of C_i, H', W')."""
    first = [branch[0] for branch in branches if _is_pointwise(branch[0])]
    outputs = dict(zip(first, _convolved(first, x), strict=True))  # of 1x1 convolutions, before their norms
    reducing = [branch[0] for branch in branches if branch[0] in outputs and len(branch) > 1]
    if reducing:
        reduced = _normed(reducing, [outputs[unit] for unit in reducing])
        outputs.update(zip(reducing, reduced.split([unit.conv.out_channels for unit in reducing], dim=1), strict=True))
    ends = []
    for branch in branches:
        y, layers = (outputs[branch[0]], list(branch)[1:]) if branch[0] in outputs else (x, list(branch))
        for layer in layers[:-1]:
            y = layer(y)
        ends.append(layers[-1].conv(y) if layers else y)
    return _normed([branch[-1] for branch in branches], ends)


def _is_unit(layer: nn.Module) -> bool:
    """Whether a layer is a convolution, a batch norm in training and a ReLU, without hooks, which would not be called."""
    if not isinstance(layer, nn.Sequential) or [type(part) for part in layer] != [nn.Conv2d, nn.BatchNorm2d, nn.ReLU]:
        return False
    norm: Any = layer[1]
    hooked = any(part._forward_hooks or part._forward_pre_hooks or part._backward_hooks for part in (layer, *layer))
    return bool(norm.training and norm.affine and norm.track_running_stats and norm.momentum is not None and not hooked)


def _is_pointwise(layer: Any) -> bool:
    """Whether a layer is a unit of a 1x1 convolution."""
    return _is_unit(layer) and layer.conv.kernel_size == layer.conv.stride == (1, 1) and layer.conv.padding == (0, 0)


def _convolved(units: Sequence[Any], x: Tensor) -> tuple[Tensor, ...]:
    """The outputs of 1x1 convolutions on the same input, computed as one."""
    bias = None if units[0].conv.bias is None else torch.cat([unit.conv.bias for unit in units])
    y = F.conv2d(x, torch.cat([unit.conv.weight for unit in units]), bias)
    return y.split([unit.conv.out_channels for unit in units], dim=1)


def _normed(units: Sequence[Any], parts: Sequence[Tensor]) -> Tensor:
    """Batch norm and ReLU of what several convolutions gave, concatenated; each norm has its own statistics updated."""
    norms = [unit.norm for unit in units]
    names = ("running_mean", "running_var", "weight", "bias")
    mean, variance, weight, bias = (torch.cat([getattr(norm, name) for norm in norms]) for name in names)
    y = F.batch_norm(torch.cat(list(parts), dim=1), mean, variance, weight, bias, True, norms[0].momentum, norms[0].eps)
    widths = [norm.num_features for norm in norms]
    with torch.no_grad():
        torch._foreach_copy_([norm.running_mean for norm in norms], mean.split(widths))
        torch._foreach_copy_([norm.running_var for norm in norms], variance.split(widths))
        torch._foreach_add_([norm.num_batches_tracked for norm in norms], 1)
    return F.relu_(y)
