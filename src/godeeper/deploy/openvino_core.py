"""OpenVINO's core, of which a process has one."""

from __future__ import annotations

from functools import cache
from typing import Any

from ..packages import require


def openvino_core() -> Any:
    """OpenVINO's one core in this process, for its whole life; GodeeperError where OpenVINO is missing.

    Each core of the CPU sets a stack of its own for signals and frees it when it goes, whether or not another core has
    noted it down as the one to go back to (openvino pull request 11894): of two, the next signal could end the process.
    """
    return _only_core(require("openvino", "deploy"))


@cache
def _only_core(openvino: Any) -> Any:
    return openvino.Core()
