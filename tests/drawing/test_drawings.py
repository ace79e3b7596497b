"""Drawings held against `describe`, and against the widths of a real font: what is drawn is read from the SVG's text alone."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from svg_reader import NETWORKS, PLATES, SVG, blocks, boxes, check_geometry, counted, group, representative, segments, texts

import godeeper
from godeeper import GodeeperError, describe, draw, list_models
from godeeper.papers.notation import VALID, Conv, Definition, Linear, Max
from godeeper.papers.registry import definition
from godeeper.papers.shape import TooSmall, Uneven


def shape(line):
    channels, height, width = line.output
    return f"{height}x{width}x{channels}"


@pytest.mark.parametrize("name", representative(NETWORKS))
def test_no_texts_of_any_drawing_overlap(name):
    network = NETWORKS[name]
    drawings = {show: draw(network, show=show) for show in ("architecture", "cost", "receptive-field")}
    drawings |= {block: draw(network, block) for block in blocks(network)}
    for what, drawing in drawings.items():
        assert len(drawing.encode()) < 100_000, what
        assert 'role="img"' in drawing
        check_geometry(drawing)


def test_chinese_drawings_have_the_same_numbers_in_chinese_words():
    for options in ({}, {"block": "aux1"}, {"block": "3a"}, {"show": "cost"}, {"show": "receptive-field"}):
        english, chinese = (draw("googlenet", **options, lang=lang) for lang in ("en", "zh"))
        check_geometry(chinese)
        words, english_words = (" ".join(area.what for area in texts(ET.fromstring(svg))) for svg in (chinese, english))
        numbers, english_numbers = (set(re.findall(r"\d(?:[\d,]*\d)?", each)) for each in (words, english_words))
        assert numbers == english_numbers
        assert not re.search("parameters|multiply-adds|receptive|image|output|pixels", words)
    with pytest.raises(GodeeperError, match="unknown language 'fr'"):
        draw("googlenet", lang="fr")


def test_drawings_are_the_same_every_time():
    assert draw("googlenet") == draw(definition("googlenet")) == draw("googlenet")


@pytest.mark.parametrize("name", representative(list_models()))
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


@pytest.mark.parametrize("name", representative(NETWORKS))
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


@pytest.mark.parametrize("name", representative(list_models()))
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


@pytest.mark.parametrize("name", representative(list_models()))
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


@pytest.mark.parametrize("network", ["googlenet", Definition("one", "", {"conv": Conv(4)}, {"linear": Linear(3)})])
def test_the_receptive_fields_on_a_single_pixel(network):
    (border,) = boxes(ET.fromstring(draw(network, show="receptive-field", image_size=1)), {"border"})
    assert border.right - border.left == pytest.approx(300)


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
            darker, lighter = sorted((luminance(fills[words]), luminance(fills[under])))
            assert (lighter + 0.05) / (darker + 0.05) > 4.5, (words, under)


def test_a_built_network_and_another_size_draw():
    network = godeeper.create_model("googlenet_bn", num_classes=5, width=0.25, small=True)
    assert draw(network) == draw(network.definition)
    assert ">googlenet_bn (width 0.25, small)<" in draw(network)
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
