"""The boxes here were worked out with a pencil from arXiv 1409.4842, Section 7, never by running the code."""

from collections import Counter
from random import Random

import pytest

import godeeper
from godeeper import GodeeperError
from godeeper.data.crops import Place, Sheet, nested, patch, sheets

# One line a square: top left, top right, bottom left, bottom right, centre, whole square.
LANDSCAPE_640X480 = {  # 640 * 256 / 480 = 341.3, and so on: the longer side is rounded down
    (341, 256): [
        [(0, 0, 224, 224), (32, 0, 256, 224), (0, 32, 224, 256), (32, 32, 256, 256), (16, 16, 240, 240), (0, 0, 256, 256)],
        [(42, 0, 266, 224), (74, 0, 298, 224), (42, 32, 266, 256), (74, 32, 298, 256), (58, 16, 282, 240), (42, 0, 298, 256)],
        [(85, 0, 309, 224), (117, 0, 341, 224), (85, 32, 309, 256), (117, 32, 341, 256), (101, 16, 325, 240), (85, 0, 341, 256)],
    ],
    (384, 288): [
        [(0, 0, 224, 224), (64, 0, 288, 224), (0, 64, 224, 288), (64, 64, 288, 288), (32, 32, 256, 256), (0, 0, 288, 288)],
        [(48, 0, 272, 224), (112, 0, 336, 224), (48, 64, 272, 288), (112, 64, 336, 288), (80, 32, 304, 256), (48, 0, 336, 288)],
        [(96, 0, 320, 224), (160, 0, 384, 224), (96, 64, 320, 288), (160, 64, 384, 288), (128, 32, 352, 256), (96, 0, 384, 288)],
    ],
    (426, 320): [
        [(0, 0, 224, 224), (96, 0, 320, 224), (0, 96, 224, 320), (96, 96, 320, 320), (48, 48, 272, 272), (0, 0, 320, 320)],
        [(53, 0, 277, 224), (149, 0, 373, 224), (53, 96, 277, 320), (149, 96, 373, 320), (101, 48, 325, 272), (53, 0, 373, 320)],
        [
            (106, 0, 330, 224),
            (202, 0, 426, 224),
            (106, 96, 330, 320),
            (202, 96, 426, 320),
            (154, 48, 378, 272),
            (106, 0, 426, 320),
        ],
    ],
    (469, 352): [
        [(0, 0, 224, 224), (128, 0, 352, 224), (0, 128, 224, 352), (128, 128, 352, 352), (64, 64, 288, 288), (0, 0, 352, 352)],
        [
            (58, 0, 282, 224),
            (186, 0, 410, 224),
            (58, 128, 282, 352),
            (186, 128, 410, 352),
            (122, 64, 346, 288),
            (58, 0, 410, 352),
        ],
        [
            (117, 0, 341, 224),
            (245, 0, 469, 224),
            (117, 128, 341, 352),
            (245, 128, 469, 352),
            (181, 64, 405, 288),
            (117, 0, 469, 352),
        ],
    ],
}

