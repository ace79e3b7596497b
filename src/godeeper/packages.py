"""Optional packages: imported where they are used, with the command that installs them where they are missing."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .errors import GodeeperError


def require(package: str, extra: str) -> Any:
    """Imports and returns a package or module, which comes with the extra `extra` of godeeper.

    GodeeperError with the command that installs it where it is missing.
    """
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        raise GodeeperError(f"{package} is not installed ({error.name} is missing): pip install 'godeeper[{extra}]'") from None
