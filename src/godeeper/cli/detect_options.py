"""Options that several `detect` commands share."""

from __future__ import annotations

from math import isnan
from typing import Annotated

import typer

Runs = Annotated[
    list[str], typer.Argument(help="A Faster R-CNN's run or exported file, or an R-CNN's run; several of those: an ensemble.")
]
Data = Annotated[str, typer.Option(help="A folder of annotated images: Pascal VOC's or COCO's.")]
Split = Annotated[str, typer.Option(help="Which images of the data.")]
SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="Leave out and count images that cannot be decoded, and unsound annotations.")
]
Superpixels = Annotated[
    float | None, typer.Option(min=0.1, max=100, help="rcnn: superpixels this times R-CNN's; by default 2, as the paper has it.")
]
Multibox = Annotated[str | None, typer.Option(help="rcnn: add the proposals of this multibox run.")]


def percent(value: float | None) -> str:
    """A share in percent; None and nan stand for no objects."""
    return "none: there are no objects" if value is None or isnan(value) else f"{value:.2f} %"
