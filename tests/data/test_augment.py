import random as python_random
from collections import Counter
from dataclasses import replace
from random import Random

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_image

import godeeper
from godeeper.data.augment import Augment, RandomCrop, jitter_color, random_resized_crop
from godeeper.data.decode import decode_for
from godeeper.data.pixels import FILTERS, normalise
from godeeper.preprocess import Preprocess


@pytest.fixture(scope="module")
def photo():
    return Image.fromarray(load_sample_image("china.jpg"))  # 640 x 427


@pytest.mark.parametrize("size", [32, 224])
@pytest.mark.parametrize("color_jitter", [True, False])
def test_augment_gives_bytes_of_the_size_asked_for(photo, size, color_jitter):
    pixels = Augment(color_jitter=color_jitter)(photo, size, Random(0))
    assert pixels.shape == (3, size, size)
    assert pixels.dtype == torch.uint8
    assert pixels.float().std() > 10


def test_augment_depends_on_nothing_but_the_random_passed(photo):
    def drawn(seed):
        return Augment()(photo, 64, Random(seed))

    python_random.seed(1), np.random.seed(1), torch.manual_seed(1)
    first = [drawn(seed) for seed in range(8)]
    python_random.seed(2), np.random.seed(2), torch.manual_seed(2)
    again = [drawn(seed) for seed in range(8)]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert len({pixels.numpy().tobytes() for pixels in first}) == 8


def test_augment_leaves_the_image_as_it_was(photo):
    before = photo.tobytes()
    Augment()(photo, 64, Random(0))
    assert photo.tobytes() == before


def test_augmenting_with_the_whole_image_at_its_own_size_is_the_image_or_its_mirror(photo):
    square = photo.crop((100, 100, 228, 228))
    expected = torch.from_numpy(np.array(square)).permute(2, 0, 1)
    whole = Augment(crop_scale=(1.0, 1.0), crop_ratio=(1.0, 1.0), color_jitter=False)
    for seed in range(10):
        assert torch.equal(replace(whole, hflip=False)(square, 128, Random(seed)), expected)
    mirrored = [torch.equal(whole(square, 128, Random(seed)), expected.flip(-1)) for seed in range(20)]
    plain = [torch.equal(whole(square, 128, Random(seed)), expected) for seed in range(20)]
    assert all(a != b for a, b in zip(mirrored, plain, strict=True))
    assert any(mirrored)
    assert any(plain)


def test_the_four_interpolations_are_four_filters():
    assert set(FILTERS) == {"bilinear", "area", "nearest", "bicubic"}
    image = Image.fromarray((np.arange(49) * 5).astype(np.uint8).reshape(7, 7))
    assert len({image.resize((5, 5), how).tobytes() for how in FILTERS.values()}) == 4


@pytest.mark.parametrize("seed", range(5))
def test_photometric_keeps_the_size_and_changes_the_pixels(photo, seed):
    image = photo.resize((64, 48))
    changed = jitter_color(image, Random(seed))
    assert changed.size == (64, 48)
    assert changed.mode == "RGB"
    assert changed.tobytes() != image.tobytes()
    assert changed.tobytes() == jitter_color(image, Random(seed)).tobytes()


def test_brightness_varies_by_half_both_ways():
    grey = Image.new("RGB", (4, 4), (100, 100, 100))  # contrast and colour leave an even grey alone
    levels = [np.asarray(jitter_color(grey, Random(seed)))[0, 0, 0] for seed in range(400)]
    assert 50 - 1 <= min(levels) <= 55
    assert 145 <= max(levels) <= 150 + 1
    assert abs(np.mean(levels) - 100) < 6


def test_contrast_and_colour_vary_both_ways(photo):
    def spread(image):
        pixels = np.asarray(image).astype(float)
        return pixels.mean(2).std() / pixels.mean(), (pixels.max(2) - pixels.min(2)).mean() / pixels.mean()

    image = photo.resize((64, 48))
    contrast, colour = spread(image)
    changed = [spread(jitter_color(image, Random(seed))) for seed in range(100)]
    assert min(c for c, _ in changed) < 0.7 * contrast
    assert max(c for c, _ in changed) > 1.2 * contrast
    assert min(c for _, c in changed) < 0.7 * colour
    assert max(c for _, c in changed) > 1.3 * colour


