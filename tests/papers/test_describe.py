"""The counting, on small definitions whose every number is worked out by hand beside it."""

import subprocess
import sys
from dataclasses import replace

import pytest

from godeeper import GodeeperError, describe, list_models
from godeeper.papers.describe import check_size, minimum_size
from godeeper.papers.notation import (
    CEIL,
    LRN,
    VALID,
    Adaptive,
    Auxiliary,
    Avg,
    AvgTo,
    BatchNorm,
    Cat,
    Conv,
    Definition,
    Dropout,
    FullyConnected,
    Linear,
    LinearNorm,
    Max,
    Residual,
    Separable,
    rows,
    times,
)
from godeeper.papers.registry import definition, scaled, variant
from godeeper.papers.shape import TooSmall, Uneven

GOOGLENETS = ["googlenet", "googlenet_counted", "googlenet_bn"]  # Table 1, three ways
# A network of each kind: plain, separable, with residual blocks, without Inception; the others are slow and show the same.
KINDS = ("googlenet", "bn_inception", "inception_resnet_v1_facenet", "alexnet")
EVERY = [name if name in KINDS else pytest.param(name, marks=pytest.mark.slow) for name in list_models()]
MODULE = Cat([Conv(2)], [Conv(3), Conv(4, 3)])


def network(*stages, batch_norm=None, size=7, head=None, auxiliary=None, channels=3):
    named = {f"row{number}": stage for number, stage in enumerate(stages, 1)}
    return Definition("tiny", "made up", named, head or {}, auxiliary or {}, batch_norm, image_size=size, in_channels=channels)


