"""What a person asks for, a function a wish: typed options in, typed results out, nothing printed.

The command line, the web app and the claims call these; so can you. Each is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .detector_evaluation import CoverageResult, EvaluateDetectorResult, evaluate_detector, measure_coverage
    from .detector_training import TrainDetectorResult, train_detector
    from .embedding import EmbedResult, embed, embed_table
    from .evaluation import EvaluateResult, evaluate, recombine
    from .explanation import ExplainResult, explain
    from .exporting import DetectorExportReport, ExportReport, export, export_detector
    from .generated_images import FidResult, fid
    from .object_detection import FindResult, find_objects, plot_objects
    from .prediction import PredictResult, TableResult, predict, predict_table
    from .progress import Progress
    from .training import TrainResult, train

__all__ = [
    "CoverageResult",
    "DetectorExportReport",
    "EmbedResult",
    "EvaluateDetectorResult",
    "EvaluateResult",
    "ExplainResult",
    "ExportReport",
    "FidResult",
    "FindResult",
    "PredictResult",
    "Progress",
    "TableResult",
    "TrainDetectorResult",
    "TrainResult",
    "embed",
    "embed_table",
    "evaluate",
    "evaluate_detector",
    "explain",
    "export",
    "export_detector",
    "fid",
    "find_objects",
    "measure_coverage",
    "plot_objects",
    "predict",
    "predict_table",
    "recombine",
    "train",
    "train_detector",
]

_MODULE_OF = {
    "CoverageResult": "detector_evaluation",
    "DetectorExportReport": "exporting",
    "EmbedResult": "embedding",
    "EvaluateDetectorResult": "detector_evaluation",
    "EvaluateResult": "evaluation",
    "ExplainResult": "explanation",
    "ExportReport": "exporting",
    "FidResult": "generated_images",
    "FindResult": "object_detection",
    "PredictResult": "prediction",
    "Progress": "progress",
    "TableResult": "prediction",
    "TrainDetectorResult": "detector_training",
    "TrainResult": "training",
    "embed": "embedding",
    "embed_table": "embedding",
    "evaluate": "evaluation",
    "evaluate_detector": "detector_evaluation",
    "explain": "explanation",
    "export": "exporting",
    "export_detector": "exporting",
    "fid": "generated_images",
    "find_objects": "object_detection",
    "measure_coverage": "detector_evaluation",
    "plot_objects": "object_detection",
    "predict": "prediction",
    "predict_table": "prediction",
    "recombine": "evaluation",
    "train": "training",
    "train_detector": "detector_training",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'godeeper.workflows' has no attribute {name!r}")
    return getattr(import_module(f".{_MODULE_OF[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
