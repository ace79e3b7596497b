"""Drawings held against `describe`, and against the widths of a real font: what is drawn is read from the SVG's text alone."""

import math
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations, pairwise
from pathlib import Path
from time import perf_counter

import matplotlib
import pytest
from PIL import ImageFont

import godeeper
from godeeper import GodeeperError, describe, draw, list_models
from godeeper.cli.main import status
from godeeper.papers.flow import TooSmall, Uneven
from godeeper.papers.notation import VALID, Auxiliary, Avg, Cat, Conv, Definition, Linear, Max, Residual
from godeeper.papers.registry import definition, variant

SVG = "{http://www.w3.org/2000/svg}"
FONTS = Path(matplotlib.get_data_path()) / "fonts/ttf"
PLATES = {"conv", "one", "pool", "norm", "linear", "join", "source"}
VARIANTS = {
    "googlenet, narrow and small": variant(definition("googlenet"), num_classes=10, width=0.25, small=True),
    "googlenet, wide": variant(definition("googlenet_bn"), num_classes=123456, in_channels=1, width=4),
    "inception_v4, narrow": variant(definition("inception_v4"), num_classes=2, width=0.125),
    "inception_v3, small": variant(definition("inception_v3"), small=True),
    "inception_resnet_v2, wide": variant(definition("inception_resnet_v2"), width=2),
    "alexnet, narrow": variant(definition("alexnet"), width=0.01),
}
MIXED = Definition(  # what no registered network has: branches within branches that go on, words that XML must escape
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


@dataclass(frozen=True)
class Area:
    """Something drawn: where it is, and its words or its kind."""

    left: float
    top: float
    right: float
    bottom: float
    what: str

    def apart(self, other, by=0.0):
        beside = self.right + by <= other.left or other.right + by <= self.left
        return beside or self.bottom + by <= other.top or other.bottom + by <= self.top

    def within(self, other):
        return other.left <= self.left and self.right <= other.right and other.top <= self.top and self.bottom <= other.bottom


@cache
def font(bold):
    return ImageFont.truetype(FONTS / ("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"), 100)


def word_area(element):
    """Where a text's letters are: DejaVu Sans reaches 0.76 em up and 0.24 em down."""
    x, y, size = (float(element.get(key)) for key in ("x", "y", "font-size"))
    width = size / 100 * font("font-weight" in element.attrib).getlength(element.text)
    left = x - {None: 0, "middle": width / 2, "end": width}[element.get("text-anchor")]
    return Area(left, y - 0.76 * size, left + width, y + 0.24 * size, element.text)


def texts(root):
    return [word_area(element) for element in root.iter(f"{SVG}text")]


def boxes(root, kinds=None):
    found = []
    for element in root.iter(f"{SVG}rect"):
        kind = element.get("class").removeprefix("gd-")
        left, top, width, height = (float(element.get(key)) for key in ("x", "y", "width", "height"))
        if kinds is None or kind in kinds:
            found.append(Area(left, top, left + width, top + height, kind))
    return found


def segments(root):
    for element in root.iter(f"{SVG}polyline"):
        points = [tuple(map(float, point.split(","))) for point in element.get("points").split()]
        for (x0, y0), (x1, y1) in pairwise(points):
            assert x0 == x1 or y0 == y1, "a line is neither upright nor level"
            yield Area(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1), element.get("class"))


def check_geometry(drawing):
    """No word touches a word or a line, none lies across the edge of a box or the canvas; boxes are apart or nested."""
    root = ET.fromstring(drawing)
    canvas = Area(0, 0, float(root.get("width")), float(root.get("height")), "canvas")
    words, areas, lines = texts(root), boxes(root), list(segments(root))
    for one, other in combinations(words, 2):
        assert one.apart(other), (one, other)
    for word in words:
        assert word.within(canvas), word
        for area in areas:
            assert word.apart(area) or word.within(area), (word, area)
        for line in lines:
            assert word.apart(line), (word, line)
    for one, other in combinations(areas, 2):
        assert one.apart(other, -0.11) or one.within(other) or other.within(one), (one, other)
        if {one.what, other.what} <= PLATES:
            assert one.apart(other), (one, other)
    for area in areas:
        assert area.within(canvas), area
        for line in lines if area.what in PLATES else ():
            assert line.apart(area, -0.11), (line, area)


