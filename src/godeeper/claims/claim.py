"""What a claim of a paper is, and what a test of it leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from .lab import Lab

Verdict = Literal["supported", "not supported", "inconclusive"]
ScaleName = Literal["cpu", "gpu", "imagenet"]
Cell = str | float | int | None


@dataclass(frozen=True)
class Words:
    """A text in both languages."""

    en: str
    zh: str

    def said(self, lang: str) -> str:
        """The text in "en" or "zh"."""
        return self.zh if lang == "zh" else self.en


@dataclass(frozen=True)
class Scale:
    """How large a test is.

    `recipe` is what the arms' recipes start from, empty where a claim trains by itself; `train` and `test` are images of those
    sets, the first of each class, 0 for all; `width` scales the networks' filters,
    `small` takes their stems' strides, and batches of `batch_size`; `seeds` are repetitions. `cost` says what to expect:
    measured, or reckoned where nobody has run it.
    """

    data: str
    cost: Words
    recipe: str = "cifar10"
    batch_size: int = 128
    train: int = 0
    test: int = 0
    epochs: int = 10
    width: float = 1.0
    seeds: int = 3
    small: bool = True


@dataclass(frozen=True)
class Part:
    """One statement of a claim, and what was found of it."""

    says: Words
    verdict: Verdict
    why: Words


@dataclass(frozen=True)
class Table:
    """What was measured, whatever it says: every arm and every seed."""

    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class Line:
    """A line of a figure: its points, how far up and down their intervals reach, and whether it is dashed."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None
    dashed: bool = False


@dataclass(frozen=True)
class Figure:
    """A chart, laid out as the paper's where the paper has one."""

    title: Words
    x: str
    y: str
    lines: Sequence[Line]
    logarithmic: bool = False  # the x axis


@dataclass(frozen=True)
class Outcome:
    """What a test found: its parts, tables by title, figures by file name."""

    parts: Sequence[Part]
    tables: Mapping[str, Table]
    figures: Mapping[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True)
class Claim:
    """Statements of a paper that belong together, and the test of them.

    `limits` says what the CPU's scale cannot decide.
    """

    name: str
    title: Words
    source: str
    says: Words
    limits: Words
    scales: Mapping[ScaleName, Scale]
    test: Callable[[Lab], Outcome]
