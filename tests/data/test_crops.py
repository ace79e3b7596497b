"""The boxes here were worked out with a pencil from arXiv 1409.4842, Section 7, never by running the code."""

import pytest

from godeeper import CropBox, GodeeperError, Resize, crop_boxes
from godeeper.data.crops import crops_within

ALL = (1, 10, 12, 144)


def flat(table):
    """A table of squares by the size of the resized image -> the crops in order, each beside its mirror image."""
    return [
        (resized, box, flip) for resized, squares in table.items() for boxes in squares for box in boxes for flip in (False, True)
    ]


def as_tuples(crops):
    return [(crop.resized, crop.box, crop.flip) for crop in crops]


# An image's longer and shorter side, then for crops of 224 and of 299 the first edge of the single
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
def test_every_number_of_crops_is_as_worked_out_by_hand(sides, size, wide):
    def turned(pair):
        return pair if wide else pair[::-1]

    single, rows = BY_HAND[sides][size]
    table = {}
    for (side, middle, far), (longer, second, third) in zip(SCALES[size], rows, strict=True):
        resized = turned((longer, side))
        table[resized] = [six_boxes(start, side, size, middle, far, wide) for start in (0, second, third)]
    width, height = turned(sides)
    assert as_tuples(crop_boxes(width, height, Resize(size), 144)) == flat(table)
    first = next(iter(table))
    central = flat({first: [table[first][1]]})
    assert as_tuples(crop_boxes(width, height, Resize(size), 12)) == central
    assert as_tuples(crop_boxes(width, height, Resize(size), 10)) == central[:10]
    box = box_at(*turned((single, EDGE_OF_THE_SINGLE[size])), size)
    assert as_tuples(crop_boxes(width, height, Resize(size))) == [(first, box, False)]


@pytest.mark.parametrize(
    ("side", "resized", "square", "middle", "far", "single"),
    [
        (299, (398, 299), 49, 0, 0, (50, 0)),  # 398.7 rounded down; half of 99; 49.5 to the even 50
        (330, (440, 330), 55, 15, 31, (70, 16)),  # half of 110; half of 31; 70.5 and 15.5 to 70 and 16
        (512, (682, 512), 85, 106, 213, (192, 106)),  # 682.7; half of 170; half of 213; 191.5 and 106.5 to 192 and 106
    ],
)
def test_the_crop_fraction_sets_the_scale_of_all_but_144(side, resized, square, middle, far, single):
    resize = Resize(299, crop_fraction=299 / side)
    central = flat({resized: [six_boxes(square, side, 299, middle, far, True)]})
    assert as_tuples(crop_boxes(640, 480, resize, 12)) == central
    assert as_tuples(crop_boxes(640, 480, resize, 10)) == central[:10]
    assert as_tuples(crop_boxes(640, 480, resize)) == [(resized, box_at(*single, 299), False)]
    assert crop_boxes(640, 480, resize, 144) == crop_boxes(640, 480, Resize(299), 144)


@pytest.mark.parametrize("width_height", [(640, 480), (480, 640), (1, 9)])
def test_squashed_images_are_squares_of_the_scale(width_height):
    resize = Resize(224, mode="squash")
    whole = (0, 0, 224, 224)
    assert crop_boxes(*width_height, resize) == [CropBox((224, 224), whole, whole, 224)]
    square = {side: six_boxes(0, side, 224, middle, far, True) for side, middle, far in SCALES[224]}
    assert as_tuples(crop_boxes(*width_height, resize, 10)) == flat({(256, 256): [square[256]]})[:10]
    assert as_tuples(crop_boxes(*width_height, resize, 12)) == flat({(256, 256): [square[256]]})
    assert as_tuples(crop_boxes(*width_height, resize, 144)) == flat({(side, side): 3 * [square[side]] for side in square})


def test_one_crop_of_224_pixels_is_the_default():
    assert crop_boxes(640, 480) == [CropBox((341, 256), (58, 16, 282, 240), (58, 16, 282, 240), 224)]


