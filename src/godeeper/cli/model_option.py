"""A model of the command line together with what its weights may not say: how images are prepared for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import GodeeperError

if TYPE_CHECKING:
    from ..models.network import Network

Preparation = Annotated[
    str | None,
    typer.Option("--preprocess", help="How images are prepared, where weights do not say it, as Keras' files: 0..1,squash,299"),
]


def prepared(run: str, preprocess: str | None) -> Network | str:
    """The network of a run, weights file or published name for images prepared so; where nothing is said, the name itself.

    GodeeperError for an exported file, whose preprocessing is fixed.
    """
    if preprocess is None:
        return run
    from ..deploy.export_metadata import is_exported
    from ..models.load import load

    if is_exported(run):
        raise GodeeperError(f"{run!r} is an exported file, which says how images are prepared: leave --preprocess out")
    return load(run, preprocess=preprocess)
