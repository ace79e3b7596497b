"""What every figure is drawn with: words, lines, areas and axes in the colours of the drawings, in the reader's language.

Figures are built from `godeeper.drawing.svg`, whose card follows the page's light or dark colour scheme. Positions are pixels
from the top left corner.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal
from xml.sax.saxutils import escape

from godeeper.drawing import svg
from godeeper.drawing.figure import breakable, wrap
from godeeper.drawing.svg import n

Point = tuple[float, float]
Anchor = Literal["start", "middle", "end"]

WIDTH = 680.0  # pixels: of a figure, about a page's column
MARGIN = 24.0
# Okabe and Ito's hues, safe for colour-blind readers, dark (and on a dark card light) enough for letters: contrast above 4.5.
COLOURS = {
    "blue": ("#0072b2", "#56b4e9"),
    "orange": ("#b45f06", "#f0a35a"),
    "green": ("#00785a", "#3cc79c"),
    "pink": ("#a8437f", "#e0a0c5"),
    "grey": ("#57606a", "#a3adb8"),
    "ink": ("#1f2328", "#e8ebef"),
    "faint": ("#d8dee4", "#30363d"),
    "card": ("#ffffff", "#161b22"),
}


def _rules(index: int) -> str:
    return "\n".join(
        f".f-{name} {{ fill: {pair[index]}; }} .l-{name} {{ stroke: {pair[index]}; fill: none; }}"
        for name, pair in COLOURS.items()
    )


STYLE = f"<style>\n{_rules(0)}\n@media (prefers-color-scheme: dark) {{\n{_rules(1)}\n}}\n</style>"


def figure(height: float, elements: Iterable[str], title: str, description: str) -> str:
    """The whole SVG; title and description are for screen readers, as the page has the caption."""
    return svg.svg_file(WIDTH, height, [STYLE, *elements], title, description)


def text(
    x: float, y: float, words: str, colour: str = "ink", size: float = 13, bold: bool = False, anchor: Anchor = "start"
) -> str:
    """Words on the baseline `y` that start, are centred or end at `x`."""
    weight = ' font-weight="600"' if bold else ""
    align = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text class="f-{colour}" x="{n(x)}" y="{n(y)}" font-size="{n(size)}"{weight}{align}>{escape(words)}</text>'


def lines_of_text(
    x: float, y: float, words: str, width: float, colour: str = "grey", size: float = 12, anchor: Anchor = "start"
) -> list[str]:
    """Words in as many lines as they need; Chinese breaks between any two signs."""
    lines = wrap(breakable(words), size, width, joint="")
    return [text(x, y + index * size * 1.35, line, colour, size, anchor=anchor) for index, line in enumerate(lines)]


def area(x: float, y: float, width: float, height: float, colour: str, opacity: float = 1.0, radius: float = 0) -> str:
    """A filled rectangle."""
    round_corners = f' rx="{n(radius)}"' if radius else ""
    faint = "" if (shown := f"{opacity:.2f}") == "1.00" else f' fill-opacity="{shown}"'
    return f'<rect class="f-{colour}" x="{n(x)}" y="{n(y)}" width="{n(width)}" height="{n(height)}"{round_corners}{faint}/>'


def frame(x: float, y: float, width: float, height: float, colour: str, thick: float = 1.5, dashed: bool = False) -> str:
    """The outline of a rectangle."""
    dashes = ' stroke-dasharray="4 3"' if dashed else ""
    place = f'x="{n(x)}" y="{n(y)}" width="{n(width)}" height="{n(height)}"'
    return f'<rect class="l-{colour}" {place} stroke-width="{n(thick)}"{dashes}/>'


def line(points: Sequence[Point], colour: str = "grey", thick: float = 1.5, dashed: bool = False) -> str:
    """A line through points."""
    corners = " ".join(f"{n(x)},{n(y)}" for x, y in points)
    dashes = ' stroke-dasharray="5 4"' if dashed else ""
    return f'<polyline class="l-{colour}" points="{corners}" stroke-width="{n(thick)}" stroke-linejoin="round"{dashes}/>'


def polygon(points: Sequence[Point], colour: str, opacity: float = 1.0) -> str:
    """A filled area within points."""
    corners = " ".join(f"{n(x)},{n(y)}" for x, y in points)
    return f'<polygon class="f-{colour}" points="{corners}" fill-opacity="{opacity:.2f}"/>'


def arrow(start: Point, end: Point, colour: str = "grey", thick: float = 1.5) -> str:
    """A straight arrow in any direction."""
    (x0, y0), (x1, y1) = start, end
    length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
    across, down = (x1 - x0) / length, (y1 - y0) / length
    neck = (x1 - 8 * across, y1 - 8 * down)
    wings = [(neck[0] - 4 * down, neck[1] + 4 * across), (neck[0] + 4 * down, neck[1] - 4 * across)]
    return line([start, neck], colour, thick) + polygon([end, *wings], colour)


def dot(x: float, y: float, colour: str, radius: float = 4, hollow: bool = False) -> str:
    """A point of a curve; a hollow one has the card's colour within."""
    if hollow:
        return f'<circle class="l-{colour}" cx="{n(x)}" cy="{n(y)}" r="{n(radius)}" stroke-width="2"/>'
    return f'<circle class="f-{colour}" cx="{n(x)}" cy="{n(y)}" r="{n(radius)}"/>'