def blocks(network):
    described = describe(network)
    return [*(line.name for line in described), *described.auxiliary]


def group(root, stage):
    (found,) = [element for element in root.iter(f"{SVG}g") if element.get("data-stage") == stage]
    return found


def shape(line):
    channels, height, width = line.output
    return f"{height}x{width}x{channels}"


@pytest.mark.parametrize("name", NETWORKS)
def test_no_words_of_any_drawing_overlap(name):
    network = NETWORKS[name]
    begun = perf_counter()
    drawings = {show: draw(network, show=show) for show in ("architecture", "cost", "receptive-field")}
    drawings |= {block: draw(network, block) for block in blocks(network)}
    assert perf_counter() - begun < 2  # seconds, all of them together
    for what, drawing in drawings.items():
        assert len(drawing.encode()) < 100_000, what
        assert 'role="img"' in drawing
        check_geometry(drawing)


def test_drawings_are_the_same_every_time():
    assert draw("googlenet") == draw(definition("googlenet")) == draw("googlenet")


@pytest.mark.parametrize("name", list_models())
def test_every_stage_stands_in_the_architecture_with_its_numbers(name):
    described, root = describe(name), ET.fromstring(draw(name))
    stages = [element.get("data-stage") for element in root.iter(f"{SVG}g")]
    assert sorted(stages) == sorted(blocks(name))
    assert [stage for stage in stages if stage not in described.auxiliary] == [line.name for line in described]
    for line in described:
        words = [area.what for area in texts(group(root, line.name))]
        assert {line.name, shape(line), f"{line.parameters:,}", f"{line.multiply_adds:,}"} <= set(words)
        count = re.match(r"(\d+) x inception(-resnet)?", line.kind)
        if count:
            assert f"{count[1]} x Inception{'-ResNet' if count[2] else ''}" in words
    for head, lines in described.auxiliary.items():
        words = [area.what for area in texts(group(root, head))]
        assert f"{sum(line.parameters for line in lines):,}" in words
        assert f"{sum(line.multiply_adds for line in lines):,}" in words
        tops = {stage: group(root, stage).find(f"{SVG}text").get("y") for stage in stages}
        assert float(tops[head]) > float(tops[definition(name).auxiliary[head].on])
    said = " ".join(element.text for element in root.iter(f"{SVG}text"))
    assert f"{described.parameters:,} parameters, {described.multiply_adds:,} multiply-adds" in said


def counted(root):
    """The lines of every box with a cost: words, shape, parameters, multiply-adds; as often as its frame says."""
    words = texts(root)
    frames = [(frame, int(word.what[2:])) for frame in boxes(root, {"frame"}) for word in words if beside(frame, word)]
    for plate in boxes(root, PLATES):
        lines = [word.what for word in sorted(words, key=lambda word: word.top) if word.within(plate)]
        times = math.prod(count for frame, count in frames if plate.within(frame))
        if len(lines) == 4 and plate.what != "join":
            yield lines, times


def beside(frame, word):
    return re.fullmatch(r"x \d+", word.what) and 0 < word.left - frame.right < 10 and frame.top < word.top < frame.bottom


@pytest.mark.parametrize("name", NETWORKS)
def test_the_boxes_of_a_block_sum_to_its_cost(name):
    described = describe(NETWORKS[name])
    costs = {line.name: (line.parameters, line.multiply_adds) for line in described}
    for head, lines in described.auxiliary.items():
        costs[head] = sum(line.parameters for line in lines), sum(line.multiply_adds for line in lines)
    for block, cost in costs.items():
        drawn = list(counted(ET.fromstring(draw(NETWORKS[name], block))))
        assert tuple(sum(int(lines[n].replace(",", "")) * times for lines, times in drawn) for n in (2, 3)) == cost, block


