"""What makes several processes compute what one would: batch norm over all their images, dropout drawn for all of them."""

from __future__ import annotations

from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn import functional as F


def share_batches(network: nn.Module, accelerator: Accelerator, sync_batch_norm: bool) -> None:
    """Exchanges, in place, the modules that see a whole batch: dropout, and batch norm where that is asked for.

    Names, parameters and statistics stay as they are. The r-th of n processes holds images r, r + n, r + 2n ... of each batch.
    """
    rank, ranks = accelerator.process_index, accelerator.num_processes
    for parent in list(network.modules()):
        for name, module in list(parent.named_children()):
            if type(module) is nn.Dropout:
                setattr(parent, name, SharedDropout(module.p, rank, ranks))
            elif ranks > 1 and sync_batch_norm and type(module) is nn.BatchNorm1d:
                setattr(parent, name, _with_state_of(module, SharedBatchNorm1d))
            elif ranks > 1 and sync_batch_norm and type(module) is nn.BatchNorm2d:
                setattr(parent, name, _with_state_of(module, SharedBatchNorm2d))


def _with_state_of(module: nn.BatchNorm1d | nn.BatchNorm2d, kind: type[nn.BatchNorm1d | nn.BatchNorm2d]) -> nn.Module:
    """A batch norm of that kind that has the parameters and statistics of `module`, not copies of them."""
    shared = kind(module.num_features, module.eps, module.momentum, module.affine, device="meta")
    for name, parameter in module.named_parameters():
        setattr(shared, name, parameter)
    for name, buffer in module.named_buffers():
        setattr(shared, name, buffer)
    return shared.train(module.training)


class SharedDropout(nn.Dropout):
    """Dropout whose numbers are drawn for the batch of all processes, of which each uses its share."""

    def __init__(self, ratio: float, rank: int, ranks: int) -> None:
        super().__init__(ratio)
        self.rank, self.ranks = rank, ranks

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        if not self.training or not self.p:
            return input
        kept = torch.rand(len(input) * self.ranks, *input.shape[1:], device=input.device)[self.rank :: self.ranks] >= self.p
        return input * kept / (1 - self.p)


class _Sum(torch.autograd.Function):
    """The sum over processes, of values as of gradients."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        values = values.clone()
        dist.all_reduce(values)
        return values

    @staticmethod
    def backward(ctx: Any, gradients: Tensor) -> Tensor:
        gradients = gradients.clone()
        dist.all_reduce(gradients)
        return gradients


def _shared(module: nn.BatchNorm1d | nn.BatchNorm2d, x: Tensor) -> Tensor:
    """Batch norm of x (N, C, ...) with the mean and variance over all processes; torch's own does this on GPUs only."""
    if not module.training:
        return F.batch_norm(x, module.running_mean, module.running_var, module.weight, module.bias, eps=module.eps)
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    axes = [0, *range(2, x.ndim)]
    shape = [1, -1, *[1] * (x.ndim - 2)]
    count = torch.full_like(wide[0, 0].flatten()[:1], wide.numel() / wide.shape[1])
    total = _Sum.apply(torch.cat([wide.sum(axes), count]))
    pixels = total[-1].detach()
    mean = total[:-1] / pixels
    centred = wide - mean.view(shape)
    variance = _Sum.apply(centred.square().sum(axes)) / pixels
    with torch.no_grad():
        assert module.running_mean is not None
        assert module.running_var is not None
        assert module.num_batches_tracked is not None
        module.num_batches_tracked.add_(1)
        momentum = module.momentum or 0.0
        module.running_mean.lerp_(mean, momentum)
        module.running_var.lerp_(variance * pixels / (pixels - 1).clamp(min=1), momentum)
    normalised = centred * torch.rsqrt(variance + module.eps).view(shape)
    if module.affine:
        normalised = normalised * module.weight.view(shape) + module.bias.view(shape)
    result: Tensor = normalised.to(x.dtype)
    return result


class SharedBatchNorm1d(nn.BatchNorm1d):
    """Batch norm with the statistics of all processes' images: (N, C)."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        return _shared(self, input)


class SharedBatchNorm2d(nn.BatchNorm2d):
    """Batch norm with the statistics of all processes' images: (N, C, H, W)."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        return _shared(self, input)