# Each on an image of 3 x size x size: output, parameters, multiply-adds, receptive field.
ROWS = {
    "same 5x5/2 on 7": (Conv(4, 5, 2), 7, (4, 4, 4), 4 * 3 * 25 + 4, 300 * 16, 5),
    "same 3x3/2 on 8": (Conv(4, 3, 2), 8, (4, 4, 4), 4 * 3 * 9 + 4, 108 * 16, 3),
    "same 3x3/2 on 1": (Conv(4, 3, 2), 1, (4, 1, 1), 4 * 3 * 9 + 4, 108, 3),
    "same 3x3/3 on 7": (Conv(4, 3, 3), 7, (4, 3, 3), 112, 108 * 9, 3),
    "valid 3x3/2 on 11": (Conv(4, 3, 2, VALID), 11, (4, 5, 5), 112, 108 * 25, 3),
    "valid 3x3/2 on 12": (Conv(4, 3, 2, VALID), 12, (4, 5, 5), 112, 108 * 25, 3),
    "valid 2x2/2 on 7": (Conv(4, 2, 2, VALID), 7, (4, 3, 3), 4 * 3 * 4 + 4, 48 * 9, 2),
    "1x1 on 5": (Conv(6), 5, (6, 5, 5), 6 * 3 + 6, 18 * 25, 1),
    # 6 depthwise filters of 9 weights, no bias; then 6 x 6 weights and 6 biases; both at 3 x 3 places
    "separable 3x3/2 on 5": (Separable(6, 3, 2, multiplier=2), 5, (6, 3, 3), 54 + 42, (54 + 36) * 9, 3),
    "separable valid on 5": (Separable(5, 3, padding=VALID), 5, (5, 3, 3), 27 + 20, (27 + 15) * 9, 3),
    "separable 1x3 on 5": (Separable(4, (1, 3)), 5, (4, 5, 5), 9 + 16, (9 + 12) * 25, 3),  # as a file may have it
    "max 3x3/2 on 7": (Max(3, 2), 7, (3, 4, 4), 0, 0, 3),
    "max valid 3x3/2 on 7": (Max(3, 2, VALID), 7, (3, 3, 3), 0, 0, 3),
    "max valid 3x3/2 on 8": (Max(3, 2, VALID), 8, (3, 3, 3), 0, 0, 3),
    "average to 1 of 7": (AvgTo(1), 7, (3, 1, 1), 0, 0, 7),
    "average to 2 of 7": (AvgTo(2), 7, (3, 2, 2), 0, 0, 4),  # stride 7 // 2 = 3, filter 7 - 3 = 4
    "average to 4 of 14": (AvgTo(4), 14, (3, 4, 4), 0, 0, 5),
    "lrn": (LRN(), 6, (3, 6, 6), 0, 0, 1),
    "dropout": (Dropout(0.4), 6, (3, 6, 6), 0, 0, 1),
    "fully connected on 4": (FullyConnected(10), 4, (10, 1, 1), 48 * 10 + 10, 480, 4),
    "linear on 4": (Linear(7), 4, (7, 1, 1), 48 * 7 + 7, 336, 4),
    # weights 2*3, 3*3 and 4*3*9, 5*3 with biases 2, 3, 4, 5; 138 weights at 25 places; 3x3 is the widest view
    "cat on 5": (Cat([Conv(2)], [Conv(3), Conv(4, 3)], [Max(3), Conv(5)]), 5, (11, 5, 5), 138 + 14, 138 * 25, 3),
    "cat, strided, on 5": (Cat([Conv(2, 3, 2)], [Max(3, 2)]), 5, (5, 3, 3), 54 + 2, 54 * 9, 3),
    # height x width: the margins of "same" lie left and right of a 1x7, above and below a 7x1
    "1x7 on 9": (Conv(4, (1, 7)), 9, (4, 9, 9), 4 * 3 * 7 + 4, 84 * 81, 7),
    "7x1 on 9": (Conv(4, (7, 1)), 9, (4, 9, 9), 88, 84 * 81, 7),
    "valid 1x7 on 9": (Conv(4, (1, 7), padding=VALID), 9, (4, 9, 3), 88, 84 * 27, 7),
    "valid 7x1 on 9": (Conv(4, (7, 1), padding=VALID), 9, (4, 3, 9), 88, 84 * 27, 7),
    "valid 3x1/2 on 9": (Conv(4, (3, 1), 2, VALID), 9, (4, 4, 5), 4 * 3 * 3 + 4, 36 * 20, 3),
    "1x7 then 7x1 on 9": ((Conv(4, (1, 7)), Conv(5, (7, 1))), 9, (5, 9, 9), 88 + 145, (84 + 140) * 81, 7),
    # with two zeros on each side of 15, an 11 fits at 0, 4 and 8 of 19
    "11x11/4 with 2 zeros on 15": (Conv(4, 11, 4, 2), 15, (4, 3, 3), 4 * 3 * 121 + 4, 1452 * 9, 11),
    "2x2/2 with a zero on 7": (Conv(4, 2, 2, 1), 7, (4, 4, 4), 4 * 3 * 4 + 4, 48 * 16, 2),
    "3x3 with no zeros on 7": (Conv(4, 3, padding=0), 7, (4, 5, 5), 112, 108 * 25, 3),
    "1x3 with a zero on 7": (Conv(4, (1, 3), padding=1), 7, (4, 9, 7), 40, 36 * 63, 3),  # above and below as well
    # as valid, but what hangs over the edge counts: at 0, 2, 4 and 6 of 8
    "max ceil 3x3/2 on 8": (Max(3, 2, CEIL), 8, (3, 4, 4), 0, 0, 3),
    "max ceil 3x3/2 on 7": (Max(3, 2, CEIL), 7, (3, 3, 3), 0, 0, 3),
    "max ceil 2x2/2 on 7": (Max(2, 2, CEIL), 7, (3, 4, 4), 0, 0, 2),
    "max ceil 3x3/2 on 2": (Max(3, 2, CEIL), 2, (3, 1, 1), 0, 0, 3),
    "max with a zero 3x3/2 on 8": (Max(3, 2, 1), 8, (3, 4, 4), 0, 0, 3),
    "average 3x3 on 5": (Avg(3), 5, (3, 5, 5), 0, 0, 3),
    "average valid 5x5/3 on 17": (Avg(5, 3, VALID), 17, (3, 5, 5), 0, 0, 5),
    "average, zeros counted, on 5": (Avg(3, counts_padding=True), 5, (3, 5, 5), 0, 0, 3),
    "adaptive to 4 of 14": (Adaptive(4), 14, (3, 4, 4), 0, 0, 4),  # 0-4, 3-7, 7-11, 10-14
    "adaptive to 6 of 6": (Adaptive(6), 6, (3, 6, 6), 0, 0, 1),
    "adaptive to 7 of 1": (Adaptive(7), 1, (3, 7, 7), 0, 0, 1),  # one value, 49 times
    "linear and norm on 4": (LinearNorm(10), 4, (10, 1, 1), 48 * 10 + 20, 480, 4),  # no bias, but scale and shift
    # the module's 6, 9 and 108 weights and 9 biases, then 6 -> 3 channels with biases; all at 25 places
    "residual on 5": (Residual(MODULE), 5, (3, 5, 5), 123 + 9 + 18 + 3, (123 + 18) * 25, 3),
    "scaled residual on 5": (Residual(MODULE, 0.1, relu=False), 5, (3, 5, 5), 153, 141 * 25, 3),
    "three residuals on 5": (times(3, Residual(MODULE)), 5, (3, 5, 5), 3 * 153, 3 * 141 * 25, 7),
    "two 3x3 on 5": (times(2, Conv(3, 3)), 5, (3, 5, 5), 2 * (81 + 3), 2 * 81 * 25, 5),
}


