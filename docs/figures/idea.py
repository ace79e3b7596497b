"""Figures of the idea: correlations that sort into blocks, and what filters of three sizes see."""

from __future__ import annotations

import torch
from PIL import Image
from torch import Tensor

from godeeper import Resize, crop_boxes
from godeeper.papers.googlenet import GOOGLENET
from godeeper.papers.notation import Conv
from godeeper.papers.shape import FeatureShape, row_output, stage_output
from godeeper.text import Text

from .photograph import part, photograph, squares
from .style import WIDTH, area, arrow, figure, frame, lines_of_text, text

CELL, MATRIX_GAP, LEFT = 19.0, 46.0, 28.0
THRESHOLD = 0.3  # a unit joins a group with which it correlates more


def units() -> tuple[Tensor, Tensor]:
    """The page's worked example: correlations of nine units (9, 9), and which hidden cause each has (9,)."""
    generator = torch.Generator().manual_seed(0)
    causes = (torch.rand(2000, 3, generator=generator) < 0.3).float()
    wiring = torch.tensor([0, 1, 2, 1, 2, 0, 2, 0, 1])
    fires = causes[:, wiring] * (torch.rand(2000, 9, generator=generator) < 0.9)
    activations = torch.maximum(fires, (torch.rand(2000, 9, generator=generator) < 0.05).float())
    return torch.corrcoef(activations.T), wiring


def grouped(correlation: Tensor) -> list[int]:
    """The units in the order of the groups that the correlations alone make."""
    groups: list[list[int]] = []
    for unit in range(len(correlation)):
        group = next((g for g in groups if correlation[unit, g].mean() > THRESHOLD), None)
        if group is None:
            groups.append(group := [])
        group.append(unit)
    return [unit for group in groups for unit in group]


def correlation(lang: str) -> str:
    """Nine units' correlations: as they come, sorted, and the connections that are left."""
    matrix, wiring = units()
    order = grouped(matrix)
    same = (wiring[:, None] == wiring[None, :]).float()
    own = same.bool() & ~torch.eye(9, dtype=torch.bool)
    within, across = matrix[own].min().item(), matrix[~same.bool()].max().item()
    kept = int(same.sum().item())
    panels = [
        (matrix, list(range(9)), Text("correlations, as they come", "相关系数，未排序")),
        (matrix, order, Text("the same, units sorted", "同一个矩阵，按组排序")),
        (same, order, Text("connections that are left", "留下的连接")),
    ]
    notes = [
        Text("Which units belong together cannot be seen.", "看不出哪些单元是一组。"),
        Text(
            f"Within a group {within:.2f} and more, between groups {across:.2f} and less.",
            f"组内都不低于 {within:.2f}，组间都不高于 {across:.2f}。",
        ),
        Text(
            f"Three dense blocks: {kept} of {matrix.numel()} products.", f"三个稠密的块：{matrix.numel()} 次乘法只剩 {kept} 次。"
        ),
    ]
    side, elements = 9 * CELL, []
    for index, ((values, units_in_order, title), note) in enumerate(zip(panels, notes, strict=True)):
        x, y = LEFT + 8 + index * (side + MATRIX_GAP), 56.0
        elements += _matrix(values[units_in_order][:, units_in_order], units_in_order, x, y)
        elements.append(text(x, 28, title.get(lang), bold=True, size=12))
        elements += lines_of_text(x, y + side + 22, note.get(lang), side + 20)
        if index:
            elements.append(arrow((x - MATRIX_GAP + 8, y + side / 2), (x - 20, y + side / 2)))
    title = Text("A matrix of correlations sorts into blocks", "相关矩阵排成了块")
    return figure(56 + side + 78, elements, title.get(lang), " ".join(note.get(lang) for note in notes))


def _matrix(values: Tensor, units_in_order: list[int], x: float, y: float) -> list[str]:
    elements = []
    for row, unit in enumerate(units_in_order):
        middle = (row + 0.5) * CELL
        elements.append(text(x + middle, y - 6, str(unit), "grey", 10, anchor="middle"))
        elements.append(text(x - 6, y + middle + 4, str(unit), "grey", 10, anchor="end"))
        for column in range(len(units_in_order)):
            value = max(0.0, values[row, column].item())
            elements.append(area(x + column * CELL, y + row * CELL, CELL - 1, CELL - 1, "faint", 0.35))
            if value >= 0.02:
                elements.append(area(x + column * CELL, y + row * CELL, CELL - 1, CELL - 1, "blue", value))
    return elements


