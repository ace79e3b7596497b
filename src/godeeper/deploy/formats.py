"""The formats that a network is exported to: how each is written and run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from ..models.network import Network
from ..packages import require
from .card import KEY, Card, put_card
from .engines import OpenVINOEngine
from .graph import INPUT, to_onnx
from .image_graph import IMAGE, with_preprocessing
from .openvino_core import openvino_core
from .phone import rewrite_pte_metadata, run_pte, write_pte
from .quantise import quantised
from .torch_formats import rewrite_pt2_metadata, run_pt2, write_pt2

FORMATS = {".onnx": "ONNX", ".xml": "OpenVINO", ".pt2": "torch.export", ".pte": "ExecuTorch"}


class Artefact(Protocol):
    """A network on its way into a file: `engine` runs the file for the check, `memory` is what a phone needs, in bytes."""

    engine: str
    memory: dict[str, Any] | None

    def write(self, file: Path, card: Card) -> None:
        """Writes it with the card in it; a second time, only the card may differ."""

    def run(self, file: Path) -> Callable[[Tensor], Tensor]:
        """What the file gives: logits of normalised images; or probabilities of images, where it has preprocessing."""

    def names(self, file: Path) -> list[str]:
        """The names of all files that belong to it."""


def make_artefact(suffix: str, fused: Network, card: Card, calibration: Sequence[Tensor]) -> Artefact:
    """The artefact of a fused network; `calibration` has normalised images (1, 3, S, S) where it is to be int8."""
    if suffix == ".pt2":
        return TorchFile(fused)
    if suffix == ".pte":
        return PhoneFile(fused)
    model = to_onnx(fused)
    if calibration:
        model = quantised(model, calibration)
    if card.with_preprocessing:
        model = with_preprocessing(model, card.preprocess)
    return ONNXFile(model) if suffix == ".onnx" else OpenVINOFile(model)


class ONNXFile:
    """A graph as an .onnx file, its weights within."""

    engine = "onnxruntime"
    memory: dict[str, Any] | None = None

    def __init__(self, model: Any) -> None:
        self.model = model

    def write(self, file: Path, card: Card) -> None:
        put_card(self.model, card)
        with file.open("wb") as opened:
            opened.write(self.model.SerializeToString())
            os.fsync(opened.fileno())

    def run(self, file: Path) -> Callable[[Tensor], Tensor]:
        session = require("onnxruntime", "deploy").InferenceSession(str(file), providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        assert name in (INPUT, IMAGE)
        return lambda x: torch.from_numpy(session.run(None, {name: x.contiguous().numpy()})[0])

    def names(self, file: Path) -> list[str]:
        return [file.name]


class OpenVINOFile:
    """A graph as OpenVINO's pair of files, .xml and .bin."""

    engine = "openvino"
    memory: dict[str, Any] | None = None

    def __init__(self, model: Any) -> None:
        self.openvino = require("openvino", "deploy")
        self.model = openvino_core().read_model(model.SerializeToString())

    def write(self, file: Path, card: Card) -> None:
        self.model.set_rt_info(json.dumps(card.as_dict(), ensure_ascii=False), [KEY])
        self.openvino.save_model(self.model, str(file), compress_to_fp16=False)

    def run(self, file: Path) -> Callable[[Tensor], Tensor]:
        return OpenVINOEngine(str(file))

    def names(self, file: Path) -> list[str]:
        return [file.name, file.with_suffix(".bin").name]


class TorchFile:
    """A program of torch.export, .pt2."""

    engine = "torch"
    memory: dict[str, Any] | None = None

    def __init__(self, fused: Network) -> None:
        self.fused = fused

    def write(self, file: Path, card: Card) -> None:
        if file.exists():
            return rewrite_pt2_metadata(file, card.as_dict())
        write_pt2(self.fused, card.preprocess.image_size, file, card.as_dict())

    def run(self, file: Path) -> Callable[[Tensor], Tensor]:
        return lambda x: run_pt2(file, x)

    def names(self, file: Path) -> list[str]:
        return [file.name]


class PhoneFile:
    """A program of ExecuTorch, .pte, for one image at a time."""

    engine = "executorch"

    def __init__(self, fused: Network) -> None:
        self.fused = fused
        self.memory: dict[str, Any] | None = None

    def write(self, file: Path, card: Card) -> None:
        if file.exists():
            return rewrite_pte_metadata(file, card.as_dict())
        report = write_pte(self.fused, card.preprocess.image_size, file, card.as_dict())
        self.memory = {
            "weights": report.weights,
            "activations": report.activations,
            "running": report.running,
            "slow_operators": list(report.undelegated),
        }

    def run(self, file: Path) -> Callable[[Tensor], Tensor]:
        return lambda x: torch.cat([run_pte(file, image) for image in x.split(1)])

    def names(self, file: Path) -> list[str]:
        return [file.name]
