"""An explanation as one HTML page that needs no other file; its images and its numbers also lie beside it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from markupsafe import Markup
from PIL import Image, ImageDraw

from ..destinations import check_output
from ..errors import GodeeperError
from ..files import atomic_folder, is_partial
from ..labels import Lang
from ..locks import LOCK_FILE, locked
from ..templating import PageImage, render
from .cam import COLOUR_RAMP, overlay
from .canvas import png
from .centre_crop import scale_box
from .crop_predictions import class_colours, draw_crop_predictions
from .explanation import Explanation, display_size
from .explanation_texts import TEXTS
from .top_activations import FRAME, Activation, draw_activation

PAGE, RESULT = "explanation.html", "explanation.json"


@dataclass(frozen=True)
class PageSubject:
    """What a page is about: an RGB image and its name; a network's name, input size and class names in the page's language."""

    image: Image.Image
    name: str
    model: str
    image_size: int
    class_names: Sequence[str]
    lang: Lang


@dataclass(frozen=True)
class PageImages:
    """The images of a page; those of sections that it does not have are None or empty."""

    framed: PageImage
    maps: list[PageImage]
    branch_maps: list[PageImage]
    crops: PageImage | None
    activations: list[PageImage]

    def __iter__(self) -> Iterator[PageImage]:
        for field in fields(self):
            value = getattr(self, field.name)
            yield from value if isinstance(value, list) else [value] if value else []


def check_folder(folder: Path) -> None:
    """GodeeperError unless the folder is new or empty."""
    check_output(folder, "--out")
    content = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    if names := [name for name in content if name != LOCK_FILE and not is_partial(name)]:
        raise GodeeperError(f"--out {str(folder)!r} is not empty: it holds {names[0]!r}; name another folder")


def write_page(
    folder: Path,
    subject: PageSubject,
    explanation: Explanation,
    result: dict[str, Any],
    channel: tuple[str, Sequence[Activation]] | None = None,
) -> Path:
    """Writes explanation.html, its images, and `result` as explanation.json into a folder; returns the page's file.

    `channel` is a channel's name, such as 4a:17, and the images that activate it most.
    """
    name, activations = channel or ("", [])
    images = _images(subject, explanation, activations)
    with locked(folder, lambda: check_folder(folder)):
        html = _html(subject, explanation, images, name)
        with atomic_folder(folder, last=PAGE) as partial:
            for image in images:
                (partial / image.file).write_bytes(image.data)
            for file, text in ((RESULT, json.dumps(result, indent=1, ensure_ascii=False)), (PAGE, html)):
                (partial / file).write_text(text, "utf-8", errors="backslashreplace")
    return folder / PAGE


def _html(subject: PageSubject, explanation: Explanation, images: PageImages, channel: str) -> str:
    def text(key: str, separator: str, values: dict[str, object]) -> Markup:
        """The HTML of a text with escaped values; in both languages one after the other."""
        text = TEXTS[key]
        languages = [text.zh, text.en] if subject.lang == "both" else [text.get(subject.lang)]
        return Markup(separator).join(Markup(html).format(**values) for html in languages)

    def heading(key: str, **values: object) -> Markup:
        return text(key, " ", values)

    def paragraph(key: str, **values: object) -> Markup:
        return text(key, "<br>", values)

    return render(
        "godeeper.explain",
        "explanation.html",
        html_lang="en" if subject.lang == "en" else "zh",
        title=f"{subject.name}: {heading('title')}",
        heading=heading,
        paragraph=paragraph,
        subject=subject,
        names=subject.class_names,
        explanation=explanation,
        largest_logit=max((abs(value) for item in explanation.branches for value in item.logits), default=0.0) or 1.0,
        images=images,
        channel=channel,
        colours=class_colours(explanation.crop_predictions),
        ramp=",".join(COLOUR_RAMP),
    )


def _images(subject: PageSubject, explanation: Explanation, activations: Sequence[Activation]) -> PageImages:
    image, names, crops = subject.image, subject.class_names, explanation.crop_predictions
    captions = [f"{names[label]}  {100 * probability:.1f} %" for label, probability in explanation.predictions]
    maps = zip(explanation.maps, captions, strict=True)
    branches = zip(explanation.branch_maps, explanation.branches, strict=False)  # shortcut and residual have no maps
    return PageImages(
        framed=PageImage("image.jpg", _jpeg(_framed(image, explanation)), subject.name),
        maps=[
            PageImage(f"map-{number}.jpg", _jpeg(overlay(image, heat)), caption) for number, (heat, caption) in enumerate(maps, 1)
        ],
        branch_maps=[
            PageImage(f"branch-{number}.jpg", _jpeg(overlay(image, heat)), item.branch)
            for number, (heat, item) in enumerate(branches, 1)
        ],
        crops=PageImage("crops.png", png(draw_crop_predictions(image, crops))) if len(crops) > 1 else None,
        activations=[
            PageImage(f"channel-{number:02}.png", png(draw_activation(item)), _caption(item))
            for number, item in enumerate(activations, 1)
        ],
    )


def _caption(activation: Activation) -> str:
    file = activation.file
    return f"{file.parent.name}/{file.name}  {activation.value:.3g}"


def _framed(image: Image.Image, explanation: Explanation) -> Image.Image:
    """The image at `display_size`, the crop framed and the rest of it paler."""
    size = display_size(image.size)
    enlarged = size[0] > image.width
    resized = image.resize(size, Image.Resampling.NEAREST if enlarged else Image.Resampling.BICUBIC)
    x, y = (side / own for side, own in zip(size, image.size, strict=True))
    box = scale_box(explanation.crop, x, y)
    pale = Image.blend(resized, Image.new("RGB", size, "white"), 0.6)
    pale.paste(resized.crop(box), box)
    ImageDraw.Draw(pale).rectangle((box[0], box[1], box[2] - 1, box[3] - 1), outline=FRAME, width=2)
    return pale


def _jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
