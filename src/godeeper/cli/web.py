"""`app`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from ..errors import GodeeperError
from .output import show


def app_command(
    run: Annotated[
        str | None, typer.Argument(help="A run folder, weights file or published name; by default a network of godeeper's own.")
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port, on this machine alone.")] = 7860,
    runs: Annotated[Path, typer.Option(help="The folder with the runs to look at.")] = Path("runs"),
    lang: Annotated[Literal["en", "zh"], typer.Option(help="The language to start with.")] = "en",
) -> None:
    """Serve the web app: classify images, explore and compare networks, look at runs."""
    from ..models.load import load
    from ..models.network import best_device, to_device
    from ..models.weights.shipped import default_network
    from ..packages import require

    if runs.exists() and not runs.is_dir():
        raise GodeeperError(f"--runs {str(runs)!r} is a file: name a folder of runs")
    for package in ("gradio", "captum"):
        require(package, "app")
    from ..app.classify_tab import warm_up
    from ..app.launch import launched

    network = to_device(load(run or default_network()), best_device()).eval()
    warm_up(network)
    with launched(network, runs, lang, port) as address:
        show(f"open {address} (Ctrl-C ends it)", err=True)
        _wait()


def _wait() -> None:
    """Waits for Ctrl-C."""
    while True:
        time.sleep(3600)


COMMANDS = (app_command,)
