"""Images with their most likely classes beside them, on one sheet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from ..data.decode import decode
from ..deploy.predictor import Prediction
from .canvas import INK, PAPER, Font, font_for, save_image

SIDE, MARGIN, TEXT = 240, 16, 320  # pixels: the square of an image, the space around it, the column of classes
ROW = SIDE + 2 * MARGIN
MAX_IMAGES = 40  # on one sheet
BAR = "#4c8bf5"


def draw_predictions(predictions: Sequence[tuple[Path, Prediction]], out: Path) -> int:
    """Draws each image beside its classes on one sheet, at most `MAX_IMAGES`; returns how many did not fit.

    BadImage for an image that cannot be decoded, GodeeperError if `out` cannot be written.
    """
    shown = list(predictions[:MAX_IMAGES])
    columns = 1 if len(shown) < 4 else 2
    rows = -(-len(shown) // columns)
    sheet = Image.new("RGB", (columns * (ROW + TEXT), rows * ROW), PAPER)
    for index, (file, prediction) in enumerate(shown):
        corner = index % columns * (ROW + TEXT), index // columns * ROW
        sheet.paste(_panel(decode(file), file.name, prediction), corner)
    save_image(sheet, out)
    return len(predictions) - len(shown)


def _panel(image: Image.Image, name: str, prediction: Prediction) -> Image.Image:
    """One image with its file's name, its classes and a bar for each probability."""
    panel = Image.new("RGB", (ROW + TEXT, ROW), PAPER)
    scale = SIDE / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    resized = image.resize(size, Image.Resampling.NEAREST if scale > 4 else Image.Resampling.BICUBIC)  # tiny ones: their pixels
    panel.paste(resized, (MARGIN + (SIDE - size[0]) // 2, MARGIN + (SIDE - size[1]) // 2))
    draw = ImageDraw.Draw(panel)
    small = font_for(name, 12)
    draw.text((ROW, MARGIN), _shortened(draw, name, small, TEXT - MARGIN), fill="#656d76", font=small)
    step = min(40, (SIDE - 24) // max(1, len(prediction.labels)))
    for index, (label, probability) in enumerate(zip(prediction.labels, prediction.probabilities, strict=True)):
        top = MARGIN + 26 + index * step
        font = font_for(label, 15)
        draw.text((ROW, top), _shortened(draw, label, font, TEXT - MARGIN - 70), fill=INK, font=font)
        draw.text((ROW + TEXT - MARGIN, top), f"{100 * probability:.1f} %", fill=INK, font=font, anchor="ra")
        length = round((TEXT - MARGIN) * probability)
        if length:
            draw.rectangle((ROW, top + 23, ROW + length, top + 26), fill=BAR)
    return panel


def _shortened(draw: ImageDraw.ImageDraw, text: str, font: Font, width: int) -> str:
    """The text, or as much of its start as fits into `width` pixels, with dots."""
    if draw.textlength(text, font) <= width:
        return text
    while text and draw.textlength(text + "...", font) > width:
        text = text[:-1]
    return text + "..."