PORTRAIT_500X707 = {  # 707 * 256 / 500 = 361.98, 407.2, 452.5, 497.7
    (256, 361): [
        [(0, 0, 224, 224), (32, 0, 256, 224), (0, 32, 224, 256), (32, 32, 256, 256), (16, 16, 240, 240), (0, 0, 256, 256)],
        [(0, 52, 224, 276), (32, 52, 256, 276), (0, 84, 224, 308), (32, 84, 256, 308), (16, 68, 240, 292), (0, 52, 256, 308)],
        [
            (0, 105, 224, 329),
            (32, 105, 256, 329),
            (0, 137, 224, 361),
            (32, 137, 256, 361),
            (16, 121, 240, 345),
            (0, 105, 256, 361),
        ],
    ],
    (288, 407): [
        [(0, 0, 224, 224), (64, 0, 288, 224), (0, 64, 224, 288), (64, 64, 288, 288), (32, 32, 256, 256), (0, 0, 288, 288)],
        [(0, 59, 224, 283), (64, 59, 288, 283), (0, 123, 224, 347), (64, 123, 288, 347), (32, 91, 256, 315), (0, 59, 288, 347)],
        [
            (0, 119, 224, 343),
            (64, 119, 288, 343),
            (0, 183, 224, 407),
            (64, 183, 288, 407),
            (32, 151, 256, 375),
            (0, 119, 288, 407),
        ],
    ],
    (320, 452): [
        [(0, 0, 224, 224), (96, 0, 320, 224), (0, 96, 224, 320), (96, 96, 320, 320), (48, 48, 272, 272), (0, 0, 320, 320)],
        [(0, 66, 224, 290), (96, 66, 320, 290), (0, 162, 224, 386), (96, 162, 320, 386), (48, 114, 272, 338), (0, 66, 320, 386)],
        [
            (0, 132, 224, 356),
            (96, 132, 320, 356),
            (0, 228, 224, 452),
            (96, 228, 320, 452),
            (48, 180, 272, 404),
            (0, 132, 320, 452),
        ],
    ],
    (352, 497): [
        [(0, 0, 224, 224), (128, 0, 352, 224), (0, 128, 224, 352), (128, 128, 352, 352), (64, 64, 288, 288), (0, 0, 352, 352)],
        [
            (0, 72, 224, 296),
            (128, 72, 352, 296),
            (0, 200, 224, 424),
            (128, 200, 352, 424),
            (64, 136, 288, 360),
            (0, 72, 352, 424),
        ],
        [
            (0, 145, 224, 369),
            (128, 145, 352, 369),
            (0, 273, 224, 497),
            (128, 273, 352, 497),
            (64, 209, 288, 433),
            (0, 145, 352, 497),
        ],
    ],
}

SQUARE = {  # left, centre and right square are one and the same
    (256, 256): 3
    * [[(0, 0, 224, 224), (32, 0, 256, 224), (0, 32, 224, 256), (32, 32, 256, 256), (16, 16, 240, 240), (0, 0, 256, 256)]],
    (288, 288): 3
    * [[(0, 0, 224, 224), (64, 0, 288, 224), (0, 64, 224, 288), (64, 64, 288, 288), (32, 32, 256, 256), (0, 0, 288, 288)]],
    (320, 320): 3
    * [[(0, 0, 224, 224), (96, 0, 320, 224), (0, 96, 224, 320), (96, 96, 320, 320), (48, 48, 272, 272), (0, 0, 320, 320)]],
    (352, 352): 3
    * [[(0, 0, 224, 224), (128, 0, 352, 224), (0, 128, 224, 352), (128, 128, 352, 352), (64, 64, 288, 288), (0, 0, 352, 352)]],
}

THIN_30X1000 = {  # 1000 * 256 / 30 = 8533.3
    (256, 8533): [
        [(0, 0, 224, 224), (32, 0, 256, 224), (0, 32, 224, 256), (32, 32, 256, 256), (16, 16, 240, 240), (0, 0, 256, 256)],
        [
            (0, 4138, 224, 4362),
            (32, 4138, 256, 4362),
            (0, 4170, 224, 4394),
            (32, 4170, 256, 4394),
            (16, 4154, 240, 4378),
            (0, 4138, 256, 4394),
        ],
        [
            (0, 8277, 224, 8501),
            (32, 8277, 256, 8501),
            (0, 8309, 224, 8533),
            (32, 8309, 256, 8533),
            (16, 8293, 240, 8517),
            (0, 8277, 256, 8533),
        ],
    ],
}

THIN_1X10000 = {
    (352, 3520000): [
        [(0, 0, 224, 224), (128, 0, 352, 224), (0, 128, 224, 352), (128, 128, 352, 352), (64, 64, 288, 288), (0, 0, 352, 352)],
        [
            (0, 1759824, 224, 1760048),
            (128, 1759824, 352, 1760048),
            (0, 1759952, 224, 1760176),
            (128, 1759952, 352, 1760176),
            (64, 1759888, 288, 1760112),
            (0, 1759824, 352, 1760176),
        ],
        [
            (0, 3519648, 224, 3519872),
            (128, 3519648, 352, 3519872),
            (0, 3519776, 224, 3520000),
            (128, 3519776, 352, 3520000),
            (64, 3519712, 288, 3519936),
            (0, 3519648, 352, 3520000),
        ],
    ],
}

