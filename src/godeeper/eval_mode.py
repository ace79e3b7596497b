"""Modules in evaluation mode for a while: what is given to a function is left in the modes in which it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def eval_mode(*modules: object) -> Iterator[None]:
    """The modules in evaluation mode; afterwards every part of each is in its own mode again. What is no module is left alone."""
    given = [module for module in modules if isinstance(module, nn.Module)]
    training = [part for module in given for part in module.modules() if part.training]
    for module in given:
        module.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True
