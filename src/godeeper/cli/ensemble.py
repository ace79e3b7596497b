"""`ensemble` and `tables`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ..errors import GodeeperError
from ..files import read_file
from .evaluate import Blacklist, ReportFolder
from .evaluation_output import print_evaluation
from .output import Json, Language, print_json, print_table

FIELDS = ("table", "row", "crops", "printed_top1_error", "top1_error", "printed_top5_error", "top5_error", "difference")


def ensemble_command(
    files: Annotated[list[Path], typer.Argument(help="Probabilities that `godeeper evaluate --save` kept.")],
    data: Annotated[str | None, typer.Option(help="The images they are of: held against the files; a report shows some.")] = None,
    subsets: Annotated[bool, typer.Option("--subsets", help="Count every subset of up to seven models.")] = False,
    skip_blacklisted: Blacklist = None,
    report: ReportFolder = None,
    lang: Language = "en",
    as_json: Json = False,
) -> None:
    """Recombine saved probabilities: the errors of each model and of all together."""
    from ..workflows.evaluation import recombine

    result = recombine(files, data, count_subsets=subsets, skip_blacklisted=skip_blacklisted, report=report, lang=lang)
    print_evaluation(result, as_json)


def tables_command(
    results: Annotated[list[Path] | None, typer.Argument(help="What `evaluate --json` or --report wrote.")] = None,
    as_json: Json = False,
) -> None:
    """Print the papers' tables of errors, with ours beside theirs where it was run by the table's own rule."""
    from ..evaluate.tables import HEAD, ilsvrc_results, table_rows

    runs = []
    for file in results or []:
        try:
            runs += ilsvrc_results(json.loads(read_file(file)))
        except (GodeeperError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise GodeeperError(f"{str(file)!r} is not what `godeeper evaluate --json` prints") from None
    table = table_rows(runs)
    if as_json:
        print_json([dict(zip(FIELDS, row, strict=True)) for row in table])
    else:
        print_table(HEAD, table)


COMMANDS = (ensemble_command, tables_command)
