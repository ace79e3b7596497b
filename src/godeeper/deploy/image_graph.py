"""The preprocessing of an image as ONNX nodes, in front of a network: uint8 pixels in, probabilities out.

The pixels are those that `data` makes with Pillow, bit for bit: Pillow's weights, in its fixed point, times the pixels under the
crop. ONNX's own Resize is often a level or two off, has no box filter, and makes millions of rows of a 1 x 10,000 image.

Two limits. An image over 100 times as tall as wide, which Pillow resizes rows first, differs by a level (bilinear) or, where it
is all edges, by two dozen (cubic). An engine without 64-bit floats, such as OpenVINO, is up to two levels off in few pixels, or
takes a pixel's neighbour (area, nearest); it must be told to use float32, as places in bfloat16, its choice where the processor
can, make another image.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import GodeeperError
from ..packages import require
from ..preprocess import Interpolation, Preprocess

if TYPE_CHECKING:
    import onnx

IMAGE, PROBABILITIES = "image", "probabilities"
OLDEST = 15  # the first opset with all operators here as they are used
REACH = {"area": 0.5, "bilinear": 1.0, "bicubic": 2.0}  # of Pillow's filters to either side, in pixels of the smaller image
POINT = 22  # bits after the point in Pillow's weights


def with_preprocessing(model: onnx.ModelProto, preprocess: Preprocess) -> onnx.ModelProto:
    """A model with its preprocessing: `image`, uint8 (N, H, W, 3), RGB, any H and W -> `probabilities`, float32 (N, classes).

    `model` has one input, normalised images, float32 (N, 3, S, S), and one output, logits (N, classes). It is not changed; N,
    weights, metadata and opset (if 15 or later) are kept. GodeeperError for another input or output, or interpolation.
    """
    library = require("onnx", "deploy")
    _check(model, preprocess)
    result: onnx.ModelProto = library.ModelProto()
    result.CopyFrom(_recent(model))
    graph = result.graph
    given, logits = _inputs(graph)[0], graph.output[0]
    nodes = _Nodes()
    normalised = _normalised(_pixels(nodes.named(IMAGE), preprocess), preprocess)
    first = library.helper.make_node("Identity", [normalised.name], [given.name])
    last = library.helper.make_node("Softmax", [logits.name], [PROBABILITIES], axis=-1)
    body = list(graph.node)
    graph.ClearField("node")
    graph.node.extend([*nodes.written, first, *body, last])
    graph.initializer.extend(nodes.constants)

    image = library.helper.make_tensor_value_info(IMAGE, library.TensorProto.UINT8, ["N", "H", "W", 3])
    image.type.tensor_type.shape.dim[0].CopyFrom(given.type.tensor_type.shape.dim[0])
    graph.input.remove(given)
    graph.input.insert(0, image)
    logits.name = PROBABILITIES
    return result


def _inputs(graph: onnx.GraphProto) -> list[Any]:
    """The inputs that are not weights: models before IR version 4 list those, too."""
    weights = {tensor.name for tensor in graph.initializer}
    return [one for one in graph.input if one.name not in weights]


def _check(model: onnx.ModelProto, preprocess: Preprocess) -> None:
    """GodeeperError unless the preprocessing can be written in front of the model."""
    graph, side, remedy = model.graph, preprocess.image_size, "export without --with-preprocessing"
    inputs = _inputs(graph)
    if len(inputs) != 1 or len(graph.output) != 1:
        raise GodeeperError(f"the model has {len(inputs)} inputs and {len(graph.output)} outputs, not one each: {remedy}")
    tensor = inputs[0].type.tensor_type
    shape = [dim.dim_value or dim.dim_param or "?" for dim in tensor.shape.dim]
    fits = all(found == expected or isinstance(found, str) for found, expected in zip(shape[1:], (3, side, side), strict=False))
    if tensor.elem_type != 1 or len(shape) != 4 or not fits:  # 1: float32
        given = f"({', '.join(map(str, shape))})"
        raise GodeeperError(f"the model's input is not float32 (N, 3, {side}, {side}) but {given}: {remedy}")
    if preprocess.resize.interpolation not in (*REACH, "nearest"):
        raise GodeeperError(f"interpolation {preprocess.resize.interpolation!r} cannot be written as ONNX: {remedy}")
    names = {name for node in graph.node for name in node.output} | {one.name for one in (*graph.initializer, *graph.input)}
    taken = sorted(name for name in names if name in (IMAGE, PROBABILITIES) or name.startswith(f"{IMAGE}."))
    if taken:
        raise GodeeperError(f"the model has a tensor {taken[0]!r} of its own: {remedy}")


def _recent(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model, with its opset raised to `OLDEST` where it is older."""
    if all(one.version >= OLDEST for one in model.opset_import if one.domain in ("", "ai.onnx")):
        return model
    converted: onnx.ModelProto = require("onnx.version_converter", "deploy").convert_version(model, OLDEST)
    require("onnx", "deploy").helper.set_model_props(
        converted, {one.key: one.value for one in model.metadata_props}
    )  # which it forgets
    return converted


