"""Pieces of HTML that the tabs share; every text that comes from outside is escaped."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape

from PIL import Image

LONG = 32  # letters of a cell whose lines are broken


def table(head: Sequence[str], rows: Sequence[Sequence[object]], numbers: int = 1) -> str:
    """A table that scrolls within itself where the page is narrow; columns from `numbers` on are figures."""
    cells = "".join(_row(row, "td", numbers) for row in rows)
    return f'<div class="scroll" tabindex="0"><table>{_row(head, "th", numbers)}{cells}</table></div>'


def _row(cells: Sequence[object], tag: str, numbers: int) -> str:
    kinds = (
        "words" if len(str(cell)) > LONG and "<" not in str(cell) else "number" if place >= numbers else ""
        for place, cell in enumerate(cells)
    )
    return "<tr>" + "".join(f'<{tag} class="{kind}">{cell}</{tag}>' for kind, cell in zip(kinds, cells, strict=True)) + "</tr>"


def button(value: str, text: str, label: str | None = None, current: bool = False) -> str:
    """A button that tells the page its value; `text` is HTML; `current` where it is what is open."""
    named = f' aria-label="{escape(label)}"' if label else ""
    marked = ' aria-current="true"' if current else ""
    return f'<button type="button" class="open" data-open="{escape(value)}"{named}{marked}>{text}</button>'


def img_tag(image: Image.Image, alt: str) -> str:
    """An image, within the page."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return shown(buffer.getvalue(), alt)


def shown(png: bytes, alt: str) -> str:
    """A PNG, within the page."""
    return f'<img src="data:image/png;base64,{base64.b64encode(png).decode()}" alt="{escape(alt)}">'


def heading(text: str) -> str:
    """What stands above a part of a tab."""
    return f"<h3>{escape(text)}</h3>"


def note(text: str) -> str:
    """A line that is no result."""
    return f'<p class="note" role="status">{escape(text)}</p>'
