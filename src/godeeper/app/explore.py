"""The second tab: a network's table, its drawing, and one stage of it beside the paper's print."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import lru_cache
from html import escape

from ..drawing.draw import draw
from ..errors import GodeeperError
from ..papers.audit import Finding, audit
from ..papers.describe import Description, StageDescription, describe
from .html import button, heading, note, table
from .words import Lang, say

COUNTS = ("output", "parameters", "multiply_adds", "receptive_field")


@lru_cache(maxsize=64)
def drawing(network: str, block: str | None = None) -> str:
    """A drawing, which is the same in both languages."""
    return draw(network, block)


@lru_cache(maxsize=32)
def audited(network: str) -> tuple[Finding, ...]:
    """The audit's findings; none where no paper prints numbers of the network."""
    try:
        return tuple(audit(network))
    except GodeeperError:
        return ()


def rows(network: str, lang: Lang, stage: str | None = None) -> str:
    """The table: every stage a button that opens it, and every auxiliary head, which the sums leave out; `stage` is open."""
    described = describe(network)
    head = [escape(say(key, lang)) for key in ("stage", "kind", *COUNTS)]
    total = ["", "", "", f"{described.parameters:,}", f"{described.multiply_adds:,}", ""]
    body = [_row(line, line.kind, stage) for line in described]
    heads = [_row(_head(described, name), say("head", lang), stage) for name in described.auxiliary]
    return heading(say("table", lang)) + table(head, [*body, total, *heads], numbers=2)


def _row(line: StageDescription, kind: str, opened: str | None) -> list[str]:
    return [button(line.name, escape(line.name), current=line.name == opened), escape(kind), *counts(line)]


def counts(line: StageDescription) -> list[str]:
    """A stage's numbers."""
    channels, height, width = line.output
    return [f"{height}x{width}x{channels}", f"{line.parameters:,}", f"{line.multiply_adds:,}", f"{line.receptive_field:,}"]


def whole(network: str, lang: Lang) -> str:
    """The network's drawing."""
    return heading(say("drawing", lang)) + f'<div class="drawing">{drawing(network)}</div>'


def opened(network: str, stage: str | None, lang: Lang) -> str:
    """One stage: its drawing, its numbers, what the paper prints of it and the audit's verdicts."""
    line = _line(network, stage)
    if stage is None or line is None:
        return note(say("no_stage", lang))
    facts = "".join(
        f"<div><dt>{escape(say(key, lang))}</dt><dd>{value}</dd></div>" for key, value in zip(COUNTS, counts(line), strict=True)
    )
    return (
        heading(say("opened", lang, stage=stage, network=network))
        + f'<dl class="counts">{facts}</dl><div class="drawing">{drawing(network, stage)}</div>'
        + _prints(network, stage, lang)
    )


def _line(network: str, stage: str | None) -> StageDescription | None:
    """A stage, or an auxiliary head as if it were one; None for what the network has not."""
    described = describe(network)
    if stage is not None and stage in described.auxiliary:
        return _head(described, stage)
    return next((one for one in described if one.name == stage), None)


def _head(described: Description, name: str) -> StageDescription:
    """An auxiliary head in one line."""
    lines = described.auxiliary[name]
    parameters, multiply_adds = sum(one.parameters for one in lines), sum(one.multiply_adds for one in lines)
    return replace(lines[-1], name=name, parameters=parameters, multiply_adds=multiply_adds)


def _prints(network: str, stage: str, lang: Lang) -> str:
    findings = audited(network)
    if not findings:
        return note(say("no_audit", lang, network=network))
    found = [finding for finding in findings if stage in finding.stages]
    if not found:
        return note(say("no_print", lang))
    head = [escape(say(key, lang)) for key in ("where", "printed", "computed", "verdict", "note")]
    body = [[*map(escape, (one.where, one.printed, one.computed)), _verdict(one, lang), escape(one.note)] for one in found]
    return heading(say("print", lang)) + table(head, body, numbers=9)


def _verdict(finding: Finding, lang: Lang) -> str:
    return f'<span class="{finding.verdict}">{escape(say(finding.verdict, lang))}</span>'


def summary(network: str, lang: Lang) -> str:
    """What the audit of the whole network says."""
    findings = audited(network)
    if not findings:
        return note(say("no_audit", lang, network=network))
    verdicts = Counter(finding.verdict for finding in findings)
    return note(
        say("audit", lang, network=network, **{name: verdicts[name] for name in ("reproduced", "erratum", "unexplained")})
    )
