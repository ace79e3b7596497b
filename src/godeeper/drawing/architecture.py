"""A whole network in one drawing: a row per stage, from the image down to the logits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..papers.describe import Description
from ..papers.notation import BatchNorm, Cat, Definition, Residual
from ..text import Lang, Text
from . import svg
from .figure import figure, wrap
from .layout import COMPACT, Layout, text_box
from .row_text import row_text, shape_text
from .source_text import source_text, title_text
from .stage_layout import stage_layout, trace
from .stage_summary import StageSummary

GAP, COLUMN = 14.0, 13.0  # pixels between stages, and between columns
HEADS = Text("output", "输出"), Text("parameters", "参数量"), Text("multiply-adds", "乘加次数")
SIZE = 11.5
AUXILIARY_OFFSET = 20.0  # pixels from the trunk to an auxiliary head
AUXILIARY_WIDTH = 165.0  # of an auxiliary head's text
IMAGE, AUXILIARY = Text("image {shape}", "图片 {shape}"), Text("auxiliary head", "辅助分类器")
COST = Text(
    "{parameters:,} parameters, {multiply_adds:,} multiply-adds on an image of {size}x{size}, {depth} layers with parameters",
    "{parameters:,} 个参数，{size}x{size} 的图片 {multiply_adds:,} 次乘加，{depth} 个带参数的层",
)
WITH_HEADS = Text(
    "with the auxiliary heads, which serve training only: {parameters:,} parameters",
    "加上只在训练时用的辅助分类器：{parameters:,} 个参数",
)


def draw_architecture(definition: Definition, description: Description, stages: Sequence[StageSummary], lang: Lang) -> str:
    """The SVG of every stage with its boxes, output shape, parameters and multiply-adds."""
    subtitle = [
        source_text(definition.source),
        COST.format(
            parameters=description.parameters, multiply_adds=description.multiply_adds, size=description.image_size,
            depth=description.depth,
        ),
    ]  # fmt: skip
    if description.auxiliary:
        subtitle.append(WITH_HEADS.format(parameters=description.parameters_with_heads))
    title, table = title_text(definition), _table(stages, definition.batch_norm, lang)
    return figure(title, subtitle, table, [], legend=True, lang=lang)


def _table(stages: Sequence[StageSummary], batch_norm: BatchNorm | None, lang: Lang) -> Layout:
    titles = [head.get(lang) for head in HEADS]
    layouts = [_stage_layout(stage, batch_norm, lang) for stage in stages]
    cells = [(stage.output, f"{stage.parameters:,}", f"{stage.multiply_adds:,}") for stage in stages]
    names = max(max(map(svg.text_width, _label(stage, lang), (12, 10), (True, False))) for stage in stages)
    axis = names + COLUMN + max(layout.axis for layout in layouts)
    edges = [axis + max(layout.width - layout.axis for layout in layouts)]
    for column in zip(titles, *cells, strict=True):
        edges.append(edges[-1] + COLUMN + max(svg.text_width(text, SIZE) for text in column))
    heights = [max(layout.height, 20.0) for layout in layouts]
    image = stages[0].input
    first = text_box([IMAGE.format(shape=shape_text(image)).get(lang)], COMPACT, "source")

    def paint(left: float, top: float) -> list[str]:
        x, y = left + axis, top + first.height
        ends = [left + edge for edge in edges[1:]]
        heads = [svg.text(end, top + 12, head, 10.5, False, "end", "muted") for head, end in zip(titles, ends, strict=True)]
        elements, trunk = [*heads, *first.paint(x - first.axis, top)], y
        for stage, layout, height, row in zip(stages, layouts, heights, cells, strict=True):
            middle = y + GAP + height / 2
            start = middle - layout.height / 2
            if stage.auxiliary:
                line = svg.wire((x, middle), (x + AUXILIARY_OFFSET, middle), arrow=True)
            else:
                line, trunk = svg.wire((x, trunk), (x, start), arrow=True), start + layout.height
            texts = [*_name(left, middle, stage, lang), *_numbers(ends, middle, row)]
            elements.append(svg.group([line, *texts, *layout.paint(x - layout.axis, start)], stage.name, stage.sentence(lang)))
            y += GAP + height
        return elements

    return Layout(edges[-1], first.height + sum(height + GAP for height in heights), axis, (), paint)


def _label(stage: StageSummary, lang: Lang) -> tuple[str, str]:
    """A stage's name and its kind; no kind where the boxes say it already."""
    if stage.auxiliary:
        return stage.name, AUXILIARY.get(lang)
    if not all(isinstance(row, Cat | Residual) for row in stage.rows):
        return stage.name, ""
    count = f"{len(stage.rows)} x " if len(stage.rows) > 1 else ""
    return stage.name, count + row_text(stage.rows[0], stage.input).get(lang)


def _name(left: float, middle: float, stage: StageSummary, lang: Lang) -> list[str]:
    name, kind = _label(stage, lang)
    if not kind:
        return [svg.text(left, middle + 4, name, 12, bold=True)]
    return [svg.text(left, middle - 2, name, 12, bold=True), svg.text(left, middle + 11, kind, 10, tone="muted")]


def _numbers(ends: Sequence[float], middle: float, cells: Sequence[str]) -> list[str]:
    return [
        svg.text(end, middle + 4, cell, SIZE, False, "end", "muted" if cell == "0" else "ink")
        for end, cell in zip(ends, cells, strict=True)
    ]


def _stage_layout(stage: StageSummary, batch_norm: BatchNorm | None, lang: Lang) -> Layout:
    """A stage's boxes; an auxiliary head's rows as text in one box beside the trunk."""
    if not stage.auxiliary:
        return stage_layout(stage.rows, stage.input, batch_norm, replace(COMPACT, lang=lang))
    first, *rest = (row_text(traced.row, traced.input).get(lang) for traced in trace(stage.rows, stage.input, batch_norm))
    box = text_box(wrap([first, *(f"→ {text}" for text in rest)], COMPACT.size, AUXILIARY_WIDTH), COMPACT, "frame")

    def paint(left: float, top: float) -> list[str]:
        return box.paint(left + AUXILIARY_OFFSET, top)

    return Layout(AUXILIARY_OFFSET + box.width, box.height, 0, (), paint)