@dataclass
class _Nodes:
    """The nodes and constants written so far."""

    written: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)

    def named(self, name: str) -> _Value:
        return _Value(self, name)

    def constant(self, value: Any) -> str:
        """A constant, int64 or float64 unless it is a NumPy value of another type."""
        name = f"{IMAGE}.constant.{len(self.constants)}"
        values = np.asarray(value, np.int64 if isinstance(value, int) else None)
        self.constants.append(require("onnx", "deploy").numpy_helper.from_array(values, name))
        return name


@dataclass(frozen=True)
class _Value:
    """A tensor in the graph; arithmetic with it writes nodes, and gives the tensor that they compute."""

    nodes: _Nodes
    name: str

    def op(self, operator: str, *others: Any, **attributes: Any) -> _Value:
        names = [one.name if isinstance(one, _Value) else self.nodes.constant(one) for one in (self, *others)]
        result = f"{IMAGE}.{len(self.nodes.written)}"
        node = require("onnx", "deploy").helper.make_node(operator, names, [result], name=result, **attributes)
        self.nodes.written.append(node)
        return _Value(self.nodes, result)

    def to(self, kind: str) -> _Value:
        return self.op("Cast", to=require("onnx", "deploy").TensorProto.DataType.Value(kind))

    def __add__(self, other: Any) -> _Value:
        return self.op("Add", other)

    def __sub__(self, other: Any) -> _Value:
        return self.op("Sub", other)

    def __mul__(self, other: Any) -> _Value:
        return self.op("Mul", other)

    def __truediv__(self, other: Any) -> _Value:
        return self.op("Div", other)  # of integers that are not negative: rounded down


def _normalised(pixels: _Value, preprocess: Preprocess) -> _Value:
    """`augment.normalise`: uint8 (N, 3, S, S) -> float32, by the same operations on the same numbers."""
    mean, std = (
        np.float32(255) * np.array(one, np.float32).reshape(3, 1, 1)
        for one in (preprocess.normalize.mean, preprocess.normalize.std)
    )
    return (pixels.to("FLOAT") - mean) / std


def _pixels(image: _Value, preprocess: Preprocess) -> _Value:
    """`views.take_views` with one crop: uint8 (N, H, W, 3) -> uint8 (N, 3, S, S)."""
    height, width = (image.op("Shape", start=axis, end=axis + 1) for axis in (1, 2))
    shorter = height.op("Min", width)
    sides = [(length, *_span(length, shorter, preprocess)) for length in (height, width)]
    if preprocess.resize.interpolation == "nearest":
        rows, columns = (_nearest(start, step, preprocess.image_size) for _, start, step in sides)
        return image.op("Gather", rows, axis=1).op("Gather", columns, axis=2).op("Transpose", perm=[0, 3, 1, 2])
    (top, bottom, rows), (left, right, columns) = (_taps(*side, preprocess) for side in sides)
    starts, ends = top.op("Concat", left, axis=0), bottom.op("Concat", right, axis=0)
    under = image.op("Slice", starts, ends, np.array([1, 2])).op("Transpose", perm=[0, 3, 1, 2])
    return _weighed(_weighed(under, columns.op("Transpose", perm=[1, 0])), rows, rows=True)


