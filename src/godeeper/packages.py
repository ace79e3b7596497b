"""Optional packages, imported where they are used, with the command that installs them; which packages' warnings are ignored."""

from __future__ import annotations

import json
import re
import warnings
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any
from urllib.parse import urlparse
from urllib.request import url2pathname

from .errors import GodeeperError

NAME = "godeeper"  # of the distribution, which no index of packages has
# What the warnings of these say is no reason to refuse a file: Pillow's of sizes and metadata, torchvision's of its own future,
# torch's of pickle protocols, SciPy's of empty clusters, matplotlib's, which name who asked, of letters that its font lacks.
QUIET = (
    r"(PIL|torchvision\.io|torch\.(serialization|_weights_only_unpickler)|scipy\.cluster|godeeper\.models\.weights\.foreign|"
    r"godeeper\.(evaluate\.charts|train\.curves))(\.|$)"
)
IGNORED = ("ignore", None, Warning, re.compile(QUIET), 0)  # as `warnings.filterwarnings` keeps it


def require(package: str, extra: str) -> Any:
    """Imports and returns a package or module, which comes with the extra `extra` of godeeper.

    GodeeperError with the command that installs it where it is missing.
    """
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        raise GodeeperError(f"{package} is not installed ({error.name} is missing): {install_command(extra)}") from None


def install_command(extra: str) -> str:
    """The command that installs an extra here: by the clone where godeeper is installed from one, else package by package."""
    clone = _clone()
    if clone is not None:
        return f"pip install -e {_quoted(f'{clone}[{extra}]')}"
    return f"pip install {' '.join(map(_quoted, requirements(extra)))}"


def requirements(extra: str) -> list[str]:
    """What an extra asks for, as godeeper's own metadata say it, such as "onnx>=1.21"; [] where it is not installed."""
    try:
        lines = distribution(NAME).requires or []
    except PackageNotFoundError:  # run from its source
        return []
    marked = re.compile(rf"(.*?)\s*;\s*extra == ['\"]{re.escape(extra)}['\"]")
    return [match[1] for match in map(marked.fullmatch, lines) if match]


def ignore_warnings() -> None:
    """One filter for the modules of `QUIET`, in front of all others.

    `catch_warnings` would change everybody's filters, for good where threads work, as it restores what another thread has set.
    """
    if not warnings.filters or warnings.filters[0] != IGNORED:
        warnings.filterwarnings("ignore", module=QUIET)


def _clone() -> str | None:
    """The folder of the clone that godeeper is installed from with `pip install -e`; "." where it is not installed at all."""
    try:
        source = json.loads(distribution(NAME).read_text("direct_url.json") or "{}")
    except PackageNotFoundError:
        return "."
    editable = source.get("dir_info", {}).get("editable", False)
    return url2pathname(urlparse(source["url"]).path) if editable else None


def _quoted(word: str) -> str:
    return f"'{word}'"
