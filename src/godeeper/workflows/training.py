"""Train a classifier and leave a run folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..data.description import describe_data
from ..data.duplicates import count_identical
from ..data.open import open_data
from ..data.workers import default_workers
from ..models.load import load
from ..models.network import Network
from ..models.spec import ModelSpec
from ..models.weights.fill import name_classes
from ..train import loop
from ..train.checks import TEST_IMAGES, check_same_data
from ..train.recipe import Recipe, recipe_named
from ..train.run import RunFolder
from .after_epoch import errors_on
from .models import Model, name_of, spec_of
from .plan import Plan, check_run_folder, new_plan, read_saved, resumed_plan
from .progress import OnMessage, OnProgress, step_counter
from .starting_network import check_takes_effect, starting_network

COMMAND = "train"
DEFAULTS = {"width": 1.0, "small": False}


@dataclass(frozen=True)
class TrainResult:
    """A finished run: its folder, and what was measured after each epoch."""

    folder: Path
    metrics: list[dict[str, Any]]

    @property
    def network(self) -> Network:
        """The averaged network, in evaluation mode."""
        return load(self.folder)


def train(
    out: str | Path,
    model: Model | None = None,
    data: str | Path | None = None,
    *,
    recipe: str | None = None,
    overrides: Sequence[str] = (),
    width: float | None = None,
    small: bool | None = None,
    weights: str | Path | None = None,
    workers: int | None = None,
    resume: bool = False,
    download: bool = False,
    trackers: Sequence[str] | None = None,
    on_message: OnMessage | None = None,
    on_progress: OnProgress | None = None,
) -> TrainResult:
    """Trains `model` on `data` by a named recipe with `overrides` such as "lr=0.05", and leaves a run folder at `out`.

    `model` is a registered name, a table or spec, a SPEC.json or a run (of which the table is taken, not the weights); `weights`
    is what training starts from. The recipe is `digits` for the digits, else `standard`. With `resume`, goes on with the run in
    `out`, for which everything else is known. GodeeperError, naming the thing, for what does not go together.
    """
    out = Path(out)
    options = {
        "model": None if model is None else name_of(model), "data": None if data is None else str(data), "recipe": recipe,
        "width": width, "small": small, "weights": None if weights is None else str(weights),
    }  # fmt: skip
    plan, spec = _resumed(out, options, overrides) if resume else _new(options, model, overrides)
    source = str(plan.options["data"])
    check_run_folder(out, source, resume)
    splits = open_data(source, spec.classes if plan.resumes else None, download=download)
    check_same_data(plan.saved, splits.test, TEST_IMAGES)
    copies = "" if plan.resumes else count_identical(splits.train, splits.test)
    workers = default_workers(source) if workers is None else workers
    aux = plan.recipe.auxiliary_weight > 0
    network = starting_network(out, plan, spec, num_classes=len(splits.classes), aux=aux)
    name_classes(network, splits.classes)
    notes = plan.notes() | {"split_note": splits.split_note, TEST_IMAGES: describe_data(splits.test)}
    loop.train(
        network, splits.train, plan.recipe, out, evaluate=errors_on(splits.test, workers), workers=workers, resume=resume,
        notes=notes, trackers=trackers, on_message=on_message,
        on_step=step_counter(on_progress), first_messages=[copies] if copies else [],
    )  # fmt: skip
    return TrainResult(out, RunFolder(out).metrics())


def _resumed(out: Path, options: Mapping[str, Any], overrides: Sequence[str]) -> tuple[Plan[Recipe], ModelSpec]:
    """What the run in `out` was asked to do, and its network."""
    plan = resumed_plan(out, COMMAND, {"": Recipe}, options, DEFAULTS, overrides)
    return plan, read_saved(out, ModelSpec.from_dict, plan.saved["spec"])


def _new(options: Mapping[str, Any], model: Model | None, overrides: Sequence[str]) -> tuple[Plan[Recipe], ModelSpec]:
    """What a new run is asked to do, and the network to begin with."""
    recipe = options["recipe"] or ("digits" if options["data"] == "digits" else "standard")
    plan = new_plan(COMMAND, options, DEFAULTS | {"recipe": recipe}, recipe_named(recipe), overrides)
    spec = spec_of(model or "")
    check_takes_effect(spec, plan.recipe, overrides, options["weights"])
    return plan, spec