SIZE_299_OF_640X480 = {  # 256 * 299 / 224 = 341.7, 384.4, 427.1, 469.9: the shorter side is rounded
    (456, 342): [
        [(0, 0, 299, 299), (43, 0, 342, 299), (0, 43, 299, 342), (43, 43, 342, 342), (21, 21, 320, 320), (0, 0, 342, 342)],
        [(57, 0, 356, 299), (100, 0, 399, 299), (57, 43, 356, 342), (100, 43, 399, 342), (78, 21, 377, 320), (57, 0, 399, 342)],
        [
            (114, 0, 413, 299),
            (157, 0, 456, 299),
            (114, 43, 413, 342),
            (157, 43, 456, 342),
            (135, 21, 434, 320),
            (114, 0, 456, 342),
        ],
    ],
    (512, 384): [
        [(0, 0, 299, 299), (85, 0, 384, 299), (0, 85, 299, 384), (85, 85, 384, 384), (42, 42, 341, 341), (0, 0, 384, 384)],
        [(64, 0, 363, 299), (149, 0, 448, 299), (64, 85, 363, 384), (149, 85, 448, 384), (106, 42, 405, 341), (64, 0, 448, 384)],
        [
            (128, 0, 427, 299),
            (213, 0, 512, 299),
            (128, 85, 427, 384),
            (213, 85, 512, 384),
            (170, 42, 469, 341),
            (128, 0, 512, 384),
        ],
    ],
    (569, 427): [
        [(0, 0, 299, 299), (128, 0, 427, 299), (0, 128, 299, 427), (128, 128, 427, 427), (64, 64, 363, 363), (0, 0, 427, 427)],
        [
            (71, 0, 370, 299),
            (199, 0, 498, 299),
            (71, 128, 370, 427),
            (199, 128, 498, 427),
            (135, 64, 434, 363),
            (71, 0, 498, 427),
        ],
        [
            (142, 0, 441, 299),
            (270, 0, 569, 299),
            (142, 128, 441, 427),
            (270, 128, 569, 427),
            (206, 64, 505, 363),
            (142, 0, 569, 427),
        ],
    ],
    (626, 470): [
        [(0, 0, 299, 299), (171, 0, 470, 299), (0, 171, 299, 470), (171, 171, 470, 470), (85, 85, 384, 384), (0, 0, 470, 470)],
        [
            (78, 0, 377, 299),
            (249, 0, 548, 299),
            (78, 171, 377, 470),
            (249, 171, 548, 470),
            (163, 85, 462, 384),
            (78, 0, 548, 470),
        ],
        [
            (156, 0, 455, 299),
            (327, 0, 626, 299),
            (156, 171, 455, 470),
            (327, 171, 626, 470),
            (241, 85, 540, 384),
            (156, 0, 626, 470),
        ],
    ],
}

SIZE_32_OF_8X8 = {  # 36.6, 41.1, 45.7, 50.3
    (37, 37): 3 * [[(0, 0, 32, 32), (5, 0, 37, 32), (0, 5, 32, 37), (5, 5, 37, 37), (2, 2, 34, 34), (0, 0, 37, 37)]],
    (41, 41): 3 * [[(0, 0, 32, 32), (9, 0, 41, 32), (0, 9, 32, 41), (9, 9, 41, 41), (4, 4, 36, 36), (0, 0, 41, 41)]],
    (46, 46): 3 * [[(0, 0, 32, 32), (14, 0, 46, 32), (0, 14, 32, 46), (14, 14, 46, 46), (7, 7, 39, 39), (0, 0, 46, 46)]],
    (50, 50): 3 * [[(0, 0, 32, 32), (18, 0, 50, 32), (0, 18, 32, 50), (18, 18, 50, 50), (9, 9, 41, 41), (0, 0, 50, 50)]],
}


def flat(table, size):
    return [
        (resize, box, (size, size), flip)
        for resize, squares in table.items()
        for boxes in squares
        for box in boxes
        for flip in (False, True)
    ]


def as_tuples(views):
    return [(view.resize, view.box, view.out, view.flip) for view in views]


@pytest.mark.parametrize(
    ("width", "height", "size", "expected"),
    [
        pytest.param(640, 480, 224, LANDSCAPE_640X480, id="landscape"),
        pytest.param(500, 707, 224, PORTRAIT_500X707, id="portrait"),
        pytest.param(300, 300, 224, SQUARE, id="square"),
        pytest.param(640, 480, 299, SIZE_299_OF_640X480, id="size 299"),
        pytest.param(8, 8, 32, SIZE_32_OF_8X8, id="size 32"),
    ],
)
def test_the_144_views_are_those_of_the_paper(width, height, size, expected):
    assert as_tuples(godeeper.views(width, height, size, 144)) == flat(expected, size)


