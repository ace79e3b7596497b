"""One row of a table -> one torch module. N is the batch; a row's input is (N, C, H, W)."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..papers.notation import (
    CEIL,
    LRN,
    Adaptive,
    Avg,
    AvgTo,
    BatchNorm,
    Cat,
    Conv,
    Dropout,
    FullyConnected,
    Linear,
    LinearNorm,
    Max,
    Residual,
    Row,
    Separable,
    Stage,
    Whitening,
)
from ..papers.shape import FeatureShape, row_output, stage_output
from .joined import can_join, joined_forward
from .whitening import WhiteningConv


def build(row: Row, shape: FeatureShape, batch_norm: BatchNorm | None) -> nn.Module:
    """The module of one row, for inputs (N, C, H, W) with the channels of `shape`.

    Rows that flatten their input need its height and width too. ValueError for `LinearNorm` without batch norm.
    """
    channels = shape.channels
    match row:
        case Conv(filters):
            bias = batch_norm is None or batch_norm.conv_bias
            conv = nn.Conv2d(channels, filters, row.sides, row.stride, row.margins, row.dilation, bias=bias)
            return _conv_unit(conv, filters, batch_norm)  # (N, C, H, W) -> (N, filters, H', W')
        case Whitening():
            return nn.Sequential(OrderedDict(conv=WhiteningConv(row, channels), relu=nn.ReLU(inplace=True)))
        case Separable(filters):
            middle = channels * row.multiplier
            depthwise = nn.Conv2d(channels, middle, row.sides, row.stride, row.margins, groups=channels, bias=False)
            pointwise = build(Conv(filters), FeatureShape(middle, 1, 1), batch_norm)
            layers = OrderedDict(depthwise=depthwise, pointwise=pointwise)
            return nn.Sequential(layers)  # (N, C, H, W) -> (N, C * multiplier, H', W') -> (N, filters, H', W')
        case Max(_, stride, padding):
            return nn.MaxPool2d(row.sides, stride, row.margins, ceil_mode=padding == CEIL)  # -> (N, C, H', W')
        case Avg(_, stride, padding):
            return nn.AvgPool2d(row.sides, stride, row.margins, padding == CEIL, count_include_pad=row.counts_padding)
        case AvgTo():
            return AveragePool(row)  # -> (N, C, grid, grid)
        case Adaptive(grid):
            return nn.AdaptiveAvgPool2d(grid)  # -> (N, C, grid, grid)
        case LRN(size, alpha, beta, k):
            return nn.LocalResponseNorm(size, alpha, beta, k)
        case Dropout(ratio):
            return nn.Dropout(ratio)
        case FullyConnected() | LinearNorm() | Linear():
            return _linear_unit(row, math.prod(shape.chw), batch_norm)  # (N, C, H, W) -> (N, units)
        case Cat(branches):
            return Concat([build_stage(branch, shape, batch_norm) for branch in branches])  # -> (N, sum of C_i, H', W')
        case Residual(body):
            inner, _ = row_output(body, shape, batch_norm)
            linear = nn.Conv2d(inner.channels, channels, 1)  # back to the input's channels, for the sum
            return ResidualBlock(build(body, shape, batch_norm), linear, row.scale, row.relu)  # -> (N, C, H, W)


def build_stage(stage: Stage, shape: FeatureShape, batch_norm: BatchNorm | None) -> nn.Module:
    """The module of one row, or of several in sequence."""
    if not isinstance(stage, tuple):
        return build(stage, shape, batch_norm)
    modules = []
    for row in stage:
        modules.append(build(row, shape, batch_norm))
        shape, _ = row_output(row, shape, batch_norm)
    return nn.Sequential(*modules)


def build_stages(
    stages: Mapping[str, Stage], shape: FeatureShape, batch_norm: BatchNorm | None
) -> tuple[nn.ModuleDict, dict[str, FeatureShape]]:
    """The modules of named stages in sequence, and the shape of each stage's output."""
    modules, shapes = nn.ModuleDict(), {}
    for name, stage in stages.items():
        modules[name] = build_stage(stage, shape, batch_norm)
        shape, _ = stage_output(stage, shape, batch_norm)
        shapes[name] = shape
    return modules, shapes


