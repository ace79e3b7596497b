"""`reproduce`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..errors import GodeeperError, unknown
from .output import Json, print_json

if TYPE_CHECKING:
    from ..claims.claim import Claim, Verdict

PAPER = {"en": "the paper", "zh": "论文"}


def reproduce_command(
    claim: Annotated[str | None, typer.Argument(help="A claim's name, as --list has it.", show_default=False)] = None,
    every: Annotated[
        bool, typer.Option("--list", help="Every claim: what the paper says, what we found, how to run it.")
    ] = False,
    scale: Annotated[
        Literal["cpu", "gpu", "imagenet"], typer.Option(help="cpu: within 25 minutes on two cores; gpu: full width; imagenet.")
    ] = "cpu",
    data: Annotated[str | None, typer.Option(help="The images; by default the scale's own set, such as cifar10.")] = None,
    download: Annotated[bool, typer.Option("--download", help="Fetch a torchvision set that is not here yet.")] = False,
    out: Annotated[
        Path, typer.Option(help="Where the runs go, and are gone on with, in a folder for each claim and scale.")
    ] = Path("runs/claims"),
    lang: Annotated[Literal["en", "zh"], typer.Option(help="The language of the verdicts.")] = "en",
    json: Json = False,
) -> None:
    """Test a claim of the papers: its arms trained with several seeds, curves, a table with intervals, a verdict."""
    from ..claims import CLAIMS
    from ..claims.report import reproduce
    from ..data.open import open_data

    if every == (claim is not None):
        raise typer.BadParameter("name a claim or ask for the --list, one of the two")
    if claim is None:
        return _list(CLAIMS, lang, json)
    if claim not in CLAIMS:
        raise unknown("claim", claim, CLAIMS)
    if out.exists() and not out.is_dir():
        raise GodeeperError(f"--out {str(out)!r} is a file: name a folder")
    if download:
        open_data(data or CLAIMS[claim].scales[scale].data, download=True)
    folder = out / claim / scale
    result = reproduce(CLAIMS[claim], scale, data, folder)
    if json:
        return print_json(result)
    _say(CLAIMS[claim], result, lang)
    print(f"in {folder}: result.json, {', '.join(f'{name}.png' for name in result['figures']) or 'no figures'}", file=sys.stderr)
    return None


def _list(claims: dict[str, Claim], lang: Literal["en", "zh"], json: bool) -> None:
    from ..claims.report import found

    ours = found()
    if json:
        print_json([_row(claim, ours.get(name, {})) for name, claim in claims.items()])
        return
    for name, claim in claims.items():
        print(f"{name}: {claim.title.said(lang)} ({claim.source})")
        print(f"  {PAPER[lang]}: {claim.says.said(lang)}")
        for scale, parts in ours.get(name, {}).items():
            for part in parts:
                print(f"  {scale}: {_found(part, lang)}")
        print(f"  godeeper reproduce {name}  # {claim.scales['cpu'].cost.said(lang)}\n")


def _row(claim: Claim, ours: dict[Any, Any]) -> dict[str, Any]:
    from dataclasses import asdict

    described = {name: asdict(getattr(claim, name)) for name in ("title", "says", "limits")}
    commands = {
        scale: {"command": f"godeeper reproduce {claim.name} --scale {scale}", "cost": asdict(size.cost)}
        for scale, size in claim.scales.items()
    }
    return {"claim": claim.name, "source": claim.source, **described, "scales": commands, "found": ours}


def _say(claim: Claim, result: dict[str, Any], lang: Literal["en", "zh"]) -> None:
    from ..claims.claim import Table
    from ..claims.report import markdown
    from ..claims.words import term

    print(f"{claim.title.said(lang)} ({claim.source}), {result['scale']}, {result['minutes']} min\n")
    for title, table in result["tables"].items():
        print(f"{term(title, lang)}\n\n{markdown(Table(**table), lang)}\n")
    for part in result["parts"]:
        print(_found(part, lang))
    print(f"\n{claim.limits.said(lang)}")


def _found(part: dict[str, Any], lang: Literal["en", "zh"]) -> str:
    from ..claims.words import VERDICTS

    verdict: Verdict = part["verdict"]
    return f"{VERDICTS[verdict][lang]}: {part['says'][lang]} ({part['why'][lang]})"


COMMANDS = (reproduce_command,)
