"""A name -> a network."""

from __future__ import annotations

from pathlib import Path

from ..papers.registry import definition, variant
from .network import Network


def create_model(
    name: str,
    *,
    num_classes: int = 1000,
    in_channels: int = 3,
    width: float = 1.0,
    small: bool = False,
    aux: bool = False,
    weights: str | Path | None = None,
) -> Network:
    """The network of that name, with fresh weights or those of `weights` (a safetensors file of ours, or a run folder).

    `width` scales every filter count (to multiples of 8), `small` drops the stem's strides for pictures of 64 pixels and
    less, `aux` attaches the auxiliary heads. GodeeperError for a bad argument, BadCheckpoint for weights of another network.
    """
    table = variant(definition(name), num_classes=num_classes, in_channels=in_channels, width=width, small=small)
    network = Network(table, aux=aux)
    network.arguments = {
        "name": name, "num_classes": num_classes, "in_channels": in_channels, "width": width, "small": small,
    }  # fmt: skip
    if weights is not None:
        from .weights import load_into

        load_into(network, Path(weights))
    return network
