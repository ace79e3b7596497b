"""Boxes and wires, one below the other or side by side; every layout knows its size before it is painted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..text import Lang
from . import svg

BAR = 56.0  # pixels: the longest bar in a box


@dataclass(frozen=True)
class Style:
    """What a box says of a row, in which language, and the distances in pixels: `gap` between rows, `lane` between branches,
    `pad` inside boxes.
    """

    counted: bool  # every box has its shape, parameters and multiply-adds, the latter also as a bar
    size: float
    gap: float
    lane: float
    pad: float
    most: int = 0  # the multiply-adds of the costliest box, whose bar is the longest
    lang: Lang = "en"


FULL = Style(counted=True, size=12.5, gap=18, lane=12, pad=8)
COMPACT = Style(counted=False, size=10.5, gap=5, lane=4, pad=4)


@dataclass(frozen=True)
class Layout:
    """A rectangle with something to paint; all positions in pixels from its left edge.

    The input enters at `axis` at the top; the outputs leave at `outlets` at the bottom.
    """

    width: float
    height: float
    axis: float
    outlets: tuple[float, ...]
    paint: Callable[[float, float], list[str]]  # left, top -> SVG elements
    solid: bool = True  # an arrow may end at its top; otherwise a plain line continues into it


def text_box(lines: Sequence[str], style: Style, kind: str, width: float = 0, bar: float = 0) -> Layout:
    """A box with lines of text, at least `width` wide; `bar` (0..1) is the length of a bar at its bottom."""
    sizes = [style.size - 1.5 * (style.counted and index > 0) for index in range(len(lines))]
    bold = [style.counted and index == 0 for index in range(len(lines))]
    widest = max(map(svg.text_width, lines, sizes, bold), default=0)
    width = max(width, widest + 2 * style.pad, BAR * (bar > 0) + 2 * style.pad)
    height = 1.3 * sum(sizes) + style.pad + 5 * (bar > 0) if lines else 5

    def paint(left: float, top: float) -> list[str]:
        elements = [svg.box(left, top, width, height, kind, radius=4 if lines else 2.5)]
        middle, y = left + width / 2, top + style.pad / 2
        for line, size, heavy in zip(lines, sizes, bold, strict=True):
            y += 1.3 * size
            elements.append(svg.text(middle, y - 0.3 * size, line, size, heavy, "middle"))
        lengths = {"rail": BAR, "bar": max(BAR * bar, 1)} if bar else {}
        bars = [svg.box(middle - BAR / 2, top + height - 7, length, 3, part, 1.5) for part, length in lengths.items()]
        return elements + bars

    return Layout(width, height, width / 2, (width / 2,), paint)


def stack(layouts: Sequence[Layout], style: Style) -> Layout:
    """Layouts one below the other on one axis, connected; every outlet of a layout leads straight down into the next."""
    if len(layouts) == 1:
        return layouts[0]
    axis = max(layout.axis for layout in layouts)
    width = axis + max(layout.width - layout.axis for layout in layouts)
    height = sum(layout.height for layout in layouts) + style.gap * (len(layouts) - 1)

    def paint(left: float, top: float) -> list[str]:
        elements = layouts[0].paint(left + axis - layouts[0].axis, top)
        for above, below in pairwise(layouts):
            top += above.height
            for outlet in above.outlets:
                x = left + axis - above.axis + outlet
                elements.append(svg.wire((x, top), (x, top + style.gap), arrow=style.counted and below.solid))
            top += style.gap
            elements += below.paint(left + axis - below.axis, top)
        return elements

    outlets = tuple(axis - layouts[-1].axis + outlet for outlet in layouts[-1].outlets)
    return Layout(width, height, axis, outlets, paint, layouts[0].solid)


def fork(lanes: Sequence[Layout], style: Style) -> Layout:
    """Branches side by side, each fed from above, their ends aligned at the bottom; one outlet per branch end."""
    lefts = [sum(lane.width + style.lane for lane in lanes[:index]) for index in range(len(lanes))]
    width, height = lefts[-1] + lanes[-1].width, style.gap + max(lane.height for lane in lanes)

    def paint(left: float, top: float) -> list[str]:
        elements, axis, bus = [], left + width / 2, top + 0.4 * style.gap
        for start, lane in zip(lefts, lanes, strict=True):
            x, y = left + start + lane.axis, top + height - lane.height
            elements.append(svg.wire((axis, top), (axis, bus), (x, bus), (x, y), arrow=style.counted and lane.solid))
            elements += lane.paint(left + start, y)
        return elements

    outlets = tuple(start + outlet for start, lane in zip(lefts, lanes, strict=True) for outlet in lane.outlets)
    return Layout(width, height, width / 2, outlets, paint, solid=False)


def add_shortcut(body: Layout, below: Sequence[Layout], style: Style) -> Layout:
    """`body`, a plus that adds the body's input, which comes by a line on the left, and then `below`."""
    radius, stub, room = (9.0, 11.0, 30.0) if style.counted else (5.5, 4.0, 14.0)
    inner = stack([body, _plus(radius), *below], style)

    def paint(left: float, top: float) -> list[str]:
        x, y = left + room + inner.axis, top + stub + body.height + style.gap + radius
        around = svg.wire((x, top + 1), (left + 1, top + 1), (left + 1, y), (x - radius, y), arrow=style.counted)
        return [around, svg.wire((x, top), (x, top + stub)), *inner.paint(left + room, top + stub)]

    axis = room + inner.axis
    return Layout(room + inner.width, stub + inner.height, axis, (axis,), paint, solid=False)


def _plus(radius: float) -> Layout:
    def paint(left: float, top: float) -> list[str]:
        x, y, arm = left + radius, top + radius, radius / 2
        return [svg.circle(x, y, radius, "join"), svg.wire((x - arm, y), (x + arm, y)), svg.wire((x, y - arm), (x, y + arm))]

    return Layout(2 * radius, 2 * radius, radius, (radius,), paint)


def repeated(layout: Layout, count: int, style: Style) -> Layout:
    """The layout in a frame marked "x count"; unchanged where it occurs once."""
    if count == 1:
        return layout
    pad, size, label = (10 if style.counted else 4), style.size + 1.5, f"x {count}"
    width, height = layout.width + 2 * pad, layout.height + 2 * pad

    def paint(left: float, top: float) -> list[str]:
        x, bottom = left + pad + layout.axis, top + height
        ends = [svg.wire((x, top), (x, top + pad)), svg.wire((x, bottom - pad), (x, bottom))]
        times = svg.text(left + width + 5, top + height / 2 + 0.36 * size, label, size, bold=True)
        return [svg.box(left, top, width, height, "frame", 7), *ends, *layout.paint(left + pad, top + pad), times]

    outlets = tuple(pad + outlet for outlet in layout.outlets)
    whole = width + 5 + svg.text_width(label, size, bold=True)
    return Layout(whole, height, pad + layout.axis, outlets, paint, solid=False)
