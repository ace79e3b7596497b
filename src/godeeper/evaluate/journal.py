"""What an evaluation has done so far, on disk: an interrupted one goes on from there."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import GodeeperError
from ..files import atomic_write
from ..tensor_files import load_tensors, save_tensors

IDENTITY, PARTS = "evaluation.json", "*.safetensors"
SECONDS = 30  # between writes: what a power cut may cost


@dataclass(frozen=True)
class Part:
    """Some images' results: their places and labels, decisions and probabilities, as an `Evaluation` has them; and the bad."""

    indices: list[int]
    labels: Tensor
    decisions: Tensor | None  # None: no image could be decoded
    probabilities: Tensor | None
    bad: list[tuple[int, str]]

    @property
    def places(self) -> list[int]:
        """Of all images that need not be looked at again."""
        return [*self.indices, *(place for place, _ in self.bad)]

    def without(self, seen: set[int]) -> Part:
        """The same, but for images already seen."""
        rows = [row for row, place in enumerate(self.indices) if place not in seen]
        decisions, probabilities = (None if one is None else one[rows] for one in (self.decisions, self.probabilities))
        bad = [(place, reason) for place, reason in self.bad if place not in seen]
        return Part([self.indices[row] for row in rows], self.labels[rows], decisions, probabilities, bad)

    @staticmethod
    def joined(parts: Sequence[Part]) -> Part:
        """All of them, images in the order of their places."""
        indices = [place for part in parts for place in part.indices]
        order = torch.tensor(sorted(range(len(indices)), key=indices.__getitem__), dtype=torch.long)
        filled = [part for part in parts if part.decisions is not None]

        def stacked(tensors: list[Tensor | None]) -> Tensor | None:
            found = [tensor for tensor in tensors if tensor is not None]
            return torch.cat(found)[order] if found else None

        labels = stacked([part.labels for part in filled])
        return Part(
            sorted(indices),
            torch.empty(0, dtype=torch.long) if labels is None else labels,
            stacked([part.decisions for part in filled]),
            stacked([part.probabilities for part in filled]),
            sorted(bad for part in parts for bad in part.bad),
        )


class Journal:
    """Parts in a folder, written every half minute; `identity` says of which evaluation.

    GodeeperError where the folder holds parts and `resume` does not ask for them, or they are another evaluation's.
    """

    def __init__(self, folder: Path, identity: dict[str, Any], *, resume: bool = False, rank: int = 0) -> None:
        self.folder, self.rank, self.written = folder, rank, time.monotonic()
        self.pending: list[Part] = []
        identity = json.loads(json.dumps(identity))
        file = folder / IDENTITY
        if resume and file.is_file():
            _check_same(_identity(file), identity, folder)
        elif rank == 0:
            if any(folder.glob(PARTS)):
                hint = f"its {IDENTITY} is gone, so remove the folder" if resume else "go on with --resume, or remove it"
                raise GodeeperError(f"{str(folder)!r} holds an interrupted evaluation: {hint}")
            with atomic_write(file) as partial:
                partial.write_text(json.dumps(identity, indent=1), "utf-8")

    def read(self, labels: Sequence[int], shape: tuple[int, ...]) -> list[Part]:
        """What is there already, each image once, of images with these labels and decisions of `shape` each."""
        parts: list[Part] = []
        seen: set[int] = set()
        for file in sorted(self.folder.glob(PARTS)):
            part = _read(file, labels, shape).without(seen)  # a signal may have come between writing a part and noting it
            seen |= set(part.places)
            parts.append(part)
        return parts

    def add(self, part: Part) -> None:
        """Notes a part, and writes those noted if the last time is half a minute ago."""
        self.pending.append(part)
        if time.monotonic() - self.written > SECONDS:
            self.flush()

    def flush(self) -> None:
        """Writes what is noted; a file appears whole or not at all."""
        if not self.pending:
            return
        part = Part.joined(self.pending)
        tensors = {"indices": torch.tensor(part.indices, dtype=torch.long), "labels": part.labels}
        for name, tensor in (("decisions", part.decisions), ("probabilities", part.probabilities)):
            if tensor is not None:
                tensors[name] = tensor
        save_tensors(self.folder / f"{time.time_ns()}-{self.rank}.safetensors", tensors, {"bad": part.bad})
        self.pending, self.written = [], time.monotonic()

    def remove(self) -> None:
        """What it wrote, once the evaluation is done; and the folder, if nothing else is in it."""
        for file in [*self.folder.glob(PARTS), *self.folder.glob(".*.partial"), self.folder / IDENTITY]:
            file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.folder.rmdir()


def _identity(file: Path) -> dict[str, Any]:
    try:
        identity = json.loads(file.read_text("utf-8"))
    except ValueError:
        identity = None
    if not isinstance(identity, dict):
        raise GodeeperError(f"{str(file)!r} is damaged: remove the folder {str(file.parent)!r} to begin anew")
    return identity


def _read(file: Path, labels: Sequence[int], shape: tuple[int, ...]) -> Part:
    try:
        found, words = load_tensors(file)
        bad = [(int(place), str(reason)) for place, reason in words["bad"]]
        part = Part(found["indices"].tolist(), found["labels"], found.get("decisions"), found.get("probabilities"), bad)
        _check_sound(part, labels, shape)
        return part
    except (GodeeperError, KeyError, TypeError, ValueError, IndexError) as error:
        raise GodeeperError(f"{str(file)!r} is damaged ({error}): remove it to go on; its images are evaluated again") from None


def _check_sound(part: Part, labels: Sequence[int], shape: tuple[int, ...]) -> None:
    """ValueError unless a part is of images that there are, with their labels."""
    count = len(part.indices)
    if any(not isinstance(place, int) or not 0 <= place < len(labels) for place in part.places):
        raise ValueError("it is of images that are not there")
    if part.labels.tolist() != [labels[place] for place in part.indices]:
        raise ValueError("its labels are others")
    if count and (part.decisions is None or part.decisions.shape != (count, *shape)):
        raise ValueError("its decisions are incomplete")
    if part.probabilities is not None and len(part.probabilities) != count:
        raise ValueError("its probabilities are incomplete")


def _check_same(then: dict[str, Any], now: dict[str, Any], folder: Path) -> None:
    for name in then.keys() | now.keys():
        if then.get(name) != now.get(name):
            raise GodeeperError(
                f"{str(folder)!r} holds another evaluation: its {name} is {_short(then.get(name))}, now {_short(now.get(name))}"
            )


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:200]}..."
