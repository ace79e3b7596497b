"""Figures of what things cost: modules with and without reductions, one reduction, and filters taken apart."""

from __future__ import annotations

from collections.abc import Iterator

from godeeper.papers.googlenet import GOOGLENET
from godeeper.papers.notation import Cat, Conv, Max, Row
from godeeper.papers.shape import FeatureShape, stage_output
from godeeper.text import Text

from .axes import Axes, Axis, linear
from .style import WIDTH, area, arrow, dot, figure, frame, line, lines_of_text, text


def modules() -> Iterator[tuple[str, Cat, FeatureShape]]:
    """GoogLeNet's nine modules, each with the shape that enters it."""
    shape = FeatureShape(3, GOOGLENET.image_size, GOOGLENET.image_size)
    for name, stage in GOOGLENET.stages.items():
        if isinstance(stage, Cat):
            yield name, stage, shape
        shape, _ = stage_output(stage, shape, None)


def filters_of(module: Cat) -> tuple[int, int, int, int, int, int]:
    """A module's filters, in the order of Table 1's columns: 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool projection."""
    convolutions = [row.filters for branch in module.branches for row in branch if isinstance(row, Conv)]
    c1, r3, c3, r5, c5, proj = convolutions
    return c1, r3, c3, r5, c5, proj


def without_reductions(module: Cat) -> Cat:
    """The module of Figure 2(a) with the same filters."""
    c1, _, c3, _, c5, _ = filters_of(module)
    return Cat([Conv(c1)], [Conv(c3, 3)], [Conv(c5, 5)], [Max(3)])


def multiply_adds(stage: Row, shape: FeatureShape) -> int:
    """Of a stage on that input, for one image."""
    return stage_output(stage, shape, None)[1].multiply_adds


def chained_without() -> tuple[int, int]:
    """Multiply-adds and output channels of all nine modules without reductions, one after the other, pools between."""
    shape, total = FeatureShape(*next(modules())[2].chw), 0
    for name, stage in GOOGLENET.stages.items():
        if isinstance(stage, Cat):
            shape, cost = stage_output(without_reductions(stage), shape, None)
            total += cost.multiply_adds
        elif name in ("pool3", "pool4"):
            shape, _ = stage_output(stage, shape, None)
    return total, shape.channels


