"""What an evaluation has done so far, on disk: an interrupted one goes on from there."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import GodeeperError
from ..tensor_files import load_tensors, save_tensors

SECONDS = 30  # between writes: what a power cut may cost


@dataclass(frozen=True)
class Part:
    """Some pictures' results: their places and labels, decisions and probabilities, as an `Evaluation` has them; and the bad."""

    indices: list[int]
    labels: Tensor
    decisions: Tensor | None  # None: no picture could be decoded
    probabilities: Tensor | None
    bad: list[tuple[int, str]]

    @property
    def places(self) -> list[int]:
        """Of all pictures that need not be looked at again."""
        return [*self.indices, *(place for place, _ in self.bad)]

    @staticmethod
    def joined(parts: Sequence[Part]) -> Part:
        """All of them, pictures in the order of their places."""
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
        self.folder, self.rank, self.pending, self.written = folder, rank, [], time.monotonic()  # type: ignore[var-annotated]
        identity = json.loads(json.dumps(identity))
        file = folder / "evaluation.json"
        if resume and file.is_file():
            _check_same(json.loads(file.read_text("utf-8")), identity, folder)
        elif rank == 0:
            if any(folder.glob("*.safetensors")):
                raise GodeeperError(f"{str(folder)!r} holds an interrupted evaluation: go on with --resume, or remove it")
            folder.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(identity, indent=1), "utf-8")

    def read(self) -> list[Part]:
        """What is there already."""
        return [_read(file) for file in sorted(self.folder.glob("*.safetensors"))]

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
        """All of it, once the evaluation is done."""
        shutil.rmtree(self.folder)


def _read(file: Path) -> Part:
    try:
        found, words = load_tensors(file)
        bad = [(int(place), str(reason)) for place, reason in words["bad"]]
        return Part(found["indices"].tolist(), found["labels"], found.get("decisions"), found.get("probabilities"), bad)
    except (GodeeperError, KeyError, TypeError, ValueError) as error:
        raise GodeeperError(f"{str(file)!r} is damaged ({error}): remove it to go on; its pictures are evaluated again") from None


def _check_same(then: dict[str, Any], now: dict[str, Any], folder: Path) -> None:
    for name in then.keys() | now.keys():
        if then.get(name) != now.get(name):
            raise GodeeperError(
                f"{str(folder)!r} holds another evaluation: its {name} is {_short(then.get(name))}, now {_short(now.get(name))}"
            )


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:200]}..."
