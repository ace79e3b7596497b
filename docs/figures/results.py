"""The figures of the claims' results: every arm's curve with the intervals of its seeds, from what the package carries."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from godeeper.claims import CLAIMS
from godeeper.claims.prose import term
from godeeper.claims.result_file import published_results
from godeeper.drawing.svg import text_width

from .axes import Axes, Axis, linear
from .style import WIDTH, dot, figure, line, lines_of_text

NETWORKS = {
    "inception_v3": "grey",
    "inception_resnet_v1": "pink",
    "inception_v4_printed": "blue",
    "inception_resnet_v2_printed": "orange",
}
COLOURS = ("blue", "orange", "green", "pink", "grey", "ink")
KEY = 190.0  # pixels: the column of the curves' names
TOP, HEIGHT = 44.0, 260.0
TICKS = 5  # about as many on an axis


def published() -> Iterator[tuple[str, Any]]:
    """The figures of every claim and scale: a name, and the function that draws it in "en" or "zh"."""
    for claim in CLAIMS:
        for scale, result in published_results(claim).items():
            for name in result["figures"]:
                yield f"claim-{claim}-{scale}-{name}", partial(curves, claim, scale, name)


def curves(claim: str, scale: str, name: str, lang: str) -> str:
    """One figure of a result: means as lines with dots, 95 % intervals as bands, cut off where they reach far."""
    chart: Mapping[str, Any] = published_results(claim)[scale]["figures"][name]
    lines: Sequence[Mapping[str, Any]] = chart["lines"]
    y = _upright([value for curve in lines for value in curve["y"]], term(chart["y"], lang))
    axes = Axes(60, TOP, WIDTH - KEY - 84, HEIGHT, _across(chart, term(chart["x"], lang)), y)
    elements, right, place = axes.draw(), WIDTH - KEY, TOP + 6.0
    for number, curve in enumerate(lines):
        colour = NETWORKS.get(curve["name"], COLOURS[number % len(COLOURS)])
        broken = curve["dashed"] or number >= len(COLOURS)
        if curve["low"] is not None:
            elements.append(axes.band(curve["x"], curve["low"], curve["high"], colour))
        elements.append(axes.curve(curve["x"], curve["y"], colour, broken))
        elements += [dot(*axes.at(*pair), colour, 3) for pair in zip(curve["x"], curve["y"], strict=True)]
        elements.append(line([(right, place - 4), (right + 20, place - 4)], colour, 2.2, broken))
        words = _named(right + 28, place, term(curve["name"], lang))
        elements += words
        place += 16.2 * len(words) + 6
    title = CLAIMS[claim].text(f"figures.{name}").get(lang)
    return figure(max(TOP + HEIGHT + 54, place + 12), elements, title, title)


def _named(x: float, y: float, name: str) -> list[str]:
    """A curve's name in the column, in as many lines as it needs; smaller where it is one long word."""
    words = lines_of_text(x, y, name, KEY - 40, "ink", 12)
    fits = len(words) > 1 or text_width(name, 12) <= KEY - 40
    return words if fits else lines_of_text(x, y, name, KEY - 40, "ink", 10.5)


def _across(chart: Mapping[str, Any], name: str) -> Axis:
    """The x axis: of a logarithmic one, every value has its tick."""
    values = sorted({x for curve in chart["lines"] for x in curve["x"]})
    if chart["logarithmic"]:
        return Axis(values[0] * 0.85, values[-1] * 1.15, [(x, f"{x:g}") for x in values], name, logarithmic=True)
    step = max(_step(values[-1]), 1.0) if chart["x"] == "Epoch" else _step(values[-1])
    return linear(0, step * math.ceil(values[-1] / step - 1e-9), step, "{:g}", name)


def _upright(values: Sequence[float], name: str) -> Axis:
    """The y axis: from below the lowest mean to above the highest; bands of few seeds reach far."""
    margin = 0.1 * (max(values) - min(values)) or 1.0
    step = _step(max(values) - min(values) + 2 * margin)
    low = step * math.floor((min(values) - margin) / step)
    low = max(low, 0.0) if min(values) >= 0 else low
    high = step * math.ceil((max(values) + margin) / step)
    places = max(0, -math.floor(math.log10(step)))
    return linear(low, high, step, f"{{:.{places}f}}", name)


def _step(span: float) -> float:
    """The distance of ticks: 1, 2 or 5 times a power of ten, about `TICKS` of them in a span."""
    power = 10.0 ** math.floor(math.log10(span / TICKS))
    return next(power * times for times in (1, 2, 5, 10) if power * times >= span / TICKS * 0.8)
