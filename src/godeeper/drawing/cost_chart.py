"""What each stage of a network costs, in numbers and as bars."""

from __future__ import annotations

from collections.abc import Sequence

from ..papers.describe import Description
from ..text import Lang, Text
from . import svg
from .figure import figure
from .layout import Layout
from .stage_summary import StageSummary

HEAD, ROW, SIZE = 20.0, 22.0, 11.5  # pixels: the column heads, a row; the text
GAP = 14.0  # between columns
BAR = 120.0  # the longest bar
TITLE = Text("Cost of {network}", "{network} 的开销")
SUM = Text(
    "{multiply_adds:,} multiply-adds on an image of {size}x{size}, {parameters:,} parameters",
    "{size}x{size} 的图片 {multiply_adds:,} 次乘加，{parameters:,} 个参数",
)
LEFT_OUT = Text(
    "Stages without parameters (pools, norms, dropout) are left out.", "没有参数的阶段（池化、归一化、dropout）没有列出。"
)
HEADS_APART = Text(
    "Auxiliary heads, in broken lines, serve training only and are no part of the sums.",
    "虚线是辅助分类器，只在训练时用，不计入总数。",
)


def draw_cost(title: Text, description: Description, stages: Sequence[StageSummary], lang: Lang) -> str:
    """The SVG of each stage's multiply-adds and parameters; `title` is the network's."""
    shown = sorted((stage for stage in stages if stage.parameters), key=lambda stage: stage.auxiliary)
    total = SUM.format(multiply_adds=description.multiply_adds, size=description.image_size, parameters=description.parameters)
    notes = [LEFT_OUT, HEADS_APART] if description.auxiliary else [LEFT_OUT]
    return figure(TITLE.format(network=title), [total], _bars(description, shown, lang), notes, legend=False, lang=lang)


def _bars(description: Description, shown: Sequence[StageSummary], lang: Lang) -> Layout:
    names = max(svg.text_width(stage.name, SIZE, bold=True) for stage in shown)
    columns = [
        (
            Text("multiply-adds", "乘加次数").get(lang),
            "first",
            [stage.multiply_adds for stage in shown],
            description.multiply_adds,
        ),
        (Text("parameters", "参数量").get(lang), "second", [stage.parameters for stage in shown], description.parameters),
    ]
    numbers = [max(svg.text_width(text, SIZE) for text in [head, *map("{:,}".format, counts)]) for head, _, counts, _ in columns]
    lefts = [names + GAP + numbers[0] + GAP / 2]
    lefts.append(lefts[0] + BAR + svg.text_width(" 100.0 %", SIZE) + GAP + numbers[1] + GAP / 2)

    def paint(left: float, top: float) -> list[str]:
        elements = [
            svg.text(left + bar - GAP / 2, top + 11, head, 10.5, anchor="end", tone="muted")
            for (head, *_), bar in zip(columns, lefts, strict=True)
        ]
        for index, stage in enumerate(shown):
            y = top + HEAD + index * ROW
            row = [svg.text(left, y + 15, stage.name, SIZE, bold=True)]
            for (_, kind, counts, total), bar in zip(columns, lefts, strict=True):
                x, length = left + bar, max(BAR * counts[index] / max(counts), 1)
                row.append(svg.text(x - GAP / 2, y + 15, f"{counts[index]:,}", SIZE, anchor="end"))
                row.append(svg.box(x, y + 5, length, ROW - 10, "frame" if stage.auxiliary else kind, 1))
                if not stage.auxiliary:
                    row.append(svg.text(x + length + 6, y + 15, f"{100 * counts[index] / total:.1f} %", 10.5, tone="muted"))
            elements.append(svg.group(row, stage.name, stage.sentence(lang)))
        return elements

    return Layout(lefts[1] + BAR + svg.text_width(" 100.0 %", SIZE), HEAD + ROW * len(shown), 0, (), paint)
