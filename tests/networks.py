"""Networks whose every part shows in their answers, and images that are told apart by them."""

from collections.abc import Iterable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

# One of each kind: normalised responses and heads; batch norm; pools that round up; valid padding and branches within branches;
# residual blocks and a normed embedding; fully connected rows.
REPRESENTATIVE = (
    "googlenet", "googlenet_bn", "bn_inception_caffe", "inception_v4", "inception_resnet_v1_facenet", "alexnet",
)  # fmt: skip


def representative(names: Iterable[str], few: Iterable[str] = REPRESENTATIVE) -> list[Any]:
    """The names as parameters of a test: `few` of them in `make test`, all in `make test-all`."""
    return [pytest.param(name, marks=() if name in few else pytest.mark.slow) for name in names]


def images(size: int, count: int = 2, channels: int = 3) -> Tensor:
    """Noise, each image brighter and of more contrast than the one before."""
    scale = torch.linspace(1, 3, count).view(-1, 1, 1, 1)
    return (torch.randn(count, channels, size, size, generator=torch.Generator().manual_seed(size)) + 0.5) * scale


@torch.no_grad()
def alive(module: nn.Module) -> nn.Module:
    """The module in evaluation, every statistic, scale, shift and bias away from where it starts."""
    for key, tensor in module.state_dict().items():
        leaf = key.rpartition(".")[2]
        if leaf == "running_var" or (leaf == "weight" and tensor.ndim == 1):
            tensor.uniform_(0.5, 1.5)
        elif leaf in ("running_mean", "bias"):
            tensor.normal_(0, 0.2)
        elif key.startswith("head.linear"):
            tensor.normal_(0, (1 / tensor.shape[1]) ** 0.5)
    return module.eval()
