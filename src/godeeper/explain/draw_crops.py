"""The crops of evaluation on a photograph: every scale, every square of it, every crop of the square."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from PIL import Image, ImageDraw

from ..data.crops import Box, CropBox, crop_boxes
from ..preprocess import Resize
from .canvas import INK, MUTED, PAPER, font_for
from .crop_predictions import COLOURS

MARGIN, GAP, LINE, BADGE = 24, 10, 3, 20  # pixels: around everything, between panels, a frame, a square's number
HEADING, CAPTION = 104, 24  # pixels: above everything; above a photograph
PHOTOGRAPH = (420, 290)  # pixels: the most that the image takes at the largest scale
PANEL = 104  # pixels: the side of a square at the largest scale
INSET = 6  # pixels: by which the second and third square are drawn less high, or less wide
MINIMUM_WIDTH = 480  # pixels: room for the heading
OF_SQUARE = ("top left", "top right", "bottom left", "bottom right", "centre", "whole square")
POSITIONS = {
    1: ("centre",),
    3: ("centre", "up and left", "down and right"),
    5: OF_SQUARE[:5],
    6: OF_SQUARE,
}  # by how many are drawn
Square = Sequence[CropBox]  # its crops, none of them mirrored
T = TypeVar("T")


def draw_crops(image: Image.Image, size: int = 224, crops: int = 144) -> Image.Image:
    """The crops of `godeeper.crop_boxes` on an RGB image: a row per scale, in it the image with its squares, and their crops.

    Mirrored crops are counted, not drawn. GodeeperError for another number of crops than 1, 6, 10, 12 and 144.
    """
    boxes = crop_boxes(*image.size, Resize(size), crops)
    scales, squares = (4, 3) if crops == 144 else (1, 1)
    scale_rows = [_split(row, squares) for row in _split([crop for crop in boxes if not crop.flip], scales)]
    largest = scale_rows[-1][0]
    shrink = min(most / side for most, side in zip(PHOTOGRAPH, largest[0].resized, strict=True))
    left = MARGIN + max(220, round(largest[0].resized[0] * shrink)) + MARGIN
    width = max(MINIMUM_WIDTH, left + BADGE + GAP + len(largest) * (PANEL + GAP) + MARGIN)
    strips = [
        _heading(scale_rows, crops, size, left, width),
        *(_scale_row(image, row, shrink, PANEL / _side(largest), left, width) for row in scale_rows),
    ]
    sheet = Image.new("RGB", (width, sum(strip.height for strip in strips)), PAPER)
    top = 0
    for strip in strips:
        sheet.paste(strip, (0, top))
        top += strip.height
    return sheet


def _split(items: Sequence[T], count: int) -> list[Sequence[T]]:
    """The items in `count` parts of equal length."""
    length = len(items) // count
    return [items[start : start + length] for start in range(0, len(items), length)]


def _bounds(square: Square) -> Box:
    """The square itself: what its crops cover together."""
    lefts, tops, rights, bottoms = zip(*(crop.box for crop in square), strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _side(square: Square) -> int:
    left, _, right, _ = _bounds(square)
    return right - left


def _heading(scale_rows: Sequence[Sequence[Square]], count: int, size: int, left: int, width: int) -> Image.Image:
    """How many crops of what, and above each column of crops its position."""
    heading = Image.new("RGB", (width, HEADING), PAPER)
    draw = ImageDraw.Draw(heading)
    squares, crops = len(scale_rows[0]), len(scale_rows[0][0])
    factors = {"scales": len(scale_rows), "squares": squares, "crops": crops}
    product = " x ".join(f"{number} {what}" for what, number in factors.items() if number > 1)
    title = "1 crop" if count == 1 else f"{count} crops: {product}, and mirrored: x 2"
    draw.text((MARGIN, MARGIN - 4), title, INK, font_for("", 22))
    whole = "; the whole square is resized to that" if crops == len(OF_SQUARE) else ""
    draw.text((MARGIN, MARGIN + 26), f"each crop is {size}x{size} pixels{whole}", MUTED, font_for("", 15))
    for column, name in enumerate(POSITIONS[crops]):
        middle = left + BADGE + GAP + column * (PANEL + GAP) + PANEL / 2
        draw.text((middle, HEADING - 8), name, INK, font_for("", 14), anchor="ms")
    return heading


def _scale_row(image: Image.Image, squares: Sequence[Square], shrink: float, panel: float, left: int, width: int) -> Image.Image:
    """One scale: the resized image with its squares, and beside it a line of crops per square."""
    photograph = _photograph(image, squares, shrink)
    lines = [_panels(image, square, panel) for square in squares]
    step = lines[0].height + GAP
    row = Image.new("RGB", (width, max(photograph.height, len(lines) * step) + MARGIN), PAPER)
    row.paste(photograph, (MARGIN, 0))
    for index, line in enumerate(lines):
        row.paste(line, (left + BADGE + GAP, index * step))
        if len(lines) > 1:
            _badge(row, left, index * step + (line.height - BADGE) // 2, index + 1)
    return row


def _photograph(image: Image.Image, squares: Sequence[Square], shrink: float) -> Image.Image:
    """The image, as large relative to the other rows as its scale is, each square framed and numbered."""
    width, height = squares[0][0].resized
    resized = image.resize((max(1, round(width * shrink)), max(1, round(height * shrink))), Image.Resampling.BICUBIC)
    caption, font = f"{min(width, height)}: the image at {width}x{height}", font_for("", 15)
    canvas = Image.new("RGB", (max(resized.width, round(font.getlength(caption)) + 2), resized.height + CAPTION), PAPER)
    canvas.paste(resized, (0, CAPTION))
    draw = ImageDraw.Draw(canvas)
    draw.text((0, 0), caption, INK, font)
    wide, corners = width >= height, []
    for index, square in enumerate(squares):
        x0, y0, x1, y1 = (round(edge * shrink) for edge in _bounds(square))
        across, down = (0, index * INSET) if wide else (index * INSET, 0)  # so that each is visible where they overlap
        x, y = x0 + across, y0 + down + CAPTION
        for colour, line in ((PAPER, LINE + 1), (INK, LINE - 1)):
            draw.rectangle((x, y, max(x, x1 - across - 1), max(y, y1 - down - 1 + CAPTION)), outline=colour, width=line)
        offset = index * (BADGE + GAP)  # badges of squares that coincide, as in a square image, stand side by side
        corners.append((max(x, offset), y) if wide else (x, max(y, offset + CAPTION)))
    for index, (x, y) in enumerate(corners if len(corners) > 1 else []):
        _badge(canvas, x + 6, y + 6, index + 1)
    return canvas


def _panels(image: Image.Image, square: Square, shrink: float) -> Image.Image:
    """The square once for each of its crops, which is framed; the rest of it is faint."""
    left, top, right, bottom = _bounds(square)
    width, height = (own / side for own, side in zip(image.size, square[0].resized, strict=True))
    side = round((right - left) * shrink)
    source = (left * width, top * height, min(right * width, image.width), min(bottom * height, image.height))
    resized = image.resize((side, side), Image.Resampling.BICUBIC, source)
    faint = Image.blend(resized, Image.new("RGB", resized.size, PAPER), 0.7)
    line = Image.new("RGB", (len(square) * (PANEL + GAP), side), PAPER)
    draw = ImageDraw.Draw(line)
    for index, crop in enumerate(square):
        start = index * (PANEL + GAP) + (PANEL - side) // 2
        x0, y0, x1, y1 = (round((edge - origin) * shrink) for edge, origin in zip(crop.box, (left, top) * 2, strict=True))
        line.paste(faint, (start, 0))
        line.paste(resized.crop((x0, y0, x1, y1)), (start + x0, y0))
        draw.rectangle((start + x0, y0, start + x1 - 1, y1 - 1), outline=COLOURS[index], width=LINE)
    return line


def _badge(canvas: Image.Image, left: int, top: int, number: int) -> None:
    """A square's number in a circle."""
    draw = ImageDraw.Draw(canvas)
    draw.ellipse((left, top, left + BADGE, top + BADGE), fill=INK, outline=PAPER)
    draw.text((left + BADGE / 2, top + BADGE / 2), str(number), PAPER, font_for("", 14), anchor="mm")
