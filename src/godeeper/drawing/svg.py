"""SVG as text: words, boxes and lines in one style, on a card that follows the page's light or dark colour scheme.

Positions are pixels from the drawing's top left corner; a text's y is that of its baseline. There are no transforms: every
coordinate in the file is where the element is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal
from xml.sax.saxutils import escape, quoteattr

Point = tuple[float, float]

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'Noto Sans', sans-serif"
MARGIN = 20  # around what a card shows
# Fill and line of each kind of box, on a light card and on a dark one. The hues are Okabe and Ito's, safe for colour-blind
# readers; the text in a box says what it is as well.
PALETTE = {
    "conv": ("#dcebf7", "#0072b2", "#14334a", "#56b4e9"),
    "conv1x1": ("#fdf1d3", "#c28a00", "#41341a", "#e6b84d"),
    "pool": ("#d9f1e8", "#009e73", "#14382e", "#3cc79c"),
    "norm": ("#f8e6f0", "#b8588f", "#41293a", "#e0a0c5"),
    "linear": ("#fce3d4", "#d55e00", "#472a18", "#f0894a"),
    "join": ("#eceff3", "#6b7684", "#2a313b", "#97a2b0"),
    "source": ("#ffffff", "#6b7684", "#161b22", "#97a2b0"),
    "card": ("#ffffff", "#d8dee4", "#161b22", "#30363d"),
    "frame": ("none", "#8a94a0", "none", "#8b96a5"),
    "first": ("#0072b2", "none", "#56b4e9", "none"),  # of two measures in one chart
    "second": ("#e69f00", "none", "#e6b84d", "none"),
    "field": ("#0072b2", "#0072b2", "#56b4e9", "#56b4e9"),
    "rail": ("#1f2328", "none", "#e8ebef", "none"),
    "bar": ("#57606a", "none", "#a3adb8", "none"),
    "border": ("none", "#1f2328", "none", "#e8ebef"),
    "grid": ("none", "#d8dee4", "none", "#30363d"),
    "wire": ("none", "#7b8694", "none", "#8b96a5"),
    "tip": ("#7b8694", "none", "#8b96a5", "none"),
    "ink": ("#1f2328", "none", "#e8ebef", "none"),
    "muted": ("#57606a", "none", "#a3adb8", "none"),
}
# Upper bounds of the width of letters in ems: those of DejaVu Sans, the widest font in FONT.
WIDTHS = {"ijlIJ'|,.:;/\\ ": 0.34, "frt-()[]!": 0.42, '_*"': 0.5, "sczvxykEFLTPY0123456789abdeghnopquS?": 0.64}
WIDTHS |= {"ABCKRVXZ": 0.7, "DGHNOQU&": 0.79, "w+=<>~#×→": 0.84}
EMS = {letter: ems for letters, ems in WIDTHS.items() for letter in letters}
BOLD = 1.16  # times as wide


def text_width(text: str, size: float, bold: bool = False) -> float:
    """An upper bound of a text's width in pixels."""
    return size * sum(EMS.get(letter, 1.0) for letter in text) * (BOLD if bold else 1)


def text(
    x: float,
    y: float,
    content: str,
    size: float = 11,
    bold: bool = False,
    anchor: Literal["start", "middle", "end"] = "start",
    tone: Literal["ink", "muted"] = "ink",
) -> str:
    """Text on the baseline `y` that starts, is centred or ends at `x`."""
    weight = ' font-weight="600"' if bold else ""
    align = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text class="gd-{tone}" x="{n(x)}" y="{n(y)}" font-size="{n(size)}"{weight}{align}>{_escaped(content)}</text>'


def box(x: float, y: float, width: float, height: float, kind: str, radius: float = 4) -> str:
    """A box with round corners, in the colours of its kind."""
    return (
        f'<rect class="gd-{kind}" x="{n(x)}" y="{n(y)}" width="{n(width)}" height="{n(height)}" rx="{n(radius)}"/>'
    )  # fmt: skip


def wire(*points: Point, arrow: bool = False, kind: str = "wire") -> str:
    """A line through points, vertical or horizontal from each to the next; `arrow` adds a tip, which points down or right."""
    corners = " ".join(f"{n(x)},{n(y)}" for x, y in points)
    line = f'<polyline class="gd-{kind}" points="{corners}"/>'
    return line + tip(points[-1], points[-2]) if arrow else line


def tip(end: Point, before: Point) -> str:
    """An arrow's head at `end`, of a line that comes from `before`."""
    x, y = end
    back = [(x - 3.5, y - 6), (x + 3.5, y - 6)] if x == before[0] else [(x - 6, y - 3.5), (x - 6, y + 3.5)]
    return f'<polygon class="gd-tip" points="{" ".join(f"{n(a)},{n(b)}" for a, b in (end, *back))}"/>'


def circle(x: float, y: float, radius: float, kind: str) -> str:
    """A circle in the colours of its kind."""
    return f'<circle class="gd-{kind}" cx="{n(x)}" cy="{n(y)}" r="{n(radius)}"/>'


def group(elements: Iterable[str], stage: str, title: str) -> str:
    """The elements of one stage, which a script finds by its `data-stage`; `title` is the tooltip and for screen readers."""
    return f"<g data-stage={quoteattr(_printable(stage))}><title>{_escaped(title)}</title>\n" + "\n".join(elements) + "\n</g>"


def svg_file(width: float, height: float, elements: Sequence[str], title: str, description: str) -> str:
    """The whole SVG on its card."""
    across, down = n(width), n(height)
    return "\n".join((
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{across}" height="{down}" viewBox="0 0 {across} {down}"'
        f' role="img" font-family="{FONT}">',
        f"<title>{_escaped(title)}</title>",
        f"<desc>{_escaped(description)}</desc>",
        f"<style>\n{STYLE}\n</style>",
        box(0.5, 0.5, width - 1, height - 1, "card", 10),
        *elements,
        "</svg>\n",
    ))  # fmt: skip


def _rules(dark: bool) -> str:
    colours = {kind: four[2:] if dark else four[:2] for kind, four in PALETTE.items()}
    return "\n".join(f".gd-{kind} {{ fill: {fill}; stroke: {line}; }}" for kind, (fill, line) in colours.items())


STYLE = f"""{_rules(dark=False)}
.gd-frame {{ stroke-dasharray: 4 3; }}
.gd-wire {{ stroke-width: 1.2; }}
.gd-border {{ stroke-width: 1.6; }}
.gd-field, .gd-rail {{ fill-opacity: 0.14; }}
@media (prefers-color-scheme: dark) {{
{_rules(dark=True)}
}}"""


def n(value: float) -> str:
    """A number as short as a tenth of a pixel needs."""
    return f"{round(round(value, 6), 1):g}"  # first to 6 places: the last bits of a sum differ between versions of Python


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)  # XML has no way to write some of the others


def _escaped(text: str) -> str:
    return escape(_printable(text))
