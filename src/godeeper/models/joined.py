"""The branches of an Inception module with fewer and wider layers, which training on a CPU runs: narrow layers are slow there.

The 1x1 convolutions that branches begin with are computed as one, and so are the norms that the branches end with. Parameters and
statistics stay where they are, and results are the same within rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Proxy
from torch.nn import functional as F


def can_join(branches: nn.ModuleList, x: Tensor) -> bool:
    """Whether `joined_forward` computes what the branches do.

    Each has to end in a unit of convolution, batch norm and ReLU, with norms that are alike, and two have to begin with a 1x1.
    """
    if isinstance(x, Proxy) or x.device.type != "cpu" or torch.compiler.is_compiling():  # a Proxy: torch.fx traces the network
        return False
    if not all(isinstance(branch, nn.Sequential) and len(branch) and _is_unit(branch[-1]) for branch in branches):
        return False
    units: list[Any] = [branch[-1] for branch in branches]  # type: ignore[index]
    first = _pointwise_units(branches)
    alike = len({(unit.norm.eps, unit.norm.momentum) for unit in units}) == 1 == len({unit.conv.bias is None for unit in first})
    return alike and len(first) > 1


def joined_forward(branches: nn.ModuleList, x: Tensor) -> Tensor:
    """The concatenated outputs of branches: (N, C, H, W) -> (N, sum of C_i, H', W')."""
    first = _pointwise_units(branches)
    convolved = dict(zip(first, _convolved(first, x), strict=True))
    sequences: list[Any] = list(branches)
    ends = []
    for layers in map(list, sequences):
        y = x
        if layers[0] in convolved:
            unit = layers.pop(0)
            y = convolved[unit]
            if layers:
                y = unit.relu(unit.norm(y.contiguous(memory_format=torch.channels_last)))  # the norm of a slice is slow
        for layer in layers[:-1]:
            y = layer(y)
        ends.append(layers[-1].conv(y) if layers else y)
    return _normed([layers[-1] for layers in sequences], torch.cat(ends, dim=1))


def _pointwise_units(branches: nn.ModuleList) -> list[Any]:
    """The units of a 1x1 convolution that branches begin with."""
    first: list[Any] = [branch[0] for branch in branches]  # type: ignore[index]
    return [
        unit
        for unit in first
        if _is_unit(unit) and unit.conv.kernel_size == unit.conv.stride == (1, 1) and unit.conv.padding == (0, 0)
    ]


def _is_unit(layer: nn.Module) -> bool:
    """Whether a layer is a convolution, a batch norm in training and a ReLU, without hooks, which would not be called."""
    if not isinstance(layer, nn.Sequential) or [type(part) for part in layer] != [nn.Conv2d, nn.BatchNorm2d, nn.ReLU]:
        return False
    norm: Any = layer[1]
    hooked = any(part._forward_hooks or part._forward_pre_hooks or part._backward_hooks for part in (layer, *layer))
    return bool(norm.training and norm.affine and norm.track_running_stats and norm.momentum is not None and not hooked)


def _convolved(units: Sequence[Any], x: Tensor) -> tuple[Tensor, ...]:
    """The outputs of 1x1 convolutions on the same input, computed as one."""
    bias = None if units[0].conv.bias is None else torch.cat([unit.conv.bias for unit in units])
    y: Tensor = F.conv2d(x, torch.cat([unit.conv.weight for unit in units]), bias)
    parts: tuple[Tensor, ...] = y.split([unit.conv.out_channels for unit in units], dim=1)
    return parts


def _normed(units: Sequence[Any], y: Tensor) -> Tensor:
    """Batch norm and ReLU of what several units' convolutions gave, concatenated; each norm has its own statistics updated."""
    norms = [unit.norm for unit in units]
    names = ("running_mean", "running_var", "weight", "bias")
    mean, variance, weight, bias = (torch.cat([getattr(norm, name) for norm in norms]) for name in names)
    y = F.batch_norm(y, mean, variance, weight, bias, True, norms[0].momentum, norms[0].eps)
    widths = [norm.num_features for norm in norms]
    with torch.no_grad():
        torch._foreach_copy_([norm.running_mean for norm in norms], mean.split(widths))
        torch._foreach_copy_([norm.running_var for norm in norms], variance.split(widths))
        torch._foreach_add_([norm.num_batches_tracked for norm in norms], 1)
    return F.relu_(y)
