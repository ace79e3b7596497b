"""Networks on disk: safetensors with the spec as metadata."""

from __future__ import annotations

import copy
from pathlib import Path

import torch

from ..errors import BadCheckpoint, GodeeperError
from ..preprocess import Preprocess
from ..tensor_files import save_tensors
from .network import Network, network_of
from .weights.fill import fill
from .weights.read import read_weights


def save(network: Network, path: str | Path) -> None:
    """Writes the network's weights and its spec, atomically; auxiliary heads, which serve training only, stay behind.

    A network in torch.compile's, DataParallel's or DistributedDataParallel's wrapping is saved as itself. OSError where the file
    cannot be written, GodeeperError for what is no network.
    """
    network = network_of(network)
    kept = {name: tensor for name, tensor in network.state_dict().items() if not name.startswith("auxiliary.")}
    spec = network.spec.as_dict() | {"aux": False}
    save_tensors(Path(path), kept, {"spec": spec})


def load(source: str | Path, *, preprocess: Preprocess | str | None = None) -> Network:
    """The network of a run folder, a weights file or a published name, in evaluation mode.

    The file's own metadata says what it is; weights of other libraries are known by their names. `preprocess` is what happens to
    images, in place of what the file says or what is assumed, with a warning, where it says nothing, as Keras' files: all of it,
    or words such as "0..1,squash" (`Preprocess.adjusted`). BadCheckpoint where there are none, or they cannot be read;
    GodeeperError where they cannot be fetched.
    """
    weights = read_weights(source, preprocess=preprocess)
    try:
        with torch.device("meta"):  # no memory, and no fresh weights, before the file's are known to fit
            network = Network(weights.spec)
    except (GodeeperError, TypeError, ValueError, KeyError, RuntimeError, OverflowError) as error:
        raise BadCheckpoint(f"{str(weights.file)!r} describes a network that cannot be built: {error}") from None
    fill(network, weights)
    return network.eval()


def open_network(model: Network | str | Path) -> Network:
    """The network itself, out of its wrapping, where one is given; else that of a run folder, weights file or published name.

    Of a network in another precision than float32, in which images come, it is a copy in that.
    """
    if isinstance(model, str | Path):
        return load(model)
    network = network_of(model)
    floats = {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    return network if floats else copy.deepcopy(network).float()
