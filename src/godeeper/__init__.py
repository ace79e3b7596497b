"""godeeper: GoogLeNet and the Inception family as the papers print them; counted, trained, evaluated, used.

Importing it does not import torch: each name below is loaded from its room when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import BadCheckpoint, BadImage, GodeeperError
from .telemetry import opt_out
from .version import __version__ as __version__

opt_out()  # before anything else is imported

if TYPE_CHECKING:
    from .data.augment import Augment
    from .data.crops import CropBox, crop_boxes
    from .data.decode import decode
    from .data.open import open_data
    from .data.pixels import normalise, take_crops
    from .deploy.export import export
    from .deploy.fuse import fuse
    from .deploy.predictor import Predictor
    from .drawing.draw import draw
    from .models.hub import from_pretrained, push_to_hub, save_pretrained
    from .models.load import load, save
    from .models.network import Network
    from .models.registry import create_model
    from .models.spec import ModelSpec
    from .papers.audit import audit
    from .papers.describe import describe
    from .papers.notation import Definition
    from .papers.registry import list_models, register
    from .preprocess import Normalize, Preprocess, Resize
    from .train.loss import ClassificationLoss
    from .train.muon import Muon
    from .train.recipe import Recipe, recipes
    from .train.rmsprop import RMSpropTF

__all__ = [
    "Augment",
    "BadCheckpoint",
    "BadImage",
    "ClassificationLoss",
    "CropBox",
    "Definition",
    "GodeeperError",
    "ModelSpec",
    "Muon",
    "Network",
    "Normalize",
    "Predictor",
    "Preprocess",
    "RMSpropTF",
    "Recipe",
    "Resize",
    "audit",
    "create_model",
    "crop_boxes",
    "decode",
    "describe",
    "draw",
    "export",
    "from_pretrained",
    "fuse",
    "list_models",
    "load",
    "normalise",
    "open_data",
    "push_to_hub",
    "recipes",
    "register",
    "save",
    "save_pretrained",
    "take_crops",
]

_HOME = {
    "Definition": "papers.notation",
    "ModelSpec": "models.spec",
    "Network": "models.network",
    "Normalize": "preprocess",
    "Preprocess": "preprocess",
    "Resize": "preprocess",
    "register": "papers.registry",
    "Predictor": "deploy.predictor",
    "Muon": "train.muon",
    "RMSpropTF": "train.rmsprop",
    "Recipe": "train.recipe",
    "CropBox": "data.crops",
    "crop_boxes": "data.crops",
    "audit": "papers.audit",
    "Augment": "data.augment",
    "ClassificationLoss": "train.loss",
    "normalise": "data.pixels",
    "save": "models.load",
    "save_pretrained": "models.hub",
    "take_crops": "data.pixels",
    "create_model": "models.registry",
    "decode": "data.decode",
    "describe": "papers.describe",
    "draw": "drawing.draw",
    "export": "deploy.export",
    "from_pretrained": "models.hub",
    "fuse": "deploy.fuse",
    "list_models": "papers.registry",
    "load": "models.load",
    "open_data": "data.open",
    "push_to_hub": "models.hub",
    "recipes": "train.recipe",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'godeeper' has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