def test_normalise_by_hand():
    images = torch.tensor([[0, 51, 255]] * 3, dtype=torch.uint8).view(1, 3, 1, 3)
    fed = normalise(images, Preprocess.of(mean=(0.5, 0.25, 0.0), std=(0.5, 0.25, 2.0)))
    expected = torch.tensor([[-1, -0.6, 1], [-1, -0.2, 3], [0, 0.1, 0.5]]).view(1, 3, 1, 3)  # 51 / 255 = 0.2
    assert fed.dtype == torch.float32
    torch.testing.assert_close(fed, expected, atol=1e-6, rtol=0)


def test_normalise_by_the_imagenet_numbers():
    images = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 3, 1, 1)
    fed = normalise(images, Preprocess()).flatten(1)
    expected = torch.tensor([[-2.1179, -2.0357, -1.8044], [2.2489, 2.4286, 2.6400]])
    torch.testing.assert_close(fed, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("seed", range(8))
def test_a_patch_of_a_jpeg_decoded_smaller_is_that_of_the_whole(photo, tmp_path, orientation, seed):
    """Decoded at a fraction where that will do, the patch is the same but for resampling; the draw is the very same."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo.resize((2560, 1712)).save(tmp_path / "big.jpg", quality=95, exif=exif)
    sizes = []

    def opened(shrink):
        image = decode_for(shrink, tmp_path / "big.jpg")
        sizes.append(image.size if isinstance(image, Image.Image) else image.shape[:0:-1])
        return image

    augment = Augment(color_jitter=False, crop_scale=(0.5, 1))
    fast = augment(opened, 64, Random(seed)).float()
    whole = augment(godeeper.decode(tmp_path / "big.jpg"), 64, Random(seed)).float()
    nearest = Random(seed).choice(("bilinear", "area", "nearest", "bicubic")) == "nearest"
    assert (max(sizes[0]) < 2000) != nearest
    assert (sizes[0][0] > sizes[0][1]) == (orientation == 1)
    difference = (fast - whole).abs().mean()
    assert difference < (0.01 if nearest else 4)
    assert (fast - whole.roll(1, -1)).abs().mean() > 2.5 * difference  # a pixel's shift would show


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_jpeg_decoded_smaller_has_a_ratio_for_each_axis(tmp_path, orientation):
    """1365 x 2048 pixels become 171 x 256: with one ratio for both, the crop's last row lies outside and is black."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    width, height = (1365, 2048) if orientation == 1 else (2048, 1365)
    Image.new("RGB", (1365, 2048), "white").save(tmp_path / "white.jpg", exif=exif)
    whole = Augment(crop_scale=(1, 1), crop_ratio=(width / height, width / height), color_jitter=False)
    for seed in range(12):
        assert whole(lambda shrink: decode_for(shrink, tmp_path / "white.jpg"), 32, Random(seed)).min() == 255


def test_a_crop_of_a_jpeg_decoded_smaller_is_never_empty_and_never_over_the_edge():
    for full, size in (((1365, 2048), (171, 256)), ((9, 17), (2, 3)), ((8, 8), (1, 1)), ((640, 480), (640, 480))):
        for box in ((0, 0, *full), (full[0] - 1, full[1] - 1, *full), (0, 0, 1, 1)):
            left, top, right, bottom = RandomCrop(box, "area", False).decoded_smaller(full, size).box
            assert 0 <= left < right <= size[0]
            assert 0 <= top < bottom <= size[1]


def test_our_resizing_is_pillows(photo):
    for seed in range(12):
        crop = random_resized_crop(*photo.size, Random(seed))
        expected = np.asarray(photo.crop(crop.box).resize((96, 96), FILTERS[crop.interpolation])).astype(int)
        taken = Augment(color_jitter=False)(photo, 96, Random(seed)).permute(1, 2, 0).numpy().astype(int)
        assert abs(taken - (expected[:, ::-1] if crop.flip else expected)).max() <= 1


def test_normalising_leaves_its_input_alone_and_does_not_care_for_memory_formats():
    images = torch.randint(0, 256, (4, 3, 10, 12), dtype=torch.uint8)
    preprocess = Preprocess.of(32)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (preprocess.normalize.mean, preprocess.normalize.std))
    expected = (images.double() / 255 - mean) / std
    for given in (images, images.contiguous(memory_format=torch.channels_last), images.float()):
        before = given.clone()
        assert torch.allclose(normalise(given, preprocess).double(), expected, atol=1e-6)
        assert torch.equal(given, before)


# Random crops


def crops_of(width, height, count, **options):
    random = Random(1)
    return [random_resized_crop(width, height, random, **options) for _ in range(count)]


