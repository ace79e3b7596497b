"""`bench`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from .output import Json, print_json, print_table


def bench_command(
    run: Annotated[str, typer.Argument(help="A run folder, weights file, published name, or the name of a network.")],
    batch_size: Annotated[list[int], typer.Option(min=1, help="Images a pass; may be given several times.")] = [1, 8],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Time engines and precisions on this machine, and torchvision's or timm's network of the kind where it is installed."""
    from ..deploy.bench import bench
    from ..models.load import load
    from ..models.peers import peer_of
    from ..models.registry import create_model
    from ..papers.registry import list_models

    network = create_model(run).eval() if run in list_models() else load(run)
    peer = peer_of(network)
    lines = bench(network, batch_size, peers=dict([peer]) if peer else None)
    if as_json:
        print_json([asdict(line) for line in lines])
        return
    base = {line.batch: line.milliseconds for line in lines if line.engine == (peer[0] if peer else "eager")}
    head = ("images", "engine", "precision", "ms", "images/s", "times as fast", "probabilities moved by")
    rows = [
        (
            line.batch, line.engine, line.precision, f"{line.milliseconds:.1f}", f"{1000 * line.batch / line.milliseconds:.1f}",
            f"{base[line.batch] / line.milliseconds:.2f}", "" if line.largest_shift is None else f"{line.largest_shift:.1e}",
        )
        for line in lines
    ]  # fmt: skip
    print_table(head, rows, right=(head[0], *head[3:]))


COMMANDS = (bench_command,)
