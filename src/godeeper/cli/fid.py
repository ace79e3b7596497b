"""`fid`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .output import Engine, Json, Precision, end_for_bad, print_json, print_table, show
from .progress import progress_bar

if TYPE_CHECKING:
    from ..workflows.generated_images import FidResult

SIDE = "A folder or pattern of images, wds:SHARDS, or saved statistics (.npz)"


def fid_command(
    a: Annotated[str, typer.Argument(help=f"{SIDE}; of these the Inception Score.")],
    b: Annotated[str | None, typer.Argument(help=f"{SIDE}, to compare with.")] = None,
    weights: Annotated[
        str | None, typer.Option(help="FID's weights as pytorch-fid or torch-fidelity publish them, or any network.")
    ] = None,
    like: Annotated[
        str, typer.Option(help="Whose figure: pytorch-fid, torch-fidelity or clean-fid, which stretch images differently.")
    ] = "pytorch-fid",
    kid: Annotated[bool, typer.Option("--kid", help="The kernel distance as well, which needs fewer images.")] = False,
    inception_score: Annotated[bool, typer.Option("--inception-score", help="That of the first images as well.")] = False,
    save: Annotated[Path | None, typer.Option(help="Keep the first images' statistics in this .npz file.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, max=10**6, help="Images a pass; changes the speed only.")] = None,
    engine: Engine = "auto",
    precision: Precision = "auto",
    as_json: Json = False,
) -> None:
    """Measure how far generated images are from real ones: FID, KID, Inception Score."""
    from ..workflows.generated_images import FID_WEIGHTS, fid

    with progress_bar() as on_progress:
        result = fid(
            a, b, weights=weights or FID_WEIGHTS, like=like, kid=kid, inception_score=inception_score, engine=engine,
            precision=precision, batch_size=batch_size, save=save, on_progress=on_progress,
        )  # fmt: skip
    if not result.is_main:
        return
    if as_json:
        print_json(result.as_dict())
    else:
        print_table((), _rows(result))
    for note in result.notes:
        show(f"godeeper: {note}", err=True)
    if save is not None:
        show(f"statistics: {save}", err=True)
    end_for_bad(result.bad, "left out: ")


def _rows(result: FidResult) -> list[tuple[str, str]]:
    rows = []
    if result.fid is not None:
        rows.append((f"FID, as {result.like}", f"{result.fid:.4f}"))
    if result.kid is not None and result.kid_std is not None:
        rows.append(("KID", f"{result.kid:.6f} +- {result.kid_std:.6f}"))
    if result.inception_score is not None and result.inception_score_std is not None:
        rows.append(("Inception Score", f"{result.inception_score:.4f} +- {result.inception_score_std:.4f}"))
    counts = " and ".join("unknown" if count is None else f"{count:,}" for count in result.images)
    return [*rows, ("images", counts)]


COMMANDS = (fid_command,)
