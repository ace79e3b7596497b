"""Count how well a detector finds objects, and how many objects proposals cover."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from accelerate import PartialState

from ..data.annotations import LeftOut
from ..data.open_annotations import open_annotations
from ..destinations import check_output
from ..detect.average_precision import DetectionScores, score_detections
from ..detect.coco_scores import CocoScores, coco_scores
from ..detect.detection_report import precision_recall_chart, save_detections
from ..detect.detector import DetectionResults, find_all
from ..detect.proposals import Coverage, Proposer, coverage, propose_all
from ..files import atomic_write
from ..models.network import best_device
from ..ranks import fail_together
from .detectors import Models, open_detector, open_proposer
from .progress import OnProgress, counter


@dataclass(frozen=True)
class EvaluateDetectorResult:
    """Scores by the rules of VOC, ILSVRC and COCO, and the detections that they are of.

    `coco` is None where faster-coco-eval is not installed. `about` names models, data and split; `left_out` is what was unsound
    in the annotations. `is_main` is false in all processes but one of torchrun's: their results are the same, and only the first
    one writes.
    """

    voc: DetectionScores
    ilsvrc: DetectionScores
    coco: CocoScores | None
    results: DetectionResults
    about: dict[str, Any]
    left_out: LeftOut
    is_main: bool = True

    @property
    def skipped(self) -> list[str]:
        """The images left out, as unsound or because they cannot be decoded, each with the reason."""
        return [*(fault.reason for fault in self.left_out.images), *self.results.skipped]

    @property
    def skipped_boxes(self) -> list[str]:
        """The unsound boxes, each with the reason."""
        return [fault.reason for fault in self.left_out.boxes]

    def as_dict(self) -> dict[str, Any]:
        """What `--json` prints."""
        images = {"images": self.voc.images, "skipped": self.skipped, "skipped_boxes": self.skipped_boxes}
        coco = None if self.coco is None else self.coco.as_dict()
        return self.about | images | {"voc": self.voc.as_dict(), "ilsvrc": self.ilsvrc.as_dict(), "coco": coco}


def evaluate_detector(
    models: Models,
    data: str | Path,
    *,
    split: str = "test",
    superpixels: float | None = None,
    multibox: str | Path | None = None,
    save: Path | None = None,
    plot: Path | None = None,
    skip_bad: bool = False,
    on_progress: OnProgress | None = None,
) -> EvaluateDetectorResult:
    """The mean average precision of a detector on the annotated images of `split` in the folder `data`.

    `models` is the run, weights file or exported file of a Faster R-CNN; or one or more runs of R-CNN, an ensemble, whose
    proposals `superpixels` and `multibox` decide; or a `Detector`. `save` (.json) keeps the detections; `plot` (.png) draws
    precision over recall. Under torchrun the processes share the images. GodeeperError for what does not go together, and for
    unsound annotations, BadImage for an image that cannot be decoded, unless `skip_bad`.
    """
    for out, option, suffix in ((save, "--save", ".json"), (plot, "--plot", ".png")):
        if out is not None:
            check_output(out, option, (suffix,))
    processes = PartialState(cpu=best_device().type == "cpu")
    with fail_together():
        detector = open_detector(models, superpixels, multibox)
        images = open_annotations(data, split, detector.classes, skip_bad=skip_bad)
    results = find_all(detector, images, skip_bad=skip_bad, progress=counter("detecting", on_progress))
    scored = (results.detections, [images.objects[index] for index in results.indices], images.classes)
    result = EvaluateDetectorResult(
        score_detections(*scored, "voc"),
        score_detections(*scored, "ilsvrc"),
        coco_scores(*scored) if find_spec("faster_coco_eval") else None,
        results,
        {"models": _names(models), "data": str(data), "split": split},
        images.left_out,
        processes.is_main_process,
    )
    if result.is_main and save is not None:
        save_detections(save, [images.files[index] for index in results.indices], results.detections, images.classes)
    if result.is_main and plot is not None:
        with atomic_write(plot) as partial:
            partial.write_bytes(precision_recall_chart(result.voc))
    return result


def _names(models: Models) -> list[str]:
    return [str(model) for model in models] if isinstance(models, list | tuple) else [type(models).__name__]


@dataclass(frozen=True)
class CoverageResult:
    """How many objects the proposals cover, and in how many images; why images and boxes were left out."""

    coverage: Coverage
    images: int
    skipped: list[str]
    skipped_boxes: list[str]

    def as_dict(self) -> dict[str, Any]:
        """What `--json` prints; `coverage` in percent, None without objects."""
        objects, proposals = self.coverage.objects, self.coverage.proposals
        percent = self.coverage.percent if objects else None
        counts = {"images": self.images, "objects": objects, "coverage": percent, "proposals": proposals}
        return counts | {"skipped": self.skipped, "skipped_boxes": self.skipped_boxes}


def measure_coverage(
    data: str | Path,
    *,
    split: str = "test",
    superpixels: float | None = None,
    multibox: str | Path | None = None,
    proposer: Proposer | None = None,
    workers: int = 1,
    skip_bad: bool = False,
    on_progress: OnProgress | None = None,
) -> CoverageResult:
    """How many objects of the annotated images are covered by R-CNN's proposals, at an IoU of at least 0.5.

    `superpixels` and `multibox` (a run) decide the proposals, or `proposer` makes them; `workers` processes do. GodeeperError for
    unsound annotations, BadImage for an image that cannot be decoded, unless `skip_bad`.
    """
    images = open_annotations(data, split, skip_bad=skip_bad)
    proposer = open_proposer(superpixels, multibox) if proposer is None else proposer
    progress = counter("proposing", on_progress)
    proposals = propose_all(proposer, images, workers=workers, skip_bad=skip_bad, progress=progress)
    covered = coverage(proposals.boxes, images.subset(proposals.indices).objects)
    skipped = [*(fault.reason for fault in images.left_out.images), *proposals.skipped]
    return CoverageResult(covered, len(proposals.boxes), skipped, [fault.reason for fault in images.left_out.boxes])