@pytest.mark.parametrize(
    ("width", "height", "expected", "first"),
    [pytest.param(30, 1000, THIN_30X1000, 0, id="30x1000"), pytest.param(1, 10000, THIN_1X10000, 108, id="1x10000")],
)
def test_one_scale_of_a_very_thin_image(width, height, expected, first):
    views = godeeper.views(width, height, 224, 144)
    assert as_tuples(views[first : first + 36]) == flat(expected, 224)


@pytest.mark.parametrize(
    ("width", "height", "size", "resize", "box"),
    [
        (640, 480, 224, (341, 256), (58, 16, 282, 240)),
        (500, 707, 224, (256, 361), (16, 68, 240, 292)),
        (640, 480, 299, (456, 342), (78, 22, 377, 321)),  # 78.5 and 21.5, to the even neighbour as torchvision has it
        (8, 8, 32, (37, 37), (2, 2, 34, 34)),
    ],
)
def test_the_single_view_is_the_centre(width, height, size, resize, box):
    assert as_tuples(godeeper.views(width, height, size, 1)) == [(resize, box, (size, size), False)]


@pytest.mark.parametrize(
    ("width", "height", "resize", "boxes"),
    [
        (
            640,
            480,
            (341, 256),
            [(42, 0, 266, 224), (74, 0, 298, 224), (42, 32, 266, 256), (74, 32, 298, 256), (58, 16, 282, 240)],
        ),
        (
            500,
            707,
            (256, 361),
            [(0, 52, 224, 276), (32, 52, 256, 276), (0, 84, 224, 308), (32, 84, 256, 308), (16, 68, 240, 292)],
        ),
    ],
)
def test_the_ten_views_are_corners_and_centre_of_the_central_square_mirrored_too(width, height, resize, boxes):
    expected = [(resize, box, (224, 224), flip) for box in boxes for flip in (False, True)]
    assert as_tuples(godeeper.views(width, height, 224, 10)) == expected


# Compact, for more images: an image's longer and shorter side, then for crops of 224 and of 299 the first edge of the single
# crop along the longer side, and a row a scale: the longer side once resized (rounded down), where the central square starts
# (half of the rest, rounded down) and where the last one does.
BY_HAND = {
    (640, 427): {  # 383.7, 431.7, 479.6, 527.6; 512.6, 575.6, 640, 704.4
        224: (80, [(383, 63, 127), (431, 71, 143), (479, 79, 159), (527, 87, 175)]),  # 79.5 to the even 80
        299: (106, [(512, 85, 170), (575, 95, 191), (640, 106, 213), (704, 117, 234)]),  # 106.5 to the even 106
    },
    (707, 500): {  # 362.0 (361.98), 407.2, 452.5, 497.7; 483.6, 543.0 (542.98), 603.8, 664.6
        224: (68, [(361, 52, 105), (407, 59, 119), (452, 66, 132), (497, 72, 145)]),  # 68.5
        299: (92, [(483, 70, 141), (542, 79, 158), (603, 88, 176), (664, 97, 194)]),
    },
    (300, 300): {
        224: (16, [(256, 0, 0), (288, 0, 0), (320, 0, 0), (352, 0, 0)]),
        299: (22, [(342, 0, 0), (384, 0, 0), (427, 0, 0), (470, 0, 0)]),  # 21.5
    },
    (50, 40): {  # smaller than the crop: x 1.25
        224: (48, [(320, 32, 64), (360, 36, 72), (400, 40, 80), (440, 44, 88)]),
        299: (64, [(427, 42, 85), (480, 48, 96), (533, 53, 106), (587, 58, 117)]),  # 427.5, 480, 533.75, 587.5
    },
    (500, 3): {  # 42666.7, 48000, 53333.3, 58666.7; 57000, 64000, 71166.7, 78333.3
        224: (21221, [(42666, 21205, 42410), (48000, 23856, 47712), (53333, 26506, 53013), (58666, 29157, 58314)]),
        299: (28350, [(57000, 28329, 56658), (64000, 31808, 63616), (71166, 35369, 70739), (78333, 38931, 77863)]),  # 28350.5
    },
    (10000, 1): {
        224: (
            1279888,
            [
                (2560000, 1279872, 2559744),
                (2880000, 1439856, 2879712),
                (3200000, 1599840, 3199680),
                (3520000, 1759824, 3519648),
            ],
        ),
        299: (
            1709850,  # 1709850.5
            [
                (3420000, 1709829, 3419658),
                (3840000, 1919808, 3839616),
                (4270000, 2134786, 4269573),
                (4700000, 2349765, 4699530),
            ],
        ),
    },
}
SCALES = {  # a scale's shorter side; from a square's edge to its centre crop (rounded down), and to the crop at the far corner
    224: [(256, 16, 32), (288, 32, 64), (320, 48, 96), (352, 64, 128)],
    299: [(342, 21, 43), (384, 42, 85), (427, 64, 128), (470, 85, 171)],  # 341.7, 384.4, 427.1, 469.9; 21.5 and 85.5
}
EDGE_OF_THE_SINGLE = {224: 16, 299: 22}  # along the shorter side: 21.5 to the even 22