@pytest.mark.parametrize("case", ROWS)
def test_one_row(case):
    row, size, *expected = ROWS[case]
    (line,) = describe(network(row, size=size))
    assert [line.output, line.parameters, line.multiply_adds, line.receptive_field] == expected


@pytest.mark.parametrize(
    ("row", "parameters"),
    [
        (Conv(4, 5, 2), 300 + 8),  # scale and shift in place of the bias
        (Separable(6, 3, 2, multiplier=2), 54 + 36 + 12),  # after the 1x1 only
        (Cat([Conv(2)], [Conv(3), Conv(4, 3)]), 6 + 9 + 108 + 18),
        (FullyConnected(10), 3 * 49 * 10 + 10),  # never normalised
        (Linear(10), 3 * 49 * 10 + 10),
        (LinearNorm(10), 3 * 49 * 10 + 20),
        (Residual(MODULE), 123 + 2 * 9 + 18 + 3),  # the linear 1x1 keeps its bias and is never normalised
        (Max(3), 0),
        (Avg(3), 0),
    ],
)
def test_batch_norm_has_two_parameters_a_filter(row, parameters):
    (line,) = describe(network(row, batch_norm=BatchNorm()))
    assert line.parameters == parameters
    assert line.multiply_adds == describe(network(row))["row1"].multiply_adds


@pytest.mark.parametrize(
    ("row", "parameters"),
    [
        (Conv(4, 5, 2), 300 + 3 * 4),
        (Separable(6, 3, 2, multiplier=2), 54 + 36 + 3 * 6),
        (MODULE, 123 + 3 * 9),
        (Residual(MODULE), 123 + 3 * 9 + 18 + 3),
        (LinearNorm(10), 3 * 49 * 10 + 20),
        (Linear(10), 3 * 49 * 10 + 10),
    ],
)
def test_convolutions_may_keep_their_bias_beside_batch_norm(row, parameters):
    (line,) = describe(network(row, batch_norm=BatchNorm(conv_bias=True)))
    assert line.parameters == parameters


