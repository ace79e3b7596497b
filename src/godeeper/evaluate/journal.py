"""What an evaluation has done so far, on disk: an interrupted one goes on from there."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import torch
from torch import Tensor

from ..errors import GodeeperError
from ..files import atomic_write, read_file
from ..ranks import rank_and_ranks
from ..tensor_files import load_tensors, save_tensors

IDENTITY, RESULTS = "evaluation.json", "*.safetensors"
SECONDS = 30  # between writes: what a power cut may cost


@dataclass(frozen=True)
class ImageResults:
    """Results of some images: indices, labels, decisions and probabilities as an `Evaluation` has them; and the bad images.

    `bad` has the index of each image that could not be decoded, and why.
    """

    indices: list[int]
    labels: Tensor
    decisions: Tensor
    probabilities: Tensor | None
    bad: list[tuple[int, str]]

    @property
    def seen(self) -> list[int]:
        """Of all images that need not be looked at again."""
        return [*self.indices, *(index for index, _ in self.bad)]

    def without(self, seen: set[int]) -> ImageResults:
        """The same, but for images already seen."""
        rows = [row for row, index in enumerate(self.indices) if index not in seen]
        probabilities = None if self.probabilities is None else self.probabilities[rows]
        bad = [(index, reason) for index, reason in self.bad if index not in seen]
        return ImageResults([self.indices[row] for row in rows], self.labels[rows], self.decisions[rows], probabilities, bad)

    @staticmethod
    def concatenated(results: Sequence[ImageResults]) -> ImageResults:
        """All of at least one results, in the order of the indices."""
        indices = [index for each in results for index in each.indices]
        order = torch.tensor(sorted(range(len(indices)), key=indices.__getitem__), dtype=torch.long)
        probabilities = [each.probabilities for each in results if each.probabilities is not None]
        return ImageResults(
            sorted(indices),
            torch.cat([each.labels for each in results])[order],
            torch.cat([each.decisions for each in results])[order],
            torch.cat(probabilities)[order] if probabilities else None,
            sorted(bad for each in results for bad in each.bad),
        )


class Journal:
    """Results in a folder, written every half minute and at the end of a `with` block; `identity` says of which evaluation.

    GodeeperError where the folder holds results and `resume` does not ask for them, or they are another evaluation's.
    """

    def __init__(self, folder: Path, identity: dict[str, Any], *, resume: bool = False) -> None:
        self.folder, self.rank, self.written = folder, rank_and_ranks()[0], time.monotonic()
        self.pending: list[ImageResults] = []
        identity = json.loads(json.dumps(identity))
        file = folder / IDENTITY
        if resume and file.is_file():
            _check_same(_identity(file), identity, folder)
        elif self.rank == 0:
            if any(folder.glob(RESULTS)):
                hint = f"its {IDENTITY} is gone, so remove the folder" if resume else "go on with --resume, or remove it"
                raise GodeeperError(f"{str(folder)!r} holds an interrupted evaluation: {hint}")
            with atomic_write(file) as partial:
                partial.write_text(json.dumps(identity, indent=1), "utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.flush()

    def read(self, labels: Sequence[int], decisions_shape: tuple[int, ...]) -> list[ImageResults]:
        """What is there already, each image once, of images with these labels and decisions of that shape each."""
        results: list[ImageResults] = []
        seen: set[int] = set()
        for file in sorted(self.folder.glob(RESULTS)):
            # A signal may have come between writing results and forgetting that they were pending: they are there twice.
            results.append(_read(file, labels, decisions_shape).without(seen))
            seen |= set(results[-1].seen)
        return results

    def add(self, results: ImageResults) -> None:
        """Keeps results, and writes those kept if the last time is half a minute ago."""
        self.pending.append(results)
        if time.monotonic() - self.written > SECONDS:
            self.flush()

    def flush(self) -> None:
        """Writes what is pending, atomically."""
        if not self.pending:
            return
        results = ImageResults.concatenated(self.pending)
        tensors = {
            "indices": torch.tensor(results.indices, dtype=torch.long),
            "labels": results.labels,
            "decisions": results.decisions,
        }
        if results.probabilities is not None:
            tensors["probabilities"] = results.probabilities
        save_tensors(self.folder / f"{uuid4().hex}.safetensors", tensors, {"bad": results.bad})
        self.pending, self.written = [], time.monotonic()

    def remove(self) -> None:
        """Removes what it wrote, once the evaluation is done; and the folder, if nothing else is in it."""
        for file in [*self.folder.glob(RESULTS), *self.folder.glob(".*.partial"), self.folder / IDENTITY]:
            file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.folder.rmdir()


def _identity(file: Path) -> dict[str, Any]:
    try:
        identity = json.loads(read_file(file))
    except (ValueError, RecursionError):
        identity = None
    if not isinstance(identity, dict):
        raise GodeeperError(f"{str(file)!r} is damaged: remove the folder {str(file.parent)!r} to begin anew")
    return identity


def _read(file: Path, labels: Sequence[int], decisions_shape: tuple[int, ...]) -> ImageResults:
    try:
        tensors, metadata = load_tensors(file)
        bad = [(int(index), str(reason)) for index, reason in metadata["bad"]]
        indices = tensors["indices"].tolist()
        results = ImageResults(indices, tensors["labels"], tensors["decisions"], tensors.get("probabilities"), bad)
        _check_sound(results, labels, decisions_shape)
        return results
    except (GodeeperError, KeyError, TypeError, ValueError, IndexError) as error:
        raise GodeeperError(f"{str(file)!r} is damaged ({error}): remove it to go on; its images are evaluated again") from None


def _check_sound(results: ImageResults, labels: Sequence[int], decisions_shape: tuple[int, ...]) -> None:
    """ValueError unless results are of images that there are, with their labels."""
    count = len(results.indices)
    if any(not isinstance(index, int) or not 0 <= index < len(labels) for index in results.seen):
        raise ValueError("it is of images that are not there")
    if len(set(results.indices)) != count:
        raise ValueError("it has images twice")
    if results.labels.tolist() != [labels[index] for index in results.indices]:
        raise ValueError("its labels are others")
    if results.decisions.shape != (count, *decisions_shape):
        raise ValueError("its decisions are incomplete")
    if results.decisions.dtype != torch.int32 or (results.decisions < 0).any() or (results.decisions[..., 1] > 5).any():
        raise ValueError("its decisions are out of range")
    if results.probabilities is not None and len(results.probabilities) != count:
        raise ValueError("its probabilities are incomplete")


def _check_same(before: dict[str, Any], now: dict[str, Any], folder: Path) -> None:
    for name in before.keys() | now.keys():
        if before.get(name) != now.get(name):
            raise GodeeperError(
                f"{str(folder)!r} holds another evaluation: its {name} is {_short(before.get(name))}, now {_short(now.get(name))}"
            )


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:200]}..."
