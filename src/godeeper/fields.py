"""Fields of files that people edit, each held against what it must be: GodeeperError, naming it, where it is something else."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable
from math import inf
from sys import float_info
from typing import Any

from .errors import GodeeperError, unknown

_QUOTES = reprlib.Repr()  # bounded in time and depth: a value may be of megabytes, or a thousand lists within each other
_QUOTES.maxlevel, _QUOTES.maxstring, _QUOTES.maxlong, _QUOTES.maxother = 3, 60, 60, 60


def quoted(value: Any) -> str:
    """A value from a file as messages quote it: as Python writes it, long and deep ones shortened."""
    return _QUOTES.repr(value)


def whole(name: str, value: Any, low: int, high: int) -> int:
    """`value`, a whole number from `low` to `high`."""
    if type(value) is not int or not low <= value <= high:
        raise GodeeperError(f"{name} is {quoted(value)}: it must be a whole number from {low:,} to {high:,}")
    return value


def number(name: str, value: Any, low: float = -inf, high: float = inf) -> float:
    """`value`, a finite number from `low` to `high`."""
    if type(value) not in (int, float) or not low <= value <= high or abs(value) > float_info.max:
        between = "" if low == -inf else f" between {low:g} and {high:g}"
        raise GodeeperError(f"{name} is {quoted(value)}: it must be a number{between}")
    return float(value)


def flag(name: str, value: Any) -> bool:
    """`value`, true or false."""
    if type(value) is not bool:
        raise GodeeperError(f"{name} is {quoted(value)}: it must be true or false")
    return value


def only(what: str, values: Any, names: Iterable[str], optional: Iterable[str] = ()) -> dict[str, Any]:
    """`values`, an object with each of `names`, perhaps some of `optional`, and nothing else."""
    names, optional = list(names), list(optional)
    if not isinstance(values, dict):
        raise GodeeperError(f"{what} is {quoted(values)}: it must be an object, of fields by name")
    for name in names:
        if name not in values:
            raise GodeeperError(f"{what} lacks the field {name!r}: its fields are {', '.join(names)}")
    for name in values:
        if name not in (*names, *optional):
            raise unknown(f"field of {what}", str(name), (*names, *optional))
    return values
