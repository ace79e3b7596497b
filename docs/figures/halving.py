"""The figure of grid reduction: how many values are left on each way from 35x35 to 17x17, and what each way costs."""

from __future__ import annotations

from itertools import pairwise

from godeeper.papers.notation import VALID, Cat, Conv, Max, Row
from godeeper.papers.shape import FeatureShape, row_output
from godeeper.text import Text

from .style import WIDTH, area, arrow, figure, text

BEFORE = FeatureShape(320, 35, 35)
WAYS: tuple[tuple[Text, tuple[Row, ...]], ...] = (
    (Text("pool, then convolve", "先池化，再卷积"), (Max(3, 2, VALID), Conv(640, 3))),
    (Text("convolve, then pool", "先卷积，再池化"), (Conv(640, 3), Max(3, 2, VALID))),
    (Text("side by side", "并排"), (Cat([Conv(320, 3, 2, VALID)], [Max(3, 2, VALID)]),)),
    (Text("stride 2 alone", "只用步幅 2"), (Conv(640, 3, 2, VALID),)),
)
HIGH, BAR, STEP, ROW = 74.0, 78.0, 128.0, 118.0  # pixels: the tallest bar, its width, from one bar to the next, from row to row


def ways() -> list[tuple[Text, list[int], int]]:
    """Each way with the number of values at its beginning and after each row, and its multiply-adds."""
    rows = []
    for name, way in WAYS:
        shape, total, values = BEFORE, 0, [BEFORE.channels * BEFORE.height * BEFORE.width]
        for row in way:
            shape, cost = row_output(row, shape, None)
            values.append(shape.channels * shape.height * shape.width)
            total += cost.multiply_adds
        rows.append((name, values, total))
    return rows


def halving(lang: str) -> str:
    """Bars as high as there are values, for four ways; a bar lower than the next one is a bottleneck."""
    rows = ways()
    most, elements = max(max(values) for _, values, _ in rows), []
    head = Text("values at each step", "每一步的数值个数"), Text("multiply-adds", "乘加次数")
    elements += [text(200, 28, head[0].get(lang), "grey", 12), text(WIDTH - 24, 28, head[1].get(lang), "grey", 12, anchor="end")]
    for index, (name, values, total) in enumerate(rows):
        base = 44 + index * ROW + HIGH + 14
        elements.append(text(24, base - 10, name.get(lang), bold=True))
        bottleneck = [after > now for now, after in pairwise(values)] + [False]
        for column, (count, narrow) in enumerate(zip(values, bottleneck, strict=True)):
            x, high = 200 + column * STEP, HIGH * count / most
            colour = "orange" if narrow and column else "blue" if column else "grey"
            elements.append(area(x, base - high, BAR, high, colour, 0.8, 2))
            elements.append(text(x + BAR / 2, base + 16, f"{count:,}", colour, 12, anchor="middle"))
            if column:
                elements.append(arrow((x - STEP + BAR + 8, base - 12), (x - 8, base - 12)))
            if narrow and column:
                words = Text("bottleneck", "瓶颈")
                elements.append(text(x + BAR / 2, base - high - 7, words.get(lang), "orange", 12, True, "middle"))
        elements.append(text(WIDTH - 24, base - 10, f"{total / 1e6:,.0f} M", "ink", 16, True, "end"))
    title = Text("Four ways from 35x35x320 to 17x17x640", "从 35x35x320 到 17x17x640 的四种做法")
    return figure(44 + len(rows) * ROW + 6, elements, title.get(lang), title.get(lang))