def module_costs(lang: str) -> str:
    """Multiply-adds of each of the nine modules, as printed and without its reductions, on the same input."""
    rows = [
        (name, multiply_adds(module, shape), multiply_adds(without_reductions(module), shape))
        for name, module, shape in modules()
    ]
    high = 200 * (1 + max(plain for *_, plain in rows) // 200_000_000)
    name = Text(
        "million multiply-adds, each module on the input that it has in GoogLeNet",
        "乘加次数（百万），各模块的输入都与 GoogLeNet 中相同",
    )
    axis = linear(0, high, 200, "{:.0f}", name.get(lang))
    axes = Axes(64, 58, WIDTH - 150, 9 * 36, axis, Axis(0, 1, ()))
    elements = axes.draw()
    elements += _key(
        64,
        30,
        [("orange", Text("without reductions", "不降维")), ("blue", Text("with reductions, as printed", "降维，论文所印"))],
        lang,
    )
    for index, (name_of, reduced, plain) in enumerate(rows):
        y = axes.top + index * 36 + 4
        elements.append(text(axes.left - 12, y + 18, name_of, bold=True, anchor="end"))
        for value, offset, colour in ((plain, 0, "orange"), (reduced, 14, "blue")):
            elements.append(axes.bar(value / 1e6, y + offset, 12, colour, 0.85))
            x, _ = axes.at(value / 1e6, 0)
            label = f"{value / 1e6:.0f}" + (f"  ({plain / reduced:.1f} ×)" if colour == "orange" else "")
            elements.append(text(x + 6, y + offset + 10.5, label, colour, 11))
    reduced_sum, plain_sum = sum(row[1] for row in rows), sum(row[2] for row in rows)
    total, channels = chained_without()
    note = Text(
        f"All nine: {reduced_sum / 1e9:.1f} G with reductions, {plain_sum / 1e9:.1f} G without. Chained without reductions the"
        f" channels pile up as well, to {channels:,}, and it is {total / 1e9:.1f} G.",
        f"九个合计：降维 {reduced_sum / 1e9:.1f} G，不降维 {plain_sum / 1e9:.1f} G。"
        f"若真把不降维的模块逐个接起来，通道数还会越积越多，直到 {channels:,}，合计 {total / 1e9:.1f} G。",
    )
    bottom = axes.top + axes.height + 60
    elements += lines_of_text(24, bottom, note.get(lang), WIDTH - 48)
    title = Text("Multiply-adds of GoogLeNet's modules with and without reductions", "GoogLeNet 各模块降维与不降维的乘加次数")
    return figure(bottom + 36, elements, title.get(lang), note.get(lang))


def _key(x: float, y: float, entries: list[tuple[str, Text]], lang: str) -> list[str]:
    from godeeper.drawing.svg import text_width

    elements = []
    for colour, words in entries:
        elements += [area(x, y - 10, 12, 12, colour, 0.85, 2), text(x + 18, y, words.get(lang), size=12)]
        x += 18 + text_width(words.get(lang), 12) + 22
    return elements


def reduction(lang: str) -> str:
    """The cost of 3a's 5x5 branch against the channels of its reduction."""
    _, module, shape = next(modules())
    *_, printed, filters, _ = filters_of(module)
    direct = multiply_adds(Cat([Conv(filters, 5)]), shape) / 1e6

    def cost(channels: int) -> float:
        return multiply_adds(Cat([Conv(channels), Conv(filters, 5)]), shape) / 1e6

    worth = max(channels for channels in range(1, shape.channels) if cost(channels) < direct)
    y = linear(
        0, 160, 40, "{:.0f}", Text("million multiply-adds of the 5x5 branch of 3a", "3a 的 5x5 分支的乘加次数（百万）").get(lang)
    )
    x = linear(
        0,
        shape.channels,
        32,
        "{:.0f}",
        Text("channels r that the 1x1 before the 5x5 leaves", "5x5 之前的 1x1 留下的通道数 r").get(lang),
    )
    axes = Axes(60, 44, WIDTH - 100, 230, x, y)
    channels = list(range(1, shape.channels + 1))
    flat = [(0, direct), (shape.channels, direct)]
    elements = [
        *axes.draw(),
        line([axes.at(*pair) for pair in flat], "orange", 2, dashed=True),
        axes.curve([*channels[::8], channels[-1]], [cost(c) for c in channels[::8]] + [cost(channels[-1])], "blue"),
    ]
    words = Text(f"no reduction: {direct:.1f} M", f"不降维：{direct:.1f} M")
    elements.append(text(axes.left + 12, axes.at(0, direct)[1] - 8, words.get(lang), "orange", 12))
    for r, form in (
        (printed, Text("as printed, r = {r}: {m:.1f} M", "论文取 r = {r}：{m:.1f} M")),
        (worth, Text("r = {r} is the last that saves", "r = {r}：再大就不省了")),
    ):
        px, py = axes.at(r, cost(r))
        words_of = form.format(r=r, m=cost(r)).get(lang)
        elements.append(dot(px, py, "blue", 5))
        elements.append(
            text(px + 14, py + 5, words_of, "blue", 12)
            if r == printed
            else text(px - 4, py - 34, words_of, "blue", 12, anchor="end")
        )
    title = Text("Cost of the 5x5 branch of 3a against its reduction", "3a 的 5x5 分支：开销随降维通道数的变化")
    return figure(axes.top + axes.height + 56, elements, title.get(lang), words.get(lang))


SQUARE = 15.0  # pixels: a weight of a filter
WAYS: tuple[tuple[Conv, tuple[Conv, ...]], ...] = (
    (Conv(128, 5), (Conv(128, 3), Conv(128, 3))),
    (Conv(128, 7), (Conv(128, (1, 7)), Conv(128, (7, 1)))),
)


def factorised(lang: str) -> str:
    """A 5x5 as two 3x3, and a 7x7 as 1x7 and 7x1, with what each costs at 128 channels on 17x17."""
    shape, elements, y = FeatureShape(128, 17, 17), [], 58.0
    for whole, chain in WAYS:
        side = whole.sides[0]
        dear, cheap = multiply_adds(Cat([whole]), shape), sum(multiply_adds(Cat([row]), shape) for row in chain)
        x = 40.0
        elements.append(text(x, y - 14, f"{side}x{side}", "orange", 14, bold=True))
        elements += _filter(x, y, side, side, side, "orange")
        middle = y + side * SQUARE / 2
        x = 40 + 7 * SQUARE + 22
        elements.append(text(x, middle + 7, "⇒", "grey", 20, anchor="middle"))
        for index, row in enumerate(chain):
            high, wide = row.sides
            left = x + 26 + index * (7 * SQUARE + 34)
            elements.append(text(left, y - 14, f"{high}x{wide}", "blue", 14, bold=True))
            elements += _filter(left, y, high, wide, side, "blue")
            if index:
                elements.append(arrow((left - 28, middle), (left - 6, middle)))
        left = x + 26 + 2 * (7 * SQUARE + 34) + 2
        weights = sum(row.sides[0] * row.sides[1] for row in chain)
        elements.append(text(left, middle - 8, f"{side * side} → {weights}", "ink", 17, bold=True))
        note = Text("weights a pair of channels", "每对通道的权重数")
        saved = Text("saves {saved:.0f} % of the multiply-adds", "乘加次数省 {saved:.0f} %").format(
            saved=100 * (1 - cheap / dear)
        )
        elements += lines_of_text(left, middle + 12, note.get(lang), WIDTH - left - 16)
        elements += lines_of_text(left, middle + 44, saved.get(lang), WIDTH - left - 16, "green")
        y += side * SQUARE + 56
    title = Text(
        "Large filters taken apart: 5x5 as two 3x3, 7x7 as 1x7 and 7x1", "大卷积核的拆分：5x5 拆成两个 3x3，7x7 拆成 1x7 和 7x1"
    )
    return figure(y - 26, elements, title.get(lang), title.get(lang))


def _filter(x: float, y: float, high: int, wide: int, side: int, colour: str) -> list[str]:
    """The weights of a filter in the middle of the square of `side` that the whole sees."""
    elements = []
    for row in range(side):
        for column in range(side):
            inside = abs(row - side // 2) <= high // 2 and abs(column - side // 2) <= wide // 2
            place = (x + column * SQUARE, y + row * SQUARE, SQUARE - 1.5, SQUARE - 1.5)
            elements.append(area(*place, colour, 0.8) if inside else area(*place, "faint", 0.6))
    return [*elements, frame(x - 2, y - 2, side * SQUARE + 2.5, side * SQUARE + 2.5, "grey", 1)]