@pytest.mark.parametrize(
    ("row", "sides", "margins", "size"),
    [
        (Conv(4, (1, 7)), (1, 7), (0, 3), "1x7"),
        (Conv(4, (7, 1)), (7, 1), (3, 0), "7x1"),
        (Conv(4, 5), (5, 5), (2, 2), "5x5"),
        (Conv(4, (1, 7), padding=VALID), (1, 7), (0, 0), "1x7"),
        (Conv(4, 11, 4, 2), (11, 11), (2, 2), "11x11"),
        (Max(3, 2, CEIL), (3, 3), (0, 0), "3x3"),
        (Avg(3), (3, 3), (1, 1), "3x3"),
        (Separable(4, 7, 2), (7, 7), (3, 3), "7x7"),
    ],
)
def test_sides_and_margins_are_height_then_width(row, sides, margins, size):
    assert (row.sides, row.margins, row.size) == (sides, margins, size)


def test_a_residual_block_is_its_longest_branch_and_the_linear_1x1():
    (line,) = describe(network(Residual(MODULE)))
    assert (line.depth, line.depth_with_pools) == (3, 3)
    assert [(each.depth, each.output) for each in describe(network(times(4, Residual(MODULE))))] == [(12, (3, 7, 7))]


def test_a_residual_block_whose_body_changes_the_grid_is_refused():
    with pytest.raises(GodeeperError):  # 5x5 and 3x3 cannot be summed
        describe(network(Residual(Cat([Conv(2, 3, 2)])), size=5))


def test_times_is_a_stage_of_equal_rows():
    assert times(3, Conv(8, 3)) == (Conv(8, 3), Conv(8, 3), Conv(8, 3))
    assert rows(times(1, MODULE)) == (MODULE,)


def test_rows_in_sequence():
    described = describe(network(Conv(4, 3, 2, VALID), Max(3, 2), (Conv(2), Conv(6, 3)), size=11, head={"linear": Linear(5)}))
    outputs = {line.name: line.output for line in described}
    assert outputs == {"row1": (4, 5, 5), "row2": (4, 3, 3), "row3": (6, 3, 3), "linear": (5, 1, 1)}
    fields = [line.receptive_field for line in described]
    assert fields == [3, 3 + 2 * 2, 7 + 2 * 4, 15 + 2 * 4]  # the linear layer sees all 3 x 3, each 4 pixels apart
    parameters = [4 * 3 * 9 + 4, 0, (2 * 4 + 2) + (6 * 2 * 9 + 6), 6 * 9 * 5 + 5]
    assert [line.parameters for line in described] == parameters
    assert described.parameters == sum(parameters)
    assert described.multiply_adds == 108 * 25 + (8 + 108) * 9 + 270
    assert [(line.depth, line.depth_with_pools) for line in described] == [(1, 1), (0, 1), (2, 2), (1, 1)]
    assert (described.depth, described.depth_with_pools) == (4, 5)


def test_depth_is_the_longest_branch():
    (line,) = describe(network(Cat([Conv(1)], [Conv(1), Conv(1, 3), Conv(1, 3)], [Max(3), Max(3), Max(3), Conv(1)])))
    assert (line.depth, line.depth_with_pools) == (3, 4)
    assert line.receptive_field == 7


def test_in_channels_count():
    assert describe(network(Conv(4, 3), channels=1))["row1"].parameters == 4 * 9 + 4


