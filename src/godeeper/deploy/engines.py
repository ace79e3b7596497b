"""The engines that run a network: torch, OpenVINO and ONNX Runtime, behind one call."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from importlib.util import find_spec
from typing import Any, Literal, Protocol, get_args

import torch
from torch import Tensor

from ..errors import BadCheckpoint, GodeeperError, is_out_of_memory, unknown
from ..models.network import Network, best_device, device_of, to_device
from ..packages import require
from .fuse import fuse
from .onnx_graph import INPUT, to_onnx
from .openvino_core import openvino_core

EngineName = Literal["torch", "openvino", "onnxruntime"]
Precision = Literal["fp32", "bf16", "int8"]
PRECISIONS: dict[str, tuple[Precision, ...]] = {  # what each computes in on a CPU
    "torch": ("fp32", "bf16"),
    "openvino": ("fp32", "bf16", "int8"),
    "onnxruntime": ("fp32", "int8"),
}


PLACE = re.compile(r"Exception from |Check '|While validating |.*:$")  # a line that only says where in OpenVINO it failed
OPERATOR = re.compile(r"operations?:|\bop\b|operator|op_type|not a registered", re.IGNORECASE)  # a line that names one


class Engine(Protocol):
    """A network ready to run: normalised images, float32 (N, 3, S, S), on `device` -> logits, float32 (N, classes)."""

    name: EngineName
    precision: Precision
    device: torch.device

    def __call__(self, x: Tensor) -> Tensor: ...


def installed(name: str) -> bool:
    """Whether an engine's packages are installed."""
    return find_spec(name) is not None and (name == "torch" or find_spec("onnx") is not None)


def check_engine(engine: str, precision: str) -> None:
    """GodeeperError for an unknown engine or precision, or an engine that does not compute in that precision."""
    if engine != "auto" and engine not in get_args(EngineName):
        raise unknown("engine", engine, ("auto", *get_args(EngineName)))
    if precision != "auto" and precision not in get_args(Precision):
        raise unknown("precision", precision, ("auto", *get_args(Precision)))
    if engine != "auto" and precision not in ("auto", *PRECISIONS[engine]):
        able = [name for name, precisions in PRECISIONS.items() if precision in precisions]
        raise GodeeperError(
            f"{engine} does not compute in {precision}: choose the engine {' or '.join(able)}, or another precision"
        )


def make_engine(network: Network, name: EngineName, precision: Precision = "fp32", *, compiled: bool = False) -> Engine:
    """The engine of that name, running a fused copy of the network.

    GodeeperError where the engine is not installed, or does not compute in that precision; int8 needs an exported file.
    """
    check_engine(name, precision)
    if precision == "int8":
        raise GodeeperError("int8 needs a file: godeeper export RUN --precision int8 --images FOLDER --out FILE.onnx makes one")
    if name == "torch":
        return TorchEngine(to_device(fuse(network), best_device()), precision, compiled=compiled)
    return from_onnx(to_onnx(fuse(network)).SerializeToString(), name, precision)


def from_onnx(model: bytes | str, name: EngineName, precision: Precision) -> Engine:
    """The engine of that name, running an exported file: an ONNX file's bytes or name, or an OpenVINO file's name."""
    if name == "openvino":
        return OpenVINOEngine(model, precision)
    return ONNXRuntimeEngine(model, precision)


class TorchEngine:
    """torch on the device of a fused network, which it takes over; `compiled` takes a minute to start and runs faster."""

    name: EngineName = "torch"

    def __init__(self, network: Network, precision: Precision = "fp32", *, compiled: bool = False) -> None:
        self.precision, self.device = precision, device_of(network)
        self._dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        network = network.to(self._dtype)
        on_gpu = self.device.type == "cuda"
        self._run = torch.compile(network, mode="max-autotune" if on_gpu else None) if compiled else network

    @torch.inference_mode()
    def __call__(self, x: Tensor) -> Tensor:
        x = x.to(self.device, self._dtype, memory_format=torch.channels_last)
        logits: Tensor = self._run(x)
        return logits.float()


