"""`detect evaluate` and `detect coverage`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..packages import install_command
from .detect_options import Data, Multibox, Runs, SkipBad, Split, Superpixels, percent
from .output import Json, print_json, print_table, show
from .progress import progress_bar

if TYPE_CHECKING:
    from ..workflows.detector_evaluation import CoverageResult, EvaluateDetectorResult


def evaluate_command(
    runs: Runs,
    data: Data,
    split: Split = "test",
    superpixels: Superpixels = None,
    multibox: Multibox = None,
    save: Annotated[Path | None, typer.Option(help="Keep the detections in this .json file.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw precision over recall into this .png file.")] = None,
    skip_bad: SkipBad = False,
    as_json: Json = False,
) -> None:
    """Count the mean average precision of a detector, as Pascal VOC, ILSVRC and COCO do."""
    from ..workflows.detector_evaluation import evaluate_detector

    with progress_bar() as on_progress:
        result = evaluate_detector(
            runs, data, split=split, superpixels=superpixels, multibox=multibox, save=save, plot=plot, skip_bad=skip_bad,
            on_progress=on_progress,
        )  # fmt: skip
    if result.is_main and as_json:
        print_json(result.as_dict())
    elif result.is_main:
        _print_scores(result)


def _print_scores(result: EvaluateDetectorResult) -> None:
    from ..detect.detection_report import class_rows

    head = ("class", "objects", "detections", "recall", "AP (VOC)", "AP (ILSVRC)")
    print_table(head, class_rows(result.voc, result.ilsvrc), right=head[1:])
    show()
    rows = [
        ("images", _counted(result.voc.images, result)),
        ("mAP at 0.5, VOC", percent(result.voc.mean_average_precision)),
        ("mAP at 0.5, ILSVRC", percent(result.ilsvrc.mean_average_precision)),
    ]
    if result.coco is None:
        rows.append(("COCO", f"not counted: {install_command('detect')}"))
    else:
        rows.append(("mAP at 0.5, COCO", percent(result.coco.map_50)))
        rows.append(("mAP at 0.5 to 0.95, COCO", percent(result.coco.map)))
    print_table((), rows)
    _print_skipped(result)


def _counted(images: int, result: EvaluateDetectorResult | CoverageResult) -> str:
    """How many images there are, and how many images and boxes were left out, if any."""
    counts = ((len(result.skipped), "skipped"), (len(result.skipped_boxes), "boxes skipped"))
    return ", ".join([str(images), *(f"{count} {what}" for count, what in counts if count)])


def _print_skipped(result: EvaluateDetectorResult | CoverageResult) -> None:
    for reason in [*result.skipped, *result.skipped_boxes]:
        show(f"skipped {reason}", err=True)


def coverage_command(
    data: Data,
    split: Split = "test",
    superpixels: Superpixels = None,
    multibox: Multibox = None,
    workers: Annotated[int, typer.Option(min=0, max=999, help="Processes that propose regions.")] = 1,
    skip_bad: SkipBad = False,
    as_json: Json = False,
) -> None:
    """Count how many objects the proposals cover, at an IoU of 0.5."""
    from ..workflows.detector_evaluation import measure_coverage

    with progress_bar() as on_progress:
        result = measure_coverage(
            data, split=split, superpixels=superpixels, multibox=multibox, workers=workers, skip_bad=skip_bad,
            on_progress=on_progress,
        )  # fmt: skip
    if as_json:
        print_json(result.as_dict())
        return
    covered = result.coverage
    print_table(("images", "objects", "covered", "proposals an image"), [
        (_counted(result.images, result), covered.objects, percent(covered.percent), f"{covered.proposals:.0f}"),
    ])  # fmt: skip
    _print_skipped(result)
