"""What a claim of a paper is, and what its experiment returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ..text import Text
from .figures import Figure
from .lab import Lab
from .prose import texts
from .result_table import Table
from .scales import Scale, ScaleName
from .stats import Mean, Verdict

Value = Mean | float | int | str


@dataclass(frozen=True)
class Statement:
    """A statement of a claim: its name in the claim's TOML file, the verdict, and the values that its texts there name."""

    name: str
    verdict: Verdict
    values: Mapping[str, Value]

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Statement:
        """The statement that `dataclasses.asdict` made plain."""
        values = {name: Mean(**value) if isinstance(value, dict) else value for name, value in data["values"].items()}
        return cls(data["name"], data["verdict"], values)


@dataclass(frozen=True)
class ClaimResult:
    """What an experiment found: statements with verdicts, tables by title, figures by file name."""

    statements: Sequence[Statement]
    tables: Mapping[str, Table]
    figures: Mapping[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True)
class Claim:
    """Statements of a paper that belong together, and the experiment that tests them.

    Its texts are in a TOML file of its name beside the experiment: `title`; `paper`, what the paper says; `method`; `limits`,
    what the smallest scale cannot decide; `explanation` of the published results; and those of statements and figures.
    """

    name: str
    source: str
    scales: Mapping[ScaleName, Scale]
    experiment: Callable[[Lab], ClaimResult]

    def text(self, key: str, **values: Value) -> Text:
        """A text of the claim's TOML file with its placeholders filled; `names` there has what certain values are called."""
        own = texts(self.name.replace("-", "_"))
        return own[key].format(**{name: own.get(f"names.{value}", value) for name, value in values.items()})

    def describe(self, statement: Statement) -> dict[str, Any]:
        """A statement as plain data: its `text` and what was `measured` in both languages, and the `verdict`."""
        text, measured = (self.text(f"statements.{statement.name}.{part}", **statement.values) for part in ("text", "measured"))
        return {"text": asdict(text), "verdict": statement.verdict, "measured": asdict(measured)}
