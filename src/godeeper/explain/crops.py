"""The crops of evaluation on a photograph: every scale, every square of it, every crop of the square."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from PIL import Image, ImageDraw

from ..data.crops import Box, View, views
from .card import INK, PAPER, letters
from .votes import COLOURS

MARGIN, GAP, LINE, TAG = 24, 10, 3, 20  # pixels: around everything, between panels, a frame, a square's number
HEAD, WORDS = 104, 24  # above everything; above a photograph
PHOTOGRAPH = (420, 290)  # the most that the image takes, at the largest scale
PANEL = 104  # the side of a square, at the largest scale
INSET = 6  # by which the second and third square are drawn less high, or less wide
LEAST = 480  # the least that the heading takes
PLACES = ("top left", "top right", "bottom left", "bottom right", "centre", "whole square")
MUTED = "#57606a"
Square = Sequence[View]  # its crops, none of them mirrored
T = TypeVar("T")


def draw_crops(image: Image.Image, size: int = 224, scheme: int = 144) -> Image.Image:
    """The crops of `godeeper.views` on an RGB image: a row a scale, in it the image with its squares, and the crops of each.

    Mirrored crops are counted, not drawn. GodeeperError for another scheme than 1, 10, 12 and 144.
    """
    crops = views(*image.size, size, scheme)
    scales, squares = (4, 3) if scheme == 144 else (1, 1)
    rows = [_parts(row, squares) for row in _parts([view for view in crops if not view.flip], scales)]
    largest = rows[-1][0]
    shrink = min(most / side for most, side in zip(PHOTOGRAPH, largest[0].resize, strict=True))
    left = MARGIN + max(220, round(largest[0].resize[0] * shrink)) + MARGIN
    width = max(LEAST, left + TAG + GAP + len(largest) * (PANEL + GAP) + MARGIN)
    lines = [_row(image, row, shrink, PANEL / _side(largest), left, width) for row in rows]
    drawn = [_heading(rows, len(crops), size, left, width), *lines]
    sheet = Image.new("RGB", (width, sum(line.height for line in drawn)), PAPER)
    for place, line in enumerate(drawn):
        sheet.paste(line, (0, sum(above.height for above in drawn[:place])))
    return sheet


def _parts(whole: Sequence[T], count: int) -> list[Sequence[T]]:
    length = len(whole) // count
    return [whole[start : start + length] for start in range(0, len(whole), length)]


def _around(square: Square) -> Box:
    """The square itself: what its crops cover together."""
    lefts, tops, rights, bottoms = zip(*(view.box for view in square), strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _side(square: Square) -> int:
    left, _, right, _ = _around(square)
    return right - left


def _heading(rows: Sequence[Sequence[Square]], count: int, size: int, left: int, width: int) -> Image.Image:
    """How many crops of what, and above each column of them which they are."""
    drawn = Image.new("RGB", (width, HEAD), PAPER)
    draw = ImageDraw.Draw(drawn)
    squares, crops = len(rows[0]), len(rows[0][0])
    factors = {"scales": len(rows), "squares": squares, "crops": crops}
    product = " x ".join(f"{number} {what}" for what, number in factors.items() if number > 1)
    title = "1 crop" if count == 1 else f"{count} crops: {product}, and mirrored: x 2"
    draw.text((MARGIN, MARGIN - 4), title, INK, letters(22, ""))
    whole = "; the whole square is resized to that" if crops == len(PLACES) else ""
    draw.text((MARGIN, MARGIN + 26), f"each crop is {size}x{size} pixels{whole}", MUTED, letters(15, ""))
    for place, name in enumerate(PLACES[:crops] if crops > 1 else ["centre"]):
        middle = left + TAG + GAP + place * (PANEL + GAP) + PANEL / 2
        draw.text((middle, HEAD - 8), name, INK, letters(14, ""), anchor="ms")
    return drawn


def _row(image: Image.Image, squares: Sequence[Square], shrink: float, panel: float, left: int, width: int) -> Image.Image:
    """One scale: the resized image, on it the squares, and beside it a line of crops a square."""
    photograph = _photograph(image, squares, shrink)
    lines = [_panels(image, square, panel) for square in squares]
    step = lines[0].height + GAP
    drawn = Image.new("RGB", (width, max(photograph.height, len(lines) * step) + MARGIN), PAPER)
    drawn.paste(photograph, (MARGIN, 0))
    for place, line in enumerate(lines):
        drawn.paste(line, (left + TAG + GAP, place * step))
        if len(lines) > 1:
            _tag(drawn, left, place * step + (line.height - TAG) // 2, place + 1)
    return drawn


def _photograph(image: Image.Image, squares: Sequence[Square], shrink: float) -> Image.Image:
    """The image, as large beside the others as its scale is, each square framed and numbered."""
    width, height = squares[0][0].resize
    shown = image.resize((max(1, round(width * shrink)), max(1, round(height * shrink))), Image.Resampling.BICUBIC)
    words, font = f"{min(width, height)}: the image at {width}x{height}", letters(15, "")
    drawn = Image.new("RGB", (max(shown.width, round(font.getlength(words)) + 2), shown.height + WORDS), PAPER)
    drawn.paste(shown, (0, WORDS))
    draw = ImageDraw.Draw(drawn)
    draw.text((0, 0), words, INK, font)
    wide, corners = width >= height, []
    for place, square in enumerate(squares):
        x0, y0, x1, y1 = (round(edge * shrink) for edge in _around(square))
        across, down = (0, place * INSET) if wide else (place * INSET, 0)  # so that each is seen where they overlap
        x, y = x0 + across, y0 + down + WORDS
        for colour, line in ((PAPER, LINE + 1), (INK, LINE - 1)):
            draw.rectangle((x, y, max(x, x1 - across - 1), max(y, y1 - down - 1 + WORDS)), outline=colour, width=line)
        apart = place * (TAG + GAP)  # where squares lie on each other, as in a square image
        corners.append((max(x, apart), y) if wide else (x, max(y, apart + WORDS)))
    for place, (x, y) in enumerate(corners if len(corners) > 1 else []):
        _tag(drawn, x + 6, y + 6, place + 1)
    return drawn


def _panels(image: Image.Image, square: Square, shrink: float) -> Image.Image:
    """The square once for each of its crops, which is framed; what is beside it is faint."""
    left, top, right, bottom = _around(square)
    width, height = (whole / side for whole, side in zip(image.size, square[0].resize, strict=True))
    side = round((right - left) * shrink)
    where = (left * width, top * height, min(right * width, image.width), min(bottom * height, image.height))
    shown = image.resize((side, side), Image.Resampling.BICUBIC, where)
    faint = Image.blend(shown, Image.new("RGB", shown.size, PAPER), 0.7)
    drawn = Image.new("RGB", (len(square) * (PANEL + GAP), side), PAPER)
    draw = ImageDraw.Draw(drawn)
    for place, view in enumerate(square):
        start = place * (PANEL + GAP) + (PANEL - side) // 2
        x0, y0, x1, y1 = (round((edge - origin) * shrink) for edge, origin in zip(view.box, (left, top) * 2, strict=True))
        drawn.paste(faint, (start, 0))
        drawn.paste(shown.crop((x0, y0, x1, y1)), (start + x0, y0))
        draw.rectangle((start + x0, y0, start + x1 - 1, y1 - 1), outline=COLOURS[place], width=LINE)
    return drawn


def _tag(drawn: Image.Image, left: int, top: int, number: int) -> None:
    draw = ImageDraw.Draw(drawn)
    draw.ellipse((left, top, left + TAG, top + TAG), fill=INK, outline=PAPER)
    draw.text((left + TAG / 2, top + TAG / 2), str(number), PAPER, letters(14, ""), anchor="mm")
