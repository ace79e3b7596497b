"""The file formats of exported networks: how each is written and run."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from ..digests import BLANK
from ..errors import message_lines
from ..models.network import Network
from ..packages import require
from .engines import onnx_session
from .executorch import MemoryUse, lower, run_pte
from .export_metadata import COMPANIONS, KEY, metadata_text, set_onnx_metadata
from .openvino_core import openvino_core
from .torch_export import load_pt2, trace_any_batch, write_pt2

FORMATS = {".onnx": "ONNX", ".xml": "OpenVINO", ".pt2": "torch.export", ".pte": "ExecuTorch"}

Run = Callable[[NDArray[Any]], list[NDArray[Any]]]  # a file's one input -> its outputs


class Exporter(Protocol):
    """A network on its way into a file; `engine` is the name of the package that runs the file."""

    engine: str
    memory: MemoryUse | None

    def write(self, file: Path, metadata: dict[str, Any]) -> None:
        """Writes the file, or both files, with `metadata` as JSON and a place for the checksum."""

    def load(self, file: Path) -> Run:
        """The file, ready to run."""


def load_onnx(file: Path) -> Run:
    """A .onnx file on ONNX Runtime."""
    session = onnx_session(str(file))
    name = session.get_inputs()[0].name
    return lambda x: session.run(None, {name: np.ascontiguousarray(x)})


def load_openvino(file: Path) -> Run:
    """A .xml file on OpenVINO, in fp32."""
    core = openvino_core()
    compiled = core.compile_model(core.read_model(str(file)), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def run(x: NDArray[Any]) -> list[NDArray[Any]]:
        results = compiled({0: np.ascontiguousarray(x)})
        return [results[output].copy() for output in compiled.outputs]

    return run


class ONNXExporter:
    """An ONNX graph as an .onnx file, its weights within."""

    engine = "onnxruntime"
    memory: MemoryUse | None = None

    def __init__(self, model: Any) -> None:
        self.model = model

    def write(self, file: Path, metadata: dict[str, Any]) -> None:
        set_onnx_metadata(self.model, metadata_text(metadata))
        file.write_bytes(self.model.SerializeToString())

    def load(self, file: Path) -> Run:
        return load_onnx(file)


class OpenVINOExporter:
    """An ONNX graph as OpenVINO's pair of files, .xml and .bin."""

    engine = "openvino"
    memory: MemoryUse | None = None

    def __init__(self, model: Any) -> None:
        self.model = openvino_core().read_model(model.SerializeToString())

    def write(self, file: Path, metadata: dict[str, Any]) -> None:
        self.model.set_rt_info(metadata_text(metadata), [KEY])
        try:
            require("openvino", "deploy").save_model(self.model, str(file), compress_to_fp16=False)
        except RuntimeError as error:
            raise OSError(errno.EIO, f"OpenVINO cannot write it: {message_lines(error)[0]}", str(file)) from None

    def load(self, file: Path) -> Run:
        return load_openvino(file)


class TorchExporter:
    """A network as a torch.export program, .pt2, for any number of images."""

    engine = "torch"
    memory: MemoryUse | None = None

    def __init__(self, fused: Network) -> None:
        self.program = trace_any_batch(fused, fused.preprocess.image_size)

    def write(self, file: Path, metadata: dict[str, Any]) -> None:
        write_pt2(self.program, file, {KEY: json.dumps(metadata, ensure_ascii=False)}, BLANK)

    def load(self, file: Path) -> Run:
        run = load_pt2(file)
        return lambda x: [run(torch.from_numpy(x)).numpy()]


class ExecuTorchExporter:
    """A network as an ExecuTorch program, .pte, for one image at a time, with its metadata as a .json file beside it."""

    engine = "executorch"

    def __init__(self, fused: Network) -> None:
        self.lowered = lower(fused, fused.preprocess.image_size)
        self.memory: MemoryUse | None = self.lowered.memory

    def write(self, file: Path, metadata: dict[str, Any]) -> None:
        file.write_bytes(self.lowered.content)
        file.with_suffix(COMPANIONS[".pte"]).write_text(metadata_text(metadata), encoding="utf-8")

    def load(self, file: Path) -> Run:
        return lambda x: [torch.cat([run_pte(file, image) for image in torch.from_numpy(x).split(1)]).numpy()]
