"""Networks on disk: safetensors with the spec as metadata."""

from __future__ import annotations

from pathlib import Path

import torch

from ..errors import BadCheckpoint, GodeeperError
from ..tensor_files import save_tensors
from .network import Network
from .weights.fill import fill
from .weights.read import read_weights


def save(network: Network, path: str | Path) -> None:
    """Writes the network's weights and its spec, atomically; auxiliary heads, which serve training only, stay behind.

    OSError where the file cannot be written.
    """
    kept = {name: tensor for name, tensor in network.state_dict().items() if not name.startswith("auxiliary.")}
    spec = network.spec.as_dict() | {"aux": False}
    save_tensors(Path(path), kept, {"spec": spec})


def load(source: str | Path) -> Network:
    """The network of a run folder, a weights file or a published name, in evaluation mode.

    The file's own metadata says what it is; weights of other libraries are known by their names. BadCheckpoint where there are
    none, or they cannot be read; GodeeperError where they cannot be fetched.
    """
    weights = read_weights(source)
    try:
        with torch.device("meta"):  # no memory, and no fresh weights, before the file's are known to fit
            network = Network(weights.spec)
    except (GodeeperError, TypeError, ValueError, KeyError, RuntimeError, OverflowError) as error:
        raise BadCheckpoint(f"{str(weights.file)!r} describes a network that cannot be built: {error}") from None
    fill(network, weights)
    return network.eval()
