"""A network in eight bits, by NNCF."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

from torch import Tensor

from ..data.pixels import normalise
from ..packages import require
from ..preprocess import Preprocess
from .onnx_graph import INPUT
from .torch_export import silenced

if TYPE_CHECKING:
    import onnx

MOST_IMAGES = 300  # images to calibrate on, at most: NNCF's own default; more change little


def quantised(model: onnx.ModelProto, crops: Sequence[Tensor], preprocess: Preprocess) -> onnx.ModelProto:
    """The same graph with weights and activations of eight bits, calibrated on crops of images, uint8 (1, 3, S, S) each.

    The ranges of their activations are divided into 256 steps, so they should be like the images to come.
    """
    with silenced(), redirect_stdout(io.StringIO()):  # where it draws progress bars
        nncf = require("nncf", "deploy")
        dataset = nncf.Dataset(crops, lambda crop: {INPUT: normalise(crop, preprocess).numpy()})  # one at a time
        result: onnx.ModelProto = nncf.quantize(model, dataset, subset_size=len(crops))
    return result