def size_of(box):
    return box[2] - box[0], box[3] - box[1]


@pytest.mark.parametrize("width_height", [(640, 480), (480, 640), (500, 500), (2000, 900), (224, 224)])
def test_random_crops_have_the_printed_share_of_the_area_and_aspect_ratio(width_height):
    width, height = width_height
    for crop in crops_of(width, height, 1000):
        left, top, right, bottom = crop.box
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        w, h = right - left, bottom - top
        assert (w + 1) / (h - 1) >= 3 / 4  # a pixel's grace for rounding
        assert (w - 1) / (h + 1) <= 4 / 3
        assert (w + 1) * (h + 1) / (width * height) >= 0.08
        assert (w - 1) * (h - 1) / (width * height) <= 1


@pytest.mark.parametrize("width_height", [(1, 1), (2, 1), (1, 10000), (10000, 1), (3, 5), (30, 1000), (8, 8)])
def test_random_crops_of_tiny_and_thin_images_lie_inside(width_height):
    width, height = width_height
    for crop in crops_of(width, height, 500):
        left, top, right, bottom = crop.box
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height


def test_a_image_too_thin_for_any_crop_gives_its_largest_allowed_centred_box():
    assert {crop.box for crop in crops_of(1000, 30, 50, scale=(0.9, 1.0))} == {(480, 0, 520, 30)}  # 40 / 30 = 4 / 3
    assert {crop.box for crop in crops_of(30, 1000, 50, scale=(0.9, 1.0))} == {(0, 480, 30, 520)}  # 30 / 40 = 3 / 4


def test_the_same_seed_gives_the_same_random_crops_and_another_seed_others():
    def crops_by(seed):
        random = Random(seed)
        return [random_resized_crop(640, 480, random) for _ in range(20)]

    assert crops_by(5) == crops_by(5)
    assert crops_by(5) != crops_by(6)
    assert len(set(crops_by(5))) == 20


def test_all_interpolations_and_both_mirrorings_are_equally_frequent():
    seen = Counter((crop.interpolation, crop.flip) for crop in crops_of(640, 480, 8000))
    assert set(seen) == {(how, flip) for how in ("bilinear", "area", "nearest", "bicubic") for flip in (False, True)}
    assert all(850 < count < 1150 for count in seen.values()), seen  # 1000 each; the deviation is 30


def test_without_mirroring_nothing_is_flipped():
    crops = crops_of(640, 480, 500, hflip=False)
    assert len({crop.box for crop in crops}) > 400
    assert not any(crop.flip for crop in crops)


def test_the_area_is_even_between_8_and_100_percent():
    boxes = [crop.box for crop in crops_of(1000, 1000, 8000, ratio=(1.0, 1.0))]  # squares of a square always fit
    shares = [w * h / 1e6 for w, h in map(size_of, boxes)]
    tenths = Counter(min(9, int((share - 0.08) / 0.092)) for share in shares)
    assert sorted(tenths) == list(range(10))
    assert all(680 < count < 920 for count in tenths.values()), tenths  # 800 each; the deviation is 27


def test_the_area_is_even_with_the_printed_aspect_ratios_where_all_of_them_fit():
    boxes = [crop.box for crop in crops_of(1000, 1000, 8000)]
    shares = [w * h / 1e6 for w, h in map(size_of, boxes)]
    fits = Counter(int((share - 0.08) / 0.067) for share in shares if 0.08 <= share < 0.75)  # 1 / (4 / 3) = 0.75
    mean = sum(fits.values()) / 10
    assert sorted(fits) == list(range(10))
    assert mean > 500
    assert all(0.85 * mean < count < 1.15 * mean for count in fits.values()), fits


def test_wide_and_tall_random_crops_are_equals():
    boxes = [crop.box for crop in crops_of(1000, 1000, 4000, scale=(0.08, 0.5))]
    wide = sum(w > h for w, h in map(size_of, boxes))
    tall = sum(w < h for w, h in map(size_of, boxes))
    assert abs(wide - tall) < 260  # the deviation is 63
    assert wide + tall > 3900


def test_random_crops_reach_every_edge_of_the_image():
    boxes = [crop.box for crop in crops_of(640, 480, 3000)]
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    assert (min(lefts), min(tops), max(rights), max(bottoms)) == (0, 0, 640, 480)
    centre = sum(left + right for left, _, right, _ in boxes) / len(boxes) / 2
    assert abs(centre - 320) < 10
