"""`app`."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from ..app.words import Lang


def app_command(
    run: Annotated[
        str | None, typer.Argument(help="A run folder, weights file or published name; without, nothing is classified.")
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port, on this machine alone.")] = 7860,
    runs: Annotated[Path, typer.Option(help="The folder whose runs can be looked at.")] = Path("runs"),
    lang: Annotated[Lang, typer.Option(help="The language to begin with.")] = "en",
) -> None:
    """Show a page in the browser: classify images, explore and compare networks, look at runs."""
    from ..models.load import load
    from ..models.network import best_device, to_device
    from ..packages import require

    for package in ("gradio", "captum"):
        require(package, "app")
    from ..app.classify import warm
    from ..app.serving import served

    network = None
    if run is not None:
        network = to_device(load(run), best_device()).eval()
        warm(network)
    with served(network, runs, lang, port) as address:
        print(f"open {address} (Ctrl-C ends it)", file=sys.stderr)
        while True:
            time.sleep(3600)


COMMANDS = (app_command,)