@pytest.mark.parametrize(
    ("stages", "minimum"),
    [
        ([Conv(4, 3, 2)] * 5, 1),  # same padding always gives something
        ([Conv(4, 3, 2, VALID)], 3),
        ([Conv(4, 3, 2, VALID)] * 2, 7),  # 7 -> 3 -> 1
        ([Conv(4, 3, 2, VALID)] * 3, 15),  # 15 -> 7 -> 3 -> 1
        ([Max(3, 2, VALID)] * 3, 15),
        ([Conv(4, 3, 2), Max(3, 2), AvgTo(4)], 13),  # 13 -> 7 -> 4
        ([Cat([Conv(1, 3, 1, VALID), Conv(1, 3, 1, VALID)], [Conv(1, 5, 1, VALID)])], 5),
        ([Conv(4, (1, 7), padding=VALID)], 7),
        ([Max(3, 2, CEIL)] * 3, 8),  # 8 -> 4 -> 2 -> 1; 7 -> 3 -> 1, of which a 3x3 is too far over the edge
        ([Conv(4, 11, 4, 2), Max(3, 2, VALID)], 15),  # 15 -> 3 -> 1
        ([Residual(Cat([Conv(2)])), Avg(5, 3, VALID)], 5),
        ([Adaptive(6), Linear(2)], 1),  # takes anything
        ([Cat([Max(3, 2, CEIL)], [Conv(1, 3, 2)])], 2),  # of 1 a ceil pool gives nothing
        ([Separable(4, 7, 2, padding=VALID), Conv(4, 3, 1, VALID)], 11),  # 11 -> 3 -> 1
    ],
)
def test_minimum_size(stages, minimum):
    tiny = network(*stages, size=64)
    assert minimum_size(tiny) == describe(tiny).minimum_size == minimum
    assert min(list(describe(tiny, minimum))[-1].output) >= 1
    with pytest.raises(TooSmall, match=rf"at least {minimum}x{minimum} pixels, not {minimum - 1}x{minimum - 1}$"):
        describe(tiny, minimum - 1)


# Branches that fit together at some sizes only: a 3x3/2 that hangs over, beside one with margins, agree where the size is even.
SOMETIMES = Cat([Max(3, 2, CEIL)], [Conv(2, 3, 2)])


def test_branches_of_different_sizes_are_uneven():
    assert describe(network(SOMETIMES, size=8))["row1"].output == (5, 4, 4)
    with pytest.raises(Uneven, match="branches whose outputs are 3x3, 4x4 cannot be concatenated"):
        describe(network(SOMETIMES, size=8), 7)


@pytest.mark.parametrize(
    ("height", "width", "sizes"), [(7, 7, "3x3, 4x4"), (8, 7, "4x3, 4x4"), (7, 8, "3x4, 4x4"), (8, 8, None), (8, 6, None)]
)
def test_check_size_names_the_image_whose_branches_do_not_fit(height, width, sizes):
    tiny = network(SOMETIMES, size=8)
    if sizes is None:
        check_size(tiny, height, width)
        return
    with pytest.raises(Uneven, match=f"^tiny cannot take images of {height}x{width} pixels: .* {sizes} cannot") as caught:
        check_size(tiny, height, width)
    assert "\n" not in str(caught.value)


@pytest.mark.timeout(10)
def test_branches_that_never_fit_are_an_error_not_an_endless_search():
    never = network(Cat([Conv(1)], [Conv(1, 3, padding=VALID)]), size=9)
    with pytest.raises(Uneven):
        describe(never)


@pytest.mark.parametrize(("height", "width"), [(231, 231), (299, 299), (224, 240), (240, 224)])
def test_caffes_network_takes_some_sizes_only(height, width):
    caffe = definition("bn_inception_caffe")
    for size in (32, 64, 224, 320):
        check_size(caffe, size, size)
        check_size(caffe, 224, size)
    with pytest.raises(Uneven, match=f"bn_inception_caffe cannot take images of {height}x{width} pixels"):
        check_size(caffe, height, width)
    check_size(definition("bn_inception"), height, width)


def test_heads_raise_the_minimum_and_are_left_out_below_it():
    head = Auxiliary("row1", {"avgpool": AvgTo(4), "linear": Linear(2)})
    tiny = network(Conv(4, 3, 2), Conv(4, 3, 2), auxiliary={"aux": head}, size=8)
    assert (minimum_size(tiny), minimum_size(tiny, heads=True)) == (1, 7)  # 7 -> 4
    assert [line.output for line in describe(tiny, 7).auxiliary["aux"]] == [(4, 4, 4), (2, 1, 1)]
    assert describe(tiny, 6).auxiliary == {}
    assert describe(tiny, 7).parameters_with_heads == describe(tiny, 7).parameters + 64 * 2 + 2


