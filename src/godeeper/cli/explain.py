"""`explain`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..labels import Lang, display_names
from .output import Json, print_json, print_table, show
from .progress import progress_bar

if TYPE_CHECKING:
    from ..explain.explanation import Explanation


def explain_command(
    run: Annotated[str, typer.Argument(help="A run folder, weights file or published name (see `godeeper models`).")],
    image: Annotated[Path, typer.Argument(help="An image's file.")],
    out: Annotated[Path, typer.Option(help="A new folder, for explanation.html and its images.")],
    top: Annotated[int, typer.Option(min=1, max=20, help="How many of the most likely classes to explain.")] = 3,
    module: Annotated[str | None, typer.Option(help="Stage whose branches to measure, such as 4a; by default the last.")] = None,
    crops: Annotated[int, typer.Option(help="Crops to predict: 1, 6, 10, 12 or 144.")] = 144,
    channel: Annotated[str | None, typer.Option(help="Find what activates this channel, such as 4a:17, in --folder.")] = None,
    folder: Annotated[Path | None, typer.Option(help="The folder of images to search for --channel.")] = None,
    lang: Annotated[Lang, typer.Option(help="The language of the page and of the classes.")] = "en",
    as_json: Json = False,
) -> None:
    """Show why a network classifies an image as it does: where, by which branches, in which crops."""
    from ..workflows.explanation import explain

    with progress_bar() as on_progress:
        result = explain(
            run, image, out, top=top, module=module, crops=crops, channel=channel, folder=folder, lang=lang,
            on_progress=on_progress,
        )  # fmt: skip
    for reason in result.skipped:
        show(f"skipped {reason}", err=True)
    show(f"explained: {result.page}", err=True)
    if as_json:
        print_json(result.as_dict())
    else:
        _print(result.explanation, display_names(result.classes, lang))


def _print(explanation: Explanation, names: Sequence[str]) -> None:
    """The predictions, the branches and the crops, each as a table."""
    predictions = explanation.predictions
    print_table(("probability", "class"), [(f"{100 * p:.2f} %", names[label]) for label, p in predictions], ("probability",))
    if explanation.module:
        show()
        head = (f"branch of {explanation.module}", *(names[label] for label, _ in predictions))
        rows = [(item.branch, *(f"{value:+.3f}" for value in item.logits)) for item in explanation.branches]
        print_table(head, rows, head[1:])
    show()
    head = ("crops", "mean probability", "class")
    mean = explanation.mean_probabilities
    print_table(head, [(n, f"{100 * mean[label]:.2f} %", names[label]) for label, n in explanation.crop_counts()], head[:2])


COMMANDS = (explain_command,)
