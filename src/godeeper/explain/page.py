"""An explanation as one HTML page with everything in it, its images and its numbers beside it."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from ..errors import GodeeperError
from ..evaluate.report import ReportImage
from ..files import atomic_write
from ..labels import Lang
from .branches import RESIDUAL, SHORTCUT
from .cam import RAMP, overlay, stretched
from .explanation import Explanation, shown_size
from .page_words import STYLE, WORDS
from .strongest import FRAME, Strong, draw_strong
from .votes import draw_votes, vote_colours

PAGE, RESULT = "explanation.html", "explanation.json"
Section = tuple[str, list[str | list[ReportImage]]]  # a heading; HTML, and figures


@dataclass(frozen=True)
class Subject:
    """What a page is about: an image and its name; a network's name, input and classes, as they are called in that language."""

    image: Image.Image
    name: str
    model: str
    image_size: int
    names: Sequence[str]
    lang: Lang

    def say(self, key: str, between: str = "<br>", **values: object) -> str:
        """The words of that key, as HTML; in both languages, the one after the other."""
        english, chinese = (text.format(**{name: escape(str(value)) for name, value in values.items()}) for text in WORDS[key])
        return {"en": english, "zh": chinese, "both": f"{chinese}{between}{english}"}[self.lang]


def check_folder(folder: Path) -> None:
    """GodeeperError unless the folder is new or empty."""
    if str(folder) == ".":  # also what an empty name means
        raise GodeeperError("--out needs a folder of its own: name one")
    if folder.exists() and not folder.is_dir():
        raise GodeeperError(f"--out {str(folder)!r} is a file: name a folder")
    if folder.is_dir() and (found := sorted(entry.name for entry in folder.iterdir())):
        raise GodeeperError(f"--out {str(folder)!r} is not empty: it holds {found[0]!r}; name another folder")


def write_page(
    folder: Path,
    subject: Subject,
    found: Explanation,
    document: dict[str, Any],
    channel: tuple[str, Sequence[Strong]] | None = None,
) -> Path:
    """Writes explanation.html, its images and explanation.json into a folder, and gives the page's file.

    `channel` is a channel's name, such as 4a:17, and where it is strongest.
    """
    sections = [*_sections(subject, found), *([_channel(subject, *channel)] if channel else [])]
    for _, blocks in sections:
        for image in (one for block in blocks if isinstance(block, list) for one in block):
            _write(folder / image.file, image.data)
    _write(folder / RESULT, json.dumps(document, indent=1, ensure_ascii=False).encode("utf-8", "backslashreplace"))
    page = folder / PAGE
    _write(page, _html(subject, sections).encode("utf-8", "backslashreplace"))  # last: it says that all is there
    return page


def _write(file: Path, data: bytes) -> None:
    with atomic_write(file) as partial:
        partial.write_bytes(data)


def _sections(subject: Subject, found: Explanation) -> Iterator[Section]:
    said = [(subject.names[label], probability) for label, probability in found.answer]
    best = said[0][0]
    yield (
        subject.say("answer", " "),
        [
            subject.say("answer_how", model=subject.model, name=subject.name, size=subject.image_size),
            [ReportImage("image.jpg", _jpeg(_framed(subject, found)), subject.name)],
            _table([[escape(name), _bar(f"{100 * probability:.1f} %", probability)] for name, probability in said]),
        ],
    )
    maps = [
        ReportImage(f"map-{number}.jpg", _jpeg(overlay(subject.image, heat)), f"{name}  {100 * probability:.1f} %")
        for number, (heat, (name, probability)) in enumerate(zip(found.maps, said, strict=True), 1)
    ]
    yield subject.say("maps", " "), [subject.say("maps_how", stage=found.stage), _scale(subject), maps]
    if found.module:
        yield _branches(subject, found, best)
    if len(found.votes) > 1:
        yield _votes(subject, found)


def _branches(subject: Subject, found: Explanation, best: str) -> Section:
    most = max(abs(value) for part in found.parts for value in part.adds) or 1.0
    called = {name: subject.say(name, " ") for name in (SHORTCUT, RESIDUAL)}
    lines = [[escape(subject.names[label]) for label, _ in found.answer]]
    lines[0].insert(0, subject.say("branch", " "))
    for part in found.parts:
        cells = [_bar(f"{value:+.2f}", abs(value) / most, "against" if value < 0 else "for") for value in part.adds]
        lines.append([called.get(part.name, escape(part.name)), *cells])
    maps = [
        ReportImage(f"branch-{number}.jpg", _jpeg(overlay(subject.image, heat)), part.name)
        for number, (heat, part) in enumerate(zip(found.part_maps, found.parts, strict=False), 1)
    ]
    heading = subject.say("branches", " ", module=found.module)
    return heading, [subject.say("branches_how"), _table(lines, head=True), subject.say("branch_maps", best=best), maps]


