"""A network in eight bits, by NNCF."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ..packages import require
from .onnx_graph import INPUT
from .torch_export import silenced

if TYPE_CHECKING:
    import onnx

MOST_IMAGES = 300  # images to calibrate on: NNCF's own default; more change little


def quantised(model: onnx.ModelProto, images: Sequence[Tensor]) -> onnx.ModelProto:
    """The same graph with weights and activations of eight bits; `images` to calibrate on are normalised, (1, 3, S, S) each.

    The ranges of their activations are divided into 256 steps, so they should be like the images to come.
    """
    os.environ.setdefault("NNCF_CI", "1")  # which keeps it from sending statistics of its use
    samples: list[Any] = [{INPUT: image.numpy()} for image in images[:MOST_IMAGES]]
    with silenced(), redirect_stdout(io.StringIO()):  # where it draws progress bars
        nncf = require("nncf", "deploy")
        result: onnx.ModelProto = nncf.quantize(model, nncf.Dataset(samples), subset_size=len(samples))
    return result
