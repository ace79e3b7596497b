"""What an audit finds: one printed number or branch, ours, and the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["reproduced", "erratum", "unexplained"]


@dataclass(frozen=True)
class Finding:
    """One printed number and ours. An `erratum` is a print that disagrees with other prints of the same paper."""

    where: str
    printed: str
    computed: str
    verdict: Verdict
    note: str = ""


@dataclass(frozen=True)
class Cell:
    """A finding before the verdict. `agrees` decides where the two are not meant to be equal, letter for letter."""

    where: str
    printed: str
    computed: str
    note: str = ""
    agrees: bool | None = None


Errata = Mapping[tuple[str, str, str], str]  # where, printed, computed: why the print cannot be right
Remarks = Mapping[str, str]  # how `where` begins: what there is to say of a difference that nothing explains


def judged(cells: Iterable[Cell], errata: Errata, remarks: Remarks) -> Iterator[Finding]:
    """The cells with their verdicts: an erratum only where the print is the known misprint and we have what it should be."""
    for cell in cells:
        place = cell.where, cell.printed, cell.computed
        if cell.printed == cell.computed if cell.agrees is None else cell.agrees:
            yield Finding(*place, "reproduced", cell.note)
        elif place in errata:
            yield Finding(*place, "erratum", _joined(errata[place], cell.note))
        else:
            remark = next((remark for start, remark in remarks.items() if cell.where.startswith(start)), "")
            yield Finding(*place, "unexplained", _joined(remark, cell.note))


def _joined(*notes: str) -> str:
    return "; ".join(filter(None, notes))


def size(output: tuple[int, int, int]) -> str:
    """(C, H, W) as the papers print it: height x width x channels."""
    channels, height, width = output
    return f"{height}x{width}x{channels}"
