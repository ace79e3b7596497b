"""A network taken apart for drawing: every stage and auxiliary head with what enters it and what it costs."""

from __future__ import annotations

from dataclasses import dataclass

from ..papers.describe import Description, Line
from ..papers.flow import Flow, along
from ..papers.notation import Definition, Row, rows


@dataclass(frozen=True)
class Part:
    """A stage, or an auxiliary head whole: its rows, the block `before` them and the stage (`source`) that gives it."""

    name: str
    rows: tuple[Row, ...]
    before: Flow
    source: str
    lines: tuple[Line, ...]
    auxiliary: bool = False

    @property
    def parameters(self) -> int:
        return sum(line.parameters for line in self.lines)

    @property
    def multiply_adds(self) -> int:
        """Of one image."""
        return sum(line.multiply_adds for line in self.lines)

    @property
    def after(self) -> str:
        """The shape of what leaves it, as the papers write it."""
        channels, height, width = self.lines[-1].output
        return f"{height}x{width}x{channels}"

    @property
    def said(self) -> str:
        """The part in a sentence."""
        kind = "auxiliary head" if self.auxiliary else self.lines[-1].kind
        counts = f"{self.parameters:,} parameters, {self.multiply_adds:,} multiply-adds"
        return f"{self.name}: {kind}, output {self.after}, {counts}, receptive field {self.lines[-1].receptive_field}"


def parts(definition: Definition, described: Description) -> list[Part]:
    """From the image to the logits, each auxiliary head after the stage that it is on."""
    flow, source, found = Flow(definition.in_channels, described.image_size, described.image_size), "image", []
    for name, stage in {**definition.stages, **definition.head}.items():
        found.append(Part(name, rows(stage), flow, source, (described[name],)))
        flow, _ = along(stage, flow, definition.batch_norm)
        source = name
        for head, lines in described.auxiliary.items():
            if definition.auxiliary[head].on == name:
                inner = tuple(row for one in definition.auxiliary[head].stages.values() for row in rows(one))
                found.append(Part(head, inner, flow, name, lines, auxiliary=True))
    return found
