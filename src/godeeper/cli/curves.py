"""`curves`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..destinations import check_output
from ..errors import GodeeperError
from .output import show

FORMATS = (".png", ".jpg", ".jpeg", ".webp", ".svg", ".pdf")  # of matplotlib's


def curves_command(
    runs: Annotated[list[Path], typer.Argument(help="Run folders.")],
    out: Annotated[Path, typer.Option(help="The image to draw.")] = Path("curves.png"),
) -> None:
    """Draw the curves of several runs together."""
    from ..train.curves import draw_curves
    from ..train.run import RunFolder

    check_output(out, "--out", FORMATS)
    names = [str(run) for run in runs] if len({run.name for run in runs}) < len(runs) else [run.name for run in runs]
    metrics = {name: RunFolder(run).metrics() for name, run in zip(names, runs, strict=True)}
    for run, name in zip(runs, names, strict=True):
        if not metrics[name]:
            raise GodeeperError(f"{str(run)!r} holds no metrics: it is not a run folder, or its first epoch is not over")
    draw_curves(metrics, out)
    show(str(out))


COMMANDS = (curves_command,)
