"""Views as pixels, held against the slow, obvious way: resize the whole image, cut, resize the cut, mirror."""

import resource
import time

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from sklearn.datasets import load_sample_image

import godeeper
from godeeper.data.augment import normalise
from godeeper.data.crops import nested
from godeeper.data.dataset import FileDataset
from godeeper.data.view_loader import view_loader
from godeeper.data.views import Laid, cut, layout, passes, resample, take, take_views
from godeeper.preprocess import Preprocess

PILLOW = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


@pytest.fixture(scope="module")
def photo():
    return Image.fromarray(load_sample_image("china.jpg"))  # 640 x 427


def loud(width, height):
    """An image of pixels as different as can be."""
    levels = np.random.default_rng(0).choice(np.array([0, 255], np.uint8), (height, width, 3))
    return Image.fromarray(levels)


def finished(crop, view, how):
    """A crop of the resized image -> its view's pixels, (H, W, 3)."""
    crop = crop.resize(view.out, PILLOW[how])
    return np.asarray(ImageOps.mirror(crop) if view.flip else crop).astype(np.int16)


class Obvious:
    """The reference for one image; it remembers the image resized to the scale asked for last."""

    def __init__(self, image, how="bilinear"):
        self.image, self.how, self.whole = image, how, image

    def __call__(self, view):
        if self.whole.size != view.resize:
            self.whole = self.image.resize(view.resize, PILLOW[self.how])
        return finished(self.whole.crop(view.box), view, self.how)


