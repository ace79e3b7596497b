"""The GoogLeNet of pytorch-cifar (github.com/kuangliu/pytorch-cifar), as a plain torch network and as a table of ours.

A 3x3 of 192 filters in place of the stem, then Table 1's modules with two 3x3 for the 5x5; every convolution has a bias and
batch norm.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from godeeper.notation import AvgTo, BatchNorm, Cat, Conv, Definition, Linear, Max, Stage

MODULES = {  # 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, projection
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
POOLED = ("3b", "4e")  # a 3x3/2 max pool comes after these


def two_for_five(c1: int, r3: int, c3: int, r5: int, c5: int, proj: int) -> Cat:
    return Cat([Conv(c1)], [Conv(r3), Conv(c3, 3)], [Conv(r5), Conv(c5, 3), Conv(c5, 3)], [Max(3), Conv(proj)])


def table() -> Definition:
    """Our table of it, for images of 32 pixels and 10 classes."""
    stages: dict[str, Stage] = {"conv": Conv(192, 3)}
    for name, columns in MODULES.items():
        stages[name] = two_for_five(*columns)
        if name in POOLED:
            stages[f"pool{name[0]}"] = Max(3, 2)
    head: dict[str, Stage] = {"avgpool": AvgTo(1), "linear": Linear(10)}
    batch_norm = BatchNorm(eps=1e-5, conv_bias=True)
    return Definition("cifar_googlenet", "pytorch-cifar's googlenet", stages, head, batch_norm=batch_norm, image_size=32)


def plain_network(width: float) -> nn.Module:
    """The same network as people write it; filter counts are scaled as `create_model` scales them."""

    def scaled(count: int) -> int:
        return count if width == 1 else max(8, int(count * width / 8 + 0.5) * 8)

    layers: list[nn.Module] = [unit(3, scaled(192), 3)]
    channels = scaled(192)
    for name, columns in MODULES.items():
        module = Inception(channels, *map(scaled, columns))
        layers.append(module)
        channels = module.channels
        if name in POOLED:
            layers.append(nn.MaxPool2d(3, stride=2, padding=1))
    return nn.Sequential(*layers, nn.AvgPool2d(8), nn.Flatten(), nn.Linear(channels, 10))


def unit(channels: int, filters: int, kernel: int) -> nn.Sequential:
    conv = nn.Conv2d(channels, filters, kernel, padding=kernel // 2)
    return nn.Sequential(conv, nn.BatchNorm2d(filters), nn.ReLU(inplace=True))


class Inception(nn.Module):
    def __init__(self, channels: int, c1: int, r3: int, c3: int, r5: int, c5: int, proj: int) -> None:
        super().__init__()
        self.one = unit(channels, c1, 1)
        self.three = nn.Sequential(unit(channels, r3, 1), unit(r3, c3, 3))
        self.five = nn.Sequential(unit(channels, r5, 1), unit(r5, c5, 3), unit(c5, c5, 3))
        self.pool = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), unit(channels, proj, 1))
        self.channels = c1 + c3 + c5 + proj

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.one(x), self.three(x), self.five(x), self.pool(x)], dim=1)
