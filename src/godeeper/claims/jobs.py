"""What a lab does: runs of an arm with a seed, and measurements, each once and kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import rmtree
from typing import Any, Protocol

import torch

from ..errors import GodeeperError
from ..files import atomic_write
from ..models.load import load
from ..models.network import Network, best_device, to_device
from ..models.spec import ModelSpec
from ..papers.notation import Definition
from ..tensor_files import load_tensors, save_tensors
from ..train.loop import train
from ..train.recipe import Recipe
from ..train.run import RunFolder
from ..workflows.after_epoch import errors_on
from .claim_data import ClaimData
from .result_file import read_json
from .scales import Scale


@dataclass(frozen=True)
class Arm:
    """One side of a comparison: a table, and how its network is trained. The lab sets the recipe's seed."""

    name: str
    definition: Definition
    recipe: Recipe


class Job(Protocol):
    """What a lab has to do, once."""

    @property
    def progress(self) -> float:
        """How much of it is done, in 0..1."""

    def run(self) -> None:
        """Does it, or resumes it."""


@dataclass(frozen=True)
class ArmRun:
    """A training run: an arm with a seed, in a run folder."""

    folder: Path
    arm: Arm
    seed: int
    images: ClaimData
    scale: Scale

    @property
    def progress(self) -> float:
        done = len(self.records) / self.arm.recipe.epochs
        return done if (self.folder / "model.safetensors").is_file() else min(done, 0.99)

    @property
    def records(self) -> Sequence[Mapping[str, Any]]:
        """The metrics of each epoch so far."""
        return RunFolder(self.folder).metrics() if (self.folder / "metrics.jsonl").is_file() else []

    @property
    def error(self) -> float:
        """The top-1 error (%) on the test images after the last epoch."""
        return float(self.records[-1]["top1_error"])

    def curve(self, metric: str = "top1_error") -> list[float]:
        """A metric after each epoch."""
        return [float(record[metric]) for record in self.records]

    def network(self) -> Network:
        """The averaged network, in evaluation mode, on the accelerator where there is one."""
        return to_device(load(self.folder), best_device())

    @property
    def recipe(self) -> Recipe:
        """The arm's recipe with this run's seed."""
        return replace(self.arm.recipe, seed=self.seed)

    def check(self) -> None:
        """GodeeperError where the folder holds a run by another recipe."""
        file = self.folder / "recipe.json"
        if file.is_file() and RunFolder(self.folder).read()["recipe"] != json.loads(json.dumps(self.recipe.as_dict())):
            raise GodeeperError(f"{str(self.folder)!r} holds a run by another recipe: name another folder with --out")

    def run(self) -> None:
        splits, workers = self.images.open(), self.images.workers
        torch.manual_seed(self.seed)
        spec = ModelSpec.of(self.arm.definition, aux=self.arm.recipe.auxiliary_weight > 0)
        network = Network(replace(spec, classes=splits.classes))
        resume = (self.folder / "recipe.json").is_file() and any((self.folder / "checkpoints").glob("*.safetensors"))
        if not resume:
            rmtree(self.folder, ignore_errors=True)  # stopped before its first checkpoint
        train(
            network, splits.train, self.recipe, self.folder, evaluate=errors_on(splits.test, workers), workers=workers,
            resume=resume, trackers=(),
        )  # fmt: skip


@dataclass(frozen=True)
class Measurement:
    """A function of a setting and a seed, whose result is kept: plain data, and tensors."""

    folder: Path
    function: Callable[..., dict[str, Any]]
    setting: Mapping[str, Any]
    images: ClaimData
    scale: Scale

    @property
    def progress(self) -> float:
        return float((self.folder / "result.json").is_file())

    @property
    def result(self) -> dict[str, Any]:
        """What the function returned."""
        values: dict[str, Any] = read_json(self.folder / "result.json")
        return values | (load_tensors(self._tensors)[0] if self._tensors.is_file() else {})

    @property
    def _tensors(self) -> Path:
        """Numbers by the million, which JSON would make ten times as large."""
        return self.folder / "result.safetensors"

    def run(self) -> None:
        result = self.function(self.images, self.scale, **self.setting)
        tensors = {name: value for name, value in result.items() if isinstance(value, torch.Tensor)}
        self.folder.mkdir(parents=True, exist_ok=True)
        if tensors:
            save_tensors(self._tensors, tensors, {})
        values = {name: value for name, value in result.items() if name not in tensors}
        with atomic_write(self.folder / "result.json") as file:  # last: where it is, all of the result is
            file.write_text(json.dumps(values), encoding="utf-8")
