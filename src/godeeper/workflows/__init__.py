"""What a person asks for, a function a wish: typed options in, typed results out, nothing printed.

The command line, the web app and the claims call these; so can you. Each is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .embedding import EmbedResult, embed
    from .evaluation import EvaluateResult, evaluate, recombine
    from .prediction import PredictResult, TableResult, predict, predict_table
    from .progress import Progress
    from .training import TrainResult, train

__all__ = [
    "EmbedResult",
    "EvaluateResult",
    "PredictResult",
    "Progress",
    "TableResult",
    "TrainResult",
    "embed",
    "evaluate",
    "predict",
    "predict_table",
    "recombine",
    "train",
]

_MODULE_OF = {
    "EmbedResult": "embedding",
    "EvaluateResult": "evaluation",
    "PredictResult": "prediction",
    "Progress": "progress",
    "TableResult": "prediction",
    "TrainResult": "training",
    "embed": "embedding",
    "evaluate": "evaluation",
    "predict": "prediction",
    "predict_table": "prediction",
    "recombine": "evaluation",
    "train": "training",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'godeeper.workflows' has no attribute {name!r}")
    return getattr(import_module(f".{_MODULE_OF[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