def test_the_crops_within_others_are_named_by_hand():
    within = {crops: {count: list(numbers) for count, numbers in crops_within(crops).items()} for crops in ALL}
    assert within[1] == {1: [0]}
    assert within[10] == {1: [8], 10: list(range(10))}  # after four corners and their mirror images
    assert within[12] == {1: [8], 10: list(range(10)), 12: list(range(12))}
    assert within[144] == {
        1: [20],
        10: list(range(12, 22)),  # the left square's 12 are before the central one's
        12: list(range(12, 24)),
        36: list(range(36)),
        72: list(range(72)),
        108: list(range(108)),
        144: list(range(144)),
    }
    with pytest.raises(GodeeperError, match="11 crops"):
        crops_within(11)


@pytest.mark.parametrize("size", [32, 224, 299])
@pytest.mark.parametrize("width_height", [(640, 427), (500, 707), (300, 300), (50, 40), (3, 500), (10000, 1)])
def test_the_crops_within_others_are_the_very_crops_that_they_would_be_alone(width_height, size):
    resize = Resize(size)
    for crops in (10, 12, 144):
        boxes, within = as_tuples(crop_boxes(*width_height, resize, crops)), crops_within(crops)
        for count in {10, 12} & set(within):
            assert [boxes[number] for number in within[count]] == as_tuples(crop_boxes(*width_height, resize, count))
        (single,), (alone,) = (boxes[number] for number in within[1]), as_tuples(crop_boxes(*width_height, resize))
        assert (single[0], single[2]) == (alone[0], alone[2])
        assert max(abs(a - b) for a, b in zip(single[1], alone[1], strict=True)) <= 1  # rounded otherwise
    scales = [{resized for resized, _, _ in boxes[:count]} for count in (36, 72, 108, 144)]
    assert [len(scale) for scale in scales] == [1, 2, 3, 4]


@pytest.mark.parametrize("mode", ["crop", "squash"])
@pytest.mark.parametrize("size", [1, 7, 224, 331])
@pytest.mark.parametrize("width_height", [(1, 1), (1, 10000), (10000, 1), (223, 225), (300, 100), (640, 480)])
def test_every_crop_lies_in_its_region_of_its_resized_image(width_height, size, mode):
    for crops in ALL:
        boxes = crop_boxes(*width_height, Resize(size, mode=mode), crops)
        assert len(boxes) == crops
        assert sum(box.flip for box in boxes) == crops // 2
        for box in boxes:
            (x0, y0, x1, y1), (left, top, right, bottom) = box.region, box.box
            assert 0 <= x0 <= left < right <= x1 <= box.resized[0]
            assert 0 <= y0 <= top < bottom <= y1 <= box.resized[1]
            assert right - left == bottom - top
            assert right - left in (size, min(box.resized))
            assert box.size == size


@pytest.mark.parametrize("size", [224, 299])
@pytest.mark.parametrize(
    ("width_height", "per_scale"), [((640, 480), 1), ((300, 300), 1), ((100, 299), 1), ((300, 100), 3), ((1, 10000), 3)]
)
def test_an_image_is_resized_once_a_scale_unless_its_squares_lie_apart(width_height, size, per_scale):
    boxes = crop_boxes(*width_height, Resize(size), 144)
    regions = {(box.resized, box.region) for box in boxes}
    assert len({resized for resized, _ in regions}) == 4
    assert len(regions) == 4 * per_scale
    assert sum(3 * (x1 - x0) * (y1 - y0) for _, (x0, y0, x1, y1) in regions) < 10_000_000  # bytes


@pytest.mark.parametrize("crops", [0, -1, 2, 11, 143, 145])
def test_an_unknown_number_of_crops_is_refused_with_the_choices(crops):
    with pytest.raises(GodeeperError, match=rf"{crops} crops: choose one of .*144") as error:
        crop_boxes(640, 480, Resize(224), crops)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("width", "height"), [(0, 480), (640, 0), (-1, 5)])
def test_an_empty_image_is_refused_with_its_size(width, height):
    for crops in ALL:
        with pytest.raises(GodeeperError, match=f"{width}x{height}"):
            crop_boxes(width, height, Resize(224), crops)
