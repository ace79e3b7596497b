"""Training states on disk: each is written atomically and carries its checksum, and the last two are kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import BadCheckpoint, GodeeperError
from ..fields import quoted, whole
from ..tensor_files import load_tensors, save_tensors

KEEP = 2
MOST_STEPS = 2**53  # or epochs


@dataclass(frozen=True)
class State:
    """All that a step of training changes, and what the network is."""

    network: nn.Module
    average: nn.Module
    optimizer: torch.optim.Optimizer
    spec: Mapping[str, Any] = field(default_factory=dict)  # as JSON
    recipe: Mapping[str, Any] = field(default_factory=dict)  # as JSON; a run keeps that which it began with


@dataclass(frozen=True)
class Position:
    """Where a run stands: epochs done, steps done of the next one, and that epoch's sums so far."""

    epoch: int = 0
    step: int = 0
    totals: Mapping[str, Any] = field(default_factory=dict)


def save_checkpoint(folder: Path, position: Position, state: State) -> None:
    """Writes the state at `position`, then removes all but the newest `KEEP`."""
    tensors = _parts(state)
    notes = {"epoch": position.epoch, "step": position.step, "totals": position.totals}
    notes |= {"spec": state.spec, "recipe": state.recipe}
    path = folder / f"epoch-{position.epoch:05d}-step-{position.step:07d}.safetensors"
    save_tensors(path, tensors, notes)
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
            tensors, notes = load_tensors(path)
        except BadCheckpoint as error:
            if path == files[0]:
                raise BadCheckpoint(f"{error}; no whole checkpoint is left: begin again with another --out") from None
            say(f"{error}; going on from the checkpoint before")
            with suppress(FileNotFoundError):  # another process may have done it; aside, so that whole ones are kept, not this
                path.rename(path.with_name(f"damaged-{path.name}"))
            continue
        if notes.get("spec") != state.spec:
            raise BadCheckpoint(f"{str(path)!r} is a checkpoint of another network than the run's")
        _check_recipe(path, notes.get("recipe"), state.recipe)
        position = _position(path, notes)
        _fill(path, tensors, state)
        return position
    return Position()


def _position(path: Path, notes: Mapping[str, Any]) -> Position:
    """BadCheckpoint, naming the note, for one that says no position."""
    try:
        epoch, step = (whole(name, notes.get(name), 0, MOST_STEPS) for name in ("epoch", "step"))
        if not isinstance(notes.get("totals"), dict):
            raise GodeeperError(f"totals is {quoted(notes.get('totals'))}: it must be an object")
    except GodeeperError as error:
        raise BadCheckpoint(f"{str(path)!r} is damaged: {error}") from None
    return Position(epoch, step, notes["totals"])


def _check_recipe(path: Path, then: Any, now: Mapping[str, Any]) -> None:
    """BadCheckpoint, naming old and new values, where the recipe was edited after a checkpoint; older ones do not have it."""
    now = json.loads(json.dumps(now))
    then = then if isinstance(then, dict) else now
    differing = [name for name, value in then.items() if name in now and now[name] != value]
    changed = [f"{name} was {quoted(then[name])}, is now {quoted(now[name])}" for name in differing]
    if changed:
        raise BadCheckpoint(
            f"the run of {str(path)!r} keeps the recipe it began with, and its recipe.json was edited: {'; '.join(changed)}: put "
            "that back to go on, or begin a new run with --weights"
        )


def _parts(state: State) -> dict[str, Tensor]:
    tensors = {f"network.{name}": tensor for name, tensor in state.network.state_dict().items()}
    tensors |= {f"average.{name}": tensor for name, tensor in state.average.state_dict().items()}
    for name, parameter in state.network.named_parameters():
        for key, value in state.optimizer.state.get(parameter, {}).items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{name}.{key}"] = value
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _fill(path: Path, tensors: dict[str, Tensor], state: State) -> None:
    network, parameters = state.network, dict(state.network.named_parameters())
    momenta = _under(tensors, "optimizer")
    _check_same(path, _under(tensors, "network"), network.state_dict())
    _check_same(path, _under(tensors, "average"), state.average.state_dict())
    for name, tensor in momenta.items():
        parameter = parameters.get(name.rpartition(".")[0])
        if parameter is None or _kind(tensor) != _kind(parameter):
            raise BadCheckpoint(f"{str(path)!r} does not fit: the optimizer has {name!r}, {_kind(tensor)}")
    network.load_state_dict(_under(tensors, "network"))
    state.average.load_state_dict(_under(tensors, "average"))
    for name, tensor in momenta.items():
        parameter_name, _, key = name.rpartition(".")
        parameter = parameters[parameter_name]
        # The memory format of the weights, so that a resumed run computes bit for bit what an uninterrupted one does.
        state.optimizer.state[parameter][key] = torch.empty_like(parameter, requires_grad=False).copy_(tensor)


def _check_same(path: Path, theirs: Mapping[str, Tensor], ours: Mapping[str, Tensor]) -> None:
    """BadCheckpoint, naming the first difference, for tensors of other names, shapes or types than ours."""
    for name in (*ours, *theirs):
        if name not in theirs or name not in ours:
            where = "lacks" if name in ours else "has"
            raise BadCheckpoint(f"{str(path)!r} does not fit, as it {where} {name!r}: was auxiliary_weight changed to or from 0?")
        if _kind(theirs[name]) != _kind(ours[name]):
            raise BadCheckpoint(f"{str(path)!r} does not fit: {name!r} is {_kind(theirs[name])} there, {_kind(ours[name])} here")


def _kind(tensor: Tensor) -> str:
    """Type and shape, in words."""
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"


def _under(tensors: dict[str, Tensor], kind: str) -> dict[str, Tensor]:
    return {name.removeprefix(f"{kind}."): tensor for name, tensor in tensors.items() if name.startswith(f"{kind}.")}
