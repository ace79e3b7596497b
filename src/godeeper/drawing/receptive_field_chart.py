"""How many pixels of the image one output of each stage sees, as squares on the image and as bars."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..papers.describe import Description, StageDescription
from ..text import Lang, Text
from . import svg
from .cost_chart import GAP, HEAD, ROW, SIZE
from .figure import figure
from .layout import Layout

PANEL = 300.0  # pixels: the side of the image with the squares on it
FIELD_BAR = 190.0  # the longest bar
TITLE = Text("Receptive field of {network}", "{network} 的感受野")
SUBTITLE = Text(
    "the side, in pixels, of the square that one output sees of an image of {side}x{side}",
    "一个输出在 {side}x{side} 的图片上看到的正方形的边长，单位是像素",
)
NOTES = (
    Text(
        "Left: what outputs in the middle see, the image's border drawn thick; over the border there are zeros only.",
        "左：正中的输出看到的范围，粗线是图片的边界，边界以外都是零。",
    ),
    Text(
        "Right: the same as bars, on a scale of powers of ten. Stages that see no more than the one before are left out.",
        "右：同样的数画成条，对数坐标。看到的范围不比前一个阶段大的，没有列出。",
    ),
)
FIELD = Text("{name}: receptive field {field}", "{name}：感受野 {field}")
PIXELS, IMAGE = Text("pixels", "像素"), Text("image: {side}", "图片：{side}")
LARGEST_SQUARE = 2.0  # sides of the image: larger receptive fields are bars only


def draw_receptive_field(title: Text, description: Description, lang: Lang) -> str:
    """The SVG of the receptive field of every stage that sees more than the stage before it; `title` is the network's."""
    lines: list[StageDescription] = []
    for line in description.stages:
        if not lines or line.receptive_field > lines[-1].receptive_field:
            lines.append(line)
    side = description.image_size
    title_words, chart = TITLE.format(network=title), _chart(lines, side, lang)
    return figure(title_words, [SUBTITLE.format(side=side)], chart, NOTES, legend=False, lang=lang)


def _chart(lines: Sequence[StageDescription], side: int, lang: Lang) -> Layout:
    names = PANEL + 2 * GAP + max(svg.text_width(line.name, SIZE, bold=True) for line in lines)
    largest = max(line.receptive_field for line in lines)
    bars = names + GAP + max(svg.text_width(text, SIZE) for text in (f"{largest:,}", PIXELS.get(lang))) + GAP / 2
    scale = FIELD_BAR / math.log10(max(largest, side, 10))  # of a single pixel, the logarithm is 0
    bottom = HEAD + ROW * len(lines)
    label = IMAGE.format(side=side).get(lang)

    def paint(left: float, top: float) -> list[str]:
        x = left + bars
        elements = [
            *_squares(left, top, lines, side),
            svg.text(x - GAP / 2, top + 11, PIXELS.get(lang), 10.5, False, "end", "muted"),
        ]
        for power in range(1 + int(math.log10(largest))):
            tick = x + scale * power
            elements.append(svg.text(tick, top + 11, f"{10**power:,}", 10.5, False, "middle", "muted"))
            elements.append(svg.wire((tick, top + HEAD - 4), (tick, top + bottom), kind="grid"))
        for index, line in enumerate(lines):
            y = top + HEAD + index * ROW
            row = [
                svg.text(left + names, y + 15, line.name, SIZE, bold=True, anchor="end"),
                svg.text(x - GAP / 2, y + 15, f"{line.receptive_field:,}", SIZE, anchor="end"),
                svg.box(x, y + 5, scale * math.log10(line.receptive_field), ROW - 10, "first", 1),
            ]
            elements.append(svg.group(row, line.name, FIELD.format(name=line.name, field=line.receptive_field).get(lang)))
        border = x + scale * math.log10(side)
        elements.append(svg.wire((border, top + HEAD - 4), (border, top + bottom), kind="border"))
        return [*elements, svg.text(border, top + bottom + 14, label, 10.5, anchor="middle")]

    width = bars + max(FIELD_BAR, scale * math.log10(side) + svg.text_width(label, 10.5) / 2)
    return Layout(width, max(PANEL, bottom + 16), 0, (), paint)


def _squares(left: float, top: float, lines: Sequence[StageDescription], side: int) -> list[str]:
    """The image and on it the squares that outputs in its middle see, with names where they fit."""
    shown = [line for line in lines if line.receptive_field <= LARGEST_SQUARE * side]
    scale = PANEL / max([side, *(line.receptive_field for line in shown)])  # of a small image, none is shown
    middle_x, middle_y = left + PANEL / 2, top + PANEL / 2
    elements, inner, border = [], 0.0, side * scale / 2
    for line in shown:
        half = line.receptive_field * scale / 2
        elements.append(svg.box(middle_x - half, middle_y - half, 2 * half, 2 * half, "field", 0))
        clear = half - inner >= 13 and not half - 13 < border < half
        if clear and svg.text_width(line.name, 10) < 2 * half - 8:
            elements.append(svg.text(middle_x - half + 4, middle_y - half + 10.5, line.name, 10))
        inner = half
    return [*elements, svg.box(middle_x - border, middle_y - border, 2 * border, 2 * border, "border", 0)]