def box_at(x, y, side):
    return x, y, x + side, y + side


def six_boxes(start, side, size, middle, far, wide):
    """Top left, top right, bottom left, bottom right, centre and whole of the square that starts there along the longer side."""
    x, y = (start, 0) if wide else (0, start)
    corners = [(0, 0), (far, 0), (0, far), (far, far), (middle, middle)]
    return [*(box_at(x + right, y + down, size) for right, down in corners), box_at(x, y, side)]


@pytest.mark.parametrize("wide", [True, False], ids=["wide", "tall"])
@pytest.mark.parametrize("size", [224, 299])
@pytest.mark.parametrize("sides", BY_HAND, ids=str)
def test_every_scheme_is_as_worked_out_by_hand(sides, size, wide):
    def turned(pair):
        return pair if wide else pair[::-1]

    single, rows = BY_HAND[sides][size]
    table = {}
    for (side, middle, far), (longer, second, third) in zip(SCALES[size], rows, strict=True):
        resize = turned((longer, side))
        table[resize] = [six_boxes(start, side, size, middle, far, wide) for start in (0, second, third)]
    width, height = turned(sides)
    assert as_tuples(godeeper.views(width, height, size, 144)) == flat(table, size)
    first = next(iter(table))
    central = flat({first: [table[first][1]]}, size)
    assert as_tuples(godeeper.views(width, height, size, 12)) == central
    assert as_tuples(godeeper.views(width, height, size, 10)) == central[:10]
    box = box_at(*turned((single, EDGE_OF_THE_SINGLE[size])), size)
    assert as_tuples(godeeper.views(width, height, size, 1)) == [(first, box, (size, size), False)]


@pytest.mark.parametrize(
    ("resize", "resized", "square", "middle", "far", "single"),
    [
        (299, (398, 299), 49, 0, 0, (50, 0)),  # 398.7 rounded down; half of 99; 49.5 to the even 50
        (330, (440, 330), 55, 15, 31, (70, 16)),  # half of 110; half of 31; 70.5 and 15.5 to 70 and 16
        (512, (682, 512), 85, 106, 213, (192, 106)),  # 682.7; half of 170; half of 213; 191.5 and 106.5 to 192 and 106
    ],
)
def test_the_shorter_side_may_be_chosen_for_all_schemes_but_144(resize, resized, square, middle, far, single):
    central = flat({resized: [six_boxes(square, resize, 299, middle, far, True)]}, 299)
    assert as_tuples(godeeper.views(640, 480, 299, 12, resize)) == central
    assert as_tuples(godeeper.views(640, 480, 299, 10, resize)) == central[:10]
    assert as_tuples(godeeper.views(640, 480, 299, 1, resize)) == [(resized, box_at(*single, 299), (299, 299), False)]
    assert as_tuples(godeeper.views(640, 480, 299, 144, resize)) == flat(SIZE_299_OF_640X480, 299)


@pytest.mark.parametrize("scheme", [1, 10, 12])
def test_a_crop_larger_than_the_resized_image_is_refused(scheme):
    with pytest.raises(GodeeperError, match="224x224 from an image resized to 223"):
        godeeper.views(640, 480, 224, scheme, 223)


