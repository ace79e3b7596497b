"""A network as an ExecuTorch program (.pte) for phones, computed by XNNPACK."""

from __future__ import annotations

import copy
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.nn import functional as F

from ..errors import GodeeperError, message_lines
from ..packages import install_command, require
from .fuse import SharedConcat
from .onnx_graph import pair
from .torch_export import layers_of, silenced, trace

OPERATOR = re.compile(r"(torch\._ops\.|\{')(?P<name>\w+(\.|::)[\w.]+)")  # in the messages of its exporter
MISSING = re.compile(r"Missing operator: \[\d+\] (\S+)")  # in its runtime's log


@dataclass(frozen=True)
class MemoryUse:
    """What one image needs, in bytes, and the operators (`aten::pow.out`) that are left to ExecuTorch's slow kernels.

    `planned` is what ExecuTorch reserves: input, output, and what passes between XNNPACK and other operators. `activations` is
    the largest sum of layers' outputs needed at the same time, counted in the graph: XNNPACK holds most of them, in a workspace
    of its own. `weights` are those in the file.
    """

    planned: int
    activations: int
    weights: int
    slow_operators: tuple[str, ...]

    @property
    def running(self) -> int:
        """What a loaded network takes at least: XNNPACK's rearranged copy of the weights, and the larger of the other two.

        Not counted are XNNPACK's tables and gaps, the runtime, and, while the file is being loaded, its weights a second time.
        """
        return self.weights + max(self.planned, self.activations)


@dataclass(frozen=True)
class LoweredProgram:
    """The content of a .pte file, and the memory that it needs."""

    content: bytes
    memory: MemoryUse


def lower(network: nn.Module, image_size: int) -> LoweredProgram:
    """A network in evaluation mode as a program of one normalised image, float32 (1, 3, S, S) -> logits.

    GodeeperError that names the operator where ExecuTorch cannot lower one, or has no kernel for it.
    """
    exir, xnnpack = _executorch("exir"), _executorch("backends.xnnpack.partition.xnnpack_partitioner")
    program = trace(for_xnnpack(layers_of(network)), image_size, 1)
    try:
        with silenced():
            edge = exir.to_edge_transform_and_lower(program, partitioner=[xnnpack.XnnpackPartitioner()])
            lowered = edge.to_executorch()
    except Exception as error:  # whatever its passes may raise
        operator = OPERATOR.search(str(error))
        what = f"the operator {operator['name']}" if operator else f"this network ({message_lines(error)[0]})"
        raise GodeeperError(f"ExecuTorch cannot lower {what}: write it in simpler operations") from error
    (plan,) = lowered.executorch_program.execution_plan
    slow_operators = tuple(sorted({f"{operator.name}.{operator.overload}".rstrip(".") for operator in plan.operators}))
    _check_kernels(slow_operators)
    weights = sum(tensor.nbytes for tensor in program.state_dict.values())
    memory = MemoryUse(sum(plan.non_const_buffer_sizes), activations(program), weights, slow_operators)
    return LoweredProgram(lowered.buffer, memory)


def run_pte(file: Path, x: Tensor) -> Tensor:
    """Runs an ExecuTorch program on this machine: image (1, 3, S, S) -> logits (1, classes). GodeeperError if it fails."""
    with _runtime(file) as program:
        logits: Tensor = program.load_method("forward").execute([x.contiguous()])[0]
    return logits


def activations(program: ExportedProgram) -> int:
    """The most bytes that the outputs of layers, and the image, take at once; views and in-place layers take none."""
    signature = program.graph_signature
    weights = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    uses: dict[int, list[int]] = {}  # steps, by storage
    sizes: dict[int, int] = {}
    for step, node in enumerate(program.graph.nodes):
        for used in (*node.all_input_nodes, node):
            value = used.meta.get("val")
            if used.name not in weights and isinstance(value, Tensor):
                storage = value.untyped_storage()
                uses.setdefault(storage._cdata, []).append(step)
                sizes[storage._cdata] = storage.nbytes()
    steps = range(len(program.graph.nodes))
    return max(sum(sizes[key] for key in sizes if uses[key][0] <= step <= uses[key][-1]) for step in steps)


