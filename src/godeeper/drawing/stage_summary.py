"""Every stage and auxiliary head of a network with its input shape, its output shape and its cost."""

from __future__ import annotations

from dataclasses import dataclass

from ..papers.describe import Description, StageDescription
from ..papers.notation import Definition, Row, rows
from ..papers.shape import FeatureShape, stage_output
from ..text import Lang, Text

SENTENCE = Text(
    "{name}: {kind}, output {output}, {parameters:,} parameters, {multiply_adds:,} multiply-adds, receptive field {field}",
    "{name}：输出 {output}，{parameters:,} 个参数，{multiply_adds:,} 次乘加，感受野 {field}",
)


@dataclass(frozen=True)
class StageSummary:
    """A stage, or a whole auxiliary head: its rows, its input shape and `source`, the stage that gives the input ("": image)."""

    name: str
    rows: tuple[Row, ...]
    input: FeatureShape
    source: str
    lines: tuple[StageDescription, ...]
    auxiliary: bool = False

    @property
    def parameters(self) -> int:
        return sum(line.parameters for line in self.lines)

    @property
    def multiply_adds(self) -> int:
        """Of one image."""
        return sum(line.multiply_adds for line in self.lines)

    @property
    def output(self) -> str:
        """The output shape as the papers write it: height x width x channels."""
        channels, height, width = self.lines[-1].output
        return f"{height}x{width}x{channels}"

    def sentence(self, lang: Lang) -> str:
        """Name, kind (in English), output shape, cost and receptive field in one sentence."""
        kind = "auxiliary head" if self.auxiliary else self.lines[-1].kind
        return SENTENCE.format(
            name=self.name, kind=kind, output=self.output, parameters=self.parameters, multiply_adds=self.multiply_adds,
            field=self.lines[-1].receptive_field,
        ).get(lang)  # fmt: skip


def stage_summaries(definition: Definition, description: Description) -> list[StageSummary]:
    """The stages from the image to the logits, each auxiliary head after the stage that it is attached to."""
    shape = FeatureShape(definition.in_channels, description.image_size, description.image_size)
    source, summaries = "", []
    for name, stage in {**definition.stages, **definition.head}.items():
        summaries.append(StageSummary(name, rows(stage), shape, source, (description[name],)))
        shape, _ = stage_output(stage, shape, definition.batch_norm)
        source = name
        for head, lines in description.auxiliary.items():
            if definition.auxiliary[head].on == name:
                head_rows = tuple(row for head_stage in definition.auxiliary[head].stages.values() for row in rows(head_stage))
                summaries.append(StageSummary(head, head_rows, shape, name, lines, auxiliary=True))
    return summaries
