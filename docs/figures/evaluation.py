"""Figures of evaluation: the 144 crops, and errors by crops and networks."""

from __future__ import annotations

from godeeper import Resize, crop_boxes
from godeeper.data.crops import CropBox
from godeeper.papers.facts_googlenet import GOOGLENET_TABLE_3
from godeeper.papers.facts_inception_v4 import RESNET_V1, RESNET_V2, TABLE_2, TABLE_3, TABLE_4, TABLE_5, V4
from godeeper.text import Text

from .axes import Axes, Axis, linear
from .photograph import part, photograph, squares
from .style import WIDTH, dot, figure, frame, lines_of_text, text

UNITS = 0.5  # of the drawn photograph, for a pixel of the photograph
PANEL, GAP = 55.0, 8.0  # pixels: a square at the largest scale, the space between two
LARGEST = 190.0  # pixels: the photograph's width at the largest scale
POSITIONS = (
    Text("top left", "左上"), Text("top right", "右上"), Text("bottom left", "左下"), Text("bottom right", "右下"),
    Text("centre", "中心"), Text("whole", "整个"),
)  # fmt: skip
SQUARES = ("blue", "orange", "green")  # the left, the middle and the right one


def crops_144(lang: str) -> str:
    """All crops of the cat: four scales, three squares of each, six crops of each square; mirrored ones are left out."""
    image = photograph()
    boxes = [crop for crop in crop_boxes(*image.size, Resize(224), 144) if not crop.flip]
    small = image.resize((round(image.width * UNITS), round(image.height * UNITS)))
    elements = [squares(small, "cat")]
    left = 24 + LARGEST + 40
    for column, words in enumerate(POSITIONS):
        elements += lines_of_text(left + column * (PANEL + GAP) + PANEL / 2, 26, words.get(lang), 52, size=11, anchor="middle")
    y, widest = 52.0, boxes[-1].resized[0]
    for start in range(0, len(boxes), 18):
        of_scale = boxes[start : start + 18]
        elements += _scale(of_scale, small.size, LARGEST / widest, y, lang)
        for row in range(3):
            top = y + row * (PANEL + GAP)
            elements.append(text(left - 12, top + PANEL / 2 + 5, str(row + 1), SQUARES[row], 13, bold=True, anchor="end"))
            elements += _square(of_scale[6 * row : 6 * row + 6], small.size, left, top, SQUARES[row])
        y += 3 * (PANEL + GAP) + 16
    words = Text(
        "4 scales x 3 squares x 6 crops = 72 crops; each is also mirrored, which makes 144. Every crop becomes 224x224 pixels.",
        "4 个尺度 x 3 个正方形 x 6 个裁剪 = 72 个裁剪；每个再左右翻转一次，共 144 个。每个裁剪都是 224x224 像素。",
    )
    elements += lines_of_text(24, y + 8, words.get(lang), WIDTH - 48)
    title = Text("All 144 crops of a photograph", "一张照片的全部 144 个裁剪")
    return figure(y + 42, elements, title.get(lang), words.get(lang))


