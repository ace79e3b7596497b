"""Detectors on disk: safetensors with the spec as metadata; building one needs no registry."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ..errors import BadCheckpoint, GodeeperError, message_lines
from ..files import could_exist
from ..models.network import unwrapped
from ..models.weights.foreign import plain
from ..models.weights.read import WEIGHTS_FILE, weights_file
from ..tensor_files import is_safetensors, load_tensors, read_header, save_tensors, value_fault
from .detector_spec import DetectorSpec, MultiBoxSpec
from .faster_rcnn import FasterRCNN
from .multibox import MultiBox

DETECTOR, MULTIBOX = "detector", "multibox"  # keys of the metadata
Module = TypeVar("Module", bound=nn.Module)


def save_detector(detector: FasterRCNN, path: str | Path) -> None:
    """Writes a detector's weights and spec, atomically; OSError where the file cannot be written."""
    detector = unwrapped(detector)
    save_tensors(Path(path), detector.state_dict(), {DETECTOR: detector.spec.as_dict()})


def load_detector(source: str | Path) -> FasterRCNN:
    """The Faster R-CNN of a run folder or weights file, in evaluation mode; BadCheckpoint where there is none."""
    missing = "holds no Faster R-CNN: give a run of `godeeper detect train`"
    return _load(source, DETECTOR, lambda values: FasterRCNN(DetectorSpec.from_dict(values)), missing)


def holds_detector(source: str | Path) -> bool:
    """Whether a run folder or weights file holds a Faster R-CNN."""
    path = Path(source)
    if not could_exist(path):
        return False
    file = path / WEIGHTS_FILE if path.is_dir() else path
    return file.is_file() and is_safetensors(file) and DETECTOR in read_header(file)


def save_multibox(multibox: MultiBox, path: str | Path) -> None:
    """Writes a MultiBox network's weights and spec, atomically; OSError where the file cannot be written."""
    multibox = unwrapped(multibox)
    save_tensors(Path(path), multibox.state_dict(), {MULTIBOX: multibox.spec.as_dict()})


def load_multibox(source: str | Path) -> MultiBox:
    """The MultiBox network of a run folder or weights file, in evaluation mode; BadCheckpoint where there is none."""
    missing = "holds no MultiBox network: give a run of `godeeper detect train --method multibox`"
    return _load(source, MULTIBOX, lambda values: MultiBox(MultiBoxSpec.from_dict(values)), missing)


def _load(source: str | Path, key: str, build: Callable[[Any], Module], missing: str) -> Module:
    file = weights_file(Path(source))
    tensors, metadata = load_tensors(file)
    if key not in metadata:
        raise BadCheckpoint(f"{str(file)!r} {missing}")
    tensors = plain(tensors, file)
    try:
        with torch.device("meta"):  # no memory before the file's tensors are known to fit
            _fill(build(metadata[key]), tensors, file)
        module = build(metadata[key])
    except BadCheckpoint:
        raise
    except (GodeeperError, TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise BadCheckpoint(f"{str(file)!r} describes a {key} that cannot be built: {error}") from None
    _fill(module, tensors, file)
    return module.eval()


def _fill(module: nn.Module, tensors: dict[str, Tensor], file: Path) -> None:
    """Puts the tensors of a file into a module; BadCheckpoint where they do not fit, or are not finite."""
    try:
        module.load_state_dict(tensors, assign=next(module.parameters()).is_meta)
    except RuntimeError as error:
        reason = message_lines(error)[-1]
        raise BadCheckpoint(f"{str(file)!r} does not fit the network that it describes: {reason}") from None
    for name, tensor in tensors.items():
        if fault := value_fault(name, tensor):
            raise BadCheckpoint(f"{str(file)!r} holds {fault}, in {name!r}")