@pytest.mark.parametrize("size", [0, -1])
def test_no_image_is_too_small(size):
    with pytest.raises(GodeeperError, match="at least 1x1"):
        describe("googlenet", size)


@pytest.mark.parametrize(
    ("stage", "kind"),
    [
        (Conv(4, 7, 2), "convolution 7x7/2"),
        ((Conv(4), Conv(4, 3)), "convolution 3x3/1"),
        (Separable(4, 7, 2), "separable convolution 7x7/2"),
        (Max(3, 2), "max pool 3x3/2"),
        (AvgTo(1), "avg pool 14x14/1"),
        (AvgTo(4), "avg pool 5x5/3"),
        ((Conv(4, 3, 2), AvgTo(1)), "avg pool 7x7/1"),  # of what reaches the pool
        (LRN(), "local response norm"),
        (Dropout(0.4), "dropout 40%"),
        (FullyConnected(4), "fully connected"),
        (Linear(4), "linear"),
        (Cat([Conv(1)], [Conv(2)]), "inception"),
        (Conv(4, (1, 7)), "convolution 1x7/1"),
        (Conv(4, (7, 1), 2), "convolution 7x1/2"),
        (Max(3, 2, CEIL), "max pool 3x3/2"),
        (Avg(5, 3, VALID), "avg pool 5x5/3"),
        (Adaptive(6), "avg pool to 6x6"),
        (LinearNorm(4), "linear and norm"),
        (Residual(MODULE), "inception-resnet"),
        (times(4, Residual(MODULE)), "4 x inception-resnet"),
        (times(2, Cat([Conv(1)], [Conv(2)])), "2 x inception"),
        ((Conv(1), Conv(2), Conv(2)), "convolution 1x1/1"),  # not equal
    ],
)
def test_kind(stage, kind):
    assert describe(network(stage, size=14))["row1"].kind == kind


def test_stages_by_name():
    described = describe("googlenet", 97)
    assert described["3a"].name == "3a"
    assert len(described) == len(list(described)) == 20
    with pytest.raises((GodeeperError, KeyError)):
        described["3c"]


def test_a_definition_and_its_name_are_described_alike():
    assert list_models()[:3] == GOOGLENETS
    for name in KINDS:
        assert describe(name) == describe(definition(name))


def test_batch_norm_in_googlenet():
    plain, normed = describe("googlenet"), describe("googlenet_bn")
    assert normed.multiply_adds == plain.multiply_adds
    filters = 64 + 64 + 192 + sum(  # every convolution of Table 1
        sum(counts) for counts in (
            (64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64), (192, 96, 208, 16, 48, 64), (160, 112, 224, 24, 64, 64),
            (128, 128, 256, 24, 64, 64), (112, 144, 288, 32, 64, 64), (256, 160, 320, 32, 128, 128),
            (256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128),
        )
    )  # fmt: skip
    assert normed.parameters == plain.parameters + filters
    assert normed.parameters_with_heads == plain.parameters_with_heads + filters + 2 * 128


# Variants


@pytest.mark.parametrize(
    ("count", "width", "expected"),
    [
        (64, 0.25, 16), (16, 0.25, 8), (96, 0.25, 24), (64, 0.01, 8), (204, 0.5, 104), (204, 0.75, 152), (64, 2, 128),
        (204, 1, 204), (204, 1.0, 204), (204, 2, 408), (24, 0.5, 16), (1024, 0.5, 512), (3, 1, 3),
    ],
)  # fmt: skip
def test_scaled(count, width, expected):
    assert scaled(count, width) == expected


