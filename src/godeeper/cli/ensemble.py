"""`ensemble` and `tables`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import GodeeperError
from .evaluate import Blacklist, ReportFolder
from .output import Json, Language, print_json, print_table
from .panel import images_of, open_images
from .results import check_outputs, tell

if TYPE_CHECKING:
    from ..evaluate.classify import Evaluation


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
    from ..evaluate.ensemble import check_images, read_probabilities, recombined

    check_outputs(None, report, False)
    if report is not None and data is None:
        raise GodeeperError("--report shows images: name them with --data")
    if skip_blacklisted is not None and data is None:
        raise GodeeperError("--skip-blacklisted is of the images: name them with --data")
    saved = [read_probabilities(file) for file in files]
    found = recombined(saved)
    about = dict(saved[0].about)
    about["models"] = [name for one in saved for name in one.about["models"]]
    about["architectures"] = [name for one in saved for name in one.about["architectures"]]
    source, images = None, None
    if data is not None:
        source = open_images(data, saved[0].classes, False)
        images, _ = images_of(source, about["part"], skip_blacklisted)
        check_images(saved[0], images, source.classes, data)
    every = list(_subset_rows(found)) if subsets else []
    tell(found, about, source, images, report, lang, as_json, every)


def tables_command(
    results: Annotated[list[Path] | None, typer.Argument(help="What `evaluate --json` or --report wrote.")] = None,
    as_json: Json = False,
) -> None:
    """Print the papers' tables of errors, with ours beside theirs where it was run by the table's own rule."""
    from ..evaluate.tables import HEAD, rows, runs_of

    runs = []
    for file in results or []:
        try:
            runs += runs_of(json.loads(file.read_text("utf-8")))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise GodeeperError(f"{str(file)!r} is not what `godeeper evaluate --json` prints") from None
    found = rows(runs)
    if as_json:
        print_json([dict(zip(FIELDS, row, strict=True)) for row in found])
    else:
        print_table(HEAD, found)


def _subset_rows(found: Evaluation) -> Any:
    from ..evaluate.ensemble import subsets

    for one in subsets(found):
        errors = {"top1_error": one.outcomes.top1_error, "top5_error": one.outcomes.top5_error}
        yield {"models": [found.members[place] for place in one.members], **errors}


COMMANDS = (ensemble_command, tables_command)
