"""`detect evaluate` and `detect predict`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import BadImage, GodeeperError
from .output import Json, Language, print_json, print_table
from .proposing import Multibox, Superpixels, proposer_of

if TYPE_CHECKING:
    from ..detect.average_precision import DetectionScores
    from ..detect.coco_scores import CocoScores
    from ..detect.detections import Detections
    from ..detect.detector import Detector

Runs = Annotated[
    list[str], typer.Argument(help="A Faster R-CNN's run or exported file, or an R-CNN's run; several of those: an ensemble.")
]
Data = Annotated[str, typer.Option(help="A folder of annotated images: Pascal VOC's or COCO's.")]
Split = Annotated[str, typer.Option(help="Which images of the data.")]
KINDS = (".safetensors", ".onnx", ".xml")  # of files that a detector is read from


def evaluate_command(
    runs: Runs,
    data: Data,
    split: Split = "test",
    superpixels: Superpixels = None,
    multibox: Multibox = None,
    save: Annotated[Path | None, typer.Option(help="Keep what was found in this .json file.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw precision against recall into this .png file.")] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave out and count images that cannot be decoded.")] = False,
    as_json: Json = False,
) -> None:
    """Count the mean average precision of a detector, as Pascal VOC, ILSVRC and COCO do."""
    from accelerate import PartialState

    from ..data.open_annotations import open_annotations
    from ..detect.detection_report import precision_recall_chart, save_detections
    from ..detect.detector import find_all
    from ..files import atomic_write
    from ..models.network import best_device
    from .progress import counting

    _check_written(save, ".json", "--save")
    _check_written(plot, ".png", "--plot")
    processes = PartialState(cpu=best_device().type == "cpu")  # under torchrun, several; the first one reports
    detector = detector_of(runs, superpixels, multibox)
    images = open_annotations(data, split, detector.classes)
    with counting("detecting", len(images), show=processes.is_main_process) as progress:
        found = find_all(detector, images, skip_bad=skip_bad, progress=progress)
    if not processes.is_main_process:
        return
    there = [images.objects[index] for index in found.indices]
    by_rule, coco = _scored(found.detections, there, images.classes)
    about = {"models": runs, "data": data, "split": split, "images": len(there), "skipped": found.skipped}
    if as_json:
        rules = {rule: scores.as_dict() for rule, scores in by_rule.items()}
        print_json({**about, **rules, "coco": None if coco is None else coco.as_dict()})
    else:
        _print_scores(by_rule, coco, len(there), found.skipped)
    if save is not None:
        save_detections(save, [images.files[index] for index in found.indices], found.detections, images.classes)
    if plot is not None:
        with atomic_write(plot) as partial:
            partial.write_bytes(precision_recall_chart(by_rule["voc"]))


def _scored(
    detections: Sequence[Detections], there: Any, classes: tuple[str, ...]
) -> tuple[dict[str, DetectionScores], CocoScores | None]:
    """By VOC's and ILSVRC's rule, and COCO's figures where the package that counts them is installed."""
    from importlib.util import find_spec

    from ..detect.average_precision import score_detections
    from ..detect.coco_scores import coco_scores

    by_rule = {rule: score_detections(detections, there, classes, rule) for rule in ("voc", "ilsvrc")}
    return by_rule, coco_scores(detections, there, classes) if find_spec("faster_coco_eval") else None


def _print_scores(by_rule: dict[str, DetectionScores], coco: CocoScores | None, images: int, skipped: Sequence[str]) -> None:
    from ..detect.detection_report import class_rows

    voc, ilsvrc = by_rule["voc"], by_rule["ilsvrc"]
    head = ("class", "objects", "found", "recall", "AP (VOC)", "AP (ILSVRC)")
    print_table(head, class_rows(voc, ilsvrc), right=head[1:])
    print()
    rows = [
        ("images", f"{images}" + (f", {len(skipped)} skipped" if skipped else "")),
        ("mAP at 0.5, VOC", percent(voc.mean_average_precision)),
        ("mAP at 0.5, ILSVRC", percent(ilsvrc.mean_average_precision)),
    ]
    if coco is None:
        rows.append(("COCO", "not counted: pip install 'godeeper[detect]'"))
    else:
        rows.append(("mAP at 0.5, COCO", percent(coco.map_50)))
        rows.append(("mAP at 0.5 to 0.95, COCO", percent(coco.map)))
    print_table((), rows)
    for reason in skipped:
        print(f"skipped {reason}", file=sys.stderr)


def percent(value: float | None) -> str:
    """A share for people; None and what is not a number stand for no objects."""
    return "none: there are no objects" if value is None or isnan(value) else f"{value:.2f} %"


