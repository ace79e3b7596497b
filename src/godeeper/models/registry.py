"""A name -> a network."""

from __future__ import annotations

from pathlib import Path

from ..papers.registry import definition, variant
from .network import Network


def create_model(
    name: str,
    *,
    num_classes: int | None = None,
    in_channels: int = 3,
    width: float = 1.0,
    small: bool = False,
    aux: bool = False,
    weights: str | Path | None = None,
) -> Network:
    """The network of that name, with fresh weights or those of `weights`: a run folder, a weights file or a published name.

    `num_classes` is by default that of the weights, or 1000; where the two differ, every classifier is a fresh one, and that
    is said. `width` scales every filter count (to multiples of 8), `small` drops the stem's strides for images of 64 pixels
    and less, `aux` attaches the auxiliary heads. GodeeperError for a bad argument, BadCheckpoint for weights that do not fit.
    """
    original = definition(name)
    given = 1000 if num_classes is None else num_classes
    variant(original, num_classes=given, in_channels=in_channels, width=width)  # refuses before anything is fetched
    read = None
    if weights is not None:
        from .weights import fill, read_weights

        read = read_weights(weights, name)
    if num_classes is None:
        num_classes = read.arguments["num_classes"] if read else 1000
    table = variant(original, num_classes=num_classes, in_channels=in_channels, width=width, small=small)
    network = Network(table, aux=aux)
    network.arguments = {
        "name": name, "num_classes": num_classes, "in_channels": in_channels, "width": width, "small": small,
    }  # fmt: skip
    if read is not None:
        fill(network, read)
    return network
