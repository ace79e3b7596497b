"""Any network drawn from its table as one SVG: its architecture, one of its blocks, its cost or its receptive field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from ..errors import GodeeperError, unknown
from ..papers.describe import Defined, Description, describe, minimum_size
from ..papers.notation import Definition
from ..papers.registry import definition as definition_of
from ..papers.shape import TooSmall
from ..text import Lang
from .architecture import draw_architecture
from .block import draw_block
from .cost_chart import draw_cost
from .receptive_field_chart import draw_receptive_field
from .source_text import title_text
from .stage_summary import StageSummary, stage_summaries

Show = Literal["architecture", "cost", "receptive-field"]


def draw(
    network: str | Defined | Definition,
    block: str | None = None,
    show: Show = "architecture",
    image_size: int | None = None,
    lang: Lang = "en",
) -> str:
    """A network's drawing as the text of an SVG file, for square images of `image_size` pixels (default: the paper's).

    `block` draws one stage or auxiliary head (`4a`, `reduction_a`, `aux1`) instead of the whole; `show` chooses what is shown
    of the whole; `lang` is the language of its words, "en" or "zh". The SVG needs no other file, follows the page's light or
    dark colour scheme, and has each stage in a group with its name as `data-stage`. GodeeperError for an unknown model, block,
    language or kind of drawing; TooSmall and Uneven as in `describe`.
    """
    if show not in get_args(Show):
        raise unknown("drawing", str(show), get_args(Show))
    if lang not in get_args(Lang):
        raise unknown("language", str(lang), get_args(Lang))
    if block is not None and show != "architecture":
        raise GodeeperError(f"a block has one drawing only: leave out either block {block!r} or show {show!r}")
    description, definition = describe(network, image_size), _definition(network)
    stages, title = stage_summaries(definition, description), title_text(definition)
    if block is not None:
        return draw_block(_stage(block, stages, definition, description), title, definition.batch_norm, lang)
    if show == "cost":
        return draw_cost(title, description, stages, lang)
    if show == "receptive-field":
        return draw_receptive_field(title, description, lang)
    return draw_architecture(definition, description, stages, lang)


def _stage(block: str, stages: Sequence[StageSummary], definition: Definition, description: Description) -> StageSummary:
    by_name = {stage.name: stage for stage in stages}
    if block in definition.auxiliary and block not in by_name:
        least, size = minimum_size(definition, heads=True), description.image_size
        raise TooSmall(
            f"the auxiliary heads of {definition.name} take images of at least {least}x{least} pixels, not {size}x{size}"
        )
    if block not in by_name:
        raise unknown("stage", block, by_name)
    return by_name[block]


def _definition(network: str | Defined | Definition) -> Definition:
    if isinstance(network, str):
        return definition_of(network)
    return network if isinstance(network, Definition) else network.definition
