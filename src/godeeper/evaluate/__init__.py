"""Errors as the papers count them, of any callable that gives logits. Knows nothing of models."""

from .classify import Member, evaluate, evaluate_members
from .evaluation import Evaluation

__all__ = ["Evaluation", "Member", "evaluate", "evaluate_members"]
