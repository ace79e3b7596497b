"""A complete figure: title, subtitle, the drawing itself, a legend of its colours, and notes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from . import svg
from .layout import Layout

LEGEND = {
    "conv": "convolution",
    "conv1x1": "1x1 convolution",
    "pool": "pool",
    "norm": "norm, dropout",
    "linear": "fully connected",
    "join": "concat, sum",
}
TITLE_SIZE, SUBTITLE_SIZE, NOTE_SIZE = 17, 11.5, 10.5
MINIMUM_WIDTH = 420.0  # pixels: room for the title above a narrow drawing


def figure(title: str, subtitle: Sequence[str], body: Layout, notes: Sequence[str], legend: bool) -> str:
    """The SVG: title and subtitle, the body centred below them, a legend of the kinds of its boxes, and notes."""
    inner = max(body.width, MINIMUM_WIDTH, svg.text_width(title, TITLE_SIZE, bold=True))
    head = [svg.text(svg.MARGIN, svg.MARGIN + TITLE_SIZE, title, TITLE_SIZE, bold=True)]
    y = svg.MARGIN + TITLE_SIZE + 4.0
    for line in (part for sentence in subtitle for part in wrap(sentence.split(), SUBTITLE_SIZE, inner)):
        y += 16
        head.append(svg.text(svg.MARGIN, y, line, SUBTITLE_SIZE, tone="muted"))
    elements = body.paint(svg.MARGIN + (inner - body.width) / 2, y + 16)
    y += 16 + body.height + 12
    foot, y = _legend(elements, y, inner) if legend else ([], y - 8)
    for line in (part for note in notes for part in wrap(note.split(), NOTE_SIZE, inner)):
        y += 14
        foot.append(svg.text(svg.MARGIN, y, line, NOTE_SIZE, tone="muted"))
    description = ". ".join((title, *subtitle))
    return svg.svg_file(inner + 2 * svg.MARGIN, y + svg.MARGIN, [*head, *elements, *foot], title, description)


def wrap(words: Iterable[str], size: float, width: float) -> list[str]:
    """Words in lines of at most `width` pixels; a single word may be longer."""
    lines = [""]
    for word in words:
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and svg.text_width(longer, size) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _legend(elements: Sequence[str], y: float, width: float) -> tuple[list[str], float]:
    """A swatch and a label for each kind of box in use, on as many lines as they need; and the y where they end."""
    text = "\n".join(elements)
    legend: list[str] = []
    x, y = 0.0, y + 12
    for kind, label in LEGEND.items():
        if f'"gd-{kind}"' not in text:
            continue
        room = 18 + svg.text_width(label, NOTE_SIZE) + 10
        if x and x + room > width:
            x, y = 0.0, y + 18
        left = svg.MARGIN + x
        legend += [svg.box(left, y - 10, 13, 13, kind, 3), svg.text(left + 18, y + 0.5, label, NOTE_SIZE, tone="muted")]
        x += room
    return legend, y + 4
