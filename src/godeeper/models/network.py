"""A definition as a torch module."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import torch
from torch import Tensor, nn

from ..errors import GodeeperError, unknown
from ..papers.describe import check_size, minimum_size
from ..papers.notation import Definition
from ..papers.shape import FeatureShape
from ..preprocess import Preprocess
from .build import build_stages, initialise

Module = TypeVar("Module", bound=nn.Module)


class Network(nn.Module):
    """A network of the papers: stages, then the head; logits in training as in evaluation.

    `aux=True` attaches the auxiliary heads, of networks that have some, as `auxiliary`, each with its own logits; only the
    training loss runs them.
    `classes` and `preprocess` travel with saved weights; `arguments` are what `create_model` was given.
    """

    def __init__(self, definition: Definition, *, aux: bool = False) -> None:
        super().__init__()
        self.definition = definition
        start = FeatureShape(definition.in_channels, definition.image_size, definition.image_size)
        self.stages, shapes = build_stages(definition.stages, start, definition.batch_norm)
        last = shapes[next(reversed(shapes))]
        self.head, _ = build_stages(definition.head, last, definition.batch_norm)
        self.auxiliary = nn.ModuleDict()
        for name, head in definition.auxiliary.items() if aux else ():
            self.auxiliary[name], _ = build_stages(head.stages, shapes[head.on], definition.batch_norm)
        self.minimum_size = minimum_size(definition)
        self.classes: tuple[str, ...] | None = None
        self.preprocess = Preprocess.of(definition.image_size)
        self.arguments: dict[str, object] = {}
        self._sizes: set[torch.Size] = set()  # of images, known to fit
        initialise(self)

    def features(self, x: Tensor, taps: Iterable[str] = ()) -> tuple[Tensor, dict[str, Tensor]]:
        """Images (N, C, H, W) -> the last stage's output, and that of each stage named in `taps`.

        GodeeperError for an unknown tap, a wrong number of channels, and images below the minimum size.
        """
        self._check(x, self.minimum_size)
        wanted = set(taps)
        for name in wanted - set(self.stages):
            raise unknown("stage", name, self.stages)
        tapped = {}
        for name, stage in self.stages.items():
            x = stage(x)
            if name in wanted:
                tapped[name] = x
        return x, tapped

    def classify(self, features: Tensor) -> Tensor:
        """The last stage's output -> logits (N, classes)."""
        return _run(self.head.values(), features)

    def embed(self, x: Tensor) -> Tensor:
        """Images (N, C, H, W) -> what the classifier sees, (N, units), by which images can be compared."""
        features, _ = self.features(x)
        return _run(list(self.head.values())[:-1], features).flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, C, H, W), normalised -> logits (N, classes)."""
        features, _ = self.features(x)
        return self.classify(features)

    def with_auxiliary(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Images -> logits, and the logits of each auxiliary head: what the training loss needs."""
        self._check(x, minimum_size(self.definition, heads=len(self.auxiliary) > 0))
        taps = {name: self.definition.auxiliary[name].on for name in self.auxiliary}
        features, tapped = self.features(x, taps.values())
        return self.classify(features), {
            name: _run(head.values(), tapped[taps[name]])  # type: ignore[operator]
            for name, head in self.auxiliary.items()
        }

    @property
    def num_classes(self) -> int:
        """The number of logits."""
        linear = [module for module in self.head.modules() if isinstance(module, nn.Linear)][-1]
        return linear.out_features

    def _check(self, x: Tensor, minimum: int) -> None:
        if x.ndim != 4 or x.shape[1] != self.definition.in_channels:
            raise GodeeperError(
                f"{self.definition.name} takes images of shape (N, {self.definition.in_channels}, H, W), not {tuple(x.shape)}"
            )
        if min(x.shape[2:]) < minimum:
            height, width = x.shape[2:]
            heads = " with auxiliary heads" if minimum > self.minimum_size else ""
            raise GodeeperError(
                f"{self.definition.name}{heads} takes images of at least {minimum}x{minimum} pixels, not {height}x{width}"
            )
        if not torch.compiler.is_compiling() and x.shape[2:] not in self._sizes:
            check_size(self.definition, *x.shape[2:])
            self._sizes.add(x.shape[2:])


def _run(stages: Iterable[nn.Module], x: Tensor) -> Tensor:
    for stage in stages:
        x = stage(x)
    return x


def count_parameters(network: nn.Module) -> int:
    """All trainable numbers of a network."""
    return sum(parameter.numel() for parameter in network.parameters())


def device_of(network: nn.Module) -> torch.device:
    """Where the network's weights are."""
    return next(network.parameters()).device


def best_device() -> torch.device:
    """The accelerator where there is one, else the CPU."""
    return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")


def to_device(network: Module, device: torch.device | str) -> Module:
    """The same network, there, in the memory format that is fastest on every processor we measured (channels_last)."""
    return network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
