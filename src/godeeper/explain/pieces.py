"""Boxes, one below the other or side by side, wired: each piece knows its size, and is painted where it is put."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from . import svg

BAR = 56.0  # pixels: the longest bar in a box


@dataclass(frozen=True)
class Style:
    """How much is said of a row, and how far apart things are: from a piece to the next, and from a branch to its neighbour."""

    counted: bool  # shape, parameters and multiply-adds in every box, these as a bar too
    size: float
    gap: float
    lane: float
    pad: float
    most: int = 0  # the multiply-adds of the costliest box, whose bar is the longest


FULL = Style(counted=True, size=12.5, gap=18, lane=12, pad=8)
COMPACT = Style(counted=False, size=10.5, gap=5, lane=4, pad=4)


@dataclass(frozen=True)
class Piece:
    """Something drawn: `axis`, from its left, is where its input enters; `outlets` are where outputs leave at its bottom."""

    width: float
    height: float
    axis: float
    outlets: tuple[float, ...]
    paint: Callable[[float, float], list[str]]  # its left and its top -> elements
    solid: bool = True  # an arrow may end at its top; else a line goes on there


def plate(lines: Sequence[str], style: Style, kind: str, width: float = 0, bar: float = 0) -> Piece:
    """A box with lines of words, at least `width` wide; `bar` (0..1) is the length of a bar at its bottom."""
    sizes = [style.size - 1.5 * (style.counted and place > 0) for place in range(len(lines))]
    bold = [style.counted and place == 0 for place in range(len(lines))]
    widest = max(map(svg.text_width, lines, sizes, bold), default=0)
    width = max(width, widest + 2 * style.pad, BAR * (bar > 0) + 2 * style.pad)
    height = 1.3 * sum(sizes) + style.pad + 5 * (bar > 0) if lines else 5

    def paint(left: float, top: float) -> list[str]:
        drawn = [svg.box(left, top, width, height, kind, radius=4 if lines else 2.5)]
        middle, y = left + width / 2, top + style.pad / 2
        for words, size, heavy in zip(lines, sizes, bold, strict=True):
            y += 1.3 * size
            drawn.append(svg.text(middle, y - 0.3 * size, words, size, heavy, "middle"))
        lengths = {"rail": BAR, "bar": max(BAR * bar, 1)} if bar else {}
        return drawn + [svg.box(middle - BAR / 2, top + height - 7, length, 3, part, 1.5) for part, length in lengths.items()]

    return Piece(width, height, width / 2, (width / 2,), paint)


def stacked(pieces: Sequence[Piece], style: Style) -> Piece:
    """Pieces one below the other on one axis, wired; below a piece of several outlets stands one as wide as it."""
    if len(pieces) == 1:
        return pieces[0]
    axis = max(piece.axis for piece in pieces)
    width = axis + max(piece.width - piece.axis for piece in pieces)
    height = sum(piece.height for piece in pieces) + style.gap * (len(pieces) - 1)

    def paint(left: float, top: float) -> list[str]:
        drawn = pieces[0].paint(left + axis - pieces[0].axis, top)
        for above, below in pairwise(pieces):
            top += above.height
            for outlet in above.outlets:
                x = left + axis - above.axis + outlet
                drawn.append(svg.wire((x, top), (x, top + style.gap), arrow=style.counted and below.solid))
            top += style.gap
            drawn += below.paint(left + axis - below.axis, top)
        return drawn

    outlets = tuple(axis - pieces[-1].axis + outlet for outlet in pieces[-1].outlets)
    return Piece(width, height, axis, outlets, paint, pieces[0].solid)


def forked(lanes: Sequence[Piece], style: Style) -> Piece:
    """Branches side by side, their ends on one line, each fed from above; what leaves them is not yet together."""
    lefts = [sum(lane.width + style.lane for lane in lanes[:place]) for place in range(len(lanes))]
    width, height = lefts[-1] + lanes[-1].width, style.gap + max(lane.height for lane in lanes)

    def paint(left: float, top: float) -> list[str]:
        drawn, axis, bus = [], left + width / 2, top + 0.4 * style.gap
        for start, lane in zip(lefts, lanes, strict=True):
            x, y = left + start + lane.axis, top + height - lane.height
            drawn.append(svg.wire((axis, top), (axis, bus), (x, bus), (x, y), arrow=style.counted and lane.solid))
            drawn += lane.paint(left + start, y)
        return drawn

    outlets = tuple(start + outlet for start, lane in zip(lefts, lanes, strict=True) for outlet in lane.outlets)
    return Piece(width, height, width / 2, outlets, paint, solid=False)


def shortcut(above: Piece, below: Sequence[Piece], style: Style) -> Piece:
    """What `above` gives, added to its own input, which comes by a line on the left; then what is `below`."""
    radius, stub, room = (9.0, 11.0, 30.0) if style.counted else (5.5, 4.0, 14.0)
    inner = stacked([above, _plus(radius), *below], style)

    def paint(left: float, top: float) -> list[str]:
        x, y = left + room + inner.axis, top + stub + above.height + style.gap + radius
        around = svg.wire((x, top + 1), (left + 1, top + 1), (left + 1, y), (x - radius, y), arrow=style.counted)
        return [around, svg.wire((x, top), (x, top + stub)), *inner.paint(left + room, top + stub)]

    axis = room + inner.axis
    return Piece(room + inner.width, stub + inner.height, axis, (axis,), paint, solid=False)


def _plus(radius: float) -> Piece:
    def paint(left: float, top: float) -> list[str]:
        x, y, arm = left + radius, top + radius, radius / 2
        return [svg.circle(x, y, radius, "join"), svg.wire((x - arm, y), (x + arm, y)), svg.wire((x, y - arm), (x, y + arm))]

    return Piece(2 * radius, 2 * radius, radius, (radius,), paint)


def framed(piece: Piece, count: int, style: Style) -> Piece:
    """The piece itself, or in a frame with the number of times that it stands there."""
    if count == 1:
        return piece
    pad, size, words = (10 if style.counted else 4), style.size + 1.5, f"x {count}"
    width, height = piece.width + 2 * pad, piece.height + 2 * pad

    def paint(left: float, top: float) -> list[str]:
        x, bottom = left + pad + piece.axis, top + height
        ends = [svg.wire((x, top), (x, top + pad)), svg.wire((x, bottom - pad), (x, bottom))]
        tag = svg.text(left + width + 5, top + height / 2 + 0.36 * size, words, size, bold=True)
        return [svg.box(left, top, width, height, "frame", 7), *ends, *piece.paint(left + pad, top + pad), tag]

    outlets = tuple(pad + outlet for outlet in piece.outlets)
    whole = width + 5 + svg.text_width(words, size, bold=True)
    return Piece(whole, height, pad + piece.axis, outlets, paint, solid=False)
