"""Files of results: the JSON of a claim's folder, and the results that the package carries."""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from ..errors import GodeeperError
from ..files import atomic_write, read_file

RESULTS = "results"  # the folder of this package: a file a claim, with its results by scale


def read_json(file: Path) -> Any:
    """What a file of a claim's folder holds; GodeeperError where it is damaged."""
    try:
        return json.loads(read_file(file))
    except (ValueError, RecursionError):
        raise GodeeperError(f"{str(file)!r} is damaged: delete it, and the same command makes it again") from None


def write_json(file: Path, content: Any) -> None:
    """Writes indented JSON, with each list of numbers or names in one line, for people who read the file."""
    text = json.dumps(content, ensure_ascii=False, indent=1)
    with atomic_write(file) as partial:
        partial.write_text(PLAIN_LIST.sub(_in_one_line, text) + "\n", encoding="utf-8")


PLAIN_LIST = re.compile(r"\[\s+([^\[\]{}]*?)\s+\]")


def _in_one_line(match: re.Match[str]) -> str:
    return "[" + re.sub(r"\n\s+", " ", match[1]) + "]"


@cache
def published_results(claim: str) -> dict[str, dict[str, Any]]:
    """The results of a claim that the package carries, by scale: each as `reproduce` returns it; empty where there are none."""
    file = files(__package__) / RESULTS / f"{claim}.json"
    results: dict[str, dict[str, Any]] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return results
