"""`predict`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import BadImage, GodeeperError
from ..text import printable
from .model_option import Preparation, prepared
from .output import Engine, Json, Language, Precision, end_for_bad, print_json, print_times, show
from .progress import progress_bar

if TYPE_CHECKING:
    from ..deploy.class_names import ClassNames
    from ..deploy.predictor import Prediction
    from ..workflows.prediction import PredictResult


def predict_command(
    run: Annotated[str, typer.Argument(help="A run folder, weights file or published name (see `godeeper models`).")],
    images: Annotated[list[str], typer.Argument(help="Files, folders or patterns such as 'photos/*.jpg'.")],
    top: Annotated[int, typer.Option(min=1, help="How many classes to name.")] = 5,
    crops: Annotated[int, typer.Option(help="Crops of an image: 1, 6, 10, 12 or 144.")] = 1,
    plot: Annotated[Path | None, typer.Option(help="Draw the images with their classes into this file.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write a table (.parquet, .csv, .jsonl) instead; called again, it goes on.")
    ] = None,
    lang: Language = "en",
    preprocess: Preparation = None,
    engine: Engine = "auto",
    precision: Precision = "auto",
    as_json: Json = False,
) -> None:
    """Name what is in images: the most likely classes and their probabilities."""
    from ..deploy.class_names import ClassNames
    from ..explain.canvas import require_chinese_font
    from ..workflows.image_files import files_of
    from ..workflows.outputs import check_drawing
    from ..workflows.prediction import predict, predict_table

    if out is not None and (plot is not None or as_json):
        raise GodeeperError("--out writes a table instead of what --json and --plot give: choose one of them")
    files = files_of(images)
    if plot is not None:
        check_drawing(plot, files)
        if lang != "en":
            require_chinese_font()
    options: Any = {"top": top, "crops": crops, "engine": engine, "precision": precision}
    model = prepared(run, preprocess)
    with progress_bar() as on_progress:
        if out is not None:
            table = predict_table(model, files, out, lang=lang, on_progress=on_progress, **options)
            if table.is_main:
                print_times(table)
            return
        result = predict(model, files, on_progress=on_progress, **options)
    _show(files, result, ClassNames(result.classes, lang), plot, as_json)


def _show(files: Sequence[Path], result: PredictResult, names: ClassNames, plot: Path | None, as_json: bool) -> None:
    """Prints the predictions, draws them into `plot`, and names what cannot be decoded, which ends in status 2."""
    from ..deploy.prediction_table import as_row

    outcomes = list(zip(files, result.outcomes, strict=True))
    if as_json:
        print_json([as_row(file, outcome, names) for file, outcome in outcomes])
    predicted = [(file, names.shown(outcome)) for file, outcome in outcomes if not isinstance(outcome, BadImage)]
    if not as_json:
        _print(predicted)
    if plot is not None and predicted:
        _draw(predicted, plot)
    end_for_bad(result.bad)


def _print(predicted: Sequence[tuple[Path, Prediction]]) -> None:
    for file, prediction in predicted:
        show(printable(file))
        for label, probability in zip(prediction.labels, prediction.probabilities, strict=True):
            show(f"  {100 * probability:6.2f} %  {printable(label)}")


def _draw(predicted: Sequence[tuple[Path, Prediction]], plot: Path) -> None:
    from ..explain.draw_predictions import draw_predictions

    left_out = draw_predictions(predicted, plot)
    some = f" (the first {len(predicted) - left_out} of {len(predicted)})" if left_out else ""
    show(f"plot: {plot}{some}", err=True)


COMMANDS = (predict_command,)
