"""A Faster R-CNN as a file that another engine runs: an image in, what is found out."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable, Sequence
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
from ..detect.faster_rcnn import FasterRCNN
from ..detect.iou import box_iou
from ..errors import BadCheckpoint, GodeeperError
from ..packages import require
from ..tensor_files import digest
from .card import KEY, read_text
from .export import photographs
from .openvino_core import openvino_core

ENGINES = {".onnx": "onnxruntime", ".xml": "openvino"}
OPSET = 17
INPUT, OUTPUTS = "image", ("boxes", "labels", "scores")
SAME = 0.95, 0.01  # the least Jaccard overlap and the largest difference of scores of what is found alike
ALIKE = 0.99  # of what either finds: what overlaps as much as may be, to a hair, may be suppressed by one and not the other


@dataclass(frozen=True)
class DetectorReport:
    """What an export wrote and what its check found."""

    file: Path
    check: dict[str, Any]
    size: int  # bytes


class ExportedDetector:
    """A `Detector` from a .onnx or .xml file of `export_detector`, run by ONNX Runtime or OpenVINO.

    BadCheckpoint for a file that is missing, damaged or something else.
    """

    def __init__(self, file: str | Path) -> None:
        file = Path(file)
        try:
            card = json.loads(read_text(file))
            self.classes = tuple(str(name) for name in card["classes"])
            self.arguments = dict(card["detector"])
        except (ValueError, KeyError, TypeError, RecursionError):
            raise BadCheckpoint(f"{str(file)!r} holds no Faster R-CNN: make it with `godeeper detect export`") from None
        try:
            self._run = _runner(file)
        except GodeeperError:
            raise
        except Exception as error:  # the engines' own kinds
            reason = str(error).strip().splitlines()[-1]
            raise BadCheckpoint(f"{str(file)!r} is damaged: {reason}; export it again") from None

    def find(self, image: Image.Image) -> Detections:
        """What is in an RGB image, as `FasterRCNN.find` has it."""
        found = Detections(*self._run(np.array(image)))
        if len(found) and found.labels.max() >= len(self.classes):
            raise BadCheckpoint(f"its metadata has {len(self.classes)} classes, but it finds more: export it again")
        return found


def export_detector(source: FasterRCNN | str | Path, out: str | Path, *, images: str | Path | None = None) -> DetectorReport:
    """Writes a Faster R-CNN as `out`, .onnx or .xml (OpenVINO): an image, uint8 (H, W, 3), in; boxes, labels and scores out.

    Its classes are inside. Then runs the file against the detector on the photographs of a folder, `images`, or on pieces of
    the two that scikit-learn has: where they find different objects, nothing is left behind. GodeeperError for that, and for a
    file that exists.
    """
    out = Path(out)
    suffix = out.suffix.lower()
    if suffix not in ENGINES:
        raise GodeeperError(f"{str(out)!r}: the name's ending decides the format; give .onnx (ONNX) or .xml (OpenVINO)")
    for part in (out, *([out.with_suffix(".bin")] if suffix == ".xml" else [])):
        if part.exists():
            raise GodeeperError(f"{str(part)!r} exists: remove it or choose another name")
    detector = (source if isinstance(source, FasterRCNN) else load_detector(source)).eval().cpu()
    shown = photographs(None if images is None else Path(images))
    about = {"detector": detector.arguments, "classes": list(detector.classes), "sha256": digest(detector.state_dict())}
    graph = _graph(detector)
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out.parent, prefix=".export-") as folder:
        file = Path(folder) / out.name
        _write(graph, file, about)
        check = _checked(ExportedDetector(file), detector, shown, ENGINES[suffix])
        _write(graph, file, about | {"check": check})
        parts = sorted(Path(folder).iterdir())  # OpenVINO's .bin before its .xml
        size = sum(part.stat().st_size for part in parts)
        for part in parts:
            shutil.move(part, out.parent / part.name)
    return DetectorReport(out, check, size)


class _Exported(nn.Module):
    def __init__(self, detector: FasterRCNN) -> None:
        super().__init__()
        self.rcnn = detector.rcnn

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        (found,) = self.rcnn([image.permute(2, 0, 1).float() / 255])
        return found["boxes"], found["labels"] - 1, found["scores"]


def _graph(detector: FasterRCNN) -> bytes:
    """The ONNX graph, for images of any size: traced, as torch's newer exporter cannot yet take the choices of boxes."""
    require("onnx", "deploy")
    size = detector.arguments["image_size"]
    with TemporaryDirectory() as folder, warnings.catch_warnings(), torch.no_grad():
        file = Path(folder) / "detector.onnx"
        warnings.simplefilter("ignore")  # of the exporter's age, and of sizes that are constants, which they are
        torch.onnx.export(
            _Exported(detector).eval(), (torch.zeros(size, size, 3, dtype=torch.uint8),), file, dynamo=False,
            opset_version=OPSET, input_names=[INPUT], output_names=list(OUTPUTS),
            dynamic_axes={INPUT: {0: "height", 1: "width"}, **{name: {0: "found"} for name in OUTPUTS}},
        )  # fmt: skip
        return file.read_bytes()


def _write(graph: bytes, file: Path, about: dict[str, Any]) -> None:
    text = json.dumps(about, ensure_ascii=False)
    if file.suffix.lower() == ".onnx":
        model = require("onnx", "deploy").load_model_from_string(graph)
        model.metadata_props.add(key=KEY, value=text)
        file.write_bytes(model.SerializeToString())
        return
    model = openvino_core().read_model(graph)
    model.set_rt_info(text, [KEY])
    require("openvino", "deploy").save_model(model, str(file), compress_to_fp16=False)


def _runner(file: Path) -> Callable[[Any], Sequence[Any]]:
    """An image, uint8 (H, W, 3) -> boxes, labels, scores."""
    if file.suffix.lower() == ".onnx":
        session = require("onnxruntime", "deploy").InferenceSession(str(file), providers=["CPUExecutionProvider"])
        return lambda image: session.run(OUTPUTS, {INPUT: image})
    core = openvino_core()
    compiled = core.compile_model(core.read_model(str(file)), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def run(image: Any) -> list[Any]:
        found = compiled({INPUT: image})
        return [found[name].copy() for name in OUTPUTS]

    return run


def _checked(file: ExportedDetector, detector: FasterRCNN, images: Sequence[Image.Image], engine: str) -> dict[str, Any]:
    """What the file finds in these images, against the detector; GodeeperError where it is something else."""
    found = alike = 0
    for image in images:
        one, other = detector.find(image), file.find(image)
        found += len(one) + len(other)
        alike += _among(one, other) + _among(other, one)
    if alike < ALIKE * found:
        raise GodeeperError(f"not written: {engine} finds other objects, {alike} of {found} alike, in {len(images)} images")
    return {"images": len(images), "found": found, "alike": alike, "engine": engine}


def _among(these: Detections, those: Detections) -> int:
    """How many of these are among those."""
    overlap, difference = SAME
    near = np.abs(these.scores[:, None] - those.scores[None]) <= difference
    same = (box_iou(these.boxes, those.boxes) >= overlap) & near & (these.labels[:, None] == those.labels[None])
    return int(same.any(1).sum())
