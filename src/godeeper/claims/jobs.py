"""What a lab does: runs of an arm with a seed, and measurements, each once and kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from shutil import rmtree
from typing import Any, Protocol

import torch

from ..errors import GodeeperError
from ..files import atomic_write
from ..models.load import load
from ..models.network import Network, best_device, to_device
from ..models.spec import ModelSpec
from ..models.weights.read import WEIGHTS_FILE
from ..papers.notation import Definition
from ..papers.serialize import definition_as_dict
from ..tensor_files import load_tensors, save_tensors
from ..train.checkpoint import checkpoints
from ..train.loop import train
from ..train.recipe import Recipe
from ..train.run import METRICS_FILE, RECIPE_FILE, RunFolder, versions
from ..workflows.after_epoch import errors_on
from .claim_data import ClaimData
from .made_from import MadeFrom, check_same, digest, made_from, source_of
from .result_file import read_json
from .scales import Scale


@dataclass(frozen=True)
class Arm:
    """One side of a comparison: a table, and how its network is trained. The lab sets the recipe's seed."""

    name: str
    definition: Definition
    recipe: Recipe

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready, for a result: a digest of the table, and what the recipe has other than by default."""
        defaults = Recipe().as_dict()
        recipe = {name: value for name, value in self.recipe.as_dict().items() if value != defaults[name]}
        return {"table": digest(definition_as_dict(self.definition)), "recipe": json.loads(json.dumps(recipe))}


class Job(Protocol):
    """What a lab has to do, once."""

    @property
    def made_from(self) -> MadeFrom:
        """Digests of what its figures depend on."""

    @property
    def versions(self) -> dict[str, str]:
        """Of the packages that its figures were made with."""

    def check(self) -> None:
        """GodeeperError where its folder holds figures that were made from something else."""

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
        return done if (self.folder / WEIGHTS_FILE).is_file() else min(done, 0.99)

    @property
    def records(self) -> Sequence[Mapping[str, Any]]:
        """The metrics of each epoch so far."""
        return RunFolder(self.folder).metrics()

    @property
    def error(self) -> float:
        """The top-1 error (%) on the test images after the last epoch."""
        return self.curve()[-1]

    def curve(self, metric: str = "top1_error") -> list[float]:
        """A metric after each epoch; GodeeperError where somebody has edited it away."""
        values: list[Any] = [record.get(metric) for record in self.records]
        if not values or any(type(value) not in (int, float) for value in values):
            raise _not_kept(self.folder / METRICS_FILE, metric, self.folder)
        return [float(value) for value in values]

    def network(self) -> Network:
        """The averaged network, in evaluation mode, on the accelerator where there is one."""
        return to_device(load(self.folder), best_device())

    @property
    def recipe(self) -> Recipe:
        """The arm's recipe with this run's seed."""
        return replace(self.arm.recipe, seed=self.seed)

    @property
    def spec(self) -> ModelSpec:
        """The arm's table with the classes of the images."""
        spec = ModelSpec.of(self.arm.definition, aux=self.arm.recipe.auxiliary_weight > 0)
        return replace(spec, classes=self.images.open().classes)

    @property
    def made_from(self) -> MadeFrom:
        """What its figures depend on."""
        train, test, _ = self.images.fingerprint()
        return made_from(table=self.spec.as_dict(), recipe=self.recipe.as_dict(), images=[train, test])

    @property
    def versions(self) -> dict[str, str]:
        """Of the packages that it was begun with."""
        return _versions(RunFolder(self.folder).read().get("versions", {}), self.folder / RECIPE_FILE)

    def check(self) -> None:
        """GodeeperError where the folder holds a run of something else."""
        if (self.folder / RECIPE_FILE).is_file():
            check_same(self.folder, RunFolder(self.folder).read().get("made_from"), self.made_from)

    def run(self) -> None:
        splits, workers = self.images.open(), self.images.workers
        torch.manual_seed(self.seed)
        network = Network(self.spec)
        resume = (self.folder / RECIPE_FILE).is_file() and bool(checkpoints(RunFolder(self.folder).checkpoints))
        if not resume:
            rmtree(self.folder, ignore_errors=True)  # stopped before its first checkpoint
        train(
            network, splits.train, self.recipe, self.folder, evaluate=errors_on(splits.test, workers), workers=workers,
            resume=resume, trackers=(), notes={"made_from": self.made_from},
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
        return float(self._file.is_file())

    @property
    def result(self) -> dict[str, Any]:
        """What the function returned."""
        values: dict[str, Any] = self._kept["values"]
        return values | (load_tensors(self._tensors)[0] if self._tensors.is_file() else {})

    @property
    def made_from(self) -> MadeFrom:
        """What its result depends on: the function, what it is given, and the weights of the runs that it is about."""
        setting = {name: _as_plain(value) for name, value in self.setting.items()}
        sizes = {name: value for name, value in asdict(self.scale).items() if name != "cost"}
        return made_from(code=source_of(self.function), setting=setting, scale=sizes, images=self.images.fingerprint())

    @property
    def versions(self) -> dict[str, str]:
        """Of the packages that it was measured with."""
        return _versions(self._kept["versions"], self._file)

    def check(self) -> None:
        """GodeeperError where the folder holds the measurement of something else, or one that somebody has edited."""
        if self._file.is_file():
            kept = self._kept
            check_same(self.folder, kept["made_from"], self.made_from)
            if kept.get("digest", digest(kept["values"])) != digest(kept["values"]):  # older files have none
                raise _not_kept(self._file, "values", self.folder)

    @property
    def _kept(self) -> dict[str, Any]:
        kept = read_json(self._file)
        sound = isinstance(kept, dict) and all(isinstance(kept.get(name), dict) for name in ("made_from", "versions", "values"))
        return kept if sound else {"made_from": None, "versions": {}, "values": {}}

    @property
    def _file(self) -> Path:
        return self.folder / "result.json"

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
        kept = {"made_from": self.made_from, "versions": versions(), "values": values, "digest": digest(values)}
        with atomic_write(self._file) as file:  # last: where it is, all of the result is
            file.write_text(json.dumps(kept), encoding="utf-8")


def _not_kept(file: Path, what: str, folder: Path) -> GodeeperError:
    return GodeeperError(f"{str(file)!r} was edited, its {what}: remove {str(folder)!r}, and the same command makes it anew")


def _versions(values: Mapping[str, Any], file: Path) -> dict[str, str]:
    """Versions by package, of a file that somebody may have edited."""
    if any(type(version) is not str for version in values.values()):
        raise _not_kept(file, "versions", file.parent)
    return dict(values)


def _as_plain(value: Any) -> Any:
    """A setting as JSON has it: a run by what it was made from and the weights that it has."""
    if isinstance(value, ArmRun):
        weights = sha256((value.folder / WEIGHTS_FILE).read_bytes()).hexdigest()
        return {"run": value.made_from, "weights": weights}
    return [_as_plain(item) for item in value] if isinstance(value, list | tuple) else value
