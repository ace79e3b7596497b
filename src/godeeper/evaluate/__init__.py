"""Errors as the papers count them, of any callable that gives logits. Knows nothing of models."""

from .classify import Evaluation, Member, evaluate, evaluate_members

__all__ = ["Evaluation", "Member", "evaluate", "evaluate_members"]
