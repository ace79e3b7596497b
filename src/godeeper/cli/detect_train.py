"""`detect train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from .detect_options import Multibox, Superpixels
from .progress import print_message, progress_bar

Method = Literal["faster-rcnn", "rcnn", "multibox"]


def train_command(
    out: Annotated[Path, typer.Option(help="The run folder to make.", show_default=False)],
    model: Annotated[str | None, typer.Option(help="A model's name (see `godeeper models`), a run, or a SPEC.json.")] = None,
    data: Annotated[str | None, typer.Option(help="A folder of annotated images: Pascal VOC's or COCO's.")] = None,
    method: Annotated[
        Method | None, typer.Option(help="faster-rcnn (the default), rcnn, or multibox: proposals for rcnn.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Which images to learn from; by default train.")] = None,
    validate: Annotated[str | None, typer.Option(help="Which to test on after each epoch, or none; by default val.")] = None,
    weights: Annotated[
        str | None, typer.Option(help="Start from this classifier: a run folder, weights file or published name.")
    ] = None,
    width: Annotated[float | None, typer.Option(help="Scales every filter count.")] = None,
    pyramid: Annotated[bool | None, typer.Option("--pyramid", help="faster-rcnn: regions from a feature pyramid.")] = None,
    atrous: Annotated[bool | None, typer.Option("--atrous", help="faster-rcnn: features 8 pixels apart, not 16.")] = None,
    small: Annotated[bool | None, typer.Option("--small", help="rcnn: for regions of 64 pixels and less.")] = None,
    superpixels: Superpixels = None,
    multibox: Multibox = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the images, or regions.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images, or regions, a step, over all processes.")] = None,
    seed: Annotated[int | None, typer.Option(help="Decides everything random.")] = None,
    workers: Annotated[int, typer.Option(min=0, max=999, help="Processes that decode images.")] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    settings: Annotated[list[str] | None, typer.Option("--set", help="FIELD=VALUE of the recipe; may be repeated.")] = None,
) -> None:
    """Train a detector, or a part of one, and leave a run folder."""
    from ..workflows.detector_training import train_detector

    shorthand = {"epochs": epochs, "batch_size": batch_size, "seed": seed}
    overrides = [*(f"{name}={value}" for name, value in shorthand.items() if value is not None), *(settings or [])]
    with progress_bar() as on_progress:
        train_detector(
            out, model, data, method=method, split=split, validate=validate, weights=weights, width=width, pyramid=pyramid,
            atrous=atrous, small=small, superpixels=superpixels, multibox=multibox, overrides=overrides, workers=workers,
            resume=resume, on_message=print_message, on_progress=on_progress,
        )  # fmt: skip
