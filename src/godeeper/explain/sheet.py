"""A drawing's page: heading, what is drawn, and what its colours mean."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from . import svg
from .pieces import Piece

LEGEND = {
    "conv": "convolution",
    "one": "1x1 convolution",
    "pool": "pool",
    "norm": "norm, dropout",
    "linear": "fully connected",
    "join": "concat, sum",
}
TITLE, SMALL = 17, 10.5
LEAST = 420.0  # pixels: a heading's room above a narrow drawing


def sheet(title: str, said: Sequence[str], body: Piece, notes: Sequence[str], legend: bool) -> str:
    """The document: a title, lines below it, the body in the middle, a legend of the kinds of its boxes, and notes."""
    inner = max(body.width, LEAST, svg.text_width(title, TITLE, bold=True))
    head = [svg.text(svg.MARGIN, svg.MARGIN + TITLE, title, TITLE, bold=True)]
    y = svg.MARGIN + TITLE + 4.0
    for line in (part for words in said for part in wrapped(words.split(), 11.5, inner)):
        y += 16
        head.append(svg.text(svg.MARGIN, y, line, 11.5, tone="muted"))
    painted = body.paint(svg.MARGIN + (inner - body.width) / 2, y + 16)
    y += 16 + body.height + 12
    foot, y = _legend(painted, y, inner) if legend else ([], y - 8)
    for line in (part for words in notes for part in wrapped(words.split(), SMALL, inner)):
        y += 14
        foot.append(svg.text(svg.MARGIN, y, line, SMALL, tone="muted"))
    description = ". ".join((title, *said))
    return svg.document(inner + 2 * svg.MARGIN, y + svg.MARGIN, [*head, *painted, *foot], title, description)


def wrapped(words: Iterable[str], size: float, width: float) -> list[str]:
    """Words in lines of at most `width` pixels; a single word may be longer."""
    lines = [""]
    for word in words:
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and svg.text_width(longer, size) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _legend(painted: Sequence[str], y: float, width: float) -> tuple[list[str], float]:
    """A swatch and a word for each kind of box that is there, in as many lines as they need; and where they end."""
    text = "\n".join(painted)
    drawn: list[str] = []
    x, y = 0.0, y + 12
    for kind, words in LEGEND.items():
        if f'"gd-{kind}"' not in text:
            continue
        room = 18 + svg.text_width(words, SMALL) + 10
        if x and x + room > width:
            x, y = 0.0, y + 18
        left = svg.MARGIN + x
        drawn += [svg.box(left, y - 10, 13, 13, kind, 3), svg.text(left + 18, y + 0.5, words, SMALL, tone="muted")]
        x += room
    return drawn, y + 4
