"""Draws the picture that the READMEs begin with: `python docs/hero.py`.

The cat that comes with godeeper, what `godeeper/cifar10` answers, where in the picture the answer comes from, and what each of
the GoogLeNet paper's 144 crops says; `docs/images/hero.png` in English, `hero.zh.png` in Chinese.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from PIL import Image, ImageDraw

from godeeper import Predictor, decode, load
from godeeper.data.photos import photographs
from godeeper.deploy.predictor import Prediction
from godeeper.explain.cam import class_maps, overlay
from godeeper.explain.canvas import INK, MUTED, PAPER, font_for, require_chinese_font, save_image
from godeeper.explain.crop_predictions import GREY, class_colours, crop_predictions, draw_crop_predictions
from godeeper.labels import display_names
from godeeper.models.network import Network
from godeeper.text import Text

NETWORK, TOP = "godeeper/cifar10", 3
OUT = Path(__file__).parent / "images"
HEIGHT, MARGIN, COLUMN = 360, 24, 440  # pixels: of the photograph; around everything; the answer's column
SCALES, BLOCKS = 4, 3  # a row of crops is a scale, its three squares side by side
HEADINGS = (
    Text("a photograph", "照片"),
    Text("where the answer comes from", "回答的依据"),
    Text("the answer", "回答"),
)
CROPS_HEADING = Text("144 crops: {same} say {label}", "144 个裁剪：{same} 个回答“{label}”")


def draw(network: Network, file: Path, lang: Literal["en", "zh"]) -> Image.Image:
    """Photograph, heat map and answer side by side, the crops below."""
    classes = network.classes or ()
    names, image = display_names(classes, lang), decode(file)
    crops = crop_predictions(network, image)
    answer = Predictor(network, "torch")([file], top=TOP)[0]
    best = classes.index(answer.labels[0])
    photograph = image.resize((round(image.width * HEIGHT / image.height), HEIGHT), Image.Resampling.LANCZOS)
    (heat,) = class_maps(network, image, [best], photograph.size)
    panels = [
        photograph,
        overlay(photograph, heat),
        _answer(answer, dict(zip(classes, names, strict=True)), class_colours(crops), classes),
    ]
    votes = _votes(draw_crop_predictions(image, crops), sum(panel.width for panel in panels) + 2 * MARGIN)
    top = HEIGHT + 5 * MARGIN  # of the crops
    sheet = Image.new("RGB", (votes.width + 2 * MARGIN, top + votes.height + MARGIN), PAPER)
    pen, left = ImageDraw.Draw(sheet), MARGIN
    for panel, heading in zip(panels, HEADINGS, strict=True):
        _write(pen, left, MARGIN // 2, heading.get(lang))
        sheet.paste(panel, (left, 2 * MARGIN + 6))
        left += panel.width + MARGIN
    same = sum(crop.label == best for crop in crops)
    _write(pen, MARGIN, top - 2 * MARGIN, CROPS_HEADING.format(same=same, label=names[best]).get(lang))
    sheet.paste(votes, (MARGIN, top), votes)
    return sheet


def _votes(lines: Image.Image, width: int) -> Image.Image:
    """The twelve lines of `draw_crop_predictions`, three of a scale beside each other, made as wide as `width`."""
    height = lines.height // (SCALES * BLOCKS)
    sheet = Image.new("RGBA", (BLOCKS * lines.width, SCALES * height))
    for line in range(SCALES * BLOCKS):
        strip = lines.crop((0, line * height, lines.width, (line + 1) * height))
        sheet.paste(strip, (line % BLOCKS * lines.width, line // BLOCKS * height))
    return sheet.resize((width, round(sheet.height * width / sheet.width)), Image.Resampling.LANCZOS)


def _write(pen: ImageDraw.ImageDraw, left: int, top: int, text: str) -> None:
    pen.text((left, top), text, MUTED, font_for(text, 26))


def _answer(answer: Prediction, names: dict[str, str], colours: dict[int, str], classes: Sequence[str]) -> Image.Image:
    """The most likely classes, each above a bar as long as its probability, in the colour of the crops that say so."""
    panel = Image.new("RGB", (COLUMN, HEIGHT), PAPER)
    pen = ImageDraw.Draw(panel)
    for index, (label, probability) in enumerate(zip(answer.labels, answer.probabilities, strict=True)):
        top = index * 110
        pen.text((0, top), names[label], INK, font_for(names[label], 40))
        pen.text((COLUMN, top + 6), f"{100 * probability:.1f} %", INK, font_for("", 34), anchor="ra")
        colour = colours.get(classes.index(label), GREY)
        pen.rectangle((0, top + 58, max(2, round(COLUMN * probability)), top + 70), fill=colour)
    return panel


def main() -> None:
    """Writes both pictures."""
    require_chinese_font()
    network = load(NETWORK)
    (file,) = (photograph.file for photograph in photographs() if photograph.label == "cat")
    save_image(draw(network, file, "en"), OUT / "hero.png")
    save_image(draw(network, file, "zh"), OUT / "hero.zh.png")


if __name__ == "__main__":
    main()
