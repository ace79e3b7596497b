"""Images with their most likely classes beside them, and where the evidence lies if that is given, on one sheet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from ..data.decode import decode
from ..deploy.predictor import Prediction
from ..text import printable
from .canvas import INK, PAPER, Font, font_for, save_image

SIDE, MARGIN, TEXT = 240, 16, 320  # pixels: the square of an image, the space around it, the column of classes
ROW = SIDE + 2 * MARGIN
MAX_IMAGES = 40  # on one sheet
BAR = "#4c8bf5"


def draw_predictions(
    predictions: Sequence[tuple[Path, Prediction]], out: Path, heat_maps: Sequence[Image.Image] | None = None
) -> int:
    """Draws each image beside its classes on one sheet, at most `MAX_IMAGES`; returns how many did not fit.

    `heat_maps`, as many as predictions, stand between the two. BadImage for an image that cannot be decoded, GodeeperError if
    `out` cannot be written.
    """
    shown = list(predictions[:MAX_IMAGES])
    columns = 1 if len(shown) < 4 else 2
    rows = -(-len(shown) // columns)
    width = (ROW if heat_maps is None else 2 * ROW) + TEXT
    sheet = Image.new("RGB", (columns * width, rows * ROW), PAPER)
    for index, (file, prediction) in enumerate(shown):
        images = [decode(file), *([] if heat_maps is None else [heat_maps[index]])]
        sheet.paste(_panel(images, file.name, prediction), (index % columns * width, index // columns * ROW))
    save_image(sheet, out)
    return len(predictions) - len(shown)


def _panel(images: Sequence[Image.Image], name: str, prediction: Prediction) -> Image.Image:
    """An image, or several of it, with its file's name, its classes and a bar for each probability."""
    left = len(images) * ROW
    panel = Image.new("RGB", (left + TEXT, ROW), PAPER)
    for index, image in enumerate(images):
        resized = _fitted(image)
        corner = index * ROW + MARGIN + (SIDE - resized.width) // 2, MARGIN + (SIDE - resized.height) // 2
        panel.paste(resized, corner)
    draw = ImageDraw.Draw(panel)
    small = font_for(name, 12)
    draw.text((left, MARGIN), _shortened(draw, name, small, TEXT - MARGIN), fill="#656d76", font=small)
    step = min(40, (SIDE - 24) // max(1, len(prediction.labels)))
    for index, (label, probability) in enumerate(zip(prediction.labels, prediction.probabilities, strict=True)):
        top = MARGIN + 26 + index * step
        font = font_for(label, 15)
        draw.text((left, top), _shortened(draw, label, font, TEXT - MARGIN - 70), fill=INK, font=font)
        draw.text((left + TEXT - MARGIN, top), f"{100 * probability:.1f} %", fill=INK, font=font, anchor="ra")
        length = round((TEXT - MARGIN) * probability)
        if length:
            draw.rectangle((left, top + 23, left + length, top + 26), fill=BAR)
    return panel


def _fitted(image: Image.Image) -> Image.Image:
    """The image with `SIDE` as its longer side; a tiny one's pixels as squares."""
    scale = SIDE / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.NEAREST if scale > 4 else Image.Resampling.BICUBIC)


def _shortened(draw: ImageDraw.ImageDraw, text: str, font: Font, width: int) -> str:
    """The text in one line, or as much of its start as fits into `width` pixels, with dots."""
    text = printable(text)
    if draw.textlength(text, font) <= width:
        return text
    while text and draw.textlength(text + "...", font) > width:
        text = text[:-1]
    return text + "..."