def _bounds(square: list[CropBox]) -> tuple[int, int, int, int]:
    lefts, tops, rights, bottoms = zip(*(crop.box for crop in square), strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _scale(boxes: list[CropBox], units: tuple[int, int], scale: float, y: float, lang: str) -> list[str]:
    """The photograph at one scale, with its three squares."""
    width, height = boxes[0].resized
    form = Text("shorter side {side}", "短边 {side}").format(side=min(width, height))
    elements = [text(24, y + 10, form.get(lang), size=12, bold=True)]
    elements.append(part("cat", (0, 0, *units), 24, y + 18, width * scale, height * scale))
    for index in range(3):
        left, top, right, bottom = (value * scale for value in _bounds(boxes[6 * index : 6 * index + 6]))
        inset = 3 * index  # so that each is seen where they overlap
        place = (24 + left, y + 18 + top + inset, right - left, bottom - top - 2 * inset)
        elements += [frame(*place, "card", 3.5), frame(*place, SQUARES[index], 2)]
    return elements


def _square(boxes: list[CropBox], units: tuple[int, int], left: float, top: float, colour: str) -> list[str]:
    """One square six times, faint, with one crop of it clear and framed in each."""
    x0, y0, x1, _ = _bounds(boxes)
    per_pixel = units[0] / boxes[0].resized[0]
    scale, elements = PANEL / (x1 - x0), []
    for column, crop in enumerate(boxes):
        x = left + column * (PANEL + GAP)
        square = tuple(value * per_pixel for value in _bounds(boxes))
        elements.append(f'<g opacity="0.25">{part("cat", square, x, top, PANEL, PANEL)}</g>')  # type: ignore[arg-type]
        a, b, c, d = crop.box
        place = (x + (a - x0) * scale, top + (b - y0) * scale, (c - a) * scale, (d - b) * scale)
        elements.append(part("cat", tuple(value * per_pixel for value in crop.box), *place))  # type: ignore[arg-type]
        elements.append(frame(*place, colour, 2))
    return elements


def crops_and_networks(lang: str) -> str:
    """Table 3 of the GoogLeNet paper as two curves: top-5 error against passes through a network."""
    y = linear(6, 10.5, 1, "{:.0f}", Text("top-5 error, % of the validation images", "top-5 错误率（验证图片，%）").get(lang))
    name = Text("passes through a network for one image (crops x networks)", "每张图片前向计算的次数（裁剪数 x 网络数）")
    x = Axis(0.8, 1600, [(v, f"{v:,}") for v in (1, 10, 100, 1000)], name.get(lang), logarithmic=True)
    axes = Axes(60, 48, WIDTH - 96, 280, x, y)
    elements = axes.draw()
    names = {1: Text("1 network", "1 个网络"), 7: Text("7 networks", "7 个网络")}
    for models, colour in ((1, "blue"), (7, "orange")):
        rows = [row for row in GOOGLENET_TABLE_3 if row.models == models]
        passes, errors = [row.models * row.crops for row in rows], [row.top5_error for row in rows]
        elements.append(axes.curve(passes, errors, colour))
        for row, across, error in zip(rows, passes, errors, strict=True):
            px, py = axes.at(across, error)
            form = Text("{crops} crops: {error:.2f}", "{crops} 个裁剪：{error:.2f}")
            form = Text("1 crop: {error:.2f}", "1 个裁剪：{error:.2f}") if row.crops == 1 else form
            words = form.format(crops=row.crops, error=error).get(lang)
            elements += [dot(px, py, colour, 5)]
            if models == 7:
                elements.append(text(px - 9, py + 19, words, colour, 12, anchor="end" if row.crops > 1 else "middle"))
            else:
                elements.append(text(px + 9, py - 8, words, colour, 12))
        px, py = axes.at(passes[0], errors[0])
        px, py = axes.at(passes[-1], errors[-1]) if models == 1 else (px, py)
        place = (px + 9, py - 26) if models == 1 else (px, py + 37)
        elements.append(text(*place, names[models].get(lang), colour, 13, bold=True, anchor="start" if models == 1 else "middle"))
    title = Text("Table 3 of the GoogLeNet paper: crops and networks", "GoogLeNet 论文的表 3：裁剪与网络")
    return figure(axes.top + axes.height + 56, elements, title.get(lang), title.get(lang))


NETWORKS = {"Inception-v3": "grey", RESNET_V1: "pink", V4: "blue", RESNET_V2: "orange"}


def tables_inception_v4(lang: str) -> str:
    """Tables 2 to 5 of the Inception-v4 paper as curves: top-5 error by crops, and the ensembles."""
    ticks = [
        (0.0, Text("1 crop", "1 个裁剪").get(lang)), (1.0, Text("12 crops", "12 个裁剪").get(lang)),
        (2.0, Text("144 crops", "144 个裁剪").get(lang)), (3.0, Text("4 networks", "4 个网络").get(lang)),
    ]  # fmt: skip
    y = linear(3, 6, 1, "{:.0f}", Text("top-5 error, % of the validation images", "top-5 错误率（验证图片，%）").get(lang))
    axes = Axes(56, 48, WIDTH - 226, 280, Axis(-0.25, 3.25, ticks), y)
    elements, labels = axes.draw(), []
    for name, colour in NETWORKS.items():
        errors = [table[name][1] for table in (TABLE_2, TABLE_3, TABLE_4)]
        elements.append(axes.curve([0, 1, 2], errors, colour))
        elements += [dot(*axes.at(place, error), colour, 4.5, hollow=place == 0) for place, error in enumerate(errors)]
    ensembles = {"Inception-v3": "Inception-v3", "Inception-v4 + 3 x Inception-ResNet-v2": RESNET_V2}
    for name, alone in ensembles.items():
        error, colour = TABLE_5[name][1], NETWORKS[alone]
        elements.append(axes.curve([2, 3], [TABLE_4[alone][1], error], colour, dashed=True))
        elements.append(dot(*axes.at(3, error), colour, 6))
        labels.append((error, name.replace(" + ", " + ").replace("3 x", "3 ×"), colour))
    right = axes.left + axes.width + 4
    for error, name, colour in labels:
        words = name if " + " in name else f"4 × {name}"
        _, py = axes.at(0, error)
        elements += lines_of_text(right, py - (34 if " + " in name else 4), f"{words}: {error}", WIDTH - right - 12, colour, 12)
    at = 48.0
    for name, colour in NETWORKS.items():
        elements += [dot(right + 6, at, colour), text(right + 16, at + 4, name, colour, 11)]
        at += 20
    title = Text(
        "Tables 2 to 5 of the Inception-v4 paper: errors by crops and networks",
        "Inception-v4 论文的表 2 至表 5：裁剪、网络与错误率",
    )
    return figure(axes.top + axes.height + 44, elements, title.get(lang), title.get(lang))
