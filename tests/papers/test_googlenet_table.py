"""describe("googlenet") against Table 1 of arXiv 1409.4842, typed by hand from the PDF: never from godeeper.papers.facts."""

import pytest

from godeeper import describe
from godeeper.papers.googlenet import GOOGLENET
from godeeper.papers.notation import Cat, Conv, rows

# Name: output as printed (height, width, channels), the depth column.
TABLE_1 = {
    "conv1": ((112, 112, 64), 1),
    "pool1": ((56, 56, 64), 0),
    "conv2": ((56, 56, 192), 2),
    "pool2": ((28, 28, 192), 0),
    "3a": ((28, 28, 256), 2),
    "3b": ((28, 28, 480), 2),
    "pool3": ((14, 14, 480), 0),
    "4a": ((14, 14, 512), 2),
    "4b": ((14, 14, 512), 2),
    "4c": ((14, 14, 512), 2),
    "4d": ((14, 14, 528), 2),
    "4e": ((14, 14, 832), 2),
    "pool4": ((7, 7, 832), 0),
    "5a": ((7, 7, 832), 2),
    "5b": ((7, 7, 1024), 2),
    "avgpool": ((1, 1, 1024), 0),
    "dropout": ((1, 1, 1024), 0),
    "linear": ((1, 1, 1000), 1),
}

# The pixels that one output sees: + (kernel - 1) * distance; the distance doubles at every stride of 2.
RECEPTIVE_FIELD = {
    "conv1": 7,  # 1 + 6 * 1
    "pool1": 11,  # + 2 * 2
    "conv2": 19,  # + 2 * 4
    "pool2": 27,  # + 2 * 4
    "3a": 59,  # + 4 * 8, by the 5x5
    "3b": 91,
    "pool3": 107,  # + 2 * 8
    "4a": 171,  # + 4 * 16
    "4b": 235,
    "4c": 299,
    "4d": 363,
    "4e": 427,
    "pool4": 459,  # + 2 * 16
    "5a": 587,  # + 4 * 32
    "5b": 715,
    "avgpool": 907,  # + 6 * 32
}

# Figure 3's patch/stride in words.
KINDS = {
    "conv1": "convolution 7x7/2",
    "pool1": "max pool 3x3/2",
    "norm1": "local response norm",
    "conv2": "convolution 3x3/1",
    "norm2": "local response norm",
    "pool2": "max pool 3x3/2",
    "3a": "inception",
    "pool3": "max pool 3x3/2",
    "pool4": "max pool 3x3/2",
    "avgpool": "avg pool 7x7/1",
    "dropout": "dropout 40%",
    "linear": "linear",
}

HEADS = {  # Section 5: height, width, channels
    "aux1": {"avgpool": (4, 4, 512), "conv": (4, 4, 128), "fc": (1, 1, 1024), "dropout": (1, 1, 1024), "linear": (1, 1, 1000)},
    "aux2": {"avgpool": (4, 4, 528), "conv": (4, 4, 128), "fc": (1, 1, 1024), "dropout": (1, 1, 1024), "linear": (1, 1, 1000)},
}


def hwc(line):
    channels, height, width = line.output
    return height, width, channels


@pytest.mark.parametrize("name", TABLE_1)
def test_output_size_and_depth_are_the_prints(name):
    line = describe("googlenet")[name]
    assert (hwc(line), line.depth) == TABLE_1[name]


def test_stages_come_in_the_prints_order_with_figure_3s_normalisations():
    names = [line.name for line in describe("googlenet")]
    assert [name for name in names if name not in ("norm1", "norm2")] == list(TABLE_1)
    assert names[1:6] == ["pool1", "norm1", "conv2", "norm2", "pool2"]


@pytest.mark.parametrize("name", KINDS)
def test_kind_is_the_prints(name):
    assert describe("googlenet")[name].kind == KINDS[name]


def test_totals():
    described = describe("googlenet")
    assert described.image_size == 224
    assert described.parameters == 6_998_552
    assert described.parameters_with_heads == 13_378_280
    assert described.depth == 22
    assert described.depth_with_pools == 27


def test_depth_counts_whichever_way_one_adds():
    by_hand = sum(depth for _, depth in TABLE_1.values())
    pools = sum(name.startswith("pool") or name == "avgpool" for name in TABLE_1)
    assert (by_hand, by_hand + pools) == (22, 27)
    assert (describe("googlenet").depth, describe("googlenet").depth_with_pools) == (by_hand, by_hand + pools)


@pytest.mark.parametrize("name", RECEPTIVE_FIELD)
def test_receptive_field(name):
    assert describe("googlenet")[name].receptive_field == RECEPTIVE_FIELD[name]


def convolutions(stage):
    for row in rows(stage):
        if isinstance(row, Conv):
            yield row
        elif isinstance(row, Cat):
            for branch in row.branches:
                yield from convolutions(branch)


def test_it_has_57_convolutions():
    counted = [conv for stage in GOOGLENET.stages.values() for conv in convolutions(stage)]
    assert len(counted) == 57  # 3 in the stem, 6 in each of 9 modules
    assert [sum(conv.kernel == kernel for conv in counted) for kernel in (1, 3, 5, 7)] == [37, 10, 9, 1]


@pytest.mark.parametrize("head", HEADS)
def test_auxiliary_heads_are_section_5s(head):
    lines = describe("googlenet").auxiliary[head]
    assert {line.name: hwc(line) for line in lines} == HEADS[head]
    kinds = ["avg pool 5x5/3", "convolution 1x1/1", "fully connected", "dropout 70%", "linear"]
    assert [line.kind for line in lines] == kinds


def test_auxiliary_heads_sit_on_4a_and_4d():
    assert {name: head.on for name, head in GOOGLENET.auxiliary.items()} == {"aux1": "4a", "aux2": "4d"}
