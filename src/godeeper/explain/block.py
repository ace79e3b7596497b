"""One stage drawn as the papers' figures draw a module: branches side by side, every box counted."""

from __future__ import annotations

from dataclasses import replace

from ..papers.notation import BatchNorm
from . import svg
from .modules import shape, stage_piece, steps
from .parts import Part
from .pieces import FULL, Piece, plate, stacked
from .sheet import sheet

KEY = (
    "In a box, from the top: filter size and number of filters, /stride, V where the padding is valid; output; parameters;"
    " multiply-adds, these also as a bar, the longest being the costliest box's."
)


def draw_block(part: Part, network: str, batch_norm: BatchNorm | None) -> str:
    """A stage, or an auxiliary head, of the network of that name."""
    start = plate([part.source, shape(part.before)], FULL, "source")
    end = Piece(0, 0, 0, (), lambda left, top: [])  # where an arrow leads out
    piece = stacked([start, stage_piece(part.rows, part.before, batch_norm, FULL), end], FULL)
    stage = replace(piece, paint=lambda left, top: [svg.group(piece.paint(left, top), part.name, part.said)])
    along = steps(part.rows, part.before, batch_norm)
    said = [
        f"{part.parameters:,} parameters, {part.multiply_adds:,} multiply-adds",
        f"from {shape(part.before)} to {part.after}; receptive field {part.lines[-1].receptive_field}",
    ]
    if len(along) > 1 and len({(step.row, step.cost) for step in along}) == 1:
        cost = along[0].cost
        said.insert(1, f"each of the {len(along)}: {cost.parameters:,} parameters, {cost.multiply_adds:,} multiply-adds")
    return sheet(f"{part.name} of {network}", said, stage, [KEY], legend=True)
