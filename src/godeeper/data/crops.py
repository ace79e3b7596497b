"""Where the crops of an image lie on which a network is evaluated. Geometry only: numbers in, numbers out.

Boxes are (left, top, right, bottom) in pixels, right and bottom excluded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import GodeeperError
from ..preprocess import Resize

Box = tuple[int, int, int, int]

CROPS = (1, 6, 10, 12, 144)
PRINTED_SIZE = 224
PRINTED_SCALES = (256, 288, 320, 352)  # the shorter side, for crops of 224: arXiv 1409.4842, Section 7
CENTRE = 8  # the number of the centre crop among a square's: after four corners, each with its mirror image


@dataclass(frozen=True)
class CropBox:
    """One crop: resize the image to `resized`, cut out `box`, resize that to `size` x `size` if larger, flip it if `flip`.

    `resized` is (width, height). Crops of one `region` of the resized image are cut from the same pixels; where a box reaches
    beyond its region, they are reflected.
    """

    resized: tuple[int, int]
    region: Box
    box: Box
    size: int
    flip: bool = False


def crop_boxes(width: int, height: int, resize: Resize | None = None, crops: int = 1) -> list[CropBox]:
    """The crops of an image of that width and height; `resize` is the network's, by default 224 pixels of 256.

    1: the centre crop. 6: it, moved by 1/32 of its side up and to the left, and down and to the right, reflected at its border,
    and their mirror images (arXiv 2404.00498, for images of 32 pixels). 10: four corners and centre of the central square, and
    their mirror images (Krizhevsky et al. 2012). 12: the whole square, too (arXiv 1602.07261 has 12 crops, undescribed). 144:
    arXiv 1409.4842, Section 7: 4 scales x 3 squares x (4 corners, centre, whole square) x mirror image, at the printed scales of
    224-pixel crops in proportion to `resize.size` (at 299: 342, 384, 427, 470). Where `resize` squashes images, they are squashed
    to a square of the scale: `size` for 1 and 6, the smallest printed scale for 10 and 12. GodeeperError for another number of
    crops, and for an empty image.
    """
    check_crops(crops)
    resize = resize or Resize()
    size, squash = resize.size, resize.mode == "squash"
    if min(width, height) < 1:
        raise GodeeperError(f"cannot crop {size}x{size} from an image of {width}x{height}")
    if crops in (1, 6):
        return _centre_crops(width, height, resize)[:crops]
    if crops == 144:
        sides = [_in_proportion(scale, size) for scale in PRINTED_SCALES]
    else:
        sides = [_in_proportion(PRINTED_SCALES[0], size) if squash else resize.shorter_side]
    boxes: list[CropBox] = []
    for side in sides:
        resized = _resized(width, height, side, squash)
        squares = _squares(*resized, side) if crops == 144 else _squares(*resized, side)[1:2]
        for square in squares:
            boxes += _crops_of_square(resized, _region(resized, square, squares), square, size, whole=crops > 10)
    return boxes


def crops_within(crops: int) -> dict[int, Sequence[int]]:
    """The smaller numbers of crops that `crops` hold: by how many they are, their numbers among `crop_boxes`.

    Of 144, those of 10 and 12 are of its smallest scale, 36 is that scale, 72 and 108 add scales. A single crop is the centre; 2
    are it and its mirror image.
    """
    check_crops(crops)
    if crops in (1, 6):
        return {number: range(number) for number in (1, 2, 6) if number <= crops}
    if crops < 144:
        return {1: [CENTRE], **{number: range(number) for number in (10, 12) if number <= crops}}
    middle = {number: range(12, 12 + number) for number in (10, 12)}  # the second of three squares of 12 crops
    return {1: [12 + CENTRE], **middle, **{number: range(number) for number in (36, 72, 108, 144)}}


def check_crops(crops: int) -> None:
    """GodeeperError unless images can be evaluated on that many crops."""
    if crops not in CROPS:
        raise GodeeperError(f"there is no scheme of {crops} crops: choose one of {', '.join(map(str, CROPS))}")


def _centre_crops(width: int, height: int, resize: Resize) -> list[CropBox]:
    """The centre crop, then as 6 crops have it moved, each followed by its mirror image."""
    size = resize.size
    resized = _resized(width, height, resize.shorter_side, resize.mode == "squash")
    left, top = round((resized[0] - size) / 2), round((resized[1] - size) / 2)
    region = left, top, left + size, top + size
    by = max(1, round(size / 32))
    boxes = [(left + x, top + x, left + x + size, top + x + size) for x in (0, -by, by)]
    return [CropBox(resized, region, box, size, flip) for box in boxes for flip in (False, True)]


def _crops_of_square(resized: tuple[int, int], region: Box, square: Box, size: int, *, whole: bool) -> list[CropBox]:
    """Top left, top right, bottom left, bottom right, centre, and the whole square if asked for; each also flipped."""
    left, top, right, bottom = square
    far_x, far_y = right - size, bottom - size
    middle_x, middle_y = left + (right - left - size) // 2, top + (bottom - top - size) // 2
    corners = [(left, top), (far_x, top), (left, far_y), (far_x, far_y), (middle_x, middle_y)]
    boxes = [(x, y, x + size, y + size) for x, y in corners] + [square] * whole
    return [CropBox(resized, region, box, size, flip) for box in boxes for flip in (False, True)]


def _region(resized: tuple[int, int], square: Box, squares: Sequence[Box]) -> Box:
    """What of the resized image is computed for a square: all of it where the squares overlap, so that it is resized once."""
    side = min(resized)
    return (0, 0, *resized) if len(squares) > 1 and max(resized) < 3 * side else square


def _in_proportion(scale: int, size: int) -> int:
    """A printed scale, for crops of `size` pixels."""
    return round(scale * size / PRINTED_SIZE)


def _resized(width: int, height: int, side: int, squash: bool) -> tuple[int, int]:
    """The image's size once its shorter side is `side`, or both are."""
    shorter = min(width, height)
    return (side, side) if squash else (width * side // shorter, height * side // shorter)


def _squares(width: int, height: int, side: int) -> list[Box]:
    """Left, centre and right square of a landscape image; top, centre and bottom of a portrait one."""
    rest_x, rest_y = width - side, height - side
    corners = [(0, 0), (rest_x // 2, rest_y // 2), (rest_x, rest_y)]
    return [(left, top, left + side, top + side) for left, top in corners]
