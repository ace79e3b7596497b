"""What each stage costs, and how much of the image its outputs see."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..papers.describe import Description, Line
from . import svg
from .parts import Part
from .pieces import Piece
from .sheet import sheet

HEAD, ROW, SIZE = 20.0, 22.0, 11.5  # pixels: the columns' heads, a row; letters
GAP = 14.0  # between columns
BAR = 120.0  # the longest bar of a cost
PANEL, FIELD = 300.0, 190.0  # the side of the image with its fields; the longest bar of a field
BEYOND = 2.0  # sides of the image: larger fields are bars only


def draw_cost(described: Description, stages: Sequence[Part]) -> str:
    """Each stage's multiply-adds and parameters, in numbers and as bars."""
    shown = sorted((part for part in stages if part.parameters), key=lambda part: part.auxiliary)
    said = [
        f"{described.multiply_adds:,} multiply-adds on an image of {described.image_size}x{described.image_size},"
        f" {described.parameters:,} parameters"
    ]
    notes = ["Stages without parameters (pools, norms, dropout) are left out."]
    if described.auxiliary:
        notes.append("Auxiliary heads, in broken lines, serve training only and are no part of the sums.")
    return sheet(f"Cost of {described.name}", said, _costs(described, shown), notes, legend=False)


def _costs(described: Description, shown: Sequence[Part]) -> Piece:
    names = max(svg.text_width(part.name, SIZE, bold=True) for part in shown)
    columns = [
        ("multiply-adds", "first", [part.multiply_adds for part in shown], described.multiply_adds),
        ("parameters", "second", [part.parameters for part in shown], described.parameters),
    ]
    numbers = [
        max(svg.text_width(words, SIZE) for words in [head, *map("{:,}".format, counts)]) for head, _, counts, _ in columns
    ]
    bars = [names + GAP + numbers[0] + GAP / 2]
    bars.append(bars[0] + BAR + svg.text_width(" 100.0 %", SIZE) + GAP + numbers[1] + GAP / 2)

    def paint(left: float, top: float) -> list[str]:
        heads = zip(columns, bars, strict=True)
        drawn = [svg.text(left + bar - GAP / 2, top + 11, head, 10.5, anchor="end", tone="muted") for (head, *_), bar in heads]
        for place, part in enumerate(shown):
            y = top + HEAD + place * ROW
            row = [svg.text(left, y + 15, part.name, SIZE, bold=True)]
            for (_, kind, counts, total), bar in zip(columns, bars, strict=True):
                x, length = left + bar, max(BAR * counts[place] / max(counts), 1)
                row.append(svg.text(x - GAP / 2, y + 15, f"{counts[place]:,}", SIZE, anchor="end"))
                row.append(svg.box(x, y + 5, length, ROW - 10, "frame" if part.auxiliary else kind, 1))
                if not part.auxiliary:
                    row.append(svg.text(x + length + 6, y + 15, f"{100 * counts[place] / total:.1f} %", 10.5, tone="muted"))
            drawn.append(svg.group(row, part.name, part.said))
        return drawn

    return Piece(bars[1] + BAR + svg.text_width(" 100.0 %", SIZE), HEAD + ROW * len(shown), 0, (), paint)


def draw_receptive_field(described: Description) -> str:
    """How many pixels of the image one output of each stage sees: squares on the image, and bars."""
    lines: list[Line] = []
    for line in described.lines:
        if not lines or line.receptive_field > lines[-1].receptive_field:
            lines.append(line)
    side = described.image_size
    said = [f"the side, in pixels, of the square that one output sees of an image of {side}x{side}"]
    notes = [
        "Left: what outputs in the middle see, the image's border drawn thick; over the border there are zeros only.",
        "Right: the same as bars, on a scale of powers of ten. Stages that see no more than the one before are left out.",
    ]
    return sheet(f"Receptive field of {described.name}", said, _fields(lines, side), notes, legend=False)


def _fields(lines: Sequence[Line], side: int) -> Piece:
    names = PANEL + 2 * GAP + max(svg.text_width(line.name, SIZE, bold=True) for line in lines)
    largest = max(line.receptive_field for line in lines)
    bars = names + GAP + max(svg.text_width(words, SIZE) for words in (f"{largest:,}", "pixels")) + GAP / 2
    scale = FIELD / math.log10(max(largest, side))
    bottom = HEAD + ROW * len(lines)
    edge = f"image: {side}"

    def paint(left: float, top: float) -> list[str]:
        drawn = [
            *_nested(left, top, lines, side),
            svg.text(left + bars - GAP / 2, top + 11, "pixels", 10.5, False, "end", "muted"),
        ]
        x = left + bars
        for power in range(1 + int(math.log10(largest))):
            tick = x + scale * power
            drawn.append(svg.text(tick, top + 11, f"{10**power:,}", 10.5, False, "middle", "muted"))
            drawn.append(svg.wire((tick, top + HEAD - 4), (tick, top + bottom), kind="grid"))
        for place, line in enumerate(lines):
            y = top + HEAD + place * ROW
            row = [
                svg.text(left + names, y + 15, line.name, SIZE, bold=True, anchor="end"),
                svg.text(x - GAP / 2, y + 15, f"{line.receptive_field:,}", SIZE, anchor="end"),
                svg.box(x, y + 5, scale * math.log10(line.receptive_field), ROW - 10, "first", 1),
            ]
            drawn.append(svg.group(row, line.name, f"{line.name}: receptive field {line.receptive_field}"))
        border = x + scale * math.log10(side)
        drawn.append(svg.wire((border, top + HEAD - 4), (border, top + bottom), kind="border"))
        return [*drawn, svg.text(border, top + bottom + 14, edge, 10.5, anchor="middle")]

    width = bars + max(FIELD, scale * math.log10(side) + svg.text_width(edge, 10.5) / 2)
    return Piece(width, max(PANEL, bottom + 16), 0, (), paint)


def _nested(left: float, top: float, lines: Sequence[Line], side: int) -> list[str]:
    """The image with the squares that outputs in its middle see, as far as there is room, named where there is room."""
    shown = [line for line in lines if line.receptive_field <= BEYOND * side]
    scale = PANEL / max(side, *(line.receptive_field for line in shown))
    middle_x, middle_y = left + PANEL / 2, top + PANEL / 2
    drawn, inner, border = [], 0.0, side * scale / 2
    for line in shown:
        half = line.receptive_field * scale / 2
        drawn.append(svg.box(middle_x - half, middle_y - half, 2 * half, 2 * half, "field", 0))
        clear = half - inner >= 13 and not half - 13 < border < half
        if clear and svg.text_width(line.name, 10) < 2 * half - 8:
            drawn.append(svg.text(middle_x - half + 4, middle_y - half + 10.5, line.name, 10))
        inner = half
    return [*drawn, svg.box(middle_x - border, middle_y - border, 2 * border, 2 * border, "border", 0)]
