"""The run folder: what a training run leaves behind."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import version
from math import isfinite
from pathlib import Path
from typing import Any
from uuid import uuid4

from ..errors import GodeeperError
from ..fields import only, quoted
from ..files import atomic_write, is_text, own_file, read_file
from ..models.weights.read import WEIGHTS_FILE
from ..version import __version__

RECIPE_FILE = "recipe.json"
METRICS_FILE = "metrics.jsonl"
LARGEST_COUNT, LARGEST_FLOAT = 2**53, 1e100  # in a record of metrics: charts take no larger numbers
KINDS: dict[str, tuple[type, ...]] = {  # of what recipe.json holds; images are described by a text in old runs
    "spec": (dict,), "recipe": (dict,), "options": (dict,), "versions": (dict,), "left_out": (dict,), "made_from": (dict,),
    "images": (dict, str), "test_images": (dict, str), "id": (str,), "command": (str,), "split_note": (str,), "bf16": (bool,),
    "processes": (int,),
}  # fmt: skip
JSON_KINDS: dict[type, str] = {dict: "an object", str: "a text", bool: "true or false", int: "a whole number"}


class RunFolder:
    """`recipe.json`, `metrics.jsonl`, `log.txt`, `curves.png`, `model.safetensors` and `checkpoints/` under one path."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = path / "checkpoints"
        self.weights = path / WEIGHTS_FILE
        self.unwritten: list[Mapping[str, Any]] = []  # records that did not fit on the disk

    def begin(self, description: Mapping[str, Any]) -> dict[str, Any]:
        """Makes the folder and returns the description it now holds.

        GodeeperError if a run is in it already, and for a path that is no UTF-8, which safetensors writes to but does not read.
        """
        if (self.path / RECIPE_FILE).exists() or self.weights.exists() or any(self.checkpoints.glob("*.safetensors")):
            raise GodeeperError(f"{str(self.path)!r} holds a run already: go on with --resume, or choose another --out")
        if not is_text(self.path):
            raise GodeeperError(f"{str(self.path)!r} is no UTF-8: weights could not be read there again; choose another --out")
        description = {"id": uuid4().hex, **description, "versions": versions()}
        try:
            self.checkpoints.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise GodeeperError(f"cannot make the run folder {str(self.path)!r}: {error.strerror}") from None
        _write(self.path / RECIPE_FILE, _json(description))
        return description

    def read(self) -> dict[str, Any]:
        """What `begin` wrote; GodeeperError where there is no run, or its description cannot be read."""
        file = self.path / RECIPE_FILE
        if not file.is_file():
            raise GodeeperError(f"{str(self.path)!r} holds no run to resume: it has no {RECIPE_FILE}")
        try:
            description = json.loads(read_file(file))
            _check(description)
            return dict(description)
        except (ValueError, GodeeperError, RecursionError) as error:
            raise GodeeperError(f"{str(file)!r} is damaged ({error}): mend it, or begin again with another --out") from None

    def metrics(self) -> list[dict[str, Any]]:
        """One record an epoch; lines that are torn or damaged are left out."""
        file = self.path / METRICS_FILE
        records = []
        for line in read_file(file).decode(errors="replace").splitlines() if file.is_file() else []:
            try:
                record = json.loads(line)
                whole_numbers = [value for value in record.values() if isinstance(value, int)]
                sound = type(record["epoch"]) is int and record["epoch"] > 0 and isinstance(record["loss"], float | int)
                floats = [value for value in record.values() if isinstance(value, float) and isfinite(value)]
                sound = sound and all(abs(value) <= LARGEST_FLOAT for value in floats)
                if sound and all(abs(value) <= LARGEST_COUNT for value in whole_numbers):
                    records.append(record)
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                continue
        return records

    def record(self, record: Mapping[str, Any]) -> None:
        """Adds an epoch's record; one of the same epoch or later, from before a resume, gives way.

        OSError where it cannot be written: it is written with the next one.
        """
        kept = [old for old in [*self.metrics(), *self.unwritten] if old["epoch"] < record["epoch"]]
        self.unwritten.append(record)
        _write(self.path / METRICS_FILE, "".join(json.dumps(line) + "\n" for line in [*kept, record]))
        self.unwritten.clear()

    def log(self, text: str) -> None:
        """Adds a line to `log.txt`, with the time."""
        line = f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n".encode("utf-8", "backslashreplace")  # names need not be text
        # A full disk stops no run, nor does a pipe that nobody reads; no link leads it to somebody's other file.
        with suppress(OSError), open(self.path / "log.txt", "ab", opener=own_file) as file:
            file.write(line)


def _check(description: Any) -> None:
    """GodeeperError, naming the field, for a description of a run that nothing can go on with; what notes hold else is free."""
    only("the description", description, ("spec", "recipe"), description if isinstance(description, dict) else ())
    for name in KINDS.keys() & description.keys():
        if type(description[name]) not in KINDS[name]:
            raise GodeeperError(f"{name} is {quoted(description[name])}: it must be {JSON_KINDS[KINDS[name][0]]}")


def _json(description: Mapping[str, Any]) -> str:
    text = json.dumps(description, indent=2, ensure_ascii=False)
    return text if is_text(text) else json.dumps(description, indent=2)  # names of files need not be text


def _write(file: Path, text: str) -> None:
    with atomic_write(file) as partial:
        partial.write_text(text, encoding="utf-8")


def versions() -> dict[str, str]:
    """What a result depends on besides the code: versions and machine."""
    own = {"python": platform.python_version(), "godeeper": __version__}  # which may be run from its source, not installed
    others = {name: version(name) for name in ("torch", "torchvision", "accelerate", "numpy", "pillow")}
    return {**own, **others, "machine": platform.machine()}
