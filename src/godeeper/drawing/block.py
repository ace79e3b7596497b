"""One stage drawn as the papers' figures draw a module: branches side by side, every box with its cost."""

from __future__ import annotations

from dataclasses import replace

from ..papers.notation import BatchNorm
from ..text import Lang, Text
from . import svg
from .figure import figure
from .layout import FULL, Layout, stack, text_box
from .row_text import IMAGE, shape_text
from .stage_layout import stage_layout, trace
from .stage_summary import StageSummary

KEY = Text(
    "In a box, from the top: filter size and number of filters, /stride, V where the padding is valid; output; parameters;"
    " multiply-adds, these also as a bar, the longest being the costliest box's.",
    "方框里从上到下：卷积核大小和个数，/ 后是步幅，V 表示 valid 填充；输出；参数量；乘加次数，也画成条，开销最大的方框最长。",
)
TITLE = Text("{stage} of {network}", "{network} 的 {stage}")
COUNTS = Text("{parameters:,} parameters, {multiply_adds:,} multiply-adds", "{parameters:,} 个参数，{multiply_adds:,} 次乘加")
EACH = Text(
    "each of the {count}: {parameters:,} parameters, {multiply_adds:,} multiply-adds",
    "{count} 块中的每一块：{parameters:,} 个参数，{multiply_adds:,} 次乘加",
)
SHAPES = Text("from {start} to {end}; receptive field {field}", "从 {start} 到 {end}；感受野 {field}")


def draw_block(stage: StageSummary, network: Text, batch_norm: BatchNorm | None, lang: Lang) -> str:
    """The SVG of a stage or an auxiliary head; `network` is the name in its title."""
    style = replace(FULL, lang=lang)
    start = text_box([stage.source or IMAGE.get(lang), shape_text(stage.input)], style, "source")
    end = Layout(0, 0, 0, (), lambda left, top: [])  # where the output arrow ends
    layout = stack([start, stage_layout(stage.rows, stage.input, batch_norm, style), end], style)
    grouped = replace(layout, paint=lambda left, top: [svg.group(layout.paint(left, top), stage.name, stage.sentence(lang))])
    rows = trace(stage.rows, stage.input, batch_norm)
    subtitle = [
        COUNTS.format(parameters=stage.parameters, multiply_adds=stage.multiply_adds),
        SHAPES.format(start=shape_text(stage.input), end=stage.output, field=stage.lines[-1].receptive_field),
    ]
    if len(rows) > 1 and len({(row.row, row.cost) for row in rows}) == 1:
        cost = rows[0].cost
        subtitle.insert(1, EACH.format(count=len(rows), parameters=cost.parameters, multiply_adds=cost.multiply_adds))
    title = TITLE.format(stage=stage.name, network=network)
    return figure(title, subtitle, grouped, [KEY], legend=True, lang=lang)