@pytest.mark.parametrize("width", [0.1, 0.25, 0.33, 0.5, 0.75, 1.25, 2])
def test_scaled_is_the_nearest_multiple_of_8(width):
    for count in (16, 24, 32, 48, 64, 112, 144, 192, 204, 208, 288, 384, 1024):
        got = scaled(count, width)
        assert got % 8 == 0
        assert got == 8 or abs(got - count * width) <= 4


def test_width_scales_every_filter_and_unit_count():
    narrow = variant(definition("googlenet_counted"), width=0.25)
    assert narrow.stages["conv1"] == Separable(16, 7, 2, multiplier=8)
    assert narrow.stages["conv2"] == (Conv(16), Conv(48, 3))
    assert narrow.stages["3a"] == Cat([Conv(16)], [Conv(24), Conv(32, 3)], [Conv(8), Conv(8, 5)], [Max(3), Conv(8)])
    assert narrow.head == definition("googlenet_counted").head
    assert narrow.auxiliary["aux1"].stages["conv"] == Conv(32)
    assert narrow.auxiliary["aux1"].stages["fc"] == FullyConnected(256)
    assert narrow.auxiliary["aux1"].stages["linear"] == Linear(1000)


@pytest.mark.parametrize("name", EVERY)
def test_width_1_changes_nothing(name):
    assert variant(definition(name)) == variant(definition(name), width=1) == definition(name)


@pytest.mark.parametrize("name", EVERY)
def test_small_drops_the_stems_strides_only(name):
    original = definition(name)
    small = variant(original, small=True)
    assert original.stem
    assert list(small.stages) == list(original.stages)
    for stage, changed in small.stages.items():
        if stage in original.stem:
            expected = {("alexnet", "conv1"): {4}, ("googlenet_cifar", "whitening"): {1}}.get((name, stage), {2})
            assert strides(original.stages[stage]) == expected
            assert strides(changed) == {1}
        else:
            assert changed == original.stages[stage]
    assert (small.head, small.auxiliary, small.image_size) == (original.head, original.auxiliary, 32)
    assert describe(small).parameters == describe(original).parameters


def strides(stage):
    """Of all rows of a stage that have one."""
    inside = [branch for row in rows(stage) if isinstance(row, Cat) for branch in row.branches]
    return {row.stride for row in rows(stage) if hasattr(row, "stride")}.union(*map(strides, inside))


@pytest.mark.parametrize("name", GOOGLENETS)
def test_small_keeps_16x16_for_3a(name):
    small = variant(definition(name), small=True)
    for stem in ("conv1", "pool1"):
        assert vars(small.stages[stem]) == vars(definition(name).stages[stem]) | {"stride": 1}
    described = describe(small)
    assert [described[stage].output[1:] for stage in ("pool1", "3a", "4a", "5a")] == [(32, 32), (16, 16), (8, 8), (4, 4)]


@pytest.mark.parametrize("stage", ["conv1", "pool1"])
@pytest.mark.parametrize("name", ["googlenet_torchvision", "bn_inception_caffe", "zfnet"])
def test_small_pools_that_rounded_up_keep_their_grid(name, stage):
    described = describe(variant(definition(name), small=True))
    before = {"conv1": 32, "pool1": described["conv1"].output[1]}[stage]
    assert described[stage].output[1:] == (before, before) or (name, stage) == ("zfnet", "conv1")  # 7x7 with one zero: 28


def test_small_leaves_an_even_pool_that_rounded_up_its_padding():
    vgg = definition("vgg16")
    rounded_up = replace(vgg, stages={**vgg.stages, "pool1": Max(2, 2, CEIL)})
    assert variant(rounded_up, small=True).stages["pool1"] == Max(2, 1, CEIL)


