"""Training states on disk: each is written atomically and carries its checksum, and the last two are kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import BadCheckpoint
from ..tensor_files import load_tensors, save_tensors

KEEP = 2


@dataclass(frozen=True)
class State:
    """All that a step of training changes, and what the network is."""

    network: nn.Module
    average: nn.Module
    optimizer: torch.optim.Optimizer
    spec: Mapping[str, Any] = field(default_factory=dict)  # as JSON


@dataclass(frozen=True)
class Position:
    """Where a run stands: epochs done, steps done of the next one, and that epoch's sums so far."""

    epoch: int = 0
    step: int = 0
    totals: Mapping[str, Any] = field(default_factory=dict)


def save_checkpoint(folder: Path, position: Position, state: State) -> None:
    """Writes the state at `position`, then removes all but the newest `KEEP`."""
    tensors = _parts(state)
    notes = {"epoch": position.epoch, "step": position.step, "totals": position.totals, "spec": state.spec}
    path = folder / f"epoch-{position.epoch:05d}-step-{position.step:07d}.safetensors"
    save_tensors(path, tensors, {**notes, "sha256": _digest(tensors, notes)})
    for old in checkpoints(folder)[:-KEEP]:
        old.unlink()


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in a folder, oldest first."""
    return sorted(folder.glob("epoch-*.safetensors"))


def load_newest(folder: Path, state: State, say: Callable[[str], None]) -> Position:
    """Brings everything back to the newest whole checkpoint and returns its position, the start where there is none yet.

    A damaged one is named by `say`, and the one before taken. BadCheckpoint where all are damaged, or of another model.
    """
    files = checkpoints(folder)
    for path in reversed(files):
        try:
            tensors, notes = _read(path)
        except BadCheckpoint as error:
            if path == files[0]:
                raise BadCheckpoint(f"{error}; no whole checkpoint is left: begin again with another --out") from None
            say(f"{error}; going on from the checkpoint before")
            with suppress(FileNotFoundError):  # another process may have done it; aside, so that whole ones are kept, not this
                path.rename(path.with_name(f"damaged-{path.name}"))
            continue
        if notes.get("spec") != state.spec:
            raise BadCheckpoint(f"{str(path)!r} is a checkpoint of another network than the run's")
        _fill(path, tensors, state)
        return Position(notes["epoch"], notes["step"], notes["totals"])
    return Position()


def _parts(state: State) -> dict[str, Tensor]:
    tensors = {f"network.{name}": tensor for name, tensor in state.network.state_dict().items()}
    tensors |= {f"average.{name}": tensor for name, tensor in state.average.state_dict().items()}
    for name, parameter in state.network.named_parameters():
        for key, value in state.optimizer.state.get(parameter, {}).items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{name}.{key}"] = value
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _digest(tensors: Mapping[str, Tensor], notes: Mapping[str, Any]) -> str:
    digest = sha256(json.dumps(notes, sort_keys=True).encode())
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    tensors, notes = load_tensors(path)
    expected = notes.pop("sha256", None)
    if expected != _digest(tensors, notes):
        raise BadCheckpoint(f"{str(path)!r} is damaged: its content does not have the checksum it was written with")
    return tensors, notes


def _fill(path: Path, tensors: dict[str, Tensor], state: State) -> None:
    network = state.network
    try:
        network.load_state_dict(_under(tensors, "network"))
        state.average.load_state_dict(_under(tensors, "average"))
    except RuntimeError:
        raise BadCheckpoint(f"{str(path)!r} does not fit: was auxiliary_weight changed to or from 0?") from None
    parameters = dict(network.named_parameters())
    for name, tensor in _under(tensors, "optimizer").items():
        parameter_name, _, key = name.rpartition(".")
        parameter = parameters[parameter_name]
        # The memory format of the weights, so that a resumed run computes bit for bit what an uninterrupted one does.
        state.optimizer.state[parameter][key] = torch.empty_like(parameter, requires_grad=False).copy_(tensor)


def _under(tensors: dict[str, Tensor], kind: str) -> dict[str, Tensor]:
    return {name.removeprefix(f"{kind}."): tensor for name, tensor in tensors.items() if name.startswith(f"{kind}.")}