def _conv_unit(conv: nn.Conv2d, filters: int, batch_norm: BatchNorm | None) -> nn.Module:
    layers: OrderedDict[str, nn.Module] = OrderedDict(conv=conv)
    if batch_norm is not None:
        layers["norm"] = nn.BatchNorm2d(filters, batch_norm.eps, batch_norm.momentum)
    layers["relu"] = nn.ReLU(inplace=True)
    return nn.Sequential(layers)


def _linear_unit(row: FullyConnected | LinearNorm | Linear, inputs: int, batch_norm: BatchNorm | None) -> nn.Module:
    layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())  # (N, C, H, W) -> (N, inputs)
    match row:
        case FullyConnected(units):
            layers.update(fc=nn.Linear(inputs, units), relu=nn.ReLU(inplace=True))
        case LinearNorm(units):
            if batch_norm is None:
                raise ValueError("a LinearNorm row ends in batch norm: its definition needs a `batch_norm`")
            norm = nn.BatchNorm1d(units, batch_norm.eps, batch_norm.momentum)
            layers.update(fc=nn.Linear(inputs, units, bias=False), norm=norm)
        case Linear(classes):
            layers["linear"] = nn.Linear(inputs, classes)
    return nn.Sequential(layers)


class Concat(nn.Module):
    """Parallel branches on the same input, concatenated along channels: (N, C, H, W) -> (N, sum of C_i, H', W')."""

    def __init__(self, branches: list[nn.Module]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        if self.training and can_join(self.branches, x):
            return joined_forward(self.branches, x)  # the same, faster
        return torch.cat([branch(x) for branch in self.branches], dim=1)  # branch i: (N, C_i, H', W')


class ResidualBlock(nn.Module):
    """relu(x + scale * linear(body(x))): (N, C, H, W) -> (N, C, H, W). arXiv 1602.07261, Figure 20."""

    def __init__(self, body: nn.Module, linear: nn.Conv2d, scale: float, relu: bool) -> None:
        super().__init__()
        self.body = body
        self.linear = linear
        self.scale = scale
        self.relu = nn.ReLU(inplace=True) if relu else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.relu(x + self.scale * self.linear(self.body(x)))
        return result

    def extra_repr(self) -> str:
        return f"scale={self.scale}"


class AveragePool(nn.Module):
    """The average pool of an `AvgTo` row: (N, C, H, W) -> (N, C, grid, grid)."""

    def __init__(self, row: AvgTo) -> None:
        super().__init__()
        self.row = row

    def forward(self, x: Tensor) -> Tensor:
        if self.row.grid == 1:
            return x.mean(dim=(2, 3), keepdim=True)  # (N, C, 1, 1)
        (kernel_h, stride_h), (kernel_w, stride_w) = (self.row.window(side) for side in x.shape[2:])
        return F.avg_pool2d(x, (kernel_h, kernel_w), (stride_h, stride_w))  # (N, C, grid, grid)

    def extra_repr(self) -> str:
        return f"grid={self.row.grid}"


@torch.no_grad()
def initialise(module: nn.Module) -> None:
    """He initialisation, which keeps the variance of activations through any number of ReLU layers; biases are zero.

    A layer's own name decides: "depthwise" and "linear" convolutions, which no ReLU follows, get gain 1, all else ReLU's gain.
    "linear" layers are classifiers, and start with standard deviation 0.01, near equal probabilities. The papers do not print
    how they initialise.
    """
    for name, layer in module.named_modules():
        if not isinstance(layer, nn.Conv2d | nn.Linear):
            continue
        if layer.weight.is_meta:  # no numbers to set; to try would have torch import its compiler, for over a second
            continue
        last = name.rpartition(".")[2]
        if last == "linear" and isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=0.01)
        else:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="linear" if last in ("depthwise", "linear") else "relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