def test_the_schemes_within_a_scheme_are_named_by_hand():
    named = {scheme: {count: list(places) for count, places in nested(scheme).items()} for scheme in (1, 10, 12, 144)}
    assert named[1] == {1: [0]}
    assert named[10] == {1: [8], 10: list(range(10))}  # after four corners and their mirror images
    assert named[12] == {1: [8], 10: list(range(10)), 12: list(range(12))}
    assert named[144] == {
        1: [20],
        10: list(range(12, 22)),  # the left square's 12 are before the central one's
        12: list(range(12, 24)),
        36: list(range(36)),
        72: list(range(72)),
        108: list(range(108)),
        144: list(range(144)),
    }
    with pytest.raises(GodeeperError, match="11 crops"):
        nested(11)


@pytest.mark.parametrize("scheme", [1, 10, 12, 144])
def test_each_scheme_within_another_lies_within_the_next(scheme):
    named = nested(scheme)
    assert list(named) == sorted(named)
    assert list(named)[-1] == scheme
    before = set()
    for count, places in named.items():
        assert len(set(places)) == len(places) == count
        assert before <= set(places) <= set(range(scheme))
        before = set(places)
    assert before == set(range(scheme))


@pytest.mark.parametrize("size", [32, 224, 299])
@pytest.mark.parametrize("width_height", [(640, 427), (500, 707), (300, 300), (50, 40), (3, 500), (10000, 1)])
def test_the_schemes_within_a_scheme_are_the_very_crops_that_they_would_be_alone(width_height, size):
    resize = {32: 37, 224: 256, 299: 342}[size]
    for scheme in (10, 12, 144):
        views, named = godeeper.views(*width_height, size, scheme), nested(scheme)
        for count in {10, 12} & set(named):
            assert [views[place] for place in named[count]] == godeeper.views(*width_height, size, count, resize)
        (single,), alone = (views[place] for place in named[1]), godeeper.views(*width_height, size, 1, resize)[0]
        assert (single.resize, single.out, single.flip) == (alone.resize, alone.out, alone.flip)
        assert max(abs(a - b) for a, b in zip(single.box, alone.box, strict=True)) <= 1  # rounded otherwise
    scales = [{view.resize for view in views[:count]} for count in (36, 72, 108, 144)]
    assert [len(scale) for scale in scales] == [1, 2, 3, 4]


def test_the_sheets_of_an_ordinary_image_by_hand():
    assert sheets(godeeper.views(640, 480)) == (
        [Sheet((341, 256), (58, 16, 282, 240), (224, 224))],
        [Place(0, 0, 0, False)],
    )
    corners = [(0, 0), (32, 0), (0, 32), (32, 32), (16, 16)]
    ten = [Place(0, x, y, flip) for x, y in corners for flip in (False, True)]
    square = (42, 0, 298, 256)
    assert sheets(godeeper.views(640, 480, 224, 10)) == ([Sheet((341, 256), square, (256, 256))], ten)
    assert sheets(godeeper.views(640, 480, 224, 12)) == (
        [Sheet((341, 256), square, (256, 256)), Sheet((341, 256), square, (224, 224))],
        [*ten, Place(1, 0, 0, False), Place(1, 0, 0, True)],
    )
    expected = [Sheet(resize, (0, 0, *resize), resize) for resize in LANDSCAPE_640X480]  # the resized image, all of it
    expected += [Sheet(resize, boxes[5], (224, 224)) for resize, squares in LANDSCAPE_640X480.items() for boxes in squares]
    assert sheets(godeeper.views(640, 480, 224, 144))[0] == expected


IMAGES = [(640, 480), (500, 707), (300, 300), (50, 40), (299, 100), (100, 299), (301, 100), (30, 1000), (1, 10000), (10000, 1)]


@pytest.mark.parametrize("size", [1, 7, 224, 299])
@pytest.mark.parametrize("width_height", IMAGES)
def test_every_view_lies_on_its_sheet(width_height, size):
    for scheme, resize in [
        (1, None),
        (10, None),
        (12, None),
        (144, None),
        (10, size),
        (12, size),
        (12, 3 * size),
        (12, 9 * size),
    ]:
        views = godeeper.views(*width_height, size, scheme, resize)
        wanted, places = sheets(views)
        assert len(places) == len(views)
        for view, place in zip(views, places, strict=True):
            sheet = wanted[place.sheet]
            assert (sheet.resize, place.flip) == (view.resize, view.flip)
            if view.box[2] - view.box[0] == size:
                left, top = sheet.box[0] + place.left, sheet.box[1] + place.top
                assert sheet.out == size_of(sheet.box)  # pixels of the resized image, as they are
                assert (left, top, left + size, top + size) == view.box
                assert 0 <= place.left <= sheet.out[0] - size
                assert 0 <= place.top <= sheet.out[1] - size
            else:
                assert (sheet.box, sheet.out, place.left, place.top) == (view.box, view.out, 0, 0)