def _votes(subject: Subject, found: Explanation) -> Section:
    colours, crops = vote_colours(found.votes), len(found.votes)
    lines = [[subject.say(key, " ") for key in ("class", "votes", "probability")]]
    for label, votes in found.tally():
        key = f'<i class="key" style="background:{colours[label]}"></i>'
        lines.append([key + escape(subject.names[label]), _bar(str(votes), votes / crops), f"{100 * found.mean[label]:.1f} %"])
    drawn = subject.say("votes_drawn") + (f"<br>{subject.say('votes_144')}" if crops == 144 else "")
    sheet = ReportImage("votes.png", _png(draw_votes(subject.image, found.votes)))
    heading = subject.say("crops", " ", crops=crops)
    return heading, [subject.say("votes_how", crops=crops), _table(lines, head=True), drawn, [sheet]]


def _channel(subject: Subject, name: str, strong: Sequence[Strong]) -> Section:
    drawn = [
        ReportImage(
            f"channel-{number:02}.png", _png(draw_strong(one)), f"{one.file.parent.name}/{one.file.name}  {one.value:.3g}"
        )
        for number, one in enumerate(strong, 1)
    ]
    return subject.say("channel", " ", channel=name), [subject.say("channel_how", channel=name), drawn]


def _framed(subject: Subject, found: Explanation) -> Image.Image:
    """The image as it is shown, what the network is not shown of it paler."""
    size = shown_size(subject.image.size)
    enlarged = size[0] > subject.image.width
    shown = subject.image.resize(size, Image.Resampling.NEAREST if enlarged else Image.Resampling.BICUBIC)
    x, y = (one / own for one, own in zip(size, subject.image.size, strict=True))
    box = stretched(found.crop, x, y)
    pale = Image.blend(shown, Image.new("RGB", size, "white"), 0.6)
    pale.paste(shown.crop(box), box)
    ImageDraw.Draw(pale).rectangle((box[0], box[1], box[2] - 1, box[3] - 1), outline=FRAME, width=2)
    return pale


def _jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _scale(subject: Subject) -> str:
    ramp = f'<i style="background:linear-gradient(90deg,{",".join(RAMP)})"></i>'
    return f'<span class="scale">{subject.say("none", " ")}{ramp}{subject.say("most", " ")}</span>'


def _bar(text: str, share: float, kind: str = "for") -> str:
    return f'{text}<b class="{kind}" style="width:{100 * share:.1f}%"></b>'


def _table(lines: Sequence[Iterable[str]], head: bool = False) -> str:
    rows = []
    for number, line in enumerate(lines):
        tag = "th" if head and number == 0 else "td"
        rows.append("<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in line) + "</tr>")
    return f"<table>{''.join(rows)}</table>"


def _html(subject: Subject, sections: Sequence[Section]) -> str:
    body = [f"<h1>{subject.say('title', ' ')}</h1>"]
    for heading, blocks in sections:
        body.append(f"<section><h2>{heading}</h2>")
        for block in blocks:
            if isinstance(block, list):
                body.append(f'<div class="figures n{len(block)}">{"".join(map(_figure, block))}</div>')
            else:
                body.append(block if block.startswith("<table") else f"<p>{block}</p>")
        body.append("</section>")
    head = [
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(subject.name)}: {subject.say('title', ' ')}</title><style>{STYLE}</style>",
    ]
    language = "en" if subject.lang == "en" else "zh"
    parts = (f'<!DOCTYPE html><html lang="{language}"><head>', *head, "</head><body>", *body, "</body></html>\n")
    return "\n".join(parts)


def _figure(one: ReportImage) -> str:
    kind = "jpeg" if one.file.endswith(".jpg") else "png"
    source, caption = f"data:image/{kind};base64,{base64.b64encode(one.data).decode()}", escape(one.caption)
    return f'<figure><img alt="{caption}" src="{source}"><figcaption>{caption}</figcaption></figure>'
