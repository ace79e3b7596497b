"""`predict`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import BadImage, GodeeperError
from .output import Json, print_json

if TYPE_CHECKING:
    from ..deploy.predictor import Prediction


def predict_command(
    run: Annotated[str, typer.Argument(help="A run folder, weights file or published name (see `godeeper models`).")],
    pictures: Annotated[list[str], typer.Argument(help="Files, folders or patterns such as 'photos/*.jpg'.")],
    top: Annotated[int, typer.Option(min=1, help="How many classes to name.")] = 5,
    crops: Annotated[int, typer.Option(help="Views a picture: 1, 10, 12 or 144.")] = 1,
    picture: Annotated[Path | None, typer.Option(help="Draw the pictures with their classes into this file.")] = None,
    as_json: Json = False,
) -> None:
    """Name what is in pictures: the likeliest classes and their probabilities."""
    from ..data.crops import check_scheme
    from ..data.decode import decode
    from ..deploy.predictor import Predictor
    from ..explain.card import draw_cards
    from .progress import counting

    check_scheme(crops)
    files = _expanded(pictures)
    if picture is not None:
        _check_drawing(picture, files)
    predictor = Predictor(run)
    predicted: list[tuple[Path, Prediction]] = []
    bad: dict[Path, str] = {}
    with counting("predicting", len(files)) as progress:
        for done, file in enumerate(files, 1):
            try:
                predicted.append((file, predictor([decode(file)], top=top, crops=crops)[0]))
            except BadImage as error:
                bad[file] = str(error)
            progress(done, len(files))
    if as_json:
        known = dict(predicted)
        print_json([_document(file, known, bad) for file in files])
    else:
        _print(predicted)
    if picture is not None and predicted:
        left_out = draw_cards(predicted, picture)
        print(
            f"drawn: {picture}" + (f" (the first {len(predicted) - left_out} of {len(predicted)})" if left_out else ""),
            file=sys.stderr,
        )
    if bad:
        for reason in bad.values():
            print(f"godeeper: {reason}", file=sys.stderr)
        raise typer.Exit(2)


def _check_drawing(picture: Path, files: Sequence[Path]) -> None:
    """GodeeperError, before any work is done, unless the drawing can be written without touching a picture it shows."""
    if picture.suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp"):
        raise GodeeperError(f"--picture {str(picture)!r}: name a .png, .jpg or .webp file")
    if not picture.parent.is_dir():
        raise GodeeperError(f"--picture {str(picture)!r}: there is no folder {str(picture.parent)!r}")
    if picture.resolve() in {file.resolve() for file in files}:
        raise GodeeperError(f"--picture {str(picture)!r} is one of the pictures to predict: name another file")


def _expanded(pictures: Sequence[str]) -> list[Path]:
    """The files that the arguments mean, in order; GodeeperError for one that means none."""
    from ..data.folders import picture_files

    files: list[Path] = []
    for argument in pictures:
        path = Path(argument)
        if not argument:
            raise GodeeperError("a picture's name is empty: give a file, a folder or a pattern")
        if len(path.name) > 255:  # no file system has such a name; asking for it would raise
            raise GodeeperError(f"there are no pictures at {argument[:40]!r}...")
        if path.is_dir():
            found = picture_files(path)
        elif path.exists() or path.is_symlink():
            found = [path]
        else:
            found = sorted(Path(match) for match in glob(argument, recursive=True) if Path(match).is_file())
        if not found:
            raise GodeeperError(f"there are no pictures at {argument!r}")
        files += found
    return list(dict.fromkeys(files))


def _document(file: Path, predicted: dict[Path, Prediction], bad: dict[Path, str]) -> dict[str, Any]:
    if file in bad:
        return {"picture": str(file), "error": bad[file]}
    pairs = zip(predicted[file].labels, predicted[file].probabilities, strict=True)
    return {"picture": str(file), "predictions": [{"label": label, "probability": p} for label, p in pairs]}


def _print(predicted: Sequence[tuple[Path, Prediction]]) -> None:
    for file, prediction in predicted:
        print(file if str(file).isprintable() else repr(str(file)))
        for label, probability in zip(prediction.labels, prediction.probabilities, strict=True):
            print(f"  {100 * probability:6.2f} %  {label}")


COMMANDS = (predict_command,)
