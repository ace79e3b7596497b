"""Images with the boxes of the detected objects."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from ..detect.detections import Detections
from ..text import printable
from .canvas import font_for, save_image

COLOURS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080", "#9a6324", "#808000")  # by class


def draw_detections(image: Image.Image, detections: Detections, names: Sequence[str], out: Path) -> None:
    """Draws each box with its class, as `names` call it, and score over an RGB image into `out`, the highest score on top.

    GodeeperError if `out` cannot be written.
    """
    canvas = image.copy()
    draw = ImageDraw.Draw(canvas)
    line = max(2, round(min(canvas.size) / 250))
    for index in reversed(range(len(detections))):
        label = int(detections.labels[index])
        colour = COLOURS[label % len(COLOURS)]
        left, top, right, bottom = (float(side) for side in detections.boxes[index])
        draw.rectangle((left, top, max(left, right - 1), max(top, bottom - 1)), outline=colour, width=line)
        text = f"{printable(names[label])} {100 * float(detections.scores[index]):.0f} %"
        font = font_for(text, max(11, round(min(canvas.size) / 35)))
        x0, y0, x1, y1 = draw.textbbox((0, 0), text, font)
        corner = max(0.0, min(left, canvas.width - (x1 - x0) - 4)), max(0.0, top - (y1 - y0) - 4)
        draw.rectangle((*corner, corner[0] + (x1 - x0) + 4, corner[1] + (y1 - y0) + 4), fill=colour)
        draw.text((corner[0] + 2 - x0, corner[1] + 2 - y0), text, fill="white", font=font)
    save_image(canvas, out)
