"""The network that a spec describes, as a torch module."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.fx import Proxy

from ..errors import GodeeperError, unknown
from ..papers.describe import check_size, minimum_size
from ..papers.notation import Definition
from ..papers.shape import FeatureShape
from ..preprocess import Preprocess
from .build import build_stages, initialise
from .spec import ModelSpec

Module = TypeVar("Module", bound=nn.Module)


class Network(nn.Module):
    """A network of the papers: stages, then the head; logits in training as in evaluation.

    With `aux`, the auxiliary heads of a network that has some are attached as `auxiliary`, each with its own logits; only the
    training loss runs them. `spec` says what the network is and travels with saved weights.
    """

    def __init__(self, spec: ModelSpec | Definition, *, aux: bool = False) -> None:
        super().__init__()
        self.spec = spec if isinstance(spec, ModelSpec) else ModelSpec.of(spec, aux=aux)
        definition = self.definition
        start = FeatureShape(definition.in_channels, definition.image_size, definition.image_size)
        self.stages, shapes = build_stages(definition.stages, start, definition.batch_norm)
        last = shapes[next(reversed(shapes))]
        self.head, _ = build_stages(definition.head, last, definition.batch_norm)
        self.auxiliary = nn.ModuleDict()
        if self.spec.aux:
            for name, aux_head in definition.auxiliary.items():
                self.auxiliary[name], _ = build_stages(aux_head.stages, shapes[aux_head.on], definition.batch_norm)
        self.minimum_size = minimum_size(definition)
        self._sizes: set[tuple[int, int]] = set()  # of images, known to fit
        initialise(self)

    @property
    def definition(self) -> Definition:
        """The architecture: the whole table."""
        return self.spec.definition

    @property
    def num_classes(self) -> int:
        """The number of logits."""
        return self.spec.num_classes

    @property
    def outputs(self) -> int:
        """How many numbers a forward pass gives for an image: its logits."""
        return self.num_classes

    @property
    def classes(self) -> tuple[str, ...] | None:
        """What the classes are called; None where nobody has named them. GodeeperError for another number of names."""
        return self.spec.classes

    @classes.setter
    def classes(self, names: Sequence[str] | None) -> None:
        self.spec = replace(self.spec, classes=None if names is None else tuple(names))

    @property
    def preprocess(self) -> Preprocess:
        """What happens to images before the network sees them."""
        return self.spec.preprocess

    @preprocess.setter
    def preprocess(self, preprocess: Preprocess) -> None:
        self.spec = replace(self.spec, preprocess=preprocess)

    def features(self, x: Tensor, taps: Iterable[str] = ()) -> tuple[Tensor, dict[str, Tensor]]:
        """Images (N, C, H, W) -> the last stage's output (timm's `forward_features`), and that of each stage named in `taps`.

        GodeeperError for an unknown tap, a wrong number of channels, and images below the minimum size.
        """
        self._check(x, self.minimum_size)
        taps = set(taps)
        for name in taps - set(self.stages):
            raise unknown("stage", name, self.stages)
        tapped = {}
        for name, stage in self.stages.items():
            x = stage(x)
            if name in taps:
                tapped[name] = x
        return x, tapped

    def classify(self, features: Tensor) -> Tensor:
        """The last stage's output -> logits (N, classes): timm's `forward_head`."""
        return _run(self.head.values(), features)

    def embed(self, x: Tensor) -> Tensor:
        """Images (N, C, H, W), normalised -> what the classifier sees, (N, units), by which images can be compared."""
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

    def _check(self, x: Tensor, minimum: int) -> None:
        if isinstance(x, Proxy):  # torch.fx traces the network: there is no image
            return
        name, channels = self.definition.name, self.definition.in_channels
        if x.ndim != 4 or x.shape[1] != channels:
            raise GodeeperError(f"{name} takes images of shape (N, {channels}, H, W), not {tuple(x.shape)}")
        if min(x.shape[2:]) < minimum:
            height, width = x.shape[2:]
            heads = " with auxiliary heads" if minimum > self.minimum_size else ""
            raise GodeeperError(f"{name}{heads} takes images of at least {minimum}x{minimum} pixels, not {height}x{width}")
        if torch.compiler.is_compiling():
            return
        size = int(x.shape[2]), int(x.shape[3])  # torch.jit.trace has tensors in place of numbers
        if size not in self._sizes:
            check_size(self.definition, *size)
            self._sizes.add(size)


def _run(stages: Iterable[nn.Module], x: Tensor) -> Tensor:
    for stage in stages:
        x = stage(x)
    return x


def unwrapped(module: Any) -> Any:
    """What torch.compile, DataParallel or DistributedDataParallel wrap, as often as they do; anything else as it is."""
    while isinstance(module, nn.Module):
        if isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
            module = module.module
        elif list(module._modules) == ["_orig_mod"]:  # of torch.compile, whose own class takes a second to import
            module = module._modules["_orig_mod"]
        else:
            break
    return module


def network_of(module: object) -> Network:
    """The network that is given, out of its wrapping; GodeeperError for what is none of ours."""
    network = unwrapped(module)
    if not isinstance(network, Network):
        raise GodeeperError(f"a {type(network).__name__} is no network of godeeper: give one that create_model or load has made")
    return network


def count_parameters(network: nn.Module) -> int:
    """The number of parameters, frozen ones included."""
    return sum(parameter.numel() for parameter in network.parameters())


def device_of(network: nn.Module) -> torch.device:
    """Where the network's weights are."""
    return next(network.parameters()).device


def best_device() -> torch.device:
    """The accelerator where there is one, else the CPU."""
    return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")


def to_device(network: Module, device: torch.device | str) -> Module:
    """Moves the network to `device`, in the memory format that is fastest on every processor we measured (channels_last)."""
    return network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
