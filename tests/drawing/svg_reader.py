"""Reads drawings back from their SVG: boxes, texts and lines with their positions, and the networks that the tests draw."""

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from functools import cache
from itertools import combinations, pairwise
from pathlib import Path

import matplotlib
import pytest
from PIL import ImageFont

from godeeper import describe, list_models
from godeeper.papers.notation import VALID, Auxiliary, Avg, Cat, Conv, Definition, Linear, Max, Residual
from godeeper.papers.registry import definition, variant

SVG = "{http://www.w3.org/2000/svg}"
FONTS = Path(matplotlib.get_data_path()) / "fonts/ttf"
PLATES = {"conv", "conv1x1", "pool", "norm", "linear", "join", "source"}  # boxes with text
VARIANTS = {
    "googlenet, narrow and small": variant(definition("googlenet"), num_classes=10, width=0.25, small=True),
    "googlenet, wide": variant(definition("googlenet_bn"), num_classes=123456, in_channels=1, width=4),
    "inception_v4, narrow": variant(definition("inception_v4"), num_classes=2, width=0.125),
    "inception_v3, small": variant(definition("inception_v3"), small=True),
    "inception_resnet_v2, wide": variant(definition("inception_resnet_v2"), width=2),
    "alexnet, narrow": variant(definition("alexnet"), width=0.01),
}
MIXED = Definition(  # what no registered network has: branches within branches that go on, characters that XML must escape
    name='"<&>" 网络\x00' + "long" * 12,
    source="nowhere",
    stages={
        "<a&b>": Conv(8, 3, 2),
        "within": Cat([Cat([Conv(8)], [Conv(4, 3), Conv(8, (1, 3))]), Conv(8)], [Max(3)], [Conv(8), Cat([Avg(3)], [Conv(16)])]),
        "several": (Conv(16), Cat([Conv(8, 3)], [Conv(8)]), Residual(Cat([Conv(4)]), 0.5, relu=False), Conv(8, 3, 2, VALID)),
    },
    head={"classifier": Linear(7)},
    auxiliary={"side": Auxiliary("within", {"x": Cat([Conv(4)], [Max(3)]), "y": Linear(7)})},
    image_size=20,
)
NETWORKS = {**{name: definition(name) for name in list_models()}, **VARIANTS, "mixed": MIXED}
FAST = {"googlenet", "googlenet_counted", "inception_v3", "inception_v4_printed", "inception_resnet_v2", "vgg16", "mixed"}
FAST |= {"googlenet, wide", "inception_v4, narrow"}


def representative(names):
    """The names as parameters of a test: those of `FAST` always, the others with the slow tests."""
    return [pytest.param(name, marks=[] if name in FAST else pytest.mark.slow) for name in names]


@dataclass(frozen=True)
class Area:
    """Where something is, and its text or its kind."""

    left: float
    top: float
    right: float
    bottom: float
    what: str

    def clear_of(self, other, by=0.0):
        beside = self.right + by <= other.left or other.right + by <= self.left
        return beside or self.bottom + by <= other.top or other.bottom + by <= self.top

    def within(self, other):
        return other.left <= self.left and self.right <= other.right and other.top <= self.top and self.bottom <= other.bottom


@cache
def font(bold):
    return ImageFont.truetype(FONTS / ("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"), 100)


def text_area(element):
    """Where a text's letters are: DejaVu Sans reaches 0.76 em up and 0.24 em down."""
    x, y, size = (float(element.get(key)) for key in ("x", "y", "font-size"))
    width = size / 100 * font("font-weight" in element.attrib).getlength(element.text)
    left = x - {None: 0, "middle": width / 2, "end": width}[element.get("text-anchor")]
    return Area(left, y - 0.76 * size, left + width, y + 0.24 * size, element.text)


def texts(root):
    return [text_area(element) for element in root.iter(f"{SVG}text")]


def boxes(root, kinds=None):
    areas = []
    for element in root.iter(f"{SVG}rect"):
        kind = element.get("class").removeprefix("gd-")
        left, top, width, height = (float(element.get(key)) for key in ("x", "y", "width", "height"))
        if kinds is None or kind in kinds:
            areas.append(Area(left, top, left + width, top + height, kind))
    return areas


def segments(root):
    for element in root.iter(f"{SVG}polyline"):
        points = [tuple(map(float, point.split(","))) for point in element.get("points").split()]
        for (x0, y0), (x1, y1) in pairwise(points):
            assert x0 == x1 or y0 == y1, "a line is neither vertical nor horizontal"
            yield Area(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1), element.get("class"))


def check_geometry(drawing):
    """No text touches a text or a line, none lies across the edge of a box or the canvas; boxes are apart or nested."""
    root = ET.fromstring(drawing)
    canvas = Area(0, 0, float(root.get("width")), float(root.get("height")), "canvas")
    words, areas, lines = texts(root), boxes(root), list(segments(root))
    for word, other in combinations(words, 2):
        assert word.clear_of(other), (word, other)
    for word in words:
        assert word.within(canvas), word
        for area in areas:
            assert word.clear_of(area) or word.within(area), (word, area)
        for line in lines:
            assert word.clear_of(line), (word, line)
    for area, other in combinations(areas, 2):
        assert area.clear_of(other, -0.11) or area.within(other) or other.within(area), (area, other)
        if {area.what, other.what} <= PLATES:
            assert area.clear_of(other), (area, other)
    for area in areas:
        assert area.within(canvas), area
        for line in lines if area.what in PLATES else ():
            assert line.clear_of(area, -0.11), (line, area)


def blocks(network):
    """The names of a network's stages and auxiliary heads."""
    described = describe(network)
    return [*(line.name for line in described), *described.auxiliary]


def group(root, stage):
    """The elements of one stage."""
    (element,) = [element for element in root.iter(f"{SVG}g") if element.get("data-stage") == stage]
    return element


def counted(root):
    """The lines of every box with a cost: words, shape, parameters, multiply-adds; and how often its frames repeat it."""
    words = texts(root)
    frames = [(frame, int(word.what[2:])) for frame in boxes(root, {"frame"}) for word in words if _labels(frame, word)]
    for plate in boxes(root, PLATES):
        lines = [word.what for word in sorted(words, key=lambda word: word.top) if word.within(plate)]
        times = 1
        for frame, count in frames:
            times *= count if plate.within(frame) else 1
        if len(lines) == 4 and plate.what != "join":
            yield lines, times


def _labels(frame, word):
    """Whether a word is the "x 5" beside a frame."""
    return re.fullmatch(r"x \d+", word.what) and 0 < word.left - frame.right < 10 and frame.top < word.top < frame.bottom
