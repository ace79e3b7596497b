"""`embed`."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import GodeeperError
from .model_option import Preparation, prepared
from .output import Engine, Precision, end_for_bad, print_table, print_times
from .progress import progress_bar

if TYPE_CHECKING:
    from ..workflows.embedding import EmbedResult

MOST_PAIRED = 50  # images of --pairs: 1,225 lines


def embed_command(
    run: Annotated[str, typer.Argument(help="A run folder, weights file or published name (see `godeeper models`).")],
    images: Annotated[list[str], typer.Argument(help="Files, folders or patterns such as 'photos/*.jpg'.")],
    out: Annotated[Path | None, typer.Option(help="The table to write (.parquet, .npz, .csv); called again, it goes on.")] = None,
    pairs: Annotated[bool, typer.Option("--pairs", help="Print the cosine similarity of each pair of images instead.")] = False,
    layer: Annotated[str | None, typer.Option(help="A stage, averaged over positions; else what the classifier sees.")] = None,
    normalize: Annotated[
        bool, typer.Option("--normalize", help="Scale embeddings to length 1, as faces are compared by angle.")
    ] = False,
    engine: Engine = "auto",
    precision: Precision = "auto",
    preprocess: Preparation = None,
) -> None:
    """Turn images into embeddings, vectors by which they can be searched, clustered and compared."""
    from ..workflows.embedding import embed, embed_table
    from ..workflows.image_files import files_of

    if (out is None) == (not pairs):
        raise GodeeperError("give either --out FILE, a table of embeddings, or --pairs, similarities of a few images")
    files = files_of(images)
    if pairs and not 2 <= len(files) <= MOST_PAIRED:
        raise GodeeperError(f"--pairs compares 2 to {MOST_PAIRED} images, not {len(files)}: for more, write a table with --out")
    model = prepared(run, preprocess)
    with progress_bar() as on_progress:
        if out is not None:
            table = embed_table(
                model, files, out, layer=layer, normalize=normalize, engine=engine, precision=precision, on_progress=on_progress
            )
            if table.is_main:
                print_times(table)
            return
        result = embed(model, files, layer=layer, normalize=True, engine=engine, precision=precision, on_progress=on_progress)
    _print_pairs(files, result)
    end_for_bad(result.bad)


def _print_pairs(files: list[Path], result: EmbedResult) -> None:
    names = [str(files[index]) for index in result.index]
    cosines = (result.embeddings @ result.embeddings.T).tolist()
    rows = [(names[a], names[b], f"{cosines[a][b]:.4f}") for a, b in combinations(range(len(names)), 2)]
    print_table(("image", "image", "cosine"), rows, right=("cosine",))


COMMANDS = (embed_command,)
