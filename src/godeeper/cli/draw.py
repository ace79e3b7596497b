"""`draw`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..destinations import check_output
from ..drawing.draw import Show, draw
from ..errors import GodeeperError
from ..files import atomic_write
from ..workflows.models import spec_of
from . import output


def draw_command(
    model: Annotated[str, typer.Argument(help="A model's name, a run, or a SPEC.json.")],
    out: Annotated[Path, typer.Option(help="The .svg file to write.")],
    block: Annotated[str | None, typer.Option(help="Draw this stage or auxiliary head only, such as 4a or aux1.")] = None,
    show: Annotated[Show, typer.Option(help="What to show of the whole.")] = "architecture",
    image_size: Annotated[int | None, typer.Option(help="Side of the image in pixels; by default the paper's.")] = None,
) -> None:
    """Draw a model from its table: its architecture, one of its blocks, its cost or its receptive field."""
    check_output(out, "--out", (".svg",))
    drawing = draw(spec_of(model).definition, block, show, image_size)
    try:
        with atomic_write(out) as partial:
            partial.write_text(drawing, encoding="utf-8")
    except OSError as error:
        raise GodeeperError(f"cannot write {str(out)!r}: {error.strerror}") from None
    output.show(f"drawn: {out}", err=True)


COMMANDS = (draw_command,)
