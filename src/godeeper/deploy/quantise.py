"""A network in eight bits: how it is calibrated, and what that may cost."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ..packages import require
from .graph import INPUT
from .torch_formats import quiet

if TYPE_CHECKING:
    import onnx

MOST = 300  # images to calibrate on: NNCF's own default; more change little


def quantised(model: onnx.ModelProto, images: Sequence[Tensor]) -> onnx.ModelProto:
    """The same graph with weights and activations of eight bits, by NNCF; `images` are normalised, (1, 3, S, S) each.

    Their activations' ranges are what eight bits are spread over, so they should be like the images to come.
    """
    os.environ.setdefault("NNCF_CI", "1")  # which keeps it from sending statistics of its use to its makers
    used: list[Any] = [{INPUT: image.numpy()} for image in images[:MOST]]
    with quiet(), redirect_stdout(io.StringIO()):  # where it draws its progress, in the midst of what we print
        nncf = require("nncf", "deploy")
        result: onnx.ModelProto = nncf.quantize(model, nncf.Dataset(used), subset_size=len(used))
    return result