class OpenVINOEngine:
    """OpenVINO on the CPU, with as many threads as torch has: all at one image, or half of them at each half of a batch."""

    name: EngineName = "openvino"
    device = torch.device("cpu")

    def __init__(self, model: bytes | str, precision: Precision = "fp32") -> None:
        self.precision = precision
        self._options = {
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",  # its own default is bf16 where that is fast
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        }
        self._core, self._source = openvino_core(), model
        with refusing("OpenVINO", model):
            self._model = self._core.read_model(model)
            self._halves = self._compiled(self._model, min(2, torch.get_num_threads()))  # side by side: 1.0 to 1.4 times as fast

    def __call__(self, x: Tensor) -> Tensor:
        with refusing("OpenVINO", self._source):
            return _checked(self._run(x), len(x))

    def _run(self, x: Tensor) -> Tensor:
        requests = self._single if len(x) == 1 else self._halves
        parts = x.contiguous().tensor_split(min(len(x), len(requests)))
        running = list(zip(requests, parts, strict=False))
        for request, part in running:
            request.start_async({0: part.numpy()}, share_inputs=True)
        for request, _ in running:
            request.wait()
        outputs = [torch.from_numpy(request.get_output_tensor(0).data) for request, _ in running]
        return torch.cat(outputs)  # a copy: the next pass overwrites the requests' own memory

    @cached_property
    def _single(self) -> list[Any]:
        """For one image: with a fixed batch size, OpenVINO takes up to 6 % less time."""
        model = self._model.clone()
        model.reshape([1, *model.input(0).partial_shape[1:]])
        return self._compiled(model, 1)

    def _compiled(self, model: Any, streams: int) -> list[Any]:
        """Requests that can run side by side, one a stream."""
        compiled = self._core.compile_model(model, "CPU", self._options | {"NUM_STREAMS": streams})
        return [compiled.create_infer_request() for _ in range(streams)]


class ONNXRuntimeEngine:
    """ONNX Runtime on the CPU, with as many threads as torch has."""

    name: EngineName = "onnxruntime"
    device = torch.device("cpu")

    def __init__(self, model: bytes | str, precision: Precision = "fp32") -> None:
        self.precision, self._source = precision, model
        with refusing("ONNX Runtime", model):
            self._session = onnx_session(model)

    def __call__(self, x: Tensor) -> Tensor:
        with refusing("ONNX Runtime", self._source):
            (logits,) = self._session.run(None, {INPUT: x.contiguous().numpy()})
            return _checked(torch.from_numpy(logits), len(x))


def onnx_session(model: bytes | str) -> Any:
    """ONNX Runtime's session of a graph, on the CPU; what it would print, in colours, is what it raises."""
    onnxruntime = require("onnxruntime", "deploy")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4  # fatal errors
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


@contextmanager
def refusing(engine: str, model: object) -> Iterator[None]:
    """Makes a GodeeperError of what an engine raises, in kinds of its own, for what it cannot take: `model`, a graph, or the name
    of a file (BadCheckpoint). Too little memory stays what it is.
    """
    try:
        yield
    except GodeeperError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        if isinstance(model, bytes):
            raise GodeeperError(f"{engine} cannot take this network: {_reason(error)}") from None
        raise BadCheckpoint(f"{engine} cannot take {str(model)!r}: {_reason(error)}; export it again") from None


def _checked(logits: Tensor, images: int) -> Tensor:
    """Logits as float32; ValueError for what is none: a file's graph need not be what its metadata says."""
    if logits.ndim != 2 or len(logits) != images or not logits.is_floating_point():
        raise ValueError(f"its output is of shape {tuple(logits.shape)}, {logits.dtype}: no logits of {images} images")
    return logits.float()


def _reason(error: Exception) -> str:
    """The line of an engine's message that names the operator it lacks, or else the first that says more than a place."""
    lines = [line.strip(" -") for line in str(error).splitlines() if line.strip(" -")]
    naming = [line for line in lines if OPERATOR.search(line)] or [line for line in lines if not PLACE.match(line)]
    return " ".join((naming or lines)[:1]) or type(error).__name__