def test_3a_by_hand():
    """Table 1 of arXiv 1409.4842, 3a: 28x28x192 in; 64, 96 to 128, 16 to 32, pool to 32."""
    root = ET.fromstring(draw("googlenet", "3a"))
    drawn = {tuple(lines) for lines, _ in counted(root)}
    cells = 28 * 28
    expected = {
        (words, f"28x28x{out}", f"{weights + out:,}", f"{weights * cells:,}")
        for words, out, weights in (
            ("1x1 64", 64, 192 * 64),
            ("1x1 96", 96, 192 * 96),
            ("3x3 128", 128, 96 * 128 * 9),
            ("1x1 16", 16, 192 * 16),
            ("5x5 32", 32, 16 * 32 * 25),
            ("1x1 32", 32, 192 * 32),
        )
    }
    assert drawn == expected
    words = {area.what for area in texts(root)}
    assert {"3a of googlenet", "pool2", "28x28x192", "maxpool 3x3", "concat", "64 + 128 + 32 + 32 = 256", "28x28x256"} <= words
    lefts = {area.what: area.left for area in texts(root)}
    assert lefts["1x1 64"] < lefts["3x3 128"] < lefts["5x5 32"] < lefts["1x1 32"]  # as in Figure 2(b)


def test_a_residual_block_shows_shortcut_linear_scale_sum_and_relu():
    root = ET.fromstring(draw("inception_resnet_v2_printed", "A"))
    words = sorted(texts(root), key=lambda area: area.top)
    order = [area.what for area in words if area.what in {"concat", "1x1 384 linear", "x 0.17", "ReLU"}]
    assert order == ["concat", "1x1 384 linear", "x 0.17", "ReLU"]
    (plus,) = root.iter(f"{SVG}circle")
    x, y, radius = (float(plus.get(key)) for key in ("cx", "cy", "r"))
    ends = [line for line in segments(root) if line.top == line.bottom == y and line.right == x - radius]
    assert len(ends) == 1  # the shortcut arrives from the left
    assert "x 5" in {area.what for area in words}
    assert "no ReLU" in {area.what for area in texts(ET.fromstring(draw("inception_resnet_v2", "C_last")))}
    assert not [area for area in texts(ET.fromstring(draw("inception_resnet_v2", "C_last"))) if area.what.startswith("x ")]


def test_equal_rows_fed_differently_are_not_one():
    """VGG-19's conv3: 128 to 256 channels, then three of 256 to 256."""
    drawn = [(lines[2], times) for lines, times in counted(ET.fromstring(draw("vgg19", "conv3")))]
    assert drawn == [(f"{128 * 256 * 9 + 256:,}", 1), (f"{256 * 256 * 9 + 256:,}", 3)]


@pytest.mark.parametrize("name", list_models())
def test_the_cost_chart(name):
    described, root = describe(name), ET.fromstring(draw(name, show="cost"))
    shown = {line.name: line for line in described if line.parameters}
    assert {element.get("data-stage") for element in root.iter(f"{SVG}g")} == shown.keys() | described.auxiliary.keys()
    for stage, line in shown.items():
        words = [area.what for area in texts(group(root, stage))]
        shares = [f"{100 * part / whole:.1f} %" for part, whole in (
            (line.multiply_adds, described.multiply_adds), (line.parameters, described.parameters),
        )]  # fmt: skip
        assert words == [stage, f"{line.multiply_adds:,}", shares[0], f"{line.parameters:,}", shares[1]]
        bars = boxes(group(root, stage))
        for bar, cost, most in zip(
            bars,
            (line.multiply_adds, line.parameters),
            (max(line.multiply_adds for line in shown.values()), None),
            strict=True,
        ):
            if most and cost / most > 0.02:
                assert bar.right - bar.left == pytest.approx(120 * cost / most, abs=0.11)


@pytest.mark.parametrize("name", list_models())
def test_the_receptive_fields(name):
    described, root = describe(name), ET.fromstring(draw(name, show="receptive-field"))
    fields = {element.get("data-stage"): texts(element)[1].what for element in root.iter(f"{SVG}g")}
    assert fields == {stage: f"{described[stage].receptive_field:,}" for stage in fields}
    assert set(fields.values()) == {f"{line.receptive_field:,}" for line in described}
    (border,) = boxes(root, {"border"})
    squares = boxes(root, {"field"})
    pixel = (border.right - border.left) / described.image_size
    sides = sorted({line.receptive_field for line in described if line.receptive_field <= 2 * described.image_size})
    assert [square.right - square.left for square in squares] == pytest.approx([side * pixel for side in sides], abs=0.11)
    for square in squares:
        assert square.left + square.right == pytest.approx(border.left + border.right, abs=0.21)
        assert square.top + square.bottom == pytest.approx(border.top + border.bottom, abs=0.21)