@pytest.mark.parametrize("size", [224, 299])
@pytest.mark.parametrize(
    ("width_height", "per_scale", "squares"),
    [
        ((640, 480), 1, 12),
        ((500, 707), 1, 12),
        ((300, 300), 1, 4),  # three squares in one
        ((50, 40), 1, 12),
        ((299, 100), 1, 12),
        ((100, 299), 1, 12),
        ((300, 100), 3, 12),  # the squares touch
        ((1, 10000), 3, 12),
        ((10000, 1), 3, 12),
    ],
)
def test_there_are_few_sheets_and_none_is_large(width_height, per_scale, squares, size):
    wanted, _ = sheets(godeeper.views(*width_height, size, 144))
    plain = [sheet for sheet in wanted if sheet.out == size_of(sheet.box)]
    assert Counter(sheet.resize for sheet in plain) == dict.fromkeys({sheet.resize for sheet in wanted}, per_scale)
    assert len({sheet.resize for sheet in wanted}) == 4
    assert wanted[len(plain) :] == [sheet for sheet in wanted if sheet.out != size_of(sheet.box)]  # each after what it is made of
    assert len(wanted) - len(plain) == squares
    assert len(set(wanted)) == len(wanted)
    if per_scale == 3:
        assert all(sheet.out == (min(sheet.resize), min(sheet.resize)) for sheet in plain)
    assert sum(3 * sheet.out[0] * sheet.out[1] for sheet in wanted) < 10_000_000  # bytes


@pytest.mark.parametrize(
    ("side", "count"), [(side, 1) for side in (224, 256, 400, 447, 448, 480, 560, 670)] + [(671, 4), (672, 5), (2000, 5)]
)
@pytest.mark.parametrize("scheme", [10, 12])
@pytest.mark.parametrize("width_height", [(640, 480), (480, 640), (300, 300)])
def test_no_sheet_is_in_vain(width_height, scheme, side, count):
    """Networks may be shown a small part of an image, whose crops lie apart."""
    wanted, places = sheets(godeeper.views(*width_height, 224, scheme, side))
    assert {place.sheet for place in places} == set(range(len(wanted)))
    plain = [sheet.box for sheet in wanted if sheet.out == size_of(sheet.box)]
    assert len(plain) == count  # of 671, the centre crop, 223 to 447, meets the first alone; the others start at 447


def test_one_view_of_size_224_is_the_default():
    assert as_tuples(godeeper.views(640, 480)) == [((341, 256), (58, 16, 282, 240), (224, 224), False)]


@pytest.mark.parametrize("size", [1, 7, 32, 64, 224, 299, 331])
@pytest.mark.parametrize("width_height", [(1, 1), (1, 10000), (10000, 1), (223, 225), (33, 32), (640, 480)])
def test_every_view_lies_in_its_resized_image(width_height, size):
    width, height = width_height
    views = godeeper.views(width, height, size, 144)
    assert len(views) == 144
    assert sum(view.flip for view in views) == 72
    assert {view.out for view in views} == {(size, size)}
    for view in views:
        left, top, right, bottom = view.box
        assert 0 <= left < right <= view.resize[0]
        assert 0 <= top < bottom <= view.resize[1]
        assert right - left == bottom - top
        assert right - left in (size, min(view.resize))


@pytest.mark.parametrize("scheme", [0, -1, 2, 11, 143, 145])
def test_an_unknown_scheme_is_refused_with_the_choices(scheme):
    with pytest.raises(GodeeperError, match=rf"{scheme} crops: choose one of .*144") as error:
        godeeper.views(640, 480, 224, scheme)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("width_height_size", [(0, 480, 224), (640, 0, 224), (640, 480, 0), (-1, 5, 224)])
@pytest.mark.parametrize("scheme", [1, 10, 12, 144])
def test_an_empty_image_is_refused_with_its_size(width_height_size, scheme):
    width, height, size = width_height_size
    with pytest.raises(GodeeperError, match=f"{width}x{height}"):
        godeeper.views(width, height, size, scheme)


def patches(width, height, count, **options):
    random = Random(1)
    return [patch(width, height, random, **options) for _ in range(count)]


