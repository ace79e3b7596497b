"""A complete figure: title, subtitle, the drawing itself, a legend of its colours, and notes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..text import Lang, Text
from . import svg
from .layout import Layout

LEGEND = {
    "conv": Text("convolution", "卷积"),
    "conv1x1": Text("1x1 convolution", "1x1 卷积"),
    "pool": Text("pool", "池化"),
    "norm": Text("norm, dropout", "归一化、dropout"),
    "linear": Text("fully connected", "全连接"),
    "join": Text("concat, sum", "拼接、相加"),
}
TITLE_SIZE, SUBTITLE_SIZE, NOTE_SIZE = 17, 11.5, 10.5
MINIMUM_WIDTH = 420.0  # pixels: room for the title above a narrow drawing
NO_LINE_BEGINS_WITH = "，。；：、）！？"


def figure(title: Text, subtitle: Sequence[Text], body: Layout, notes: Sequence[Text], legend: bool, lang: Lang) -> str:
    """The SVG: title and subtitle, the body centred below them, a legend of the kinds of its boxes, and notes."""
    name, above, below = title.get(lang), [part.get(lang) for part in subtitle], [note.get(lang) for note in notes]
    inner = max(body.width, MINIMUM_WIDTH, svg.text_width(name, TITLE_SIZE, bold=True))
    head = [svg.text(svg.MARGIN, svg.MARGIN + TITLE_SIZE, name, TITLE_SIZE, bold=True)]
    y = svg.MARGIN + TITLE_SIZE + 4.0
    for line in (part for sentence in above for part in wrap(breakable(sentence), SUBTITLE_SIZE, inner, "")):
        y += 16
        head.append(svg.text(svg.MARGIN, y, line, SUBTITLE_SIZE, tone="muted"))
    elements = body.paint(svg.MARGIN + (inner - body.width) / 2, y + 16)
    y += 16 + body.height + 12
    foot, y = _legend(elements, y, inner, lang) if legend else ([], y - 8)
    for line in (part for note in below for part in wrap(breakable(note), NOTE_SIZE, inner, "")):
        y += 14
        foot.append(svg.text(svg.MARGIN, y, line, NOTE_SIZE, tone="muted"))
    description = Text(". ", "。").get(lang).join((name, *above))
    return svg.svg_file(inner + 2 * svg.MARGIN, y + svg.MARGIN, [*head, *elements, *foot], name, description)


def wrap(words: Iterable[str], size: float, width: float, joint: str = " ") -> list[str]:
    """Words, joined, in lines of at most `width` pixels; a single word may be longer."""
    lines = [""]
    for word in words:
        longer = f"{lines[-1]}{joint}{word}".lstrip()
        if lines[-1] and svg.text_width(longer.rstrip(), size) > width:
            lines.append(word.lstrip())
        else:
            lines[-1] = longer
    return [line.rstrip() for line in lines]


def breakable(sentence: str) -> list[str]:
    """A sentence in parts between which a line may end: after a space, and beside a Chinese sign."""
    parts: list[str] = []
    for letter in sentence:
        chinese = _is_chinese(letter) or (bool(parts) and _is_chinese(parts[-1][-1]))
        if not parts or parts[-1].endswith(" ") or (chinese and letter not in NO_LINE_BEGINS_WITH):
            parts.append(letter)
        else:
            parts[-1] += letter
    return parts


def _is_chinese(letter: str) -> bool:
    return ord(letter) > 0x2E7F


def _legend(elements: Sequence[str], y: float, width: float, lang: Lang) -> tuple[list[str], float]:
    """A swatch and a label for each kind of box in use, on as many lines as they need; and the y where they end."""
    text = "\n".join(elements)
    legend: list[str] = []
    x, y = 0.0, y + 12
    for kind, words in LEGEND.items():
        label = words.get(lang)
        if f'"gd-{kind}"' not in text:
            continue
        room = 18 + svg.text_width(label, NOTE_SIZE) + 10
        if x and x + room > width:
            x, y = 0.0, y + 18
        left = svg.MARGIN + x
        legend += [svg.box(left, y - 10, 13, 13, kind, 3), svg.text(left + 18, y + 0.5, label, NOTE_SIZE, tone="muted")]
        x += room
    return legend, y + 4
