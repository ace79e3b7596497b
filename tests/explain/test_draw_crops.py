"""Crops drawn on an image, found again by their colours and held against `godeeper.crop_boxes`."""

import numpy as np
import pytest
from PIL import Image

from godeeper import GodeeperError, Resize, crop_boxes
from godeeper.explain.crop_predictions import COLOURS
from godeeper.explain.draw_crops import PANEL, draw_crops


def position_image(width, height):
    """A dark image of which each pixel tells its place: red grows to the right, green downwards, blue is half."""
    x, y = np.meshgrid(np.linspace(0, 200, width), np.linspace(0, 200, height))
    return Image.fromarray(np.stack([x, y, np.full_like(x, 128)], -1).round().astype(np.uint8))


def frames(sheet):
    """The framed crops of each place, from top to bottom: (left, top, right, bottom)."""
    pixels = np.array(sheet)
    boxes_by_colour = []
    for colour in COLOURS:
        mask = (pixels == tuple(bytes.fromhex(colour[1:]))).all(-1)
        lines = np.flatnonzero(np.convolve(mask.any(1), np.ones(1), "same"))
        boxes = []
        for run in np.split(lines, np.flatnonzero(np.diff(lines) > 1) + 1) if len(lines) else []:
            columns = np.flatnonzero(mask[run].any(0))
            boxes.append((columns[0], run[0], columns[-1] + 1, run[-1] + 1))
        boxes_by_colour.append(boxes)
    return boxes_by_colour


@pytest.mark.parametrize(("scheme", "counts"), [(1, [1]), (6, [1] * 3), (10, [1] * 5), (12, [1] * 6), (144, [12] * 6)])
@pytest.mark.parametrize("size", [224, 299])
def test_each_crop_is_framed_once_and_its_mirror_image_counted(scheme, counts, size):
    boxes_by_colour = frames(draw_crops(position_image(500, 400), size, scheme))
    assert [len(boxes) for boxes in boxes_by_colour] == counts + [0] * (6 - len(counts))
    assert sum(counts) * (2 if scheme > 1 else 1) == scheme


@pytest.mark.parametrize(("width", "height"), [(500, 400), (300, 700), (320, 320)])
def test_144_crops_lie_where_crop_boxes_has_them(width, height):
    sheet = draw_crops(position_image(width, height), 224)
    pixels = np.array(sheet).astype(float)
    crops = [crop for crop in crop_boxes(width, height, Resize(224), 144) if not crop.flip]
    scale = PANEL / 352
    for place, boxes in enumerate(frames(sheet)):
        for (left, top, right, bottom), crop in zip(boxes, crops[place::6], strict=True):
            x0, y0, x1, y1 = crop.box
            assert (right - left, bottom - top) == pytest.approx(((x1 - x0) * scale, (y1 - y0) * scale), abs=1.01)
            inside = pixels[top + 4 : bottom - 4, left + 4 : right - 4]
            assert abs(inside[..., 2] - 128).max() <= 2  # the image itself, not a faint copy
            middle = inside.mean((0, 1))
            expected = [200 * (x0 + x1) / 2 / crop.resized[0], 200 * (y0 + y1) / 2 / crop.resized[1]]
            assert middle[:2] == pytest.approx(expected, abs=2)


def test_what_lies_beside_a_crop_is_faint():
    sheet = draw_crops(Image.new("RGB", (400, 400)), 224)
    left, top, right, bottom = frames(sheet)[0][-1]  # top left, at the largest scale
    assert sheet.getpixel((right + 8, top + 8)) == (178, 178, 178)
    assert sheet.getpixel((left + 8, bottom - 8)) == (0, 0, 0)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 2)])
def test_images_of_odd_shapes(size):
    assert [len(boxes) for boxes in frames(draw_crops(Image.new("RGB", size)))] == [12] * 6


def test_unknown_schemes():
    with pytest.raises(GodeeperError, match="no scheme of 7 crops"):
        draw_crops(Image.new("RGB", (10, 10)), 224, 7)
