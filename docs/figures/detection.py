"""The figure of detection: R-CNN's way from a photograph to a box with a class, with proposals from two sources."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from godeeper.detect.iou import box_iou
from godeeper.papers.facts_googlenet import GOOGLENET_MULTIBOX
from godeeper.text import Text

from .photograph import Box, part, photograph, squares
from .style import WIDTH, area, arrow, figure, frame, lines_of_text, text

MEASURED = Path(__file__).parent / "measured"
UNITS, SHOWN = 0.35, 0.64  # of the drawn photograph, and pixels of the figure, for a pixel of the photograph
OBJECT = (2, 2, 398, 298)  # where the cat is: drawn by hand, as annotators do
MULTIBOX = ((0, 0, 451, 300), (30, 10, 380, 290), (210, 80, 330, 270), (0, 30, 210, 250), (60, 0, 420, 160))  # by hand
REGIONS = 4  # that are followed to the end
WARPED = 64.0  # pixels: the side of a warped region
LEAST = 0.5  # overlap with the object: below it, a region is background


def measured(name: str) -> Any:
    """What docs/measurements.py wrote."""
    return json.loads((MEASURED / f"{name}.json").read_text(encoding="utf-8"))


def regions() -> list[tuple[Box, float]]:
    """A few proposals with their overlap with the object, the best one first, from alike it to far from it."""
    boxes = np.array(measured("proposals")["boxes"], np.float32)
    overlaps = box_iou(boxes, np.array([OBJECT], np.float32))[:, 0]
    order = np.argsort(-overlaps)
    picked = [order[0], order[2], order[len(order) // 3], order[len(order) // 2]]
    return [(tuple(boxes[index].tolist()), float(overlaps[index])) for index in picked]  # type: ignore[misc]


def pipeline(lang: str) -> str:
    """Proposals on the photograph, regions warped to squares, their classes, and what suppression leaves."""
    image, counts = photograph(), measured("proposals")
    small = image.resize((round(image.width * UNITS), round(image.height * UNITS)))
    elements = [squares(small, "cat")]
    width, height = image.width * SHOWN, image.height * SHOWN
    elements += _steps(lang)
    for x in (24.0, WIDTH - 24 - width):
        elements.append(part("cat", (0, 0, *small.size), x, 48, width, height))
    elements += [_on_photograph(24, box, "blue", 1) for box in counts["boxes"]]
    elements += [_on_photograph(24, box, "green", 2, dashed=True) for box in MULTIBOX]
    words = (
        (
            "blue",
            Text(
                "selective search: {rcnn} boxes; superpixels twice as large: {larger}, of which {shown} are drawn",
                "选择性搜索：{rcnn} 个框；超像素放大一倍：{larger} 个，画出其中 {shown} 个",
            ).format(shown=len(counts["boxes"]), **counts),
        ),
        (
            "green",
            Text("and {count} of MultiBox (dashed, drawn by hand)", "再加 MultiBox 的 {count} 个（虚线，手画示意）").format(
                count=GOOGLENET_MULTIBOX
            ),
        ),
    )
    y = 48 + height + 20
    for colour, sentence in words:
        elements += lines_of_text(24, y, sentence.get(lang), width, colour, 12)
        y += 34
    followed = regions()
    elements += _classified(followed, small.size, 48 + height + 104, lang)
    elements.append(_on_photograph(WIDTH - 24 - width, followed[0][0], "orange", 3))
    corner = WIDTH - 24 - width + followed[0][0][0] * SHOWN
    elements.append(text(corner + 8, 66, Text("cat", "猫").get(lang), "card", 14, bold=True))
    note = Text("one box per cat: the others overlap it and are suppressed", "一只猫只留一个框，其余与它重叠的都被抑制")
    elements += lines_of_text(WIDTH - 24 - width, 48 + height + 20, note.get(lang), width, "orange", 12)
    title = Text("R-CNN with GoogLeNet and MultiBox on one photograph", "一张照片上的 R-CNN：GoogLeNet 加 MultiBox")
    return figure(48 + height + 104 + 150, elements, title.get(lang), note.get(lang))


def _steps(lang: str) -> list[str]:
    one, four = (
        Text("1  Proposals: where might something be?", "1  候选框：哪里可能有东西？"),
        Text("4  What is left", "4  最后留下的"),
    )
    width = photograph().width * SHOWN
    return [
        text(24, 30, one.get(lang), size=13, bold=True),
        text(WIDTH - 24 - width, 30, four.get(lang), size=13, bold=True),
    ]


def _on_photograph(x: float, box: Any, colour: str, thick: float, dashed: bool = False) -> str:
    left, top, right, bottom = (float(edge) * SHOWN for edge in box)
    return frame(x + left, 48 + top, right - left, bottom - top, colour, thick, dashed)


def _classified(followed: list[tuple[Box, float]], units: tuple[int, int], y: float, lang: str) -> list[str]:
    """The regions as squares, and the class of each by its overlap with the object."""
    two = Text("2  Each is cut out and warped to 224x224", "2  逐个裁出，拉成 224x224")
    three = Text("3  GoogLeNet names it: a class, or background", "3  GoogLeNet 给出类别，或判为背景")
    elements = [text(24, y, two.get(lang), size=12, bold=True), text(WIDTH / 2 + 10, y, three.get(lang), size=12, bold=True)]
    for index, (box, overlap) in enumerate(followed):
        x = 24 + index * (WARPED + 10)
        elements.append(part("cat", tuple(edge * UNITS for edge in box), x, y + 16, WARPED, WARPED))  # type: ignore[arg-type]
        elements.append(frame(x, y + 16, WARPED, WARPED, "blue", 1.5))
        left = WIDTH / 2 + 10 + index * 76
        name, colour = (Text("cat", "猫"), "orange") if overlap >= LEAST else (Text("background", "背景"), "grey")
        elements += [
            area(left - 1, y + 16, 72, 28, colour, 0.18, 5),
            text(left + 35, y + 34, name.get(lang), colour, 10.5, True, "middle"),
        ]
        elements.append(text(left + 34, y + 60, f"{overlap:.2f}", "grey", 12, anchor="middle"))
    elements.append(arrow((24 + REGIONS * (WARPED + 10), y + 46), (WIDTH / 2 + 2, y + 46)))
    note = Text(
        f"The numbers: overlap with the cat's box (drawn by hand). In training, {LEAST} and more is a cat, less is background.",
        f"数字是与猫的真值框（手画）的重叠度。训练时不低于 {LEAST} 的区域算猫，其余算背景。",
    )
    return elements + lines_of_text(24, y + 108, note.get(lang), WIDTH - 48)
