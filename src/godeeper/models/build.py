"""One row of a table -> one torch module."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..papers.flow import Flow, along, through
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
    Embedding,
    FullyConnected,
    Linear,
    Max,
    Residual,
    Row,
    Separable,
    Stage,
)


def build(row: Row, flow: Flow, batch_norm: BatchNorm | None) -> nn.Module:
    """The module of one row that is fed `flow`."""
    match row:
        case Conv(filters):
            bias = batch_norm is None or batch_norm.conv_bias
            conv = nn.Conv2d(flow.channels, filters, row.sides, row.stride, row.margins, row.dilation, bias=bias)
            return _unit(conv, filters, batch_norm)
        case Separable(filters):
            middle = flow.channels * row.multiplier
            depthwise = nn.Conv2d(
                flow.channels, middle, row.sides, row.stride, row.margins, groups=flow.channels, bias=False
            )  # fmt: skip
            pointwise = build(Conv(filters), Flow(middle, 1, 1), batch_norm)
            return nn.Sequential(OrderedDict(depthwise=depthwise, pointwise=pointwise))
        case Max(_, stride, padding):
            return nn.MaxPool2d(row.sides, stride, row.margins, ceil_mode=padding == CEIL)
        case Avg(_, stride, padding):
            return nn.AvgPool2d(row.sides, stride, row.margins, padding == CEIL, count_include_pad=row.counts_padding)
        case AvgTo():
            return AveragePool(row)
        case Adaptive(grid):
            return nn.AdaptiveAvgPool2d(grid)
        case LRN(size, alpha, beta, k):
            return nn.LocalResponseNorm(size, alpha, beta, k)
        case Dropout(ratio):
            return nn.Dropout(ratio)
        case FullyConnected(units):
            return _flat(fc=nn.Linear(_inputs(flow), units), relu=nn.ReLU(inplace=True))
        case Embedding(units):
            if batch_norm is None:
                raise ValueError("an Embedding row ends in batch norm: its definition needs a `batch_norm`")
            norm = nn.BatchNorm1d(units, batch_norm.eps, batch_norm.momentum)
            return _flat(fc=nn.Linear(_inputs(flow), units, bias=False), norm=norm)
        case Linear(classes):
            return _flat(linear=nn.Linear(_inputs(flow), classes))
        case Cat(branches):
            return Concat([build_stage(branch, flow, batch_norm) for branch in branches])
        case Residual(body):
            inner, _ = through(body, flow, batch_norm)
            linear = nn.Conv2d(inner.channels, flow.channels, 1)
            return ResidualBlock(build(body, flow, batch_norm), linear, row.scale, row.relu)


def build_stage(stage: Stage, flow: Flow, batch_norm: BatchNorm | None) -> nn.Module:
    """The module of a row, or of several one after the other."""
    if not isinstance(stage, tuple):
        return build(stage, flow, batch_norm)
    modules = []
    for row in stage:
        modules.append(build(row, flow, batch_norm))
        flow, _ = through(row, flow, batch_norm)
    return nn.Sequential(*modules)


def build_stages(stages: Mapping[str, Stage], flow: Flow, batch_norm: BatchNorm | None) -> tuple[nn.ModuleDict, dict[str, Flow]]:
    """The modules of named stages, and what flows out of each."""
    modules, flows = nn.ModuleDict(), {}
    for name, stage in stages.items():
        modules[name] = build_stage(stage, flow, batch_norm)
        flow, _ = along(stage, flow, batch_norm)
        flows[name] = flow
    return modules, flows


def _unit(conv: nn.Conv2d, filters: int, batch_norm: BatchNorm | None) -> nn.Module:
    layers: OrderedDict[str, nn.Module] = OrderedDict(conv=conv)
    if batch_norm is not None:
        layers["norm"] = nn.BatchNorm2d(filters, batch_norm.eps, batch_norm.momentum)
    layers["relu"] = nn.ReLU(inplace=True)
    return nn.Sequential(layers)


def _inputs(flow: Flow) -> int:
    return flow.channels * flow.height * flow.width


def _flat(**layers: nn.Module) -> nn.Module:
    return nn.Sequential(OrderedDict(flatten=nn.Flatten(), **layers))


class Concat(nn.Module):
    """Branches on the same input, concatenated along channels: (N, C, H, W) -> (N, sum of C_i, H', W')."""

    def __init__(self, branches: list[nn.Module]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=1)


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
            return x.mean(dim=(2, 3), keepdim=True)
        (kernel_h, stride_h), (kernel_w, stride_w) = (self.row.window(side) for side in x.shape[2:])
        return F.avg_pool2d(x, (kernel_h, kernel_w), (stride_h, stride_w))

    def extra_repr(self) -> str:
        return f"grid={self.row.grid}"


@torch.no_grad()
def initialise(module: nn.Module) -> None:
    """He initialisation, which keeps the signal's size through any number of ReLU layers; biases are zero.

    What no ReLU follows, depthwise filters and the residual blocks' linear 1x1s, gets gain 1; classifiers start at deviation
    0.01, near equal probabilities. The papers do not print theirs.
    """
    for name, layer in module.named_modules():
        if not isinstance(layer, nn.Conv2d | nn.Linear):
            continue
        last = name.rpartition(".")[2]
        if last == "linear" and isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=0.01)
        else:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="linear" if last in ("depthwise", "linear") else "relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
