"""A network as an ONNX graph, written module by module: what every engine but torch reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ..errors import GodeeperError
from ..models.build import AveragePool, Concat
from ..models.network import Network
from ..packages import require
from ..papers.describe import check_size
from .fuse import Added, PooledConv, SharedConcat

if TYPE_CHECKING:
    import onnx

OPSET, IR_VERSION = 20, 10  # of early 2024, which engines of the last two years read
INPUT, OUTPUT = "x", "logits"


def to_onnx(network: Network) -> onnx.ModelProto:
    """The graph of a fused network: normalised images `x`, float32 (N, channels, S, S) -> `logits`, float32 (N, outputs).

    N is free, S is the network's image size. GodeeperError for a size that does not fit the network, and, naming it, for a
    module that has no ONNX operator here.
    """
    package = require("onnx", "deploy")
    make, floats = package.helper, package.TensorProto.FLOAT
    side, channels = network.preprocess.image_size, network.definition.in_channels
    if side < network.minimum_size:
        raise GodeeperError(f"{network.definition.name} takes images of at least {network.minimum_size} pixels, not {side}")
    check_size(network.definition, side, side)
    writer = _Writer(network)
    last = writer.chain([*network.stages.values(), *network.head.values()], INPUT)
    writer.nodes.append(make.make_node("Identity", [last], [OUTPUT]))
    graph = make.make_graph(
        writer.nodes,
        network.definition.name,
        [make.make_tensor_value_info(INPUT, floats, ["N", channels, side, side])],
        [make.make_tensor_value_info(OUTPUT, floats, ["N", network.outputs])],
        writer.tensors,
    )
    opset = make.make_opsetid("", OPSET)
    model: onnx.ModelProto = make.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name="godeeper")
    return model


class _Writer:
    """The nodes and weights written so far, named as the network's modules are."""

    def __init__(self, network: Network) -> None:
        self.onnx = require("onnx", "deploy")
        self.nodes: list[Any] = []
        self.tensors: list[Any] = []
        self.names = {module: name for name, module in network.named_modules()}
        self.grids = _adaptive_inputs(network)

    def chain(self, modules: Sequence[nn.Module], x: str) -> str:
        """Writes modules one after the other; returns the name of the output, as all methods below do."""
        for module in modules:
            x = self.write(module, x)
        return x

    def write(self, module: nn.Module, x: str) -> str:
        """Writes one module whose input is called `x`."""
        match module:
            case nn.Sequential():
                return self.chain(list(module), x)
            case nn.Identity():
                return x
            case nn.Conv2d() | nn.Linear():
                return self._weighted(module, x)
            case nn.ReLU():
                return self._node("Relu", module, [x])
            case nn.MaxPool2d():
                return self._node("MaxPool", module, [x], ceil_mode=int(module.ceil_mode), **_window(module))
            case nn.AvgPool2d():
                more: dict[str, Any] = {"ceil_mode": int(module.ceil_mode), "count_include_pad": int(module.count_include_pad)}
                return self._node("AveragePool", module, [x], **more, **_window(module))
            case nn.LocalResponseNorm():
                names: dict[str, Any] = {"size": module.size, "alpha": module.alpha, "beta": module.beta, "bias": module.k}
                return self._node("LRN", module, [x], **names)
            case nn.Flatten():
                return self._node("Flatten", module, [x], axis=1)
            case AveragePool() if module.row.grid == 1:
                return self._node("GlobalAveragePool", module, [x])
            case nn.AdaptiveAvgPool2d():
                return self._adaptive(module, x)
            case Concat() | SharedConcat():
                return self._concat(module, x)
            case Added():
                return self.write(module.relu, self._node("Add", module, [self.write(module.body, x), x]))
            case PooledConv():
                pooled = self.chain([module.conv, module.pool], x)
                return pooled if module.bias is None else self._node("Add", module, [pooled, self._tensor(module.bias)])
        raise GodeeperError(f"{self.names[module]!r} cannot be written as ONNX: there is no operator for {type(module).__name__}")

    def _node(self, operator: str, module: nn.Module, inputs: Sequence[str], *, suffix: str = "", **attributes: Any) -> str:
        name = f"{self.names[module]}{suffix}"
        self.nodes.append(self.onnx.helper.make_node(operator, list(inputs), [name], name=name, **attributes))
        return name

    def _tensor(self, tensor: Tensor) -> str:
        name = f"weight.{len(self.tensors)}"
        values = tensor.detach().float().cpu().contiguous().numpy()
        self.tensors.append(self.onnx.numpy_helper.from_array(values, name))
        return name

    def _weighted(self, module: nn.Conv2d | nn.Linear, x: str) -> str:
        inputs = [x, self._tensor(module.weight), *([self._tensor(module.bias)] if module.bias is not None else [])]
        if isinstance(module, nn.Linear):
            return self._node("Gemm", module, inputs, transB=1)
        return self._node("Conv", module, inputs, group=module.groups, **_window(module))

    def _concat(self, module: Concat | SharedConcat, x: str) -> str:
        inputs = [x] * len(module.branches)
        if isinstance(module, SharedConcat):
            parts = self._unshared(module, x)
            inputs = [next(parts) if shares else x for shares in module.sharing]
        outputs = [self.write(branch, given) for branch, given in zip(module.branches, inputs, strict=True)]
        return self._node("Concat", module, outputs, axis=1)

    def _unshared(self, module: SharedConcat, x: str) -> Iterator[str]:
        """The convolutions that torch runs as one, separately: ONNX Runtime loses more by splitting the output than it gains."""
        layers: Any = list(module.shared)
        conv, relu = layers
        weights, biases = conv.weight.split(module.widths), conv.bias.split(module.widths)
        for number, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
            inputs = [x, self._tensor(weight), self._tensor(bias)]
            part = self._node("Conv", conv, inputs, suffix=f".{number}", **_window(conv))
            yield self._node("Relu", relu, [part], suffix=f".{number}")

    def _adaptive(self, module: nn.AdaptiveAvgPool2d, x: str) -> str:
        (rows, columns), (height, width) = pair(module.output_size), self.grids[module]  # type: ignore[arg-type]
        if height % rows or width % columns:
            raise GodeeperError(
                f"{self.names[module]!r} cannot be written as ONNX: its adaptive windows on {height}x{width} overlap"
            )
        kernel = [height // rows, width // columns]
        return self._node("AveragePool", module, [x], kernel_shape=kernel, strides=kernel)


def _window(module: Any) -> dict[str, Any]:
    """The attributes that convolutions and pools share."""
    (height, width), strides, (top, left) = (pair(value) for value in (module.kernel_size, module.stride, module.padding))
    return {"kernel_shape": [height, width], "strides": list(strides), "pads": [top, left, top, left]}


def pair(value: int | tuple[int, int]) -> tuple[int, int]:
    """Both sides of a window, of which torch keeps one where they are equal."""
    return value if isinstance(value, tuple) else (value, value)


def _adaptive_inputs(network: Network) -> dict[nn.Module, tuple[int, int]]:
    """Height and width of each adaptive pool's input: its windows depend on them."""
    pools = [module for module in network.modules() if isinstance(module, nn.AdaptiveAvgPool2d)]
    sizes: dict[nn.Module, tuple[int, int]] = {}
    if not pools:
        return sizes
    hooks = [pool.register_forward_pre_hook(lambda pool, x: sizes.update({pool: tuple(x[0].shape[2:])})) for pool in pools]
    side = network.preprocess.image_size
    parameter = next(network.parameters())
    with torch.inference_mode():
        network(parameter.new_zeros(1, network.definition.in_channels, side, side))
    for hook in hooks:
        hook.remove()
    return sizes
