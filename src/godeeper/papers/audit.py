"""Compares the tables with the papers: every printed value beside what the table gives, joined on source, stage and quantity."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from ..errors import GodeeperError
from ..text import Text
from .describe import describe
from .errata import Note
from .facts import Fact
from .locations import location_in_chinese
from .notation import Definition
from .quantities import NO_NOTE, QUANTITIES, Computed, Subject
from .readings import READINGS, Reading
from .registry import definition

AUDITED = tuple(READINGS)  # the networks of which a paper prints numbers, in the papers' order
Verdict = Literal["reproduced", "erratum", "unexplained"]


@dataclass(frozen=True)
class Finding:
    """One printed value and ours. An `erratum` is a print that disagrees with other prints of the same paper.

    `source`, `stage` and `quantity` are the fact's; `stages` are our stages or auxiliary heads that it is about, none for the
    whole network. `note` is empty where there is nothing to say.
    """

    source: str
    stage: str
    quantity: str
    stages: tuple[str, ...]
    printed: str
    computed: str
    verdict: Verdict
    note: Text = NO_NOTE

    @property
    def where(self) -> str:
        """Source, stage and quantity in one line: "Table 1, 4a output"."""
        return f"{self.source}, {self.stage} {self.quantity}" if self.stage else f"{self.source}, {self.quantity}"

    @property
    def location(self) -> Text:
        """`where` in both languages."""
        return Text(self.where, location_in_chinese(self.source, self.stage, self.quantity))


def audit(name: str) -> list[Finding]:
    """Every printed value of the network's paper: tables, figures, the counts in the text, and the print against itself.

    GodeeperError for an unknown name, and for a network of which no paper prints numbers.
    """
    table = definition(name)
    if name not in READINGS:
        raise GodeeperError(f"no paper prints numbers of {name!r} itself: audit one of {', '.join(AUDITED)}")
    return list(compare(READINGS[name], table))


def compare(reading: Reading, table: Definition) -> Iterator[Finding]:
    """The findings of the reading's facts and cross-checks, with the values that this table gives."""
    description = describe(table)
    for fact in reading.facts:
        computed = QUANTITIES[fact.quantity](Subject(fact, reading, table, description))
        for single, value in _single_values(fact, computed if isinstance(computed, Computed) else Computed(computed)):
            yield _judged(reading, single, value)
    for check in reading.checks:
        yield _judged(reading, check.fact, Computed(check.expected))


def _single_values(fact: Fact, computed: Computed) -> Iterator[tuple[Fact, Computed]]:
    """Branches one by one if both have as many, otherwise all in one."""
    printed, ours = fact.printed, computed.value
    if isinstance(printed, str) or isinstance(ours, str):
        yield fact, computed
    elif len(printed) == len(ours) > 1:
        for number, pair in enumerate(zip(printed, ours, strict=True), 1):
            yield replace(fact, quantity=f"branch {number}", printed=pair[0]), replace(computed, value=pair[1])
    else:
        yield replace(fact, printed=" | ".join(printed)), replace(computed, value=" | ".join(ours))


def _judged(reading: Reading, fact: Fact, computed: Computed) -> Finding:
    agrees = fact.printed == computed.value if computed.agrees is None else computed.agrees
    finding = Finding(
        fact.source, fact.stage, fact.quantity, reading.our_stages(fact.stage), str(fact.printed), str(computed.value),
        "reproduced" if agrees else "unexplained", computed.note,
    )  # fmt: skip
    known = None if agrees else next((note for note in reading.notes if _is_about(note, finding)), None)
    if known is None:
        return finding
    verdict: Verdict = "erratum" if known.is_erratum else "unexplained"
    return replace(finding, verdict=verdict, note=_joined(known.why, computed.note))


def _joined(why: Text, note: Text) -> Text:
    return why if note == NO_NOTE else Text(f"{why.en}; {note.en}", f"{why.zh}；{note.zh}")


def _is_about(note: Note, finding: Finding) -> bool:
    given = {name: value for name, value in vars(note).items() if name != "why" and value is not None}
    return all(getattr(finding, name) == value for name, value in given.items())
