"""`explain`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..errors import GodeeperError
from .output import Json, print_json, print_table

if TYPE_CHECKING:
    from ..explain.explanation import Explanation
    from ..explain.strongest import Strong
    from ..models.network import Network


def explain_command(
    run: Annotated[str, typer.Argument(help="A run folder, weights file or published name (see `godeeper models`).")],
    image: Annotated[Path, typer.Argument(help="An image's file.")],
    out: Annotated[Path, typer.Option(help="A new folder, for explanation.html and its images.")],
    top: Annotated[int, typer.Option(min=1, max=20, help="How many of the likeliest classes to explain.")] = 3,
    module: Annotated[str | None, typer.Option(help="Whose branches to weigh, such as 4a; by default the last module.")] = None,
    crops: Annotated[int, typer.Option(help="Views that vote: 1, 10, 12 or 144.")] = 144,
    channel: Annotated[str | None, typer.Option(help="Find what this channel answers to, such as 4a:17, in --folder.")] = None,
    folder: Annotated[Path | None, typer.Option(help="The images that --channel is looked for in.")] = None,
    lang: Annotated[Literal["zh", "en", "both"], typer.Option(help="The page's language, and that of its classes.")] = "en",
    as_json: Json = False,
) -> None:
    """Show why a network names an image as it does: where, by which branches, in which crops."""
    from ..data.crops import check_scheme
    from ..data.decode import decode
    from ..explain.branches import check_module
    from ..explain.explanation import explain
    from ..explain.page import Subject, check_folder, write_page
    from ..labels import named
    from ..models.load import load
    from ..models.network import best_device, to_device
    from .progress import counting

    check_scheme(crops)
    check_folder(out)
    wanted = _channel(channel, folder)
    decoded = decode(image)
    network = to_device(load(run), best_device())
    classes = network.classes or tuple(map(str, range(network.num_classes)))
    if module is not None:
        check_module(network.definition, module)
    strong, bad = _strongest(network, *wanted) if wanted else ([], [])
    with counting("voting", crops) as progress:
        found = explain(network, decoded, top=top, module=module, crops=crops, progress=progress)
    document = {"model": run, "image": str(image), **found.as_dict(classes)}
    if wanted:
        document |= {"channel": channel, "strongest": [one.as_dict() for one in strong], "skipped": bad}
    names = named(classes, lang)
    subject = Subject(decoded, image.name, Path(run).name, network.preprocess.image_size, names, lang)
    page = write_page(out, subject, found, document, (str(channel), strong) if wanted else None)
    for reason in bad:
        print(f"skipped {reason}", file=sys.stderr)
    print(f"explained: {page}", file=sys.stderr)
    if as_json:
        print_json(document)
    else:
        _print(found, names)


def _channel(channel: str | None, folder: Path | None) -> tuple[str, int, list[Path]] | None:
    """The stage, the channel's number and the images to look for it in; GodeeperError for one without the other."""
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


def _strongest(network: Network, stage: str, channel: int, files: Sequence[Path]) -> tuple[list[Strong], list[str]]:
    from ..explain.strongest import strongest
    from .progress import counting

    with counting("looking for the strongest", len(files)) as progress:
        return strongest(network, files, stage, channel, progress=progress)


def _print(found: Explanation, names: Sequence[str]) -> None:
    """The answer, the branches and the votes, each as a table."""
    print_table(("probability", "class"), [(f"{100 * p:.2f} %", names[label]) for label, p in found.answer], ("probability",))
    if found.module:
        print()
        head = (f"branch of {found.module}", *(names[label] for label, _ in found.answer))
        print_table(head, [(part.name, *(f"{value:+.3f}" for value in part.adds)) for part in found.parts], head[1:])
    print()
    head = ("votes", "mean probability", "class")
    print_table(head, [(n, f"{100 * found.mean[label]:.2f} %", names[label]) for label, n in found.tally()], head[:2])


COMMANDS = (explain_command,)
