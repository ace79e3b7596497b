"""The second tab: a network's table, its drawing, and one stage of it beside what the paper prints."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import lru_cache

from ..drawing.draw import draw
from ..errors import GodeeperError
from ..papers.audit import Finding, audit
from ..papers.describe import Description, StageDescription, describe
from .app_texts import AppLang, kind_text, text
from .fragments import fragment, note

COLUMNS = ("output", "parameters", "multiply_adds", "receptive_field")
ONE_LINE = {"en": 32, "zh": 16}  # letters of a note that is not broken; a Chinese one is twice as wide


@lru_cache(maxsize=64)
def _drawing(network: str, lang: AppLang, block: str | None = None) -> str:
    return draw(network, block, lang=lang)


@lru_cache(maxsize=32)
def _findings(network: str) -> tuple[Finding, ...]:
    """The audit's findings; none for a network that no paper prints numbers of."""
    try:
        return tuple(audit(network))
    except GodeeperError:
        return ()


def stage_table(network: str, lang: AppLang, opened: str | None = None) -> str:
    """The table: every stage is a button that opens it, and so is every auxiliary head, which the sums leave out."""
    description = describe(network)
    heads = [_head(description, name) for name in description.auxiliary]
    stages = [(stage, kind_text(stage.kind, lang)) for stage in description]
    titles = [text(key, lang) for key in ("stage", "kind", *COLUMNS)]
    return fragment(
        "stage_table.html", lang, titles=titles, columns=COLUMNS, stages=stages, heads=heads, total=description,
        opened=opened,
    )  # fmt: skip


def drawing(network: str, lang: AppLang) -> str:
    """The drawing of the whole network."""
    return fragment("drawing.html", lang, drawing=_drawing(network, lang))


def stage(network: str, name: str | None, lang: AppLang) -> str:
    """One stage or auxiliary head: its drawing, its numbers, what the paper prints of it and the audit's verdicts."""
    description = _stage(network, name)
    if name is None or description is None:
        return note(text("no_stage", lang))
    findings = _findings(network)
    shown = [(finding.location.get(lang), finding, finding.note.get(lang)) for finding in findings if name in finding.stages]
    titles = [text(key, lang) for key in ("where", "printed", "computed", "verdict", "note")]
    return fragment(
        "stage.html", lang, network=network, stage=description, columns=COLUMNS, drawing=_drawing(network, lang, name),
        audited=bool(findings), findings=shown, titles=titles, one_line=ONE_LINE[lang],
    )  # fmt: skip


def _stage(network: str, name: str | None) -> StageDescription | None:
    """A stage, or an auxiliary head as one stage; None if the network has no such."""
    description = describe(network)
    if name is not None and name in description.auxiliary:
        return _head(description, name)
    return next((line for line in description if line.name == name), None)


def _head(description: Description, name: str) -> StageDescription:
    """An auxiliary head as one stage."""
    lines = description.auxiliary[name]
    parameters, multiply_adds = sum(line.parameters for line in lines), sum(line.multiply_adds for line in lines)
    return replace(lines[-1], name=name, parameters=parameters, multiply_adds=multiply_adds)


def audit_summary(network: str, lang: AppLang) -> str:
    """The verdicts of the audit of the whole network, counted."""
    findings = _findings(network)
    if not findings:
        return note(text("no_audit", lang, network=network))
    verdicts = Counter(finding.verdict for finding in findings)
    counts = {name: verdicts[name] for name in ("reproduced", "erratum", "unexplained")}
    return note(text("audit", lang, network=network, **counts))
