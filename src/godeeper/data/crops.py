"""Which parts of an image a network is shown. Geometry only: numbers in, numbers out.

Boxes are (left, top, right, bottom) in pixels, right and bottom excluded.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

from ..errors import GodeeperError
from ..preprocess import Interpolation

Box = tuple[int, int, int, int]

PRINTED_SIZE = 224
PRINTED_SCALES = (256, 288, 320, 352)  # the shorter side, for crops of 224: arXiv 1409.4842, Section 7
SCHEMES = (1, 10, 12, 144)


@dataclass(frozen=True)
class View:
    """One crop for evaluation: resize the image to `resize`, cut `box`, resize that to `out`, flip it left to right if `flip`."""

    resize: tuple[int, int]
    box: Box
    out: tuple[int, int]
    flip: bool = False


def views(width: int, height: int, size: int = PRINTED_SIZE, scheme: int = 1, resize: int | None = None) -> list[View]:
    """The crops of `scheme` for an image of that width and height and a network input of `size` pixels.

    1: the centre crop at scale 256. 10: four corners and centre of the central square at scale 256, mirrored too (Krizhevsky
    et al. 2012). 12: the whole square, too (arXiv 1602.07261 has 12 crops, undescribed). 144: arXiv 1409.4842, Section 7: 4
    scales x 3 squares x (4 corners, centre, whole square) x flip. Scales are those of 224-pixel crops and grow in proportion
    to `size` (at 299: 342, 384, 427, 470); `resize` sets that of the other schemes, the shorter side in pixels. GodeeperError
    for another scheme, an empty image, and a crop larger than the resized image.
    """
    check_scheme(scheme)
    if min(width, height, size) < 1:
        raise GodeeperError(f"cannot crop {size}x{size} from an image of {width}x{height}")
    if scheme == 144:
        return [view for scale in PRINTED_SCALES for view in _scale_views(width, height, size, _side(scale, size))]
    side = _side(PRINTED_SCALES[0], size) if resize is None else resize
    if side < size:
        raise GodeeperError(f"cannot crop {size}x{size} from an image resized to {side}")
    resized = _resized(width, height, side)
    if scheme == 1:
        left, top = round((resized[0] - size) / 2), round((resized[1] - size) / 2)
        return [View(resized, (left, top, left + size, top + size), (size, size))]
    square = _squares(*resized, side)[1]
    boxes = _corners_and_centre(square, size)
    if scheme == 12:
        boxes.append(square)
    return [View(resized, box, (size, size), flip) for box in boxes for flip in (False, True)]


def nested(scheme: int) -> dict[int, Sequence[int]]:
    """The smaller schemes within the views of `scheme`: how many crops, and their places among them.

    Of 144, those of 10 and 12 are of its smallest scale, 36 is that scale, 72 and 108 add scales. A single crop is the centre.
    """
    check_scheme(scheme)
    if scheme < 144:
        sizes = [number for number in (10, 12) if number <= scheme]
        return ({1: [CENTRE]} if sizes else {1: [0]}) | {number: range(number) for number in sizes}
    middle = {number: range(12, 12 + number) for number in (10, 12)}  # the second of three squares of 12 views
    return {1: [12 + CENTRE], **middle, **{number: range(number) for number in (36, 72, 108, 144)}}


CENTRE = 8  # the place of the centre crop among a square's: after four corners and their mirror images


@dataclass(frozen=True)
class Sheet:
    """What views are cut from: resize the image to `resize`, keep `box`, resize that to `out`."""

    resize: tuple[int, int]
    box: Box
    out: tuple[int, int]


@dataclass(frozen=True)
class Place:
    """Where a view lies: the sheet's number, and the view's left and top edge there."""

    sheet: int
    left: int
    top: int
    flip: bool


def sheets(crops: Sequence[View]) -> tuple[list[Sheet], list[Place]]:
    """The fewest sheets that the views can be cut from, so that an image is resized once a scale; and each view's place.

    Boxes of one scale that overlap share a sheet; those far apart, in a very long image, do not, so that no sheet is longer
    than its boxes. Views that are themselves resized (whole squares) have a sheet of their own, after the others.
    """
    whole = {(view.resize, view.box) for view in crops if view.out == _size(view.box)}
    result = [
        Sheet(resize, box, _size(box))
        for resize in dict.fromkeys(view.resize for view in crops)
        for box in _merged(box for other, box in whole if other == resize)
    ]
    result += dict.fromkeys(Sheet(view.resize, view.box, view.out) for view in crops if view.out != _size(view.box))
    return result, [_place(view, result) for view in crops]


def _place(view: View, among: Sequence[Sheet]) -> Place:
    if view.out != _size(view.box):
        return Place(among.index(Sheet(view.resize, view.box, view.out)), 0, 0, view.flip)
    number = next(n for n, sheet in enumerate(among) if holds(sheet, view.resize, view.box))
    left, top, _, _ = among[number].box
    return Place(number, view.box[0] - left, view.box[1] - top, view.flip)


def holds(sheet: Sheet, resize: tuple[int, int], box: Box) -> bool:
    """Whether the pixels of `box`, of the image resized to `resize`, lie on the sheet."""
    left, top, right, bottom = sheet.box
    inside = left <= box[0] and top <= box[1] and box[2] <= right and box[3] <= bottom
    return inside and sheet.resize == resize and sheet.out == _size(sheet.box)


def _merged(boxes: Iterable[Box]) -> list[Box]:
    """The bounding boxes of boxes that overlap, one after the other."""
    result: list[Box] = []
    for box in sorted(boxes):
        union = box
        while other := next((other for other in result if _overlap(other, union)), None):
            result.remove(other)
            union = min(other[0], union[0]), min(other[1], union[1]), max(other[2], union[2]), max(other[3], union[3])
        result.append(union)
    return result


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _size(box: Box) -> tuple[int, int]:
    return box[2] - box[0], box[3] - box[1]


def check_scheme(scheme: int) -> None:
    """GodeeperError unless there is a scheme of that many crops."""
    if scheme not in SCHEMES:
        raise GodeeperError(f"there is no scheme of {scheme} crops: choose one of {', '.join(map(str, SCHEMES))}")


def _scale_views(width: int, height: int, size: int, side: int) -> Iterator[View]:
    resize = _resized(width, height, side)
    for square in _squares(*resize, side):
        for box in (*_corners_and_centre(square, size), square):
            for flip in (False, True):
                yield View(resize, box, (size, size), flip)


def _side(scale: int, size: int) -> int:
    """A printed scale, in proportion to `size`."""
    return round(scale * size / PRINTED_SIZE)


def _resized(width: int, height: int, side: int) -> tuple[int, int]:
    """The image's size once its shorter side is `side`."""
    shorter = min(width, height)
    return width * side // shorter, height * side // shorter


