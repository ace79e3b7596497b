"""Networks whose every part shows in their answers, and images that are told apart by them."""

import torch
from torch import Tensor, nn


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
