"""`serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import GodeeperError
from .model_option import Preparation, prepared
from .output import Engine, Language, Precision, show


def serve_command(
    run: Annotated[str, typer.Argument(help="A run folder, weights file, published name or exported file.")],
    host: Annotated[str, typer.Option(help="The address to listen on; others than this machine's own open it to the net.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0: any free one.")] = 8000,
    lang: Language = "en",
    engine: Engine = "auto",
    precision: Precision = "auto",
    preprocess: Preparation = None,
    max_batch: Annotated[int, typer.Option(min=1, max=256, help="Images a pass.")] = 32,
    max_wait: Annotated[float, typer.Option(min=0, max=1000, help="Milliseconds that a pass waits to fill.")] = 2.0,
    max_bytes: Annotated[int, typer.Option(min=1, help="Bytes an image.")] = 20_000_000,
    max_pixels: Annotated[int, typer.Option(min=1, help="Pixels an image.")] = 25_000_000,
    timeout: Annotated[float, typer.Option(min=0.1, max=3600, help="Seconds for a body to arrive, and for an answer.")] = 10.0,
    max_waiting: Annotated[int, typer.Option(min=1, help="Images that may wait; beyond, clients get a 503.")] = 64,
) -> None:
    """Classify images over HTTP: POST their bytes to /predict. There is no password: mind who reaches the port."""
    from ..packages import require

    if not host.strip():  # to the system, every address of this machine
        raise GodeeperError("--host is empty: name an address, 0.0.0.0 for all")
    for package in ("fastapi", "python_multipart", "uvicorn", "prometheus_client"):
        require(package, "serve")
    from ..deploy.predictor import Predictor
    from ..serve.limits import Limits
    from ..serve.server import listen, serve

    limits = Limits(max_batch, max_wait, max_bytes, max_pixels, timeout, max_waiting)
    with listen(host, port) as socket:
        predictor = Predictor(prepared(run, preprocess), engine, precision)
        address = f"[{host}]" if ":" in host else host
        show(f"listening on http://{address}:{socket.getsockname()[1]} (POST /predict; see /docs)", err=True)
        serve(predictor, [socket], limits, Path(run).resolve().name, lang)


COMMANDS = (serve_command,)
