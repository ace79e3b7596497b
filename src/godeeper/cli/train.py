"""`train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .progress import print_message, progress_bar


def train_command(
    out: Annotated[Path, typer.Option(help="The run folder to make.", show_default=False)],
    model: Annotated[str | None, typer.Option(help="A model's name (see `godeeper models`), a run, or a SPEC.json.")] = None,
    data: Annotated[str | None, typer.Option(help="`digits`, a class folder, cifar10 ..., hf:OWNER/NAME, wds:SHARDS.")] = None,
    recipe: Annotated[str | None, typer.Option(help="A recipe's name; `digits` for the digits, else `standard`.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training images.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images a step, over all processes.")] = None,
    width: Annotated[float | None, typer.Option(help="Scales every filter count.")] = None,
    small: Annotated[bool | None, typer.Option("--small", help="For images of 64 pixels and less.")] = None,
    weights: Annotated[str | None, typer.Option(help="Start from these: a run folder, weights file or published name.")] = None,
    seed: Annotated[int | None, typer.Option(help="Decides everything random.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=0, max=999, help="Processes that decode images; by default by the machine.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    download: Annotated[bool, typer.Option("--download", help="Fetch a torchvision set that is not here yet.")] = False,
    tracker: Annotated[
        list[str] | None,
        typer.Option(help="tensorboard (the default, where installed), wandb or none; may be repeated."),
    ] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help="FIELD=VALUE of the recipe; may be repeated.")] = None,
) -> None:
    """Train a model and leave a run folder."""
    from ..workflows.training import train

    shorthand = {"epochs": epochs, "batch_size": batch_size, "seed": seed}
    overrides = [*(f"{name}={value}" for name, value in shorthand.items() if value is not None), *(settings or [])]
    with progress_bar() as on_progress:
        train(
            out, model, data, recipe=recipe, overrides=overrides, width=width, small=small, weights=weights, workers=workers,
            resume=resume, download=download, trackers=None if tracker is None else [name for name in tracker if name != "none"],
            on_message=print_message, on_progress=on_progress,
        )  # fmt: skip


COMMANDS = (train_command,)
