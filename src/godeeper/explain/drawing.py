"""Any network drawn from its table, as one SVG document: its architecture, one of its blocks, its cost, its receptive field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from ..errors import GodeeperError, unknown
from ..papers.describe import Defined, Description, describe, minimum_size
from ..papers.flow import TooSmall
from ..papers.notation import Definition
from ..papers.registry import definition as named
from .architecture import draw_architecture
from .block import draw_block
from .charts import draw_cost, draw_receptive_field
from .parts import Part, parts

Show = Literal["architecture", "cost", "receptive-field"]


def draw(
    network: str | Defined | Definition, block: str | None = None, show: Show = "architecture", image_size: int | None = None
) -> str:
    """A network's drawing as the text of an SVG file, for square images of `image_size` pixels (default: the paper's).

    `block` draws one stage or auxiliary head (`4a`, `reduction_a`, `aux1`) instead of the whole; `show` chooses what is shown
    of the whole. The drawing needs no other file, suits light pages and dark ones, and each stage in it is a group with its
    name as `data-stage`. GodeeperError for an unknown model, block or kind of drawing; TooSmall and Uneven as `describe` raises.
    """
    if show not in get_args(Show):
        raise unknown("drawing", str(show), get_args(Show))
    if block is not None and show != "architecture":
        raise GodeeperError(f"a block is drawn as itself: leave out either block {block!r} or show {show!r}")
    described, table = describe(network, image_size), _table(network)
    found = parts(table, described)
    if block is not None:
        return draw_block(_part(block, found, table, described), described.name, table.batch_norm)
    if show == "cost":
        return draw_cost(described, found)
    if show == "receptive-field":
        return draw_receptive_field(described)
    return draw_architecture(table, described, found)


def _part(block: str, found: Sequence[Part], table: Definition, described: Description) -> Part:
    by_name = {part.name: part for part in found}
    if block in table.auxiliary and block not in by_name:
        least, size = minimum_size(table, heads=True), described.image_size
        raise TooSmall(f"the auxiliary heads of {table.name} take images of at least {least}x{least} pixels, not {size}x{size}")
    if block not in by_name:
        raise unknown("stage", block, by_name)
    return by_name[block]


def _table(network: str | Defined | Definition) -> Definition:
    if isinstance(network, str):
        return named(network)
    return network if isinstance(network, Definition) else network.definition