def size_of(box):
    return box[2] - box[0], box[3] - box[1]


@pytest.mark.parametrize("width_height", [(640, 480), (480, 640), (500, 500), (2000, 900), (224, 224)])
def test_patches_have_the_printed_share_of_the_area_and_aspect_ratio(width_height):
    width, height = width_height
    for chosen in patches(width, height, 1000):
        left, top, right, bottom = chosen.box
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        w, h = right - left, bottom - top
        assert (w + 1) / (h - 1) >= 3 / 4  # a pixel's grace for rounding
        assert (w - 1) / (h + 1) <= 4 / 3
        assert (w + 1) * (h + 1) / (width * height) >= 0.08
        assert (w - 1) * (h - 1) / (width * height) <= 1


@pytest.mark.parametrize("width_height", [(1, 1), (2, 1), (1, 10000), (10000, 1), (3, 5), (30, 1000), (8, 8)])
def test_patches_of_tiny_and_thin_images_lie_inside(width_height):
    width, height = width_height
    for chosen in patches(width, height, 500):
        left, top, right, bottom = chosen.box
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height


def test_a_image_too_thin_for_any_patch_gives_its_largest_allowed_centred_box():
    assert {chosen.box for chosen in patches(1000, 30, 50, crop_scale=(0.9, 1.0))} == {(480, 0, 520, 30)}  # 40 / 30 = 4 / 3
    assert {chosen.box for chosen in patches(30, 1000, 50, crop_scale=(0.9, 1.0))} == {(0, 480, 30, 520)}  # 30 / 40 = 3 / 4


def test_the_same_seed_gives_the_same_patches_and_another_seed_others():
    def drawn(seed):
        random = Random(seed)
        return [patch(640, 480, random) for _ in range(20)]

    assert drawn(5) == drawn(5)
    assert drawn(5) != drawn(6)
    assert len(set(drawn(5))) == 20


def test_all_interpolations_and_both_mirrorings_are_equally_frequent():
    seen = Counter((chosen.interpolation, chosen.flip) for chosen in patches(640, 480, 8000))
    assert set(seen) == {(how, flip) for how in ("bilinear", "area", "nearest", "bicubic") for flip in (False, True)}
    assert all(850 < count < 1150 for count in seen.values()), seen  # 1000 each; the deviation is 30


def test_without_mirroring_nothing_is_flipped():
    chosen = patches(640, 480, 500, hflip=False)
    assert len({one.box for one in chosen}) > 400
    assert not any(one.flip for one in chosen)


def test_the_area_is_even_between_8_and_100_percent():
    boxes = [chosen.box for chosen in patches(1000, 1000, 8000, crop_ratio=(1.0, 1.0))]  # squares of a square always fit
    shares = [w * h / 1e6 for w, h in map(size_of, boxes)]
    tenths = Counter(min(9, int((share - 0.08) / 0.092)) for share in shares)
    assert sorted(tenths) == list(range(10))
    assert all(680 < count < 920 for count in tenths.values()), tenths  # 800 each; the deviation is 27


def test_the_area_is_even_with_the_printed_aspect_ratios_where_all_of_them_fit():
    boxes = [chosen.box for chosen in patches(1000, 1000, 8000)]
    shares = [w * h / 1e6 for w, h in map(size_of, boxes)]
    fits = Counter(int((share - 0.08) / 0.067) for share in shares if 0.08 <= share < 0.75)  # 1 / (4 / 3) = 0.75
    mean = sum(fits.values()) / 10
    assert sorted(fits) == list(range(10))
    assert mean > 500
    assert all(0.85 * mean < count < 1.15 * mean for count in fits.values()), fits


def test_wide_and_tall_patches_are_equals():
    boxes = [chosen.box for chosen in patches(1000, 1000, 4000, crop_scale=(0.08, 0.5))]
    wide = sum(w > h for w, h in map(size_of, boxes))
    tall = sum(w < h for w, h in map(size_of, boxes))
    assert abs(wide - tall) < 260  # the deviation is 63
    assert wide + tall > 3900


def test_patches_reach_every_edge_of_the_image():
    boxes = [chosen.box for chosen in patches(640, 480, 3000)]
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    assert (min(lefts), min(tops), max(rights), max(bottoms)) == (0, 0, 640, 480)
    centre = sum(left + right for left, _, right, _ in boxes) / len(boxes) / 2
    assert abs(centre - 320) < 10