@pytest.mark.parametrize("name", EVERY)
def test_num_classes_changes_the_classifiers_only(name):
    original, seven = definition(name), variant(definition(name), num_classes=7)
    assert seven.stages == original.stages
    assert seven.head == {**original.head, "linear": Linear(7)}
    assert seven.auxiliary.keys() == original.auxiliary.keys()
    for head in original.auxiliary:
        assert seven.auxiliary[head].stages == {**original.auxiliary[head].stages, "linear": Linear(7)}
    seen = CLASSIFIED.get(name, 1024)
    fewer = original.head["linear"].classes - 7
    assert describe(original).parameters - describe(seven).parameters == fewer * (seen + 1)


CLASSIFIED = {  # how many numbers the classifier sees
    "inception_v3": 2048, "inception_v3_tf": 2048, "inception_v3_fid": 2048, "inception_v4": 1536, "inception_v4_printed": 1536,
    "inception_resnet_v1": 1792, "inception_resnet_v1_facenet": 512, "inception_resnet_v2_printed": 2144,
    "inception_resnet_v2": 1536, "googlenet_cifar": 576, "alexnet": 4096, "zfnet": 4096, "vgg16": 4096, "vgg19": 4096,
}  # fmt: skip


def test_in_channels_changes_the_first_convolution_only():
    grey = variant(definition("googlenet"), in_channels=1)
    assert grey.stages == definition("googlenet").stages
    assert describe("googlenet").parameters - describe(grey).parameters == 2 * 49 * 64


def test_a_variant_keeps_what_is_not_asked_for():
    grey = variant(definition("googlenet"), num_classes=7, in_channels=1)
    narrow = variant(grey, width=0.5)
    assert (narrow.in_channels, narrow.head["linear"]) == (1, Linear(7))


@pytest.mark.parametrize(
    ("options", "title"),
    [
        ({}, "googlenet_bn"),
        ({"num_classes": 10, "in_channels": 1}, "googlenet_bn"),
        ({"width": 0.25}, "googlenet_bn (width 0.25)"),
        ({"width": 0.25, "small": True, "num_classes": 10}, "googlenet_bn (width 0.25, small)"),
    ],
)
def test_the_title_names_what_was_changed(options, title):
    assert variant(definition("googlenet_bn"), **options).title == title


def test_the_title_of_a_variants_variant_names_both_changes():
    once = variant(definition("vgg16"), width=0.5)
    assert variant(once, small=True).title == "vgg16 (width 0.5, small)"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"width": 0}, "width is 0"),
        ({"width": -0.5}, "width is -0.5"),
        ({"width": float("nan")}, "width is nan"),
        ({"width": float("inf")}, "width is inf"),
        ({"num_classes": 0}, "num_classes is 0"),
        ({"num_classes": -3}, "num_classes is -3"),
        ({"in_channels": 0}, "in_channels is 0"),
    ],
)
def test_variants_out_of_range(arguments, says):
    with pytest.raises(GodeeperError, match=says) as caught:
        variant(definition("googlenet"), **arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("googlnet", "did you mean 'googlenet'"),
        ("googlenet_bm", "did you mean 'googlenet_bn'"),
        ("inception-v4", "did you mean 'inception_v4'"),
        ("xyz", "choose one of: .*googlenet, googlenet_bn, googlenet_cifar, googlenet_counted"),
    ],
)
def test_an_unknown_name_gets_the_nearest(name, says):
    for ask in (definition, describe):
        with pytest.raises(GodeeperError, match=says):
            ask(name)


def test_counting_does_not_import_torch():
    code = "import godeeper, sys; godeeper.describe('googlenet'); godeeper.audit('googlenet'); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("row", [Conv, Max, Avg, Separable])
def test_an_even_filter_cannot_have_same_padding(row):
    with pytest.raises(ValueError, match="odd filter, not 2x2"):
        row(kernel=2, **({} if row in (Max, Avg) else {"filters": 4}))
    assert row(kernel=2, padding=VALID, **({} if row in (Max, Avg) else {"filters": 4})).kernel == 2
