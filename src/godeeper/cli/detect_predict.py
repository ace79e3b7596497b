"""`detect predict`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import BadImage, GodeeperError
from ..files import could_exist
from ..text import printable
from .detect_options import Multibox, Superpixels
from .output import Json, Language, end_for_bad, print_json, show
from .progress import progress_bar

if TYPE_CHECKING:
    from ..detect.detections import Detections

SUFFIXES = (".safetensors", ".onnx", ".xml")  # of files that a detector is read from


def predict_command(
    runs: Annotated[
        list[str], typer.Argument(help="A Faster R-CNN's run or several R-CNN runs, then images, folders or patterns.")
    ],
    plot: Annotated[Path | None, typer.Option(help="Draw the objects into this file, or folder for several images.")] = None,
    threshold: Annotated[float, typer.Option(min=0, max=1, help="The least score.")] = 0.5,
    lang: Language = "en",
    superpixels: Superpixels = None,
    multibox: Multibox = None,
    as_json: Json = False,
) -> None:
    """Find the objects in images: class, score, and box as left, top, right, bottom in pixels."""
    from ..labels import display_names
    from ..workflows.image_files import files_of
    from ..workflows.object_detection import check_plot, find_objects, plot_objects

    count = _count_runs(runs)
    files = files_of(runs[count:])
    if plot is not None:
        check_plot(plot, files, lang)
    with progress_bar() as on_progress:
        result = find_objects(
            runs[:count], files, threshold=threshold, superpixels=superpixels, multibox=multibox, on_progress=on_progress
        )
    classes = display_names(result.classes, lang)
    if as_json:
        print_json([_as_dict(file, outcome, classes) for file, outcome in zip(files, result.outcomes, strict=True)])
    else:
        _print_objects(files, result.outcomes, classes)
    if plot is not None:
        plot_objects(result, files, plot, lang)
    end_for_bad(result.bad)


def _count_runs(arguments: Sequence[str]) -> int:
    """How many of the arguments are runs, which come first: run folders, weights files and exported files."""
    count = 0
    for argument in arguments:
        path = Path(argument)
        is_run = could_exist(path) and any((path / name).is_file() for name in ("model.safetensors", "recipe.json"))
        if path.suffix.lower() not in SUFFIXES and not is_run:
            break
        count += 1
    if not count:
        from ..models.weights.read import weights_file

        weights_file(Path(arguments[0]))  # says what is wrong with it
        raise GodeeperError(f"{arguments[0]!r} is no detector: give a run of `godeeper detect train`, then images")
    if count == len(arguments):
        raise GodeeperError("there are no images to look at: name them after the run")
    return count


def _as_dict(file: Path, outcome: Detections | BadImage, classes: Sequence[str]) -> dict[str, Any]:
    from ..detect.detection_report import detections_as_dict

    if isinstance(outcome, BadImage):
        return {"file": str(file), "error": str(outcome)}
    return detections_as_dict(file, outcome, classes)


def _print_objects(files: Sequence[Path], outcomes: Sequence[Detections | BadImage], classes: Sequence[str]) -> None:
    for file, outcome in zip(files, outcomes, strict=True):
        if isinstance(outcome, BadImage):
            continue
        show(printable(file))
        for (left, top, right, bottom), label, score in zip(outcome.boxes, outcome.labels, outcome.scores, strict=True):
            show(f"  {100 * score:6.2f} %  {printable(classes[label])}  {left:.0f}, {top:.0f}, {right:.0f}, {bottom:.0f}")
