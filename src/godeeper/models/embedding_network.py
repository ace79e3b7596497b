"""A network up to its embedding: what engines run where vectors are asked for, not logits."""

from __future__ import annotations

from math import prod

from torch import nn

from ..errors import unknown
from ..papers.notation import AvgTo
from ..papers.shape import FeatureShape, stage_output
from .build import AveragePool
from .network import Network


class EmbeddingNetwork(Network):
    """Shares the modules of `network`, which stays as it is, and gives embeddings (N, units) in the place of logits.

    They are what the classifier sees: the last pool's averages, or what comes after them in the head. With `layer`, a stage's
    name, they are its output (N, C, H, W) averaged over positions. GodeeperError for an unknown stage.
    """

    def __init__(self, network: Network, layer: str | None = None) -> None:
        nn.Module.__init__(self)
        if layer is not None and layer not in network.stages:
            raise unknown("layer", layer, network.stages)
        self.spec, self.minimum_size, self._sizes = network.spec, network.minimum_size, set()
        names = list(network.stages)
        kept = names if layer is None else names[: names.index(layer) + 1]
        self.stages = nn.ModuleDict({name: network.stages[name] for name in kept})
        pool: dict[str, nn.Module] = {"avgpool": AveragePool(AvgTo(1))}
        head = dict(list(network.head.items())[:-1]) if layer is None else pool
        self.head = nn.ModuleDict({**head, "flatten": nn.Flatten()})
        self.auxiliary = nn.ModuleDict()
        self._outputs = _units(network, layer)

    @property
    def outputs(self) -> int:
        """The number of units of an embedding."""
        return self._outputs


def _units(network: Network, layer: str | None) -> int:
    """The length of an embedding, from the table."""
    definition, size = network.definition, network.preprocess.image_size
    shape = FeatureShape(definition.in_channels, size, size)
    for name, stage in definition.stages.items():
        shape, _ = stage_output(stage, shape, definition.batch_norm)
        if name == layer:
            return shape.channels
    for stage in list(definition.head.values())[:-1]:
        shape, _ = stage_output(stage, shape, definition.batch_norm)
    return prod(shape.chw)