def _squares(width: int, height: int, side: int) -> list[Box]:
    """Left, centre and right square of a landscape image; top, centre and bottom of a portrait one."""
    rest_x, rest_y = width - side, height - side
    corners = [(0, 0), (rest_x // 2, rest_y // 2), (rest_x, rest_y)]
    return [(left, top, left + side, top + side) for left, top in corners]


def _corners_and_centre(square: Box, size: int) -> list[Box]:
    """Top left, top right, bottom left, bottom right, centre."""
    left, top, right, bottom = square
    far_x, far_y = right - size, bottom - size
    middle_x, middle_y = left + (right - left - size) // 2, top + (bottom - top - size) // 2
    corners = [(left, top), (far_x, top), (left, far_y), (far_x, far_y), (middle_x, middle_y)]
    return [(x, y, x + size, y + size) for x, y in corners]


@dataclass(frozen=True)
class Patch:
    """One crop for training, in the image's own pixels, and how to resize it."""

    box: Box
    interpolation: Interpolation
    flip: bool

    def at(self, scale: float) -> Patch:
        """The same patch of the image made smaller by `scale`, at most 1; never empty."""
        left, top, right, bottom = (round(side * scale) for side in self.box)
        return replace(self, box=(left, top, max(right, left + 1), max(bottom, top + 1)))


def patch(
    width: int,
    height: int,
    random: Random,
    crop_scale: tuple[float, float] = (0.08, 1.0),
    crop_ratio: tuple[float, float] = (3 / 4, 4 / 3),
    hflip: bool = True,
) -> Patch:
    """A random patch: a share of the area and an aspect ratio (width / height), a place, a resizing and a mirroring.

    arXiv 1409.4842, Section 6. The share is drawn evenly, the ratio evenly in its logarithm, so that 3/4 and 4/3 are equals;
    a draw that does not fit into the image is repeated. After ten, the largest centred box of an allowed ratio stands in.
    """
    interpolation: Interpolation = random.choice(("bilinear", "area", "nearest", "bicubic"))
    flip = hflip and random.random() < 0.5
    for _ in range(10):
        pixels = width * height * random.uniform(*crop_scale)
        ratio = math.exp(random.uniform(math.log(crop_ratio[0]), math.log(crop_ratio[1])))
        w, h = round(math.sqrt(pixels * ratio)), round(math.sqrt(pixels / ratio))
        if 0 < w <= width and 0 < h <= height:
            left, top = random.randint(0, width - w), random.randint(0, height - h)
            return Patch((left, top, left + w, top + h), interpolation, flip)
    w, h = min(width, max(1, int(height * crop_ratio[1]))), min(height, max(1, int(width / crop_ratio[0])))
    left, top = (width - w) // 2, (height - h) // 2
    return Patch((left, top, left + w, top + h), interpolation, flip)
