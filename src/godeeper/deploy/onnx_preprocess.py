"""Preprocessing as ONNX operators in front of a network: images in, probabilities out.

The engine resizes the images, not Pillow. ONNX Runtime's pixels differ from godeeper's by at most one grey level. OpenVINO
ignores the operator's `antialias`, and so makes other images when it shrinks them: use a file without preprocessing there. The
whole image is resized before the centre is cut out, so one of extreme shape takes much memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import GodeeperError
from ..packages import require
from ..preprocess import Preprocess
from .onnx_graph import INPUT, OUTPUT

if TYPE_CHECKING:
    import onnx

RESIZE = {  # by interpolation and antialias: Pillow's filters, which leave out what lies beyond the edge, and plain bilinear
    ("bilinear", True): 'mode = "linear", antialias = 1, exclude_outside = 1',
    ("bicubic", True): 'mode = "cubic", antialias = 1, exclude_outside = 1, cubic_coeff_a = -0.5',
    ("bilinear", False): 'mode = "linear"',
}
RESIZED_SIDES = {  # height and width, int64 (2,)
    "crop": """
    shorter_side = Constant <value_ints = [{shorter_side}]> ()
    shortest = ReduceMin <keepdims = 1> (sides)
    scaled = Mul (sides, shorter_side)
    resized_sides = Div (scaled, shortest)
    """,
    "squash": "resized_sides = Concat <axis = 0> (size, size)",
}
GRAPH = """
<ir_version: {ir_version}, opset_import: ["": {opset}]>
preprocess (uint8[N, height, width, 3] image) => (float[N, 3, {size}, {size}] normalized)
<int64[1] size = {{{size}}}, int64[2] spatial_axes = {{2, 3}}, float two = {{2.0}},
 float[3, 1, 1] mean = {{{mean}}}, float[3, 1, 1] std = {{{std}}}>
{{
    pixels = Transpose <perm = [0, 3, 1, 2]> (image)
    sides = Shape <start = 2> (pixels)
    {resized_sides}
    batch_and_channels = Shape <end = 2> (pixels)
    resized_shape = Concat <axis = 0> (batch_and_channels, resized_sides)
    resized = Resize <{resize}> (pixels, , , resized_shape)

    margins = Sub (resized_sides, size)
    float_margins = Cast <to = 1> (margins)
    half_margins = Div (float_margins, two)
    rounded_margins = Round (half_margins)
    crop_start = Cast <to = 7> (rounded_margins)
    crop_end = Add (crop_start, size)
    cropped = Slice (resized, crop_start, crop_end, spatial_axes)

    float_pixels = Cast <to = 1> (cropped)
    centred = Sub (float_pixels, mean)
    normalized = Div (centred, std)
}}
"""
SOFTMAX = """
<ir_version: {ir_version}, opset_import: ["": {opset}]>
softmax (float[N, classes] scores) => (float[N, classes] probabilities) {{ probabilities = Softmax <axis = -1> (scores) }}
"""


def with_preprocessing(model: onnx.ModelProto, preprocess: Preprocess) -> onnx.ModelProto:
    """A graph of `to_onnx` with its preprocessing in front and a softmax behind.

    `image`, uint8 (N, H, W, 3), RGB, of any H and W -> `probabilities`, float32 (N, classes). `model` itself is not changed.
    GodeeperError for interpolations other than those of `RESIZE`.
    """
    resize, normalize = preprocess.resize, preprocess.normalize
    method = RESIZE.get((resize.interpolation, resize.antialias))
    if method is None:
        name = f"{resize.interpolation!r}{'' if resize.antialias else ' without antialiasing'}"
        raise GodeeperError(f"interpolation {name} cannot be written as ONNX: export without --with-preprocessing")
    versions = {"ir_version": model.ir_version, "opset": model.opset_import[0].version}
    graph = GRAPH.format(
        **versions,
        size=resize.size,
        resized_sides=RESIZED_SIDES[resize.mode].format(shorter_side=resize.shorter_side).strip(),
        resize=method,
        mean=", ".join(str(255 * value) for value in normalize.mean),
        std=", ".join(str(255 * value) for value in normalize.std),
    )
    parse, merge = require("onnx.parser", "deploy").parse_model, require("onnx.compose", "deploy").merge_models
    with_pixels = merge(parse(graph), model, io_map=[("normalized", INPUT)])
    result: onnx.ModelProto = merge(with_pixels, parse(SOFTMAX.format(**versions)), io_map=[(OUTPUT, "scores")])
    result.producer_name = model.producer_name
    return result
