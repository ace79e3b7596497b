"""Training states on disk: each appears whole or not at all; the last two are kept."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ..errors import BadCheckpoint
from ..models.files import load_tensors, save_tensors
from ..models.network import Network

KEEP = 2


def _parts(network: Network, average: Network, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    tensors |= {f"average.{name}": tensor for name, tensor in average.state_dict().items()}
    for name, parameter in network.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{name}.{key}"] = value
    return tensors


def save_checkpoint(folder: Path, epoch: int, network: Network, average: Network, optimizer: torch.optim.Optimizer) -> None:
    """Writes the state after `epoch` epochs, then removes all but the newest `KEEP`."""
    path = folder / f"epoch-{epoch:05d}.safetensors"
    save_tensors(path, _parts(network, average, optimizer), {"epoch": epoch, "model": network.arguments})
    for old in checkpoints(folder)[:-KEEP]:
        old.unlink()


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in a folder, oldest first."""
    return sorted(folder.glob("epoch-*.safetensors"))


def load_newest(folder: Path, network: Network, average: Network, optimizer: torch.optim.Optimizer) -> int:
    """Brings everything back to the newest checkpoint and returns the epochs done, 0 where there is none yet.

    BadCheckpoint where it cannot be read, or is of another model.
    """
    found = checkpoints(folder)
    if not found:
        return 0
    path = found[-1]
    try:
        tensors, notes = load_tensors(path)
    except BadCheckpoint as error:
        raise BadCheckpoint(f"{error}; remove it to go on with the one before" if len(found) > 1 else str(error)) from None
    if notes.get("model") != network.arguments:
        raise BadCheckpoint(f"{str(path)!r} is a checkpoint of {notes.get('model')}, not of {network.arguments}")
    parameters = dict(network.named_parameters())
    try:
        network.load_state_dict(_under(tensors, "network"))
        average.load_state_dict(_under(tensors, "average"))
    except RuntimeError:
        raise BadCheckpoint(f"{str(path)!r} does not fit: was auxiliary_weight changed to or from 0?") from None
    for name, tensor in _under(tensors, "optimizer").items():
        parameter_name, _, key = name.rpartition(".")
        parameter = parameters[parameter_name]
        # The memory format of the weights, so that a resumed run computes bit for bit what an uninterrupted one does.
        optimizer.state[parameter][key] = torch.empty_like(parameter, requires_grad=False).copy_(tensor)
    return int(notes["epoch"])


def _under(tensors: dict[str, Tensor], kind: str) -> dict[str, Tensor]:
    return {name.removeprefix(f"{kind}."): tensor for name, tensor in tensors.items() if name.startswith(f"{kind}.")}
