"""A Faster R-CNN as a file that another engine runs: an image in, boxes, labels and scores out."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from ..detect.detections import Detections
from ..detect.detector_files import load_detector
from ..detect.detector_spec import DetectorSpec
from ..detect.faster_rcnn import FasterRCNN
from ..detect.iou import box_iou
from ..errors import BadCheckpoint, GodeeperError
from ..packages import require
from ..tensor_files import digest
from ..version import __version__
from .checked_export import check_target, photographs, write_checked
from .engines import refusing
from .export_formats import Exporter, ONNXExporter, OpenVINOExporter, Run, load_onnx, load_openvino
from .export_metadata import read_json

SUFFIXES = (".onnx", ".xml")
OPSET = 17
INPUT, OUTPUTS = "image", ("boxes", "labels", "scores")
MIN_IOU, MAX_SCORE_DIFFERENCE = 0.95, 0.01  # of two detections that are the same
MIN_SAME = 0.99  # share of all detections: of two boxes that overlap by nearly NMS's threshold, one side may suppress one


@dataclass(frozen=True)
class DetectorExportReport:
    """What was exported; `check` has the counts `images`, `detections` (by either side) and `same`, and the `engine`."""

    file: Path
    check: dict[str, Any]
    size: int  # bytes


class ExportedDetector:
    """A `Detector` from a .onnx or .xml file of `export_detector`, run by ONNX Runtime or OpenVINO.

    BadCheckpoint for a file that is missing, damaged or something else.
    """

    def __init__(self, file: str | Path) -> None:
        file = Path(file)
        metadata = read_json(file)
        try:
            self.spec = DetectorSpec.from_dict(metadata["detector"])
        except (GodeeperError, KeyError, TypeError):
            raise BadCheckpoint(f"{str(file)!r} holds no Faster R-CNN: make it with `godeeper detect export`") from None
        is_onnx = file.suffix.lower() == ".onnx"
        self._file, self._engine = file, "ONNX Runtime" if is_onnx else "OpenVINO"
        with refusing(self._engine, file):
            self._run = load_onnx(file) if is_onnx else load_openvino(file)
        self.classes = self.spec.classes

    def find(self, image: Image.Image) -> Detections:
        """The objects of an RGB image, as `FasterRCNN.find` gives them."""
        with refusing(self._engine, self._file):
            detections = _detect(self._run, image)
            if fault := detections.fault(len(self.classes), image.size):
                raise BadCheckpoint(f"{str(self._file)!r} finds {fault}: export it again")
        return detections


def export_detector(
    source: FasterRCNN | str | Path, out: str | Path, *, images: str | Path | None = None
) -> DetectorExportReport:
    """Writes a Faster R-CNN as `out`, .onnx or .xml (OpenVINO).

    The file takes an image, uint8 (H, W, 3), and gives boxes (M, 4), labels (M,) and scores (M,); its spec is inside. It is
    run against the detector on the photographs of a folder, `images`, or on pieces of the two that scikit-learn has: where the
    two find different objects, nothing is left behind. GodeeperError for that, and for a file that exists.
    """
    out = Path(out)
    check_target(out, SUFFIXES)
    detector = (copy.deepcopy(source) if isinstance(source, FasterRCNN) else load_detector(source)).eval().cpu()
    samples = photographs(None if images is None else Path(images))
    name = detector.spec.model.definition.name if isinstance(source, FasterRCNN) else Path(source).name
    metadata = {
        "detector": detector.spec.as_dict(),
        "source": {"weights": name, "sha256": digest(detector.state_dict())},
        "version": __version__,
    }
    exporter: Exporter = (ONNXExporter if out.suffix.lower() == ".onnx" else OpenVINOExporter)(_graph(detector))
    check, size = write_checked(exporter, out, metadata, lambda run: _check(run, exporter.engine, detector, samples))
    return DetectorExportReport(out, check, size)


class _FromPixels(nn.Module):
    """uint8 (H, W, 3) -> boxes (M, 4), labels (M,), counted from 0, and scores (M,)."""

    def __init__(self, detector: FasterRCNN) -> None:
        super().__init__()
        self.rcnn = detector.rcnn

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        (detected,) = self.rcnn([image.permute(2, 0, 1).float() / 255])
        return detected["boxes"], detected["labels"] - 1, detected["scores"]


def _graph(detector: FasterRCNN) -> Any:
    """The ONNX graph, for images of any size: traced, as torch's newer exporter cannot yet take the choices of boxes."""
    onnx = require("onnx", "deploy")
    size = detector.spec.image_size
    with TemporaryDirectory() as folder, warnings.catch_warnings(), torch.no_grad():
        file = Path(folder) / "detector.onnx"
        warnings.simplefilter("ignore")  # of the exporter's age, and of sizes that are constants, which they are
        torch.onnx.export(
            _FromPixels(detector).eval(), (torch.zeros(size, size, 3, dtype=torch.uint8),), file, dynamo=False,
            opset_version=OPSET, input_names=[INPUT], output_names=list(OUTPUTS),
            dynamic_axes={INPUT: {0: "height", 1: "width"}, **{name: {0: "detections"} for name in OUTPUTS}},
        )  # fmt: skip
        return onnx.load(str(file))


def _detect(run: Run, image: Image.Image) -> Detections:
    return Detections(*run(np.array(image)))


def _check(run: Run, engine: str, detector: FasterRCNN, images: Iterable[Image.Image]) -> dict[str, Any]:
    """How the file's detections compare with the detector's; GodeeperError where too many differ."""
    count = total = same = 0
    for image in images:
        count += 1
        expected, actual = detector.find(image), _detect(run, image)
        total += len(expected) + len(actual)
        same += _count_among(expected, actual) + _count_among(actual, expected)
    if same < MIN_SAME * total:
        raise GodeeperError(f"not written: {engine} finds other objects, {same} of {total} alike, in {count} images")
    return {"images": count, "detections": total, "same": same, "engine": engine}


def _count_among(these: Detections, those: Detections) -> int:
    """How many of these detections are among those."""
    near = np.abs(these.scores[:, None] - those.scores[None]) <= MAX_SCORE_DIFFERENCE
    same = (box_iou(these.boxes, those.boxes) >= MIN_IOU) & near & (these.labels[:, None] == those.labels[None])
    return int(same.any(1).sum())
