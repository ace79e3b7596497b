"""Photographs with their likeliest classes beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from ..data.decode import decode
from ..deploy.predictor import Prediction
from ..errors import GodeeperError
from ..files import atomic_write

SIDE, MARGIN, TEXT = 240, 16, 320  # pixels: a photograph's square, the space around it, the classes' column
ROW = SIDE + 2 * MARGIN
MOST = 40  # photographs on one sheet
INK, BAR, PAPER = "#1f2328", "#4c8bf5", "#ffffff"
CJK_FONTS = ("NotoSansCJK-Regular.ttc", "NotoSansSC-Regular.otf", "wqy-microhei.ttc", "PingFang.ttc", "msyh.ttc", "simhei.ttf")


def draw_cards(predicted: Sequence[tuple[Path, Prediction]], out: Path) -> int:
    """Draws each image beside its classes into one sheet, at most `MOST`; returns how many did not fit."""
    shown = list(predicted[:MOST])
    columns = 1 if len(shown) < 4 else 2
    rows = -(-len(shown) // columns)
    sheet = Image.new("RGB", (columns * (ROW + TEXT), rows * ROW), PAPER)
    for index, (file, prediction) in enumerate(shown):
        sheet.paste(_card(decode(file), file.name, prediction), (index % columns * (ROW + TEXT), index // columns * ROW))
    save_image(sheet, out)
    return len(predicted) - len(shown)


def save_image(image: Image.Image, out: Path) -> None:
    """Writes an image, whole or not at all, in the format that the name ends with; GodeeperError where it cannot be written."""
    kind = Image.registered_extensions().get(out.suffix.lower())
    try:
        if kind is None:
            raise ValueError("name a .png, .jpg or .webp file")
        with atomic_write(out) as partial:
            image.save(partial, kind)
    except (OSError, ValueError) as error:
        raise GodeeperError(f"cannot write {str(out)!r}: {getattr(error, 'strerror', None) or error}") from None


def _card(image: Image.Image, name: str, prediction: Prediction) -> Image.Image:
    card = Image.new("RGB", (ROW + TEXT, ROW), PAPER)
    scale = SIDE / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    shown = image.resize(size, Image.Resampling.NEAREST if scale > 4 else Image.Resampling.BICUBIC)  # tiny ones: their pixels
    card.paste(shown, (MARGIN + (SIDE - size[0]) // 2, MARGIN + (SIDE - size[1]) // 2))
    draw = ImageDraw.Draw(card)
    small = letters(12, name)
    draw.text((ROW, MARGIN), _fitting(draw, name, small, TEXT - MARGIN), fill="#656d76", font=small)
    step = min(40, (SIDE - 24) // max(1, len(prediction.labels)))
    for index, (label, probability) in enumerate(zip(prediction.labels, prediction.probabilities, strict=True)):
        top = MARGIN + 26 + index * step
        font = letters(15, label)
        text = _fitting(draw, label, font, TEXT - MARGIN - 70)
        draw.text((ROW, top), text, fill=INK, font=font)
        draw.text((ROW + TEXT - MARGIN, top), f"{100 * probability:.1f} %", fill=INK, font=font, anchor="ra")
        length = round((TEXT - MARGIN) * probability)
        if length:
            draw.rectangle((ROW, top + 23, ROW + length, top + 26), fill=BAR)
    return card


def letters(size: int, text: str) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """A font of that size that has the letters of the text, as far as one is installed."""
    chinese = any(ord(letter) > 0x2E7F for letter in text)  # or Japanese, Korean: Pillow's own font has no such letters
    return (_chinese(size) if chinese else None) or ImageFont.load_default(size)


def _chinese(size: int) -> ImageFont.FreeTypeFont | None:
    for name in CJK_FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return None


def check_chinese() -> None:
    """GodeeperError where no font with Chinese letters is installed."""
    if _chinese(12) is None:
        raise GodeeperError("no font with Chinese letters is installed: install one, such as fonts-noto-cjk, or choose --lang en")


def _fitting(draw: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    if draw.textlength(text, font) <= width:
        return text
    while text and draw.textlength(text + "...", font) > width:
        text = text[:-1]
    return text + "..."
