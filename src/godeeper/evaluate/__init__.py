"""Errors as the papers count them, of any callable that gives logits. Knows nothing of models."""

from .classify import Evaluation, evaluate

__all__ = ["Evaluation", "evaluate"]
