"""OpenVINO's core, of which a process has one."""

from __future__ import annotations

from functools import cache
from typing import Any

from ..packages import require


def openvino_core() -> Any:
    """The process's one `openvino.Core`, which is never freed; GodeeperError where OpenVINO is missing.

    A core sets a signal stack of its own and frees it at its end, although another core may restore that stack later (openvino
    pull request 11894): with two cores, the next signal could end the process.
    """
    return _only_core(require("openvino", "deploy"))


@cache
def _only_core(openvino: Any) -> Any:
    return openvino.Core()
