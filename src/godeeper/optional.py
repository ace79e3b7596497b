"""Packages that only some people need."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .errors import GodeeperError


def wanted(package: str, extra: str) -> Any:
    """The package, imported; GodeeperError with the command that installs it where it is missing."""
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        raise GodeeperError(f"{package} is not installed ({error.name} is missing): pip install 'godeeper[{extra}]'") from None