def _span(length: _Value, shorter: _Value, preprocess: Preprocess) -> tuple[_Value, _Value]:
    """Where the crop starts along one side, and how far apart its pixels are, in the image's own pixels: float64 (1,) each."""
    size = preprocess.image_size
    resized = length * preprocess.resize.shorter_side / shorter
    offset = ((resized - size).to("DOUBLE") / 2.0).op("Round")  # halves to even, as Python's round
    scale = length.to("DOUBLE") / resized.to("DOUBLE")
    start, end = (edge.to("FLOAT") for edge in (offset * scale, (offset + float(size)) * scale))  # as Pillow's boxes are
    return start.to("DOUBLE"), (end - start).to("DOUBLE") / float(size)


def _nearest(start: _Value, step: _Value, size: int) -> _Value:
    """The rows or columns that are kept: int64 (S,). Pillow adds up the steps, and so must this where the sum is near a whole."""
    first, others = start + step * 0.5, step.op("Expand", np.array([size - 1]))
    return first.op("Concat", others, axis=0).op("CumSum", 0).to("INT64")


def _taps(length: _Value, start: _Value, step: _Value, preprocess: Preprocess) -> tuple[_Value, _Value, _Value]:
    """The first and last (excluded) of the image's L pixels under the crop along one side, (1,), and their weights, (S, L).

    Weights are int64, with `POINT` bits after the point, as Pillow's `precompute_coeffs` and `normalize_coeffs_8bpc` make them.
    """
    size, interpolation = preprocess.image_size, preprocess.resize.interpolation
    stretch = step.op("Max", 1.0)  # antialiasing: the filter is as wide as the pixels that it makes
    reach = stretch * REACH[interpolation]
    centre = step * (np.arange(size) + 0.5)[:, None] + start
    low = (centre - reach + 0.5).to("INT64").op("Max", 0)
    high = (centre + reach + 0.5).to("INT64").op("Min", length)
    first, last = low.op("ReduceMin", keepdims=0), high.op("ReduceMax", keepdims=0)
    pixel = first.op("Range", last, 1)
    within = pixel.op("GreaterOrEqual", low).op("And", pixel.op("Less", high))
    distance = (pixel.to("DOUBLE") - centre + 0.5) * stretch.op("Reciprocal")
    weight = within.op("Where", _filter(distance, interpolation), 0.0)
    fixed = weight / weight.op("ReduceSum", np.array([1]), keepdims=1) * float(1 << POINT)
    rounded = (fixed + fixed.op("Sign") * 0.5).to("INT64")  # halves away from zero
    return first.op("Reshape", np.array([1])), last.op("Reshape", np.array([1])), rounded


def _filter(x: _Value, interpolation: Interpolation) -> _Value:
    """Pillow's filter at `x`, in pixels of the smaller image."""
    if interpolation == "area":
        return x.op("Greater", -0.5).op("And", x.op("LessOrEqual", 0.5)).to("DOUBLE")
    x = x.op("Abs")
    if interpolation == "bilinear":
        return (x.op("Neg") + 1.0).op("Max", 0.0)
    near = (x * 1.5 - 2.5) * x * x + 1.0
    far = (((x - 5.0) * x + 8.0) * x - 4.0) * -0.5
    return x.op("Less", 1.0).op("Where", near, x.op("Less", 2.0).op("Where", far, 0.0))


def _weighed(pixels: _Value, weights: _Value, rows: bool = False) -> _Value:
    """uint8 pixels times weights in fixed point, (S, H) from the left for rows, else (W, S) -> uint8, rounded.

    A byte of the weights at a time, as uint8 matrices have a product whose sums are whole and exact; in float64, images of
    12 megapixels would take twice as long and eight times the memory.
    """
    low = weights.op("Mod", 256)
    rest = (weights - low) / 256
    middle = rest.op("Mod", 256)
    high = (rest - middle) / 256 + 128  # the one with the sign
    total: _Value | None = None
    for byte, zero in ((high, 128), (middle, 0), (low, 0)):
        digits, zeros = byte.to("UINT8"), (np.uint8(zero), np.uint8(0))
        sums = digits.op("MatMulInteger", pixels, *zeros) if rows else pixels.op("MatMulInteger", digits, *zeros[::-1])
        total = sums if total is None else total * np.int32(256) + sums
    assert total is not None
    return (total.to("DOUBLE") * 0.5**POINT + 0.5).op("Clip", 0.0, 255.0).to("UINT8")
