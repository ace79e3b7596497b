"""The third tab: two networks side by side."""

from __future__ import annotations

from functools import lru_cache

from ..drawing.draw import draw
from ..papers.describe import describe
from .app_texts import AppLang
from .fragments import fragment

COUNTS, SIZES = ("parameters", "multiply_adds", "depth"), ("image_size", "minimum_size")  # fields of a description


def totals(first: str, second: str, lang: AppLang) -> str:
    """What each network costs in all, and the ratio of the second to the first."""
    described = describe(first), describe(second)
    counts = [(key, *(getattr(network, key) for network in described)) for key in COUNTS]
    sizes = [(key, *(getattr(network, key) for network in described)) for key in SIZES]
    return fragment("totals.html", lang, networks=(first, second), counts=counts, sizes=sizes)


@lru_cache(maxsize=32)
def _chart(network: str, lang: AppLang) -> str:
    return draw(network, show="cost", lang=lang)


def costs(network: str, lang: AppLang) -> str:
    """The drawing of what each stage of a network costs."""
    return fragment("cost.html", lang, network=network, drawing=_chart(network, lang))
