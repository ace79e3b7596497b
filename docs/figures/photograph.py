"""The photograph that comes with godeeper, drawn as small squares of colour, and parts of it.

GitHub shows no pixels inside an SVG (Firefox keeps to its content security policy), so the photograph is drawn: runs of equal
colour, a path a colour.
"""

from __future__ import annotations

from collections import defaultdict
from functools import cache

from PIL import Image, ImageFilter

from godeeper.data.photos import photographs

from .style import n

COLOURS = 32  # of the drawn photograph

Box = tuple[float, float, float, float]


@cache
def photograph() -> Image.Image:
    """The photograph of a cat, 451x300, CC0."""
    with Image.open(next(photo.file for photo in photographs() if photo.file.name == "cat.jpg")) as image:
        return image.convert("RGB")


def squares(image: Image.Image, name: str) -> str:
    """An image as a symbol `name` of as many units as it has pixels: to be used by `part`."""
    few = image.quantize(COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).filter(ImageFilter.ModeFilter(3))
    palette, width = few.getpalette() or [], few.width
    runs: dict[int, list[str]] = defaultdict(list)
    for y in range(few.height):
        x = 0
        row = [few.getpixel((x, y)) for x in range(width)]
        while x < width:
            end = x
            while end < width and row[end] == row[x]:
                end += 1
            runs[row[x]].append(f"M{x} {y}h{end - x + 0.4:g}")  # type: ignore[index]
            x = end
    paths = [
        f'<path stroke="#{bytes(palette[3 * index : 3 * index + 3]).hex()}" d="{"".join(parts)}"/>'
        for index, parts in sorted(runs.items())
    ]
    # Lines a little too thick and too long: neighbours would leave a gap between them.
    return f'<defs><g id="{name}" fill="none" stroke-width="1.4" transform="translate(0 .5)">' + "".join(paths) + "</g></defs>"


def part(name: str, box: Box, x: float, y: float, width: float, height: float, flip: bool = False) -> str:
    """The part `box` (left, top, right, bottom) of a symbol, stretched over a rectangle of the figure."""
    left, top, right, bottom = box
    view = f"{left:g} {top:g} {right - left:g} {bottom - top:g}"
    use = f'<use href="#{name}"/>' if not flip else f'<use href="#{name}" transform="translate({left + right:g}) scale(-1 1)"/>'
    return (
        f'<svg x="{n(x)}" y="{n(y)}" width="{n(width)}" height="{n(height)}" viewBox="{view}"'
        f' preserveAspectRatio="none">{use}</svg>'
    )