def predict_command(
    runs: Annotated[
        list[str], typer.Argument(help="A Faster R-CNN's run or several R-CNN runs, then images, folders or patterns.")
    ],
    image: Annotated[Path | None, typer.Option(help="Draw what is found into this file, or folder for several.")] = None,
    threshold: Annotated[float, typer.Option(min=0, max=1, help="The least score.")] = 0.5,
    lang: Language = "en",
    superpixels: Superpixels = None,
    multibox: Multibox = None,
    as_json: Json = False,
) -> None:
    """Find the objects in images: class, score, and box as left, top, right, bottom in pixels."""
    from ..data.decode import decode
    from ..explain.canvas import require_chinese_font
    from ..explain.draw_detections import draw_detections
    from ..labels import display_names
    from ..workflows.image_files import files_of
    from .progress import counting

    count = len(_runs_of(runs))
    files = files_of(runs[count:])
    drawings = [None] * len(files) if image is None else _drawings(image, files)
    if image is not None and lang != "en":
        require_chinese_font()
    detector = detector_of(runs[:count], superpixels, multibox)
    names = display_names(detector.classes, lang)
    outcomes: list[tuple[Path, Detections | BadImage]] = []
    fault: GodeeperError | None = None
    with counting("detecting", len(files)) as progress:
        for file, drawing in zip(files, drawings, strict=True):
            try:
                decoded = decode(file)
                found = detector.find(decoded).at_least(threshold)
                outcomes.append((file, found))
                if drawing is not None and fault is None:
                    draw_detections(decoded, found, names, drawing)
            except BadImage as error:
                outcomes.append((file, error))
            except GodeeperError as error:  # of a drawing; what was found is told all the same
                fault = error
            progress(len(outcomes), len(files))
    _tell_found(outcomes, names, as_json)
    if fault is not None:
        raise fault


def _drawings(image: Path, files: Sequence[Path]) -> list[Path]:
    """Where each image is drawn, none twice; GodeeperError for a folder of the images that are looked at."""
    from ..workflows.outputs import check_drawing

    if len(files) == 1 and not image.is_dir():
        check_drawing(image, files)
        return [image]
    if image.exists() and not image.is_dir():
        raise GodeeperError(f"--image {str(image)!r} is a file, but there are {len(files)} images: name a folder")
    if image.resolve() in {file.resolve().parent for file in files}:
        raise GodeeperError(f"--image {str(image)!r} is where the images are that are looked at: name another folder")
    drawings: dict[Path, None] = {}
    for file in files:
        names = (f"{file.stem}{number}.png" for number in ("", *(f"-{again}" for again in range(2, len(files) + 1))))
        drawings[next(image / name for name in names if image / name not in drawings)] = None
    return list(drawings)


def _runs_of(arguments: Sequence[str]) -> list[str]:
    """The runs among the arguments, which come first: run folders, weights files and exported files."""
    runs = []
    for argument in arguments:
        path = Path(argument)
        if path.suffix.lower() not in KINDS and not any((path / name).is_file() for name in ("model.safetensors", "recipe.json")):
            break
        runs.append(argument)
    if not runs:
        from ..models.weights.read import weights_file

        weights_file(Path(arguments[0]))  # which says what is wrong with it
        raise GodeeperError(f"{arguments[0]!r} is no detector: give a run of `godeeper detect train`, then images")
    if len(runs) == len(arguments):
        raise GodeeperError("there are no images to look at: name them after the run")
    return runs


def _tell_found(outcomes: Sequence[tuple[Path, Detections | BadImage]], names: Sequence[str], as_json: bool) -> None:
    from ..detect.detection_report import detections_as_dict

    good = [(file, found) for file, found in outcomes if not isinstance(found, BadImage)]
    if as_json:
        print_json([
            {"file": str(file), "error": str(found)} if isinstance(found, BadImage) else detections_as_dict(file, found, names)
            for file, found in outcomes
        ])  # fmt: skip
    else:
        for file, found in good:
            print(file if str(file).isprintable() else repr(str(file)))
            for (left, top, right, bottom), label, sure in zip(found.boxes, found.labels, found.scores, strict=True):
                print(f"  {100 * sure:6.2f} %  {names[label]}  {left:.0f}, {top:.0f}, {right:.0f}, {bottom:.0f}")
    for _, outcome in outcomes:
        if isinstance(outcome, BadImage):
            print(f"godeeper: {outcome}", file=sys.stderr)
    if len(good) < len(outcomes):
        raise typer.Exit(2)


def detector_of(runs: Sequence[str], superpixels: float | None, multibox: str | None) -> Detector:
    """The Faster R-CNN of a run or exported file, or an R-CNN of all the runs; GodeeperError for what does not go together."""
    from ..deploy.export_metadata import is_exported
    from ..detect.detector_files import holds_detector, load_detector
    from ..detect.rcnn import RCNN
    from ..models.load import load
    from ..models.network import best_device, to_device

    whole = [run for run in runs if is_exported(run) or holds_detector(run)]
    if whole and len(runs) > 1:
        raise GodeeperError(f"{whole[0]!r} is a Faster R-CNN, which finds alone: an ensemble is of R-CNN runs")
    if whole and (superpixels is not None or multibox is not None):
        raise GodeeperError(f"{whole[0]!r} is a Faster R-CNN, which proposes by itself: leave --superpixels and --multibox out")
    if whole and is_exported(whole[0]):
        from ..deploy.detector_export import ExportedDetector

        return ExportedDetector(whole[0])
    if whole:
        return to_device(load_detector(whole[0]), best_device())
    networks = [to_device(load(run), best_device()) for run in runs]
    return RCNN(networks, proposer_of(2.0 if superpixels is None else superpixels, multibox))


def _check_written(file: Path | None, suffix: str, option: str) -> None:
    """GodeeperError, before any work is done, unless the file can be written."""
    if file is not None and file.is_dir():
        raise GodeeperError(f"{option} {str(file)!r} is a folder: name a {suffix} file")
    if file is not None and file.suffix.lower() != suffix:
        raise GodeeperError(f"{option} {str(file)!r}: name a {suffix} file")
    if file is not None and not file.parent.is_dir():
        raise GodeeperError(f"{option} {str(file)!r}: there is no folder {str(file.parent)!r}")
