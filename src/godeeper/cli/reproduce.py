"""`reproduce`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..destinations import check_output
from ..errors import unknown
from ..text import Text
from ..workflows.progress import OnProgress, Progress
from .output import Json, print_json, show
from .progress import print_message, progress_bar

if TYPE_CHECKING:
    from ..claims.claim import Claim

PAPER = Text("the paper", "论文")


def reproduce_command(
    claim: Annotated[str | None, typer.Argument(help="A claim's name, as --list has it.", show_default=False)] = None,
    every: Annotated[
        bool, typer.Option("--list", help="Every claim: what the paper says, the published results, how to run it.")
    ] = False,
    scale: Annotated[
        Literal["cpu", "gpu", "imagenet"], typer.Option(help="cpu: within 25 minutes on two cores; gpu: full width; imagenet.")
    ] = "cpu",
    data: Annotated[str | None, typer.Option(help="The images; by default the scale's own set, such as cifar10.")] = None,
    download: Annotated[bool, typer.Option("--download", help="Fetch a torchvision set that is not here yet.")] = False,
    out: Annotated[Path, typer.Option(help="Where the runs go, and are resumed, in a folder for each claim and scale.")] = Path(
        "runs/claims"
    ),
    lang: Annotated[Literal["en", "zh"], typer.Option(help="The language of the verdicts.")] = "en",
    json: Json = False,
) -> None:
    """Test a claim of the papers: its arms trained with several seeds, curves, a table with intervals, a verdict."""
    from ..claims import CLAIMS
    from ..claims.claim_folder import reproduce
    from ..data.open import open_data

    if every == (claim is not None):
        raise typer.BadParameter("name a claim or ask for the --list, one of the two")
    if claim is None:
        return _list(CLAIMS, lang, json)
    if claim not in CLAIMS:
        raise unknown("claim", claim, CLAIMS)
    check_output(out, "--out")
    if download:
        open_data(data or CLAIMS[claim].scales[scale].data, download=True)
    folder = out / claim / scale
    with _progress() as on_progress:
        result = reproduce(CLAIMS[claim], scale, data, folder, on_progress)
    if json:
        return print_json({**result, "statements": _described(CLAIMS[claim], result)})
    _print_result(CLAIMS[claim], result, lang)
    show(f"in {folder}: result.json, {', '.join(f'{name}.png' for name in result['figures']) or 'no figures'}", err=True)
    return None


@contextmanager
def _progress() -> Iterator[OnProgress]:
    """A bar on a terminal, elsewhere a line a minute with the time left."""
    with progress_bar() as bar:
        yield bar or _line_a_minute()


def _line_a_minute() -> OnProgress:
    begun = printed = time.monotonic()
    first: int | None = None  # done by runs before this one

    def update(progress: Progress) -> None:
        nonlocal printed, first
        first = progress.done if first is None else first
        now = time.monotonic()
        if now - printed > 60:
            printed = now
            done = progress.done - first
            left = f", {(progress.total - progress.done) * (now - begun) / done / 60:.0f} min left" if done else ""
            print_message(f"{progress.what}: {progress.done}{left}")

    return update


def _list(claims: dict[str, Claim], lang: Literal["en", "zh"], json: bool) -> None:
    from ..claims.result_file import published_results

    if json:
        print_json([_row(claim) for claim in claims.values()])
        return
    for name, claim in claims.items():
        show(f"{name}: {claim.text('title').get(lang)} ({claim.source})")
        show(f"  {PAPER.get(lang)}: {claim.text('paper').get(lang)}")
        for scale, result in published_results(name).items():
            for line in _verdicts(claim, result, lang):
                show(f"  {scale}: {line}")
        show(f"  godeeper reproduce {name}  # {claim.scales['cpu'].cost.get(lang)}\n")


def _row(claim: Claim) -> dict[str, Any]:
    from ..claims.result_file import published_results

    texts = {key: asdict(claim.text(key)) for key in ("title", "paper", "limits")}
    commands = {
        scale: {"command": f"godeeper reproduce {claim.name} --scale {scale}", "cost": asdict(size.cost)}
        for scale, size in claim.scales.items()
    }
    results = {scale: _described(claim, result) for scale, result in published_results(claim.name).items()}
    return {"claim": claim.name, "source": claim.source, **texts, "scales": commands, "results": results}


def _print_result(claim: Claim, result: dict[str, Any], lang: Literal["en", "zh"]) -> None:
    from ..claims.prose import term
    from ..claims.result_table import Table, markdown

    show(f"{claim.text('title').get(lang)} ({claim.source}), {result['scale']}, {result['minutes']} min\n")
    for title, table in result["tables"].items():
        show(f"{term(title, lang)}\n\n{markdown(Table(**table), lang)}\n")
    for line in _verdicts(claim, result, lang):
        show(line)
    show(f"\n{claim.text('limits').get(lang)}")


def _verdicts(claim: Claim, result: dict[str, Any], lang: Literal["en", "zh"]) -> list[str]:
    """A line a statement: its verdict, its text, what was measured."""
    from ..claims.prose import verdict_text

    return [
        f"{verdict_text(statement['verdict']).get(lang)}: {statement['text'][lang]} ({statement['measured'][lang]})"
        for statement in _described(claim, result)
    ]


def _described(claim: Claim, result: dict[str, Any]) -> list[dict[str, Any]]:
    """The statements of a result with their texts in both languages, and the values that fill them."""
    from ..claims.claim import Statement

    return [{**data, **claim.describe(Statement.from_dict(data))} for data in result["statements"]]


COMMANDS = (reproduce_command,)