PLACE = (7, 10)  # of the grid of 3a, where the cat's eye is: column, row
SIDES = {1: "orange", 3: "blue", 5: "green"}  # of the filters, each with its colour
NEAR = 32  # pixels of the photograph around that place, drawn one by one
SHOWN, ZOOM = 304.0, 2.15  # pixels: the side of the photograph; of a pixel of it, in the parts


def grid_of_3a() -> FeatureShape:
    """What module 3a reads: 192 channels on 28x28 places, each with the pixels it depends on."""
    shape = FeatureShape(3, GOOGLENET.image_size, GOOGLENET.image_size)
    for name, stage in GOOGLENET.stages.items():
        if name == "3a":
            break
        shape, _ = stage_output(stage, shape, None)
    return shape


def filters(lang: str) -> str:
    """One place of 3a's grid on the photograph, and the pixels that filters of 1x1, 3x3 and 5x5 see there."""
    grid, image = grid_of_3a(), photograph()
    crop = crop_boxes(*image.size, Resize(224), 1)[0]
    pixels = image.resize(crop.resized, Image.Resampling.BICUBIC).crop(crop.box)
    scale, jump = SHOWN / pixels.width, grid.jump
    x0, y0 = 24.0, 46.0
    middle = [(place + 0.5) * jump for place in PLACE]
    near = (int(middle[0] - NEAR), int(middle[1] - NEAR), int(middle[0] + NEAR), int(middle[1] + NEAR))
    elements = [squares(pixels.resize((112, 112), Image.Resampling.BOX), "cat"), squares(pixels.crop(near), "eye")]
    elements.append(part("cat", (0, 0, 112, 112), x0, y0, SHOWN, SHOWN))
    words = Text(
        f"one place of 3a's {grid.width}x{grid.height}, and the windows of three filters on it",
        f"3a 的 {grid.width}x{grid.height} 个位置之一，和三种卷积核在此的窗口",
    )
    elements.append(text(x0, 28, words.get(lang), size=12, bold=True))
    top = 66.0
    for side, colour in SIDES.items():
        reach = side * jump / 2
        left, upper = x0 + (middle[0] - reach) * scale, y0 + (middle[1] - reach) * scale
        elements += [
            frame(left, upper, 2 * reach * scale, 2 * reach * scale, "card", 4),
            frame(left, upper, 2 * reach * scale, 2 * reach * scale, colour, 2.5),
        ]
        seen = row_output(Conv(1, side), grid, None)[0].receptive_field[0]
        box = (NEAR - seen / 2, NEAR - seen / 2, NEAR + seen / 2, NEAR + seen / 2)
        shown, x = seen * ZOOM, 380.0
        elements += [part("eye", box, x, top, shown, shown), frame(x, top, shown, shown, colour, 2.5)]
        elements.append(text(x + 150, top + 16, f"{side}x{side}", colour, 15, bold=True))
        note = SEEN[side].format(places=side * side, pixels=seen)
        elements += lines_of_text(x + 150, top + 34, note.get(lang), WIDTH - x - 168)
        top += shown + 14
    return figure(max(top, y0 + SHOWN) + 12, elements, WHAT_FILTERS_SEE.get(lang), WHAT_FILTERS_SEE.get(lang))


WHAT_FILTERS_SEE = Text(
    "What a 1x1, a 3x3 and a 5x5 filter of module 3a see on a photograph", "模块 3a 的 1x1、3x3、5x5 卷积核在照片上各看到什么"
)
SEEN = {
    1: Text("{places} place, {pixels}x{pixels} pixels: the pupil", "{places} 个位置，{pixels}x{pixels} 像素：瞳孔"),
    3: Text("{places} places, {pixels}x{pixels} pixels: the eye", "{places} 个位置，{pixels}x{pixels} 像素：眼睛"),
    5: Text(
        "{places} places, {pixels}x{pixels} pixels: the eye and the fur around it",
        "{places} 个位置，{pixels}x{pixels} 像素：眼睛和周围的毛",
    ),
}
