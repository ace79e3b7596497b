"""Detectors on disk: safetensors, with what is needed to build them again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import BadCheckpoint, GodeeperError
from ..models.registry import create_model
from ..models.weights.read import WEIGHTS_FILE, weights_file
from ..preprocess import Preprocess
from ..tensor_files import is_safetensors, load_tensors, read_safetensors, save_tensors
from .detection_recipes import DetectionRecipe
from .faster_rcnn import FasterRCNN


def save_detector(detector: FasterRCNN, path: str | Path) -> None:
    """Writes a detector's weights, arguments, classes and preprocessing."""
    metadata = {
        "detector": detector.arguments, "classes": list(detector.classes), "preprocess": detector.preprocess.as_dict(),
    }  # fmt: skip
    save_tensors(Path(path), detector.state_dict(), metadata)


def holds_detector(source: str | Path) -> bool:
    """Whether a run folder or weights file holds a Faster R-CNN."""
    path = Path(source)
    file = path / WEIGHTS_FILE if path.is_dir() else path
    if not file.is_file() or not is_safetensors(file):
        return False
    _, metadata = read_safetensors(file)
    return "detector" in metadata


def load_detector(source: str | Path) -> FasterRCNN:
    """The Faster R-CNN of a run folder or weights file, in evaluation mode; BadCheckpoint where there is none."""
    file = weights_file(Path(source))
    tensors, metadata = load_tensors(file)
    if "detector" not in metadata:
        raise BadCheckpoint(f"{str(file)!r} holds no Faster R-CNN: give a run of `godeeper detect train`")
    try:
        detector = build_detector(metadata["detector"], metadata["classes"], Preprocess.from_dict(metadata["preprocess"]))
    except (GodeeperError, KeyError, TypeError, ValueError) as error:
        raise BadCheckpoint(f"{str(file)!r} describes a detector that this version cannot build: {error}") from None
    fill(detector, tensors, file)
    return detector.eval()


def fill(module: nn.Module, tensors: dict[str, Tensor], file: Path) -> None:
    """Puts the tensors of a file into a module; BadCheckpoint where they do not fit, or are not finite."""
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise BadCheckpoint(f"{str(file)!r} does not fit the network that it describes: {reason}") from None
    if not all(torch.isfinite(tensor).all() for tensor in tensors.values() if tensor.is_floating_point()):
        raise BadCheckpoint(f"{str(file)!r} holds values that are not finite")


def build_detector(arguments: dict[str, Any], classes: list[str], preprocess: Preprocess) -> FasterRCNN:
    """A detector with fresh weights, from what `FasterRCNN.arguments` holds."""
    options = dict(arguments)
    DetectionRecipe(**{name: options[name] for name in ("image_size", "longest", "regions")}, anchors=tuple(options["anchors"]))
    if (
        not isinstance(classes, list)
        or not classes
        or not all(isinstance(name, str) for name in classes)
        or len(set(classes)) < len(classes)
    ):
        raise GodeeperError(f"its classes are {classes!r}")
    network = create_model(options.pop("name"), num_classes=1, width=options.pop("width"))
    network.preprocess = preprocess
    return FasterRCNN(network, classes, **options)
