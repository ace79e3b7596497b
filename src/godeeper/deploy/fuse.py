"""A faster copy of a network with the same outputs: the definition stays the paper's, a copy of its module is rewritten."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..models.build import Concat, ResidualBlock
from ..models.network import Network, device_of, network_of, to_device


@torch.no_grad()
def fuse(network: Network) -> Network:
    """A copy for inference that gives the same logits, features and embeddings in less time.

    Batch norm and the residual scales are folded into the convolutions before them, the sibling 1x1 convolutions of a module
    become one, a 1x1 convolution comes before the average pool that it follows, dropout and auxiliary heads are left out, and
    memory is channels last. It cannot be trained or saved as weights any more; the network given stays as it is.
    """
    network = network_of(network)
    fused: Any = copy.copy(network)
    fused._modules = {name: nn.ModuleDict() for name in ("stages", "head", "auxiliary")}
    for part in ("stages", "head"):
        for name, stage in getattr(network, part).items():
            if not isinstance(stage, nn.Dropout):
                fused._modules[part][name] = _fused(copy.deepcopy(stage))
    result: Network = to_device(fused, device_of(network)).eval().requires_grad_(False)
    return result


def _fused(module: nn.Module) -> nn.Module:
    """The module without what inference does not need; it may share parts with the original."""
    match module:
        case nn.Sequential():
            layers = _folded({name: _fused(layer) for name, layer in module.named_children()})
            return nn.Sequential(OrderedDict(layers))
        case Concat():
            return _merged([_fused(branch) for branch in module.branches])
        case ResidualBlock():
            module.linear.weight *= module.scale
            if module.linear.bias is not None:
                module.linear.bias *= module.scale
            return Added(nn.Sequential(_fused(module.body), module.linear), module.relu)
    return module


def _folded(layers: dict[str, nn.Module]) -> dict[str, nn.Module]:
    """Named layers without dropout and without batch norm, which goes into the layer before it."""
    kept: dict[str, nn.Module] = {}
    for name, layer in layers.items():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            _fold(kept[next(reversed(kept))], layer)
        elif not isinstance(layer, nn.Dropout):
            kept[name] = layer
    return kept


def _fold(layer: Any, norm: nn.BatchNorm1d | nn.BatchNorm2d) -> None:
    """Multiplies a layer's weights, in place, so that it gives what the batch norm made of its output."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    gain = (norm.running_var.double() + norm.eps).rsqrt()
    if norm.affine:
        gain = gain * norm.weight.double()
    bias = -norm.running_mean.double() if layer.bias is None else layer.bias.double() - norm.running_mean.double()
    bias = bias * gain + (norm.bias.double() if norm.affine else 0)
    weight = layer.weight.double() * gain.view(-1, *[1] * (layer.weight.ndim - 1))
    layer.weight = nn.Parameter(weight.to(layer.weight.dtype), requires_grad=False)
    layer.bias = nn.Parameter(bias.to(layer.weight.dtype), requires_grad=False)


def _merged(branches: Sequence[nn.Module]) -> nn.Module:
    """The branches side by side, those that begin with a 1x1 convolution sharing one."""
    branches = [_conv_first(branch) for branch in branches]
    first = [_leading_unit(branch) for branch in branches]
    if sum(unit is not None for unit in first) < 2:
        return Concat(list(branches))
    return SharedConcat(branches, first)


def _leading_unit(branch: nn.Module) -> nn.Sequential | None:
    """The 1x1 convolution with ReLU that a branch begins with, if it does."""
    unit = next(iter(branch.children()), None)
    if isinstance(unit, nn.Sequential) and [type(layer) for layer in unit] == [nn.Conv2d, nn.ReLU] and _pointwise(unit[0]):
        return unit
    return None


def _pointwise(layer: nn.Module) -> bool:
    """Whether a layer sees one pixel at a time, all channels of it."""
    return (
        isinstance(layer, nn.Conv2d)
        and layer.kernel_size == layer.stride == (1, 1)
        and layer.padding == (0, 0)
        and layer.groups == 1
    )


def _conv_first(branch: nn.Module) -> nn.Module:
    """A branch of an average pool and a 1x1 convolution, the other way round: fewer channels are averaged."""
    if not isinstance(branch, nn.Sequential) or len(branch) != 2:
        return branch
    pool, unit = list(branch)
    parts: Any = unit
    if not isinstance(pool, nn.AvgPool2d) or not isinstance(unit, nn.Sequential) or not _pointwise(unit[0]):
        return branch
    return nn.Sequential(PooledConv(parts[0], pool), *parts[1:])


class PooledConv(nn.Module):
    """A 1x1 convolution, then an average pool; where that counts zeros around its input, the bias comes after it."""

    def __init__(self, conv: nn.Conv2d, pool: nn.AvgPool2d) -> None:
        super().__init__()
        self.conv, self.pool, self.bias = conv, pool, None
        if conv.bias is not None and pool.count_include_pad:
            self.conv = nn.Conv2d(conv.in_channels, conv.out_channels, 1, bias=False)
            self.conv.weight = conv.weight
            self.bias = nn.Parameter(conv.bias.view(-1, 1, 1), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        pooled: Tensor = self.pool(self.conv(x))
        return pooled if self.bias is None else pooled + self.bias


class Added(nn.Module):
    """relu(x + body(x)): a residual block whose scale is in the weights of its body."""

    def __init__(self, body: nn.Module, relu: nn.Module) -> None:
        super().__init__()
        self.body, self.relu = body, relu

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.relu(self.body(x) + x)
        return result


class SharedConcat(nn.Module):
    """A `Concat` whose branches' leading 1x1 convolutions are one: (N, C, H, W) -> (N, sum of C_i, H', W')."""

    def __init__(self, branches: Sequence[nn.Module], first: Sequence[nn.Sequential | None]) -> None:
        super().__init__()
        units: list[Any] = [unit for unit in first if unit is not None]
        self.widths = [unit[0].out_channels for unit in units]
        self.shared = nn.Sequential(_stacked([unit[0] for unit in units]), nn.ReLU(inplace=True))
        self.sharing = [unit is not None for unit in first]
        self.branches = nn.ModuleList(
            nn.Sequential(*list(branch.children())[1:]) if shares else branch
            for branch, shares in zip(branches, self.sharing, strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        parts = iter(self.shared(x).split(self.widths, dim=1))
        outputs = [branch(next(parts) if shares else x) for branch, shares in zip(self.branches, self.sharing, strict=True)]
        return torch.cat(outputs, dim=1)


def _stacked(convs: Sequence[nn.Conv2d]) -> nn.Conv2d:
    """One convolution with the filters of all, in order."""
    like = convs[0].weight
    conv: nn.Conv2d = nn.utils.skip_init(
        nn.Conv2d, convs[0].in_channels, sum(conv.out_channels for conv in convs), 1, device=like.device, dtype=like.dtype
    )
    conv.weight = nn.Parameter(torch.cat([conv.weight for conv in convs]), requires_grad=False)
    biases = [conv.bias if conv.bias is not None else like.new_zeros(conv.out_channels) for conv in convs]
    conv.bias = nn.Parameter(torch.cat(biases), requires_grad=False)
    return conv
