"""What cached figures were made from: digests, and the source of the code that measured."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..digests import json_digest
from ..errors import GodeeperError
from ..version import __version__

MadeFrom = dict[str, str]


def made_from(**parts: Any) -> MadeFrom:
    """Digests of named parts, each plain data, and the version of godeeper."""
    return {**{name: digest(part) for name, part in parts.items()}, "godeeper": __version__}


def digest(plain: Any) -> str:
    """Sixteen letters that tell plain data from other."""
    return json_digest(plain)[:16]


def check_same(folder: Path, then: Any, now: MadeFrom) -> None:
    """GodeeperError, naming the parts, where what a folder holds was made from something else than what is asked for."""
    then = then if isinstance(then, dict) else {}
    differing = [name for name, digest in now.items() if then.get(name) != digest]
    if differing:
        raise GodeeperError(
            f"{str(folder)!r} was made from another {', '.join(differing)}: remove it, and the same command makes it anew, "
            "or name another folder with --out"
        )


def source_of(function: Callable[..., Any]) -> dict[str, str]:
    """The source of a function and of all that it uses of its own module, by name, without comments and docstrings.

    What it imports from elsewhere is not in it: `made_from` has the version of godeeper for that.
    """
    module = sys.modules[function.__module__]
    sources: dict[str, str] = {}
    waiting = [function.__name__]
    while waiting:
        name = waiting.pop()
        value = vars(module).get(name)
        if name in sources or value is None:
            continue
        if getattr(value, "__module__", None) == module.__name__ and hasattr(value, "__qualname__"):
            tree = ast.parse(inspect.getsource(inspect.unwrap(value)))
            sources[name] = _dump(_without_docstrings(tree))
            waiting += _names(tree)
        elif isinstance(value, int | float | str | tuple | list | dict):
            sources[name] = repr(value)
    return sources


def _dump(tree: ast.AST) -> str:
    """The tree in words, in every version of Python as in 3.11: figures made by one are found by another."""
    if sys.version_info >= (3, 13):
        dumped = ast.dump(tree, show_empty=True)
    else:
        dumped = ast.dump(tree)
    return dumped.replace(", type_params=[]", "")


def _names(tree: ast.AST) -> Iterator[str]:
    return (node.id for node in ast.walk(tree) if isinstance(node, ast.Name))


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return tree
