"""The texts of the claims in both languages, from the TOML files beside them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from ..text import Text

PHRASES = "phrases"  # the file of what several claims share
NUMBER = re.compile(r"\d+(?:\.\d+)?")


@cache
def texts(name: str) -> Mapping[str, Text]:
    """The texts of `{name}.toml` by their dotted keys, such as "statements.averaging.text"."""
    return dict(_flattened(_read(name), ""))


def verdict_text(verdict: str) -> Text:
    """A verdict as people read it."""
    return texts(PHRASES)[f"verdicts.{verdict}"]


def term(english: str, lang: str) -> str:
    """A table's title, column head or cell, or a figure's words, in "en" or "zh"; what has no Chinese term stays as it is.

    One with commas that has no term as a whole is put together from those of its parts.
    """
    if lang == "en":
        return english
    terms = _terms()
    if english in terms:
        return terms[english]
    if ", " in english:
        return "，".join(term(part, lang) for part in english.split(", "))
    number = NUMBER.search(english)
    if number is None:
        return english
    numbered = english.replace(number[0], "{n}", 1)  # "seed 3" is under "seed {n}"
    return terms.get(numbered, english).replace("{n}", number[0])


@cache
def _terms() -> Mapping[str, str]:
    terms: dict[str, str] = _read(PHRASES)["terms"]
    return terms


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((files(__package__) / f"{name}.toml").read_text(encoding="utf-8"))


def _flattened(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Text]]:
    for key, value in table.items():
        if isinstance(value, dict) and value.keys() == {"en", "zh"}:
            yield prefix + key, Text(value["en"].strip(), value["zh"].strip())
        elif isinstance(value, dict):
            yield from _flattened(value, f"{prefix}{key}.")
