"""`bench`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from .output import Json, print_json, print_table

if TYPE_CHECKING:
    from ..deploy.bench import BenchResult


def bench_command(
    run: Annotated[str, typer.Argument(help="A run folder, weights file, published name, or the name of a network.")],
    batch_size: Annotated[list[int], typer.Option(min=1, max=4096, help="Images a pass; may be given several times.")] = [1, 8],  # noqa: B006
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
    results = bench(network, batch_size, peers=dict([peer]) if peer else None)
    if as_json:
        print_json([asdict(result) for result in results])
        return
    base = {result.batch: result.milliseconds for result in results if result.engine == (peer[0] if peer else "eager")}
    head = ("images", "engine", "precision", "ms", "images/s", "times as fast", "probabilities moved by")
    print_table(head, [_row(result, base[result.batch]) for result in results], right=(head[0], *head[3:]))


def _row(result: BenchResult, base_milliseconds: float) -> tuple[object, ...]:
    """A row of the table; `base_milliseconds` is what the peer, or else the eager network, takes."""
    rate = 1000 * result.batch / result.milliseconds
    speedup = base_milliseconds / result.milliseconds
    shift = "" if result.largest_shift is None else f"{result.largest_shift:.1e}"
    return result.batch, result.engine, result.precision, f"{result.milliseconds:.1f}", f"{rate:.1f}", f"{speedup:.2f}", shift


COMMANDS = (bench_command,)