def far_out(image, view, how):
    """The reference where the resized image is millions of pixels long: only what lies around the view is resized.

    The image is one pixel thin, so that a scale is a whole number of pixels.
    """
    wide = image.height == 1
    scale, axis = min(view.resize), 0 if wide else 1
    near = max(0, view.box[axis] // scale - 4)
    end = min(max(image.size), view.box[axis + 2] // scale + 5)
    part = image.crop((near, 0, end, 1) if wide else (0, near, 1, end))
    part = part.resize((part.width * scale, part.height * scale), PILLOW[how])
    box = list(view.box)
    box[axis], box[axis + 2] = box[axis] - near * scale, box[axis + 2] - near * scale
    return finished(part.crop(box), view, how)


def greatest_difference(taken, expected):
    """The levels between a view, uint8 (3, H, W), and a reference, (H, W, 3)."""
    return int(abs(taken.permute(1, 2, 0).numpy() - expected).max())


def shift_shows(expected, least):
    """Whether the reference moved by a pixel, either way, is another image by more than `least` levels."""
    moved = abs(np.diff(expected, axis=0)).max(), abs(np.diff(expected, axis=1)).max()
    return min(moved) > least


@pytest.mark.parametrize("how", ["bilinear", "bicubic"])
@pytest.mark.parametrize("rotation", [None, Image.Transpose.ROTATE_90], ids=["landscape", "portrait"])
@pytest.mark.parametrize(("size", "scheme"), [(size, scheme) for size in (224, 299) for scheme in (1, 10, 12, 144)])
def test_every_view_equals_the_obvious_way(photo, rotation, size, scheme, how):
    image = photo if rotation is None else photo.transpose(rotation)
    views = godeeper.views(*image.size, size, scheme)
    taken, obvious = take(image, views, how), Obvious(image, how)
    assert taken.shape == (scheme, 3, size, size)
    assert taken.dtype == torch.uint8
    different = {}
    for number, (view, pixels) in enumerate(zip(views, taken, strict=True)):
        expected = obvious(view)
        if not view.flip:
            assert shift_shows(expected, 40)  # a crop of plain sky would prove nothing
        if greatest_difference(pixels, expected) > 1:
            different[number] = greatest_difference(pixels, expected)
    assert different == {}


@pytest.mark.parametrize("how", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [224, 299])
@pytest.mark.parametrize("width_height", [(50, 40), (40, 50), (300, 7), (7, 300)])
def test_views_of_small_and_thin_images_equal_the_obvious_way(width_height, size, how):
    image = loud(*width_height)
    views = godeeper.views(*image.size, size, 144)
    taken, obvious = take(image, views, how), Obvious(image, how)
    sample = [number for number in range(144) if number % 12 in (1, 6, 8, 10)]  # two corners, centre and whole of every square
    rounding = 2 if how == "bicubic" and 7 in width_height else 1  # its weights exceed 1: what is rounded across grows down
    for number in sample:
        expected = obvious(views[number])
        assert shift_shows(expected, 2)  # so much enlarged, neighbours are alike
        assert greatest_difference(taken[number], expected) <= rounding, number


@pytest.mark.parametrize("how", ["bilinear", "bicubic"])
@pytest.mark.parametrize("wide", [True, False])
def test_views_of_a_image_one_pixel_thin_equal_the_obvious_way_around_them(wide, how):
    image = loud(10_000, 1) if wide else loud(1, 10_000)
    for size, scheme in ((224, 12), (224, 144), (299, 144)):
        views = godeeper.views(*image.size, size, scheme)
        taken = take(image, views, how)
        sample = [number for number in range(scheme) if number % 12 in (1, 6, 8, 10)]
        expected = {number: far_out(image, views[number], how) for number in sample}
        assert sum(one.std() > 20 for one in expected.values()) > len(sample) / 2  # most show two colours or more
        assert max(greatest_difference(taken[number], one) for number, one in expected.items()) <= 1


def test_the_reference_around_a_view_is_the_obvious_way_where_both_are_feasible():
    image = loud(12, 1)
    for view in godeeper.views(12, 1, 224, 144)[::5]:
        for how in PILLOW:
            assert abs(far_out(image, view, how) - Obvious(image, how)(view)).max() <= 1


def test_mirrored_views_are_the_exact_mirror_and_views_differ(photo):
    taken = take(photo, godeeper.views(photo.width, photo.height, 64, 144))
    assert torch.equal(taken[1::2], taken[::2].flip(-1))
    assert len({pixels.numpy().tobytes() for pixels in taken}) == 144


@pytest.mark.parametrize("size", [224, 299])
def test_schemes_within_a_scheme_show_what_they_would_alone(photo, size):
    preprocess = Preprocess.of(size)
    among = take_views(photo, preprocess, 144)
    for count in (10, 12):
        alone = take_views(photo, preprocess, count)
        difference = abs(among[list(nested(144)[count])].short() - alone.short())
        assert difference.max() <= 1


@pytest.mark.parametrize("tall", [True, False])
def test_a_image_one_pixel_thin_needs_neither_time_nor_memory(tall):
    ramp = (np.arange(10000) * 255 // 9999).astype(np.uint8)
    grey = ramp[:, None] if tall else ramp[None, :]
    image = Image.fromarray(grey).convert("RGB")
    memory, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    taken = take(image, godeeper.views(image.width, image.height, 224, 144))
    assert time.perf_counter() - start < 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 300_000  # KiB; the resized whole is 3.7 GB
    assert taken.shape == (144, 3, 224, 224)
    squares = taken.view(4, 3, 12, -1).float()
    assert squares[:, 0].max() <= 1  # the first pixel of the ramp
    assert squares[:, 1].min() >= 126
    assert squares[:, 1].max() <= 128
    assert squares[:, 2].min() >= 254


@pytest.mark.parametrize("width_height", [(1, 1), (8, 8), (33, 32), (3, 500)])
@pytest.mark.parametrize("scheme", [12, 144])
def test_take_works_for_small_images(width_height, scheme):
    image = Image.new("RGB", width_height, (10, 200, 90))
    taken = take(image, godeeper.views(image.width, image.height, 32, scheme))
    assert taken.shape == (scheme, 3, 32, 32)
    assert taken.amin((0, 2, 3)).tolist() == taken.amax((0, 2, 3)).tolist() == [10, 200, 90]


def test_take_views_does_as_the_preprocessing_says(photo):
    preprocess = Preprocess.of(96, interpolation="bicubic", crop_fraction=0.75)  # 128 pixels
    for scheme in (1, 10, 12):
        taken = take_views(photo, preprocess, scheme)
        assert torch.equal(taken, take(photo, godeeper.views(640, 427, 96, scheme, 128), "bicubic"))
        assert taken.shape == (scheme, 3, 96, 96)
    assert torch.equal(take_views(photo, preprocess), take_views(photo, preprocess, 1))
    by_hand = photo.resize((191, 128), PILLOW["bicubic"]).crop((48, 16, 144, 112))  # 640 * 128 / 427 = 191.9; 47.5 to the even 48
    assert greatest_difference(take_views(photo, preprocess)[0], np.asarray(by_hand).astype(np.int16)) <= 1


UPRIGHT = {  # what undoes each orientation of EXIF, by its table
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_views_are_those_of_the_upright_image(photo, tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo.save(tmp_path / "turned.jpg", exif=exif)
    photo.save(tmp_path / "plain.jpg")
    with Image.open(tmp_path / "plain.jpg") as plain:
        upright = plain.transpose(UPRIGHT[orientation])
    tall = orientation >= 5
    preprocess = Preprocess.of(224)
    for scheme in (1, 12, 144):
        expected = take_views(upright, preprocess, scheme)
        assert torch.equal(take_views(godeeper.decode(tmp_path / "turned.jpg"), preprocess, scheme), expected)
        (batch,) = view_loader(FileDataset([tmp_path / "turned.jpg"], [0]), [0], [preprocess], scheme, 1)
        (one,) = batch
        assert one.size == ((427, 640) if tall else (640, 427))
        places = layout(one.size, preprocess, scheme)[1]
        assert torch.equal(torch.stack([cut(one.sheets[0], place, (224, 224)) for place in places]), expected)
    resize, box = ((256, 383), (16, 80, 240, 304)) if tall else ((383, 256), (80, 16, 304, 240))  # by hand, as in test_crops.py
    by_hand = np.asarray(upright.resize(resize, PILLOW["bilinear"]).crop(box)).astype(np.int16)
    assert greatest_difference(take_views(upright, preprocess)[0], by_hand) <= 1
    assert shift_shows(by_hand, 40)


ODD = Preprocess.of(24, mean=(0.1, 0.5, 0.7), std=(0.3, 0.2, 0.9), interpolation="bicubic", crop_fraction=0.8)


@pytest.mark.parametrize("batch_size", [1, 5, 12, 48, 1000])
@pytest.mark.parametrize("scheme", [1, 10, 12, 144])
def test_passes_are_the_normalised_views_bit_for_bit(photo, scheme, batch_size):
    images = [photo.resize(size) for size in ((60, 40), (33, 50), (20, 20), (2, 90))]
    shown = []
    for image in images:
        wanted, places = layout(image.size, ODD, scheme)
        shown.append(Laid(resample(image, wanted, ODD.resize.interpolation), places).normalised(ODD, "cpu"))
    given = list(passes(shown, 24, batch_size))
    count = 4 * scheme
    assert [len(batch) for batch in given] == [min(batch_size, count - start) for start in range(0, count, batch_size)]
    for batch in given:
        assert batch.shape[1:] == (3, 24, 24)
        assert batch.dtype == torch.float32
        assert batch.is_contiguous(memory_format=torch.channels_last)
    expected = torch.cat([normalise(take_views(image, ODD, scheme), ODD) for image in images])
    assert torch.equal(torch.cat(given), expected)
    assert len({view.numpy().tobytes() for view in expected}) > count / 2  # another order would show


def test_passes_of_no_image_are_none():
    assert list(passes([], 24, 8)) == []


def test_what_is_shown_leaves_the_sheets_as_they_were(photo):
    wanted, places = layout(photo.size, ODD, 144)
    drawn = resample(photo, wanted)
    before = [sheet.clone() for sheet in drawn]
    list(passes([Laid(drawn, places).normalised(ODD, "cpu")], 24, 50))
    assert all(torch.equal(sheet, old) for sheet, old in zip(drawn, before, strict=True))
    assert [tuple(sheet.shape) for sheet in drawn] == [(sheet.out[1], sheet.out[0], 3) for sheet in wanted]
