"""Holds the tables against the facts: every printed number beside what the table gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..errors import GodeeperError
from . import facts
from .audit_bn_inception import findings as bn_inception
from .audit_googlenet import findings as googlenet
from .audit_inception_v3 import findings as inception_v3
from .audit_inception_v4 import findings as inception_v4
from .describe import describe
from .findings import Cell, Finding, judged
from .registry import definition

_AUDITS: dict[str, Callable[[str], Iterator[Finding]]] = {
    "googlenet": googlenet,
    "googlenet_counted": googlenet,
    "bn_inception": bn_inception,
    "bn_inception_caffe": bn_inception,
    "inception_v3": inception_v3,
    "inception_v4_printed": inception_v4,
    "inception_v4": inception_v4,
    "inception_resnet_v1": inception_v4,
    "inception_resnet_v2_printed": inception_v4,
    "inception_resnet_v2": inception_v4,
}
AUDITED = tuple(_AUDITS)  # the models of which a paper prints numbers, in the papers' order


def audit(name: str) -> list[Finding]:
    """Every printed number of the network's paper, as findings: tables, figures and the counting claims of the text.

    GodeeperError for an unknown name, and for a network of which no paper prints numbers.
    """
    table = definition(name)
    if name not in _AUDITS:
        raise GodeeperError(f"no paper prints numbers of {name!r} itself: audit one of {', '.join(AUDITED)}")
    found = list(_AUDITS[name](name))
    if name in facts.UNPRINTED_PARAMETERS:
        expected, counted_by = facts.UNPRINTED_PARAMETERS[name]
        total = Cell("parameters", f"{expected:,}", f"{describe(table).parameters:,}", f"not printed: {counted_by}")
        found += judged([total], {}, {})
    return found
