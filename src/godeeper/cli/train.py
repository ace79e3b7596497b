"""`train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import GodeeperError

if TYPE_CHECKING:
    from ..models.network import Network
    from ..train.recipe import Recipe


def train_command(
    out: Annotated[Path, typer.Option(help="The run folder to make.", show_default=False)],
    model: Annotated[str | None, typer.Option(help="A model's name (see `godeeper models`).")] = None,
    data: Annotated[str | None, typer.Option(help="`digits`, a class folder, cifar10 ..., hf:OWNER/NAME, wds:SHARDS.")] = None,
    recipe: Annotated[str | None, typer.Option(help="A recipe's name; `digits` for the digits, else `standard`.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training images.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images a step, over all processes.")] = None,
    width: Annotated[float | None, typer.Option(help="Scales every filter count.")] = None,
    small: Annotated[bool | None, typer.Option("--small", help="For images of 64 pixels and less.")] = None,
    weights: Annotated[str | None, typer.Option(help="Start from these: a run folder, weights file or published name.")] = None,
    seed: Annotated[int | None, typer.Option(help="Decides everything random.")] = None,
    workers: Annotated[int | None, typer.Option(min=0, help="Processes that decode images; by default by the machine.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    download: Annotated[bool, typer.Option("--download", help="Fetch a torchvision set that is not here yet.")] = False,
    tracker: Annotated[
        list[str] | None,
        typer.Option(help="tensorboard (the default, where installed), wandb or none; may be repeated."),
    ] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help="FIELD=VALUE of the recipe; may be repeated.")] = None,
) -> None:
    """Train a model and leave a run folder."""
    given = {"model": model, "data": data, "width": width, "small": small, "weights": weights}
    shorthand = {"epochs": epochs, "batch_size": batch_size, "seed": seed}
    sets = [*(f"{name}={value}" for name, value in shorthand.items() if value is not None), *(settings or [])]
    if resume:
        plan = _resumed(out, given, recipe, sets)
    else:
        for name in ("model", "data"):
            if given[name] is None:
                raise typer.BadParameter(f"--{name} is needed (or --resume, to go on with a run)")
        plan = _fresh(given, recipe, sets)
    run(out, plan, workers, resume, download, None if tracker is None else [name for name in tracker if name != "none"])


Plan = dict[str, Any]  # model, data, width, small, weights; recipe: a Recipe; of a resumed run, classes


def _fresh(given: dict[str, Any], recipe: str | None, sets: list[str]) -> Plan:
    from ..train.recipe import recipe_named

    name = recipe if recipe is not None else ("digits" if given["data"] == "digits" else "standard")
    defaults = {"width": 1.0, "small": False}
    plan = {key: defaults.get(key) if value is None else value for key, value in given.items()}
    return {**plan, "recipe": recipe_named(name).having(sets)}


def _resumed(out: Path, given: dict[str, Any], recipe: str | None, sets: list[str]) -> Plan:
    """The plan of the run in `out`; GodeeperError where an option says otherwise."""
    from ..train.recipe import Recipe
    from ..train.run import RunFolder

    saved = RunFolder(out).read(Recipe)
    if "detect" in saved:
        raise GodeeperError(f"the run in {str(out)!r} is a detector's: go on with it by `godeeper detect train --resume`")
    if "data" not in saved:
        raise GodeeperError(f"the run in {str(out)!r} was made from Python: go on with it there, by train(..., resume=True)")
    kept = Recipe.from_dict(saved["recipe"])
    arguments = saved["model"]
    plan = {"model": arguments["name"], "data": saved["data"], "width": arguments["width"], "small": arguments["small"]}
    plan["weights"] = saved.get("weights")
    for name, value in given.items():
        if value is not None and value != plan[name]:
            raise GodeeperError(
                f"--{name} {value} differs from {plan[name]!r} of the run in {str(out)!r}: leave it out to resume"
            )
    if recipe is not None or kept.having(sets) != kept:
        raise GodeeperError(
            f"the run in {str(out)!r} keeps the recipe it began with: leave --recipe, --set and the like out to resume"
        )
    return {**plan, "recipe": kept, "classes": saved["classes"]}


def _check_apart(out: Path, data: str) -> None:
    """GodeeperError if the run would lie among the images, where its folders would pass for classes."""
    folder = Path(data).resolve()
    if data != "digits" and folder in (out.resolve(), *out.resolve().parents):
        raise GodeeperError(f"--out {str(out)!r} lies in the data {data!r}: choose a folder outside it")


def run(out: Path, plan: Plan, workers: int | None, resume: bool, download: bool, trackers: list[str] | None) -> None:
    """Opens the data, builds the network, trains it."""
    import torch

    from ..data.loader import default_workers
    from ..data.sources import open_source
    from ..models.registry import create_model
    from ..models.weights import name_classes
    from ..train.checkpoint import checkpoints
    from ..train.loop import train
    from ..train.run import RunFolder

    recipe: Recipe = plan["recipe"]
    source = open_source(plan["data"], plan.get("classes"), download=download)
    _check_apart(out, plan["data"])
    workers = default_workers(plan["data"]) if workers is None else workers
    torch.manual_seed(recipe.seed)
    network = create_model(
        plan["model"], num_classes=len(source.classes), width=plan["width"], small=plan["small"], aux=recipe.auxiliary_weight > 0,
        weights=None if resume and checkpoints(RunFolder(out).checkpoints) else plan["weights"],
    )  # fmt: skip
    name_classes(network, source.classes)

    def tested(network: Network) -> dict[str, float]:
        from ..evaluate.classify import evaluate
        from ..models.network import device_of

        # A bad test image is counted; it must not end a long run.
        device = device_of(network)
        result = evaluate(network, source.test, network.preprocess, workers=workers, skip_bad=True, device=device)
        return {"top1_error": result.top1_error, "top5_error": result.top5_error, "test_skipped": len(result.skipped)}

    notes = {"data": plan["data"], "weights": plan["weights"], "split": source.split, "classes": list(source.classes)}
    train(
        network, source.train, recipe, out, evaluate=tested, workers=workers, resume=resume, notes=notes, trackers=trackers
    )  # fmt: skip


COMMANDS = (train_command,)
