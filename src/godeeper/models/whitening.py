"""A first convolution that makes pixels uncorrelated: computed from training images once, then fixed."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..papers.notation import Whitening

EPSILON = 5e-4  # added to variances, so that what hardly varies is not blown up


class WhiteningConv(nn.Conv2d):
    """The convolution of a `Whitening` row: (N, C, H, W) -> (N, 2 * C * kernel**2, H', W').

    Its filters are no parameters but a buffer: no optimiser moves them. They are random until `fit` computes them.
    """

    def __init__(self, row: Whitening, channels: int) -> None:
        super().__init__(channels, row.filters(channels), row.sides, row.stride, row.margins)
        weight = self.weight.data
        del self.weight
        self.register_buffer("weight", weight)

    @torch.no_grad()
    def fit(self, images: Tensor) -> None:
        """Computes the filters from images (N, C, H, W) as the network sees them: with more patches than a patch has values."""
        height, width = self.weight.shape[2:]
        patches = images.float().unfold(2, height, 1).unfold(3, width, 1)  # (N, C, H', W', height, width)
        values = patches.permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(0, 2)  # (patches, C * height * width)
        values = values - values.mean(0)
        variances, components = torch.linalg.eigh(values.double().T @ values.double() / len(values))
        filters = (components / (variances + EPSILON).sqrt()).T.flip(0)  # the strongest component first
        filters = filters.view(-1, *self.weight.shape[1:])
        self.weight.copy_(torch.cat([filters, -filters]))

    @property
    def fitted(self) -> bool:
        """Whether `fit` computed the filters: then half of them are the negatives of the others."""
        first, second = self.weight.chunk(2)
        return torch.equal(first, -second)


def unfitted_whitening(network: nn.Module) -> list[WhiteningConv]:
    """The whitening convolutions of a network that wait for images."""
    layers: list[Any] = [layer for layer in network.modules() if isinstance(layer, WhiteningConv)]
    return [layer for layer in layers if not layer.fitted]
