"""`predict`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from glob import glob
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import BadImage, GodeeperError
from .output import Engine, Json, Language, Precision, print_json

if TYPE_CHECKING:
    from ..deploy.predictor import Prediction, Predictor
    from ..labels import Lang


def predict_command(
    run: Annotated[str, typer.Argument(help="A run folder, weights file or published name (see `godeeper models`).")],
    images: Annotated[list[str], typer.Argument(help="Files, folders or patterns such as 'photos/*.jpg'.")],
    top: Annotated[int, typer.Option(min=1, help="How many classes to name.")] = 5,
    crops: Annotated[int, typer.Option(help="Views an image: 1, 10, 12 or 144.")] = 1,
    image: Annotated[Path | None, typer.Option(help="Draw the images with their classes into this file.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write a table (.parquet, .csv, .jsonl) instead; called again, it goes on.")
    ] = None,
    lang: Language = "en",
    engine: Engine = "auto",
    precision: Precision = "auto",
    as_json: Json = False,
) -> None:
    """Name what is in images: the likeliest classes and their probabilities."""
    from ..data.crops import check_scheme
    from ..deploy.bulk import check_table, document
    from ..deploy.names import Names
    from ..deploy.predictor import Predictor
    from ..explain.card import check_chinese

    check_scheme(crops)
    if out is not None:
        check_table(out)
        if image is not None or as_json:
            raise GodeeperError("--out writes a table instead of what --json and --image give: choose one of them")
    files = expanded(images)
    if image is not None:
        check_drawing(image, files)
        if lang != "en":
            check_chinese()
    predictor = Predictor(run, engine, precision)
    if out is not None:
        _into_table(out, run, files, predictor, top, crops, lang)
        return
    names = Names(predictor.classes, lang)
    outcomes = _outcomes(files, predictor, top, crops)
    if as_json:
        print_json([document(file, outcome, names) for file, outcome in outcomes])
    good = [(file, names.shown(outcome)) for file, outcome in outcomes if not isinstance(outcome, BadImage)]
    _report(good, image, printing=not as_json)
    bad = [outcome for _, outcome in outcomes if isinstance(outcome, BadImage)]
    for reason in bad:
        print(f"godeeper: {reason}", file=sys.stderr)
    if bad:
        raise typer.Exit(2)


def _outcomes(files: Sequence[Path], predictor: Predictor, top: int, crops: int) -> list[tuple[Path, Prediction | BadImage]]:
    from .progress import counting

    outcomes = []
    with counting("predicting", len(files)) as progress:
        for file, outcome in zip(files, predictor.outcomes(files, top=top, crops=crops), strict=True):
            outcomes.append((file, outcome))
            progress(len(outcomes), len(files))
    return outcomes


def _into_table(out: Path, run: str, files: Sequence[Path], predictor: Predictor, top: int, crops: int, lang: Lang) -> None:
    """Writes the table, and says on stderr where the time went."""
    from ..deploy.bulk import fingerprint, predict_into
    from .progress import counting

    about = {"weights": fingerprint(run), "classes": list(predictor.classes), "precision": predictor.engine.precision}
    begun = perf_counter()
    with counting("predicting", len(files)) as progress:
        predict_into(out, files, predictor, about, top=top, crops=crops, lang=lang, progress=progress)
    seconds = perf_counter() - begun
    split = ", ".join(f"{what} {spent:.1f} s" for what, spent in predictor.seconds.items())
    print(f"{len(files)} images in {seconds:.1f} s ({predictor.engine.name}; {split}): {out}", file=sys.stderr)


def _report(predicted: Sequence[tuple[Path, Prediction]], image: Path | None, printing: bool) -> None:
    """Prints predictions, and draws them where that is asked for."""
    from ..explain.card import draw_cards

    if printing:
        _print(predicted)
    if image is not None and predicted:
        left_out = draw_cards(predicted, image)
        print(
            f"drawn: {image}" + (f" (the first {len(predicted) - left_out} of {len(predicted)})" if left_out else ""),
            file=sys.stderr,
        )


def check_drawing(image: Path, files: Sequence[Path]) -> None:
    """GodeeperError, before any work is done, unless the drawing can be written without touching an image it shows."""
    if image.suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp"):
        raise GodeeperError(f"--image {str(image)!r}: name a .png, .jpg or .webp file")
    if not image.parent.is_dir():
        raise GodeeperError(f"--image {str(image)!r}: there is no folder {str(image.parent)!r}")
    if image.resolve() in {file.resolve() for file in files}:
        raise GodeeperError(f"--image {str(image)!r} is one of the images to predict: name another file")


def expanded(images: Sequence[str]) -> list[Path]:
    """The files that the arguments mean, in order; GodeeperError for one that means none."""
    from ..data.folders import image_files

    files: list[Path] = []
    for argument in images:
        path = Path(argument)
        if not argument:
            raise GodeeperError("an image's name is empty: give a file, a folder or a pattern")
        if len(path.name) > 255:  # no file system has such a name; asking for it would raise
            raise GodeeperError(f"there are no images at {argument[:40]!r}...")
        if path.is_dir():
            found = image_files(path)
        elif path.exists() or path.is_symlink():
            found = [path]
        else:
            found = sorted(Path(match) for match in glob(argument, recursive=True) if Path(match).is_file())
        if not found:
            raise GodeeperError(f"there are no images at {argument!r}")
        files += found
    return list(dict.fromkeys(files))


def _print(predicted: Sequence[tuple[Path, Prediction]]) -> None:
    for file, prediction in predicted:
        print(file if str(file).isprintable() else repr(str(file)))
        for label, probability in zip(prediction.labels, prediction.probabilities, strict=True):
            print(f"  {100 * probability:6.2f} %  {label}")


COMMANDS = (predict_command,)
