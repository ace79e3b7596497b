"""A whole network on one page: a row a stage, from the image down to the logits."""

from __future__ import annotations

from collections.abc import Sequence

from ..papers.describe import Description
from ..papers.notation import BatchNorm, Cat, Definition, Residual
from . import svg
from .modules import said, stage_piece, steps
from .parts import Part
from .pieces import COMPACT, Piece, plate
from .sheet import sheet, wrapped

GAP, COLUMN = 14.0, 13.0  # between a stage and the next, a column and the next
HEADS = ("output", "parameters", "multiply-adds")
SIZE = 11.5
ASIDE = 20.0  # from the trunk to an auxiliary head
AUXILIARY = 165.0  # the width of an auxiliary head's words


def draw_architecture(definition: Definition, described: Description, stages: Sequence[Part]) -> str:
    """Every stage with its boxes, output shape, parameters and multiply-adds."""
    lines = [
        definition.source,
        f"{described.parameters:,} parameters, {described.multiply_adds:,} multiply-adds on an image of"
        f" {described.image_size}x{described.image_size}, {described.depth} layers with parameters",
    ]
    if described.auxiliary:
        lines.append(f"with the auxiliary heads, which serve training only: {described.parameters_with_heads:,} parameters")
    return sheet(described.name, lines, _table(stages, definition.batch_norm), [], legend=True)


def _table(stages: Sequence[Part], batch_norm: BatchNorm | None) -> Piece:
    glyphs = [_glyph(part, batch_norm) for part in stages]
    cells = [(part.after, f"{part.parameters:,}", f"{part.multiply_adds:,}") for part in stages]
    names = max(max(map(svg.text_width, _label(part), (12, 10), (True, False))) for part in stages)
    axis = names + COLUMN + max(glyph.axis for glyph in glyphs)
    edges = [axis + max(glyph.width - glyph.axis for glyph in glyphs)]
    for column in zip(HEADS, *cells, strict=True):
        edges.append(edges[-1] + COLUMN + max(svg.text_width(words, SIZE) for words in column))
    heights = [max(glyph.height, 20.0) for glyph in glyphs]
    before = stages[0].before
    first = plate([f"image {before.height}x{before.width}x{before.channels}"], COMPACT, "source")

    def paint(left: float, top: float) -> list[str]:
        x, y = left + axis, top + first.height
        ends = [left + edge for edge in edges[1:]]
        heads = [svg.text(end, top + 12, head, 10.5, False, "end", "muted") for head, end in zip(HEADS, ends, strict=True)]
        drawn, trunk = [*heads, *first.paint(x - first.axis, top)], y
        for part, glyph, height, row in zip(stages, glyphs, heights, cells, strict=True):
            middle = y + GAP + height / 2
            start = middle - glyph.height / 2
            if part.auxiliary:
                line = svg.wire((x, middle), (x + ASIDE, middle), arrow=True)
            else:
                line, trunk = svg.wire((x, trunk), (x, start), arrow=True), start + glyph.height
            words = [*_name(left, middle, part), *_numbers(ends, middle, row)]
            drawn.append(svg.group([line, *words, *glyph.paint(x - glyph.axis, start)], part.name, part.said))
            y += GAP + height
        return drawn

    return Piece(edges[-1], first.height + sum(height + GAP for height in heights), axis, (), paint)


def _label(part: Part) -> tuple[str, str]:
    """A stage's name, and below it what it is, where its boxes alone do not say."""
    if part.auxiliary:
        return part.name, "auxiliary head"
    if not all(isinstance(row, Cat | Residual) for row in part.rows):
        return part.name, ""
    count = f"{len(part.rows)} x " if len(part.rows) > 1 else ""
    return part.name, count + said(part.rows[0], part.before)


def _name(left: float, middle: float, part: Part) -> list[str]:
    name, kind = _label(part)
    if not kind:
        return [svg.text(left, middle + 4, name, 12, bold=True)]
    return [svg.text(left, middle - 2, name, 12, bold=True), svg.text(left, middle + 11, kind, 10, tone="muted")]


def _numbers(ends: Sequence[float], middle: float, cells: Sequence[str]) -> list[str]:
    return [
        svg.text(end, middle + 4, cell, SIZE, False, "end", "muted" if cell == "0" else "ink")
        for end, cell in zip(ends, cells, strict=True)
    ]


def _glyph(part: Part, batch_norm: BatchNorm | None) -> Piece:
    if not part.auxiliary:
        return stage_piece(part.rows, part.before, batch_norm, COMPACT)
    first, *rest = (said(step.row, step.before) for step in steps(part.rows, part.before, batch_norm))
    words = [first, *(f"→ {word}" for word in rest)]
    box = plate(wrapped(words, COMPACT.size, AUXILIARY), COMPACT, "frame")

    def paint(left: float, top: float) -> list[str]:
        return box.paint(left + ASIDE, top)

    return Piece(ASIDE + box.width, box.height, 0, (), paint)