def luminance(colour):
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_words_stand_out_in_light_and_dark():
    """At least 4.5 to 1, as WCAG asks."""
    light, dark = draw("googlenet").partition("</style>")[0].split("@media (prefers-color-scheme: dark)")
    for rules in (light, dark):
        fills = dict(re.findall(r"\.gd-(\w+) \{ fill: (#\w{6});", rules))
        for words, under in [(tone, kind) for tone in ("ink", "muted") for kind in (*PLATES, "card")]:
            one, other = sorted((luminance(fills[words]), luminance(fills[under])))
            assert (other + 0.05) / (one + 0.05) > 4.5, (words, under)


def test_a_built_network_and_another_size_draw():
    network = godeeper.create_model("googlenet_bn", num_classes=5, width=0.25, small=True)
    assert draw(network) == draw(network.definition)
    assert "linear 5" in draw(network)
    assert "image 96x96x3" in draw("googlenet", image_size=96)
    assert "aux1" not in draw("googlenet", image_size=48)  # too small for them, as `describe` has it


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"network": "googlnet"}, GodeeperError, "unknown model 'googlnet': did you mean 'googlenet'?"),
        ({"network": "googlenet", "block": "aux"}, GodeeperError, "unknown stage 'aux': did you mean 'aux"),
        ({"network": "googlenet", "block": ""}, GodeeperError, "unknown stage '': choose one of"),
        ({"network": "googlenet", "show": "costs"}, GodeeperError, "unknown drawing 'costs': did you mean 'cost'?"),
        ({"network": "googlenet", "block": "4a", "show": "cost"}, GodeeperError, "leave out either block '4a' or show 'cost'"),
        ({"network": "inception_v4", "image_size": 30}, TooSmall, "at least 75x75"),
        ({"network": "bn_inception_caffe", "image_size": 240}, Uneven, "cannot take images of 240x240"),
        ({"network": 3}, GodeeperError, "describe takes a model's name"),
    ],
)
def test_what_cannot_be_drawn(arguments, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        draw(**arguments)


def test_an_auxiliary_head_that_the_image_is_too_small_for_is_named():
    with pytest.raises(TooSmall, match=r"auxiliary heads of googlenet .* at least 49x49"):
        draw("googlenet", "aux1", image_size=48)


def test_the_command(tmp_path, capsys):
    out = tmp_path / "4a.svg"
    assert status(["draw", "googlenet", "--block", "4a", "--out", str(out)]) == 0
    assert out.read_text(encoding="utf-8") == draw("googlenet", "4a")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", f"drawn: {out}\n")
    assert status(["draw", "vgg16", "--show", "cost", "--image-size", "96", "--out", str(out)]) == 0
    assert out.read_text(encoding="utf-8") == draw("vgg16", show="cost", image_size=96)
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["googlenet", "--out", "{}/x.png"], "name an .svg file"),
        (["googlenet", "--out", "{}/none/x.svg"], "there is no folder"),
        (["googlenet", "--out", "{}/folder.svg"], "cannot write"),
        (["googlenet", "--block", "9z", "--out", "{}/x.svg"], "unknown stage '9z'"),
        (["nothing", "--out", "{}/x.svg"], "unknown model 'nothing'"),
        (["googlenet", "--show", "all", "--out", "{}/x.svg"], "'all' is not one of"),
        (["googlenet"], "--out"),
    ],
)
def test_the_command_refuses(tmp_path, capsys, arguments, message):
    (tmp_path / "folder.svg").mkdir()
    assert status(["draw", *(argument.format(tmp_path) for argument in arguments)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert message in said.err
    assert said.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["folder.svg"]


def test_the_geometry_check_sees_what_is_wrong():
    drawing = draw("googlenet", "3a")
    for change in (
        lambda text: re.sub(r'(y="[\d.]+")( font-size="11" text-anchor="middle">28x28x64)', r'y="1"\2', text),
        lambda text: text.replace(">3x3 128<", ">3x3 1280000000<"),
        lambda text: re.sub(r' width="\d[\d.]*"', ' width="400"', text, count=1),
    ):
        assert change(drawing) != drawing
        with pytest.raises(AssertionError):
            check_geometry(change(drawing))


def test_a_changed_table_is_a_changed_drawing():
    table = definition("googlenet")
    changed = replace(table, stages={**table.stages, "pool4": Max(3, 2, VALID)})
    assert draw(changed) != draw(table)
