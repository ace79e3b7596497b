"""Proposals, as several commands ask for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..data.annotations import DetectionDataset, Floats
    from ..detect.proposals import Proposer

Superpixels = Annotated[
    float | None, typer.Option(min=0.1, max=100, help="rcnn: superpixels this times R-CNN's; by default 2, as the paper has it.")
]
Multibox = Annotated[str | None, typer.Option(help="rcnn: add the proposals of this multibox run.")]


def proposer_of(superpixels: float, multibox: str | None) -> Proposer:
    """Selective search, and MultiBox with it where a run of that is named."""
    from ..detect.multibox import MultiBoxProposals, load_multibox
    from ..detect.proposals import CachedProposals, CombinedProposals, SelectiveSearch

    search = CachedProposals(SelectiveSearch(superpixels))
    return search if multibox is None else CombinedProposals((search, MultiBoxProposals(load_multibox(multibox))))


def proposals_of(proposer: Proposer, images: DetectionDataset, workers: int) -> list[Floats]:
    """The proposals of a set's images, with progress on stderr."""
    from ..detect.proposals import propose_all
    from .progress import counting

    with counting("proposing", len(images)) as progress:
        return propose_all(proposer, images, workers=workers, progress=progress)
