"""`explain`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import GodeeperError
from ..labels import Lang
from .output import Json, print_json, print_table

if TYPE_CHECKING:
    from ..explain.explanation import Explanation
    from ..explain.top_activations import Activation
    from ..models.network import Network


def explain_command(
    run: Annotated[str, typer.Argument(help="A run folder, weights file or published name (see `godeeper models`).")],
    image: Annotated[Path, typer.Argument(help="An image's file.")],
    out: Annotated[Path, typer.Option(help="A new folder, for explanation.html and its images.")],
    top: Annotated[int, typer.Option(min=1, max=20, help="How many of the most likely classes to explain.")] = 3,
    module: Annotated[str | None, typer.Option(help="Stage whose branches to measure, such as 4a; by default the last.")] = None,
    crops: Annotated[int, typer.Option(help="Crops to predict: 1, 10, 12 or 144.")] = 144,
    channel: Annotated[str | None, typer.Option(help="Find what activates this channel, such as 4a:17, in --folder.")] = None,
    folder: Annotated[Path | None, typer.Option(help="The folder of images to search for --channel.")] = None,
    lang: Annotated[Lang, typer.Option(help="The language of the page and of the classes.")] = "en",
    as_json: Json = False,
) -> None:
    """Show why a network classifies an image as it does: where, by which branches, in which crops."""
    from ..data.crops import check_crops
    from ..data.decode import decode
    from ..explain.branches import check_module
    from ..explain.explanation import explain
    from ..explain.explanation_page import PageSubject, check_folder, write_page
    from ..labels import display_names
    from ..models.load import load
    from ..models.network import best_device, to_device
    from .progress import counting

    check_crops(crops)
    check_folder(out)
    search = _channel_search(channel, folder)
    decoded = decode(image)
    network = to_device(load(run), best_device())
    classes = network.classes or tuple(map(str, range(network.num_classes)))
    if module is not None:
        check_module(network.definition, module)
    activations, skipped = _top_activations(network, *search) if search else ([], [])
    with counting("predicting crops", crops) as progress:
        explanation = explain(network, decoded, top=top, module=module, crops=crops, progress=progress)
    result = {"model": run, "image": str(image), **explanation.as_dict(classes)}
    if search:
        result |= {"channel": channel, "top_activations": [item.as_dict() for item in activations], "skipped": skipped}
    names = display_names(classes, lang)
    subject = PageSubject(decoded, image.name, Path(run).name, network.preprocess.image_size, names, lang)
    page = write_page(out, subject, explanation, result, (str(channel), activations) if search else None)
    for reason in skipped:
        print(f"skipped {reason}", file=sys.stderr)
    print(f"explained: {page}", file=sys.stderr)
    if as_json:
        print_json(result)
    else:
        _print(explanation, names)


def _channel_search(channel: str | None, folder: Path | None) -> tuple[str, int, list[Path]] | None:
    """The stage, the channel's number and the images to search; GodeeperError for a channel or a folder alone."""
    from ..workflows.image_files import files_of

    if channel is None and folder is None:
        return None
    if channel is None or folder is None:
        raise GodeeperError("--channel and --folder go together: name a channel, such as 4a:17, and a folder of images")
    stage, colon, number = channel.rpartition(":")
    if not colon or not number.isdecimal():
        raise GodeeperError(f"--channel {channel!r}: name a stage and a channel's number, such as 4a:17")
    if not folder.is_dir():
        raise GodeeperError(f"--folder {str(folder)!r} is not a folder")
    return stage, int(number), files_of([str(folder)])


def _top_activations(network: Network, stage: str, channel: int, files: Sequence[Path]) -> tuple[list[Activation], list[str]]:
    from ..explain.top_activations import top_activations
    from .progress import counting

    with counting("searching images", len(files)) as progress:
        return top_activations(network, files, stage, channel, progress=progress)


def _print(explanation: Explanation, names: Sequence[str]) -> None:
    """The predictions, the branches and the crops, each as a table."""
    predictions = explanation.predictions
    print_table(("probability", "class"), [(f"{100 * p:.2f} %", names[label]) for label, p in predictions], ("probability",))
    if explanation.module:
        print()
        head = (f"branch of {explanation.module}", *(names[label] for label, _ in predictions))
        rows = [(item.branch, *(f"{value:+.3f}" for value in item.logits)) for item in explanation.branches]
        print_table(head, rows, head[1:])
    print()
    head = ("crops", "mean probability", "class")
    mean = explanation.mean_probabilities
    print_table(head, [(n, f"{100 * mean[label]:.2f} %", names[label]) for label, n in explanation.crop_counts()], head[:2])


COMMANDS = (explain_command,)
