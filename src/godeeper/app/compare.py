"""The third tab: two networks side by side."""

from __future__ import annotations

from functools import lru_cache
from html import escape

from ..drawing.draw import draw
from ..papers.describe import describe
from .html import heading, table
from .words import Lang, say


def totals(first: str, second: str, lang: Lang) -> str:
    """What each costs in all, and the second's part of the first's."""
    one, two = describe(first), describe(second)
    head = ["", escape(first), escape(second), escape(say("ratio", lang))]
    body = []
    for key, values in {
        "parameters": (one.parameters, two.parameters),
        "multiply_adds": (one.multiply_adds, two.multiply_adds),
        "depth": (one.depth, two.depth),
    }.items():
        body.append([escape(say(key, lang)), *(f"{value:,}" for value in values), f"{values[1] / values[0]:.2f}"])
    for key, sizes in {"image_size": (one.image_size, two.image_size), "smallest": (one.minimum_size, two.minimum_size)}.items():
        body.append([escape(say(key, lang)), *(f"{size}x{size}" for size in sizes), ""])
    return heading(say("totals", lang)) + table(head, body)


@lru_cache(maxsize=32)
def chart(network: str) -> str:
    """What each stage of a network costs, drawn."""
    return f'<div class="drawing">{draw(network, show="cost")}</div>'


def costs(network: str, lang: Lang) -> str:
    """The chart, with its heading."""
    return heading(f"{network}: {say('cost', lang)}") + chart(network)
