"""One stage drawn as the papers' figures draw a module: branches side by side, every box with its cost."""

from __future__ import annotations

from dataclasses import replace

from ..papers.notation import BatchNorm
from . import svg
from .figure import figure
from .layout import FULL, Layout, stack, text_box
from .stage_layout import shape_text, stage_layout, trace
from .stage_summary import StageSummary

KEY = (
    "In a box, from the top: filter size and number of filters, /stride, V where the padding is valid; output; parameters;"
    " multiply-adds, these also as a bar, the longest being the costliest box's."
)


def draw_block(stage: StageSummary, network: str, batch_norm: BatchNorm | None) -> str:
    """The SVG of a stage or an auxiliary head; `network` is the name in its title."""
    start = text_box([stage.source, shape_text(stage.input)], FULL, "source")
    end = Layout(0, 0, 0, (), lambda left, top: [])  # where the output arrow ends
    layout = stack([start, stage_layout(stage.rows, stage.input, batch_norm, FULL), end], FULL)
    grouped = replace(layout, paint=lambda left, top: [svg.group(layout.paint(left, top), stage.name, stage.sentence)])
    rows = trace(stage.rows, stage.input, batch_norm)
    subtitle = [
        f"{stage.parameters:,} parameters, {stage.multiply_adds:,} multiply-adds",
        f"from {shape_text(stage.input)} to {stage.output}; receptive field {stage.lines[-1].receptive_field}",
    ]
    if len(rows) > 1 and len({(row.row, row.cost) for row in rows}) == 1:
        cost = rows[0].cost
        subtitle.insert(1, f"each of the {len(rows)}: {cost.parameters:,} parameters, {cost.multiply_adds:,} multiply-adds")
    return figure(f"{stage.name} of {network}", subtitle, grouped, [KEY], legend=True)
