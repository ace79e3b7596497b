"""One row of a table -> one torch module."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..papers.describe import Flow, along, through
from ..papers.notation import LRN, AvgTo, BatchNorm, Cat, Conv, Dropout, FullyConnected, Linear, Max, Row, Separable, Stage


def build(row: Row, flow: Flow, batch_norm: BatchNorm | None) -> nn.Module:
    """The module of one row that is fed `flow`."""
    match row:
        case Conv(filters, kernel, stride):
            bias = batch_norm is None
            return _unit(nn.Conv2d(flow.channels, filters, kernel, stride, row.margin, bias=bias), filters, batch_norm)
        case Separable(filters, kernel, stride, multiplier):
            middle = flow.channels * multiplier
            depthwise = nn.Conv2d(flow.channels, middle, kernel, stride, row.margin, groups=flow.channels, bias=False)
            pointwise = build(Conv(filters), Flow(middle, 1, 1), batch_norm)
            return nn.Sequential(OrderedDict(depthwise=depthwise, pointwise=pointwise))
        case Max(kernel, stride):
            return nn.MaxPool2d(kernel, stride, row.margin)
        case AvgTo():
            return AveragePool(row)
        case LRN(size, alpha, beta, k):
            return nn.LocalResponseNorm(size, alpha, beta, k)
        case Dropout(ratio):
            return nn.Dropout(ratio)
        case FullyConnected(units):
            inputs = flow.channels * flow.height * flow.width
            layers = OrderedDict(flatten=nn.Flatten(), fc=nn.Linear(inputs, units), relu=nn.ReLU(inplace=True))
            return nn.Sequential(layers)
        case Linear(classes):
            inputs = flow.channels * flow.height * flow.width
            return nn.Sequential(OrderedDict(flatten=nn.Flatten(), linear=nn.Linear(inputs, classes)))
        case Cat(branches):
            return Concat([build_stage(branch, flow, batch_norm) for branch in branches])


def build_stage(stage: Stage, flow: Flow, batch_norm: BatchNorm | None) -> nn.Module:
    """The module of a row, or of several one after the other."""
    if not isinstance(stage, tuple):
        return build(stage, flow, batch_norm)
    modules = []
    for row in stage:
        modules.append(build(row, flow, batch_norm))
        flow, _ = through(row, flow, batch_norm is not None)
    return nn.Sequential(*modules)


def build_stages(stages: Mapping[str, Stage], flow: Flow, batch_norm: BatchNorm | None) -> tuple[nn.ModuleDict, dict[str, Flow]]:
    """The modules of named stages, and what flows out of each."""
    modules, flows = nn.ModuleDict(), {}
    for name, stage in stages.items():
        modules[name] = build_stage(stage, flow, batch_norm)
        flow, _ = along(stage, flow, batch_norm is not None)
        flows[name] = flow
    return modules, flows


def _unit(conv: nn.Conv2d, filters: int, batch_norm: BatchNorm | None) -> nn.Module:
    layers: OrderedDict[str, nn.Module] = OrderedDict(conv=conv)
    if batch_norm is not None:
        layers["norm"] = nn.BatchNorm2d(filters, batch_norm.eps, batch_norm.momentum)
    layers["relu"] = nn.ReLU(inplace=True)
    return nn.Sequential(layers)


class Concat(nn.Module):
    """Branches on the same input, concatenated along channels: (N, C, H, W) -> (N, sum of C_i, H', W')."""

    def __init__(self, branches: list[nn.Module]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=1)


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

    Depthwise filters, which no ReLU follows, get gain 1; classifiers start at deviation 0.01, near equal probabilities.
    The papers do not print theirs.
    """
    for name, layer in module.named_modules():
        if not isinstance(layer, nn.Conv2d | nn.Linear):
            continue
        if name.endswith("linear"):
            nn.init.normal_(layer.weight, std=0.01)
        else:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="linear" if name.endswith("depthwise") else "relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