def for_xnnpack(module: nn.Module) -> nn.Module:
    """A copy made of operators that XNNPACK has; memory is not channels last, which XNNPACK arranges by itself."""
    return _rewritten(copy.deepcopy(module)).to(memory_format=torch.contiguous_format)


def _rewritten(module: nn.Module) -> nn.Module:
    for name, child in module.named_children():
        setattr(module, name, _rewritten(child))
    match module:
        case nn.LocalResponseNorm():
            return SlicedLRN(module)
        case SharedConcat():
            return SlicedConcat(module)
        case nn.AvgPool2d() if module.count_include_pad and not module.ceil_mode and module.divisor_override is None:
            vertical, horizontal = pair(module.padding)
            pad = nn.ZeroPad2d((horizontal, horizontal, vertical, vertical))
            return nn.Sequential(pad, nn.AvgPool2d(module.kernel_size, module.stride)) if any(pad.padding) else module
    return module


class SlicedLRN(nn.Module):
    """Local response normalisation by sums of slices, (N, C, H, W) -> the same: torch's own pools in 3D, which phones lack."""

    def __init__(self, norm: nn.LocalResponseNorm) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, x: Tensor) -> Tensor:
        norm, channels = self.norm, x.shape[1]
        squares = F.pad(x * x, (0, 0, 0, 0, norm.size // 2, (norm.size - 1) // 2))
        total = squares[:, :channels]
        for start in range(1, norm.size):
            total = total + squares[:, start : start + channels]
        total = total * (norm.alpha / norm.size) + norm.k
        if norm.beta != 0.75:
            return x / total.pow(norm.beta)
        root = total.rsqrt()  # XNNPACK has roots, but no other powers
        return x * (root * root.sqrt())


class SlicedConcat(nn.Module):
    """A SharedConcat that slices the shared convolution's output: XNNPACK has no split."""

    def __init__(self, concat: SharedConcat) -> None:
        super().__init__()
        self.shared, self.branches = concat.shared, concat.branches
        self.sharing, self.widths = concat.sharing, concat.widths

    def forward(self, x: Tensor) -> Tensor:
        shared, widths, start = self.shared(x), iter(self.widths), 0
        outputs = []
        for branch, shares in zip(self.branches, self.sharing, strict=True):
            part = x
            if shares:
                width = next(widths)
                part, start = shared[:, start : start + width], start + width
            outputs.append(branch(part))
        return torch.cat(outputs, dim=1)


def _executorch(module: str) -> Any:
    try:
        with silenced():
            return require(f"executorch.{module}", "phone")
    except ImportError as error:  # of a library that was built for another torch
        reason = f"executorch does not fit torch {torch.__version__} ({message_lines(error)[0]})"
        raise GodeeperError(f"{reason}: {install_command('phone')}") from None


def _check_kernels(operators: tuple[str, ...]) -> None:
    known = _executorch("runtime").Runtime.get().operator_registry.operator_names
    for operator in operators:
        if operator not in known:
            raise GodeeperError(f"ExecuTorch has no kernel for {operator}, which this network needs: use other operators")


@contextmanager
def _runtime(file: Path) -> Iterator[Any]:
    """A loaded program; what its runtime prints on standard error is hidden, and gives the reason where it fails."""
    runtime, log = _executorch("runtime").Runtime.get(), io.StringIO()
    try:
        with redirect_stderr(log), silenced():
            yield runtime.load_program(file)
    except RuntimeError as error:
        missing = MISSING.search(log.getvalue())
        reason = f"it has no kernel for {missing[1]}" if missing else message_lines(error)[0]
        raise GodeeperError(f"ExecuTorch cannot run {str(file)!r}: {reason}") from None
