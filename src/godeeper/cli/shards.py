"""`shards`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .output import Json, print_json, print_table


def shards_command(
    folder: Annotated[Path, typer.Argument(help="A class folder.")],
    out: Annotated[Path, typer.Argument(help="The folder to write shards into.")],
    shard_size: Annotated[float, typer.Option(min=0.001, help="Megabytes a shard.")] = 300,
    as_json: Json = False,
) -> None:
    """Write a class folder as WebDataset shards, for `--data wds:OUT`."""
    from ..data.folders import open_folder
    from ..data.open import existing_folder
    from ..data.write_shards import write_shards
    from ..workflows.progress import counter
    from .progress import progress_bar

    source = open_folder(existing_folder(str(folder)), None)
    with progress_bar() as on_progress:
        written = write_shards(source, folder, out, shard_size, counter("writing", on_progress))
    if as_json:
        print_json([{"shard": str(path), "bytes": path.stat().st_size} for path in written])
        return
    print_table(("shard", "bytes"), [(str(path), f"{path.stat().st_size:,}") for path in written], right=("bytes",))


COMMANDS = (shards_command,)
