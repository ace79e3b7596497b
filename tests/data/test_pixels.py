"""Crops as pixels, held against the slow, obvious way: resize the whole image, cut, resize the cut, flip."""

import resource

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from sklearn.datasets import load_sample_image
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from godeeper import Preprocess, Resize, crop_boxes, decode, take_crops
from godeeper.data.crop_loader import crop_loader
from godeeper.data.crops import crops_within
from godeeper.data.dataset import FileDataset
from godeeper.data.pixels import cut_crops, normalise

PILLOW = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


@pytest.fixture(scope="module")
def photo():
    return Image.fromarray(load_sample_image("china.jpg"))  # 640 x 427


def loud(width, height):
    """An image of pixels as different as can be."""
    levels = np.random.default_rng(0).choice(np.array([0, 255], np.uint8), (height, width, 3))
    return Image.fromarray(levels)


def finished(crop, box, how):
    """A crop of the resized image -> its pixels, (H, W, 3)."""
    crop = crop.resize((box.size, box.size), PILLOW[how])
    return np.asarray(ImageOps.mirror(crop) if box.flip else crop).astype(np.int16)


class Obvious:
    """The reference for one image; it remembers the image resized to the scale asked for last."""

    def __init__(self, image, how="bilinear"):
        self.image, self.how, self.whole = image, how, image

    def __call__(self, box):
        if self.whole.size != box.resized:
            self.whole = self.image.resize(box.resized, PILLOW[self.how])
        return finished(self.whole.crop(box.box), box, self.how)


def far_out(image, box, how):
    """The reference where the resized image is millions of pixels long: only what lies around the crop is resized.

    The image is one pixel thin, so that a scale is a whole number of pixels.
    """
    wide = image.height == 1
    scale, axis = min(box.resized), 0 if wide else 1
    near = max(0, box.box[axis] // scale - 4)
    end = min(max(image.size), box.box[axis + 2] // scale + 5)
    part = image.crop((near, 0, end, 1) if wide else (0, near, 1, end))
    part = part.resize((part.width * scale, part.height * scale), PILLOW[how])
    edges = list(box.box)
    edges[axis], edges[axis + 2] = edges[axis] - near * scale, edges[axis + 2] - near * scale
    return finished(part.crop(edges), box, how)


def greatest_difference(crop, expected):
    """The levels between a crop, uint8 (3, H, W), and a reference, (H, W, 3)."""
    return int(abs(crop.permute(1, 2, 0).numpy() - expected).max())


def shift_shows(expected, least):
    """Whether the reference moved by a pixel, either way, is another image by more than `least` levels."""
    moved = abs(np.diff(expected, axis=0)).max(), abs(np.diff(expected, axis=1)).max()
    return min(moved) > least


@pytest.mark.parametrize(
    ("size", "crops", "how", "portrait"),
    [
        (224, 144, "bilinear", False),
        pytest.param(299, 144, "bicubic", True, marks=pytest.mark.slow),
        (299, 12, "bicubic", True),
        (224, 10, "bicubic", False),
        (299, 1, "bilinear", True),
    ],
)
def test_every_crop_equals_the_obvious_way(photo, size, crops, how, portrait):
    image = photo.transpose(Image.Transpose.ROTATE_90) if portrait else photo
    resize = Resize(size, interpolation=how)
    boxes = crop_boxes(*image.size, resize, crops)
    pixels, obvious = cut_crops(image, boxes, resize), Obvious(image, how)
    assert pixels.shape == (crops, 3, size, size)
    assert pixels.dtype == torch.uint8
    assert pixels.is_contiguous(memory_format=torch.channels_last)
    different = {}
    for number, (box, crop) in enumerate(zip(boxes, pixels, strict=True)):
        expected = obvious(box)
        if not box.flip:
            assert shift_shows(expected, 40)  # a crop of plain sky would prove nothing
        if greatest_difference(crop, expected) > 1:
            different[number] = greatest_difference(crop, expected)
    assert different == {}


@pytest.mark.parametrize(
    ("width_height", "size", "how"),
    [((50, 40), 224, "bilinear"), ((7, 300), 224, "bicubic"), ((300, 7), 299, "bilinear"), ((40, 50), 299, "bicubic")],
)
def test_crops_of_small_and_thin_images_equal_the_obvious_way(width_height, size, how):
    image, resize = loud(*width_height), Resize(size, interpolation=how)
    boxes = crop_boxes(*image.size, resize, 144)
    pixels, obvious = cut_crops(image, boxes, resize), Obvious(image, how)
    sample = [number for number in range(144) if number % 12 in (1, 6, 8, 10)]  # two corners, centre and whole of every square
    rounding = 2 if how == "bicubic" and 7 in width_height else 1  # its weights exceed 1: what is rounded across grows down
    for number in sample:
        expected = obvious(boxes[number])
        assert shift_shows(expected, 2)  # so much enlarged, neighbours are alike
        assert greatest_difference(pixels[number], expected) <= rounding, number


@pytest.mark.parametrize(("wide", "how"), [(True, "bilinear"), (False, "bicubic")])
def test_crops_of_an_image_one_pixel_thin_equal_the_obvious_way_around_them(wide, how):
    image = loud(10_000, 1) if wide else loud(1, 10_000)
    for size, crops in ((224, 12), (299, 144)):
        resize = Resize(size, interpolation=how)
        boxes = crop_boxes(*image.size, resize, crops)
        pixels = cut_crops(image, boxes, resize)
        sample = [number for number in range(crops) if number % 12 in (1, 6, 8, 10)]
        expected = {number: far_out(image, boxes[number], how) for number in sample}
        assert sum(each.std() > 20 for each in expected.values()) > len(sample) / 2  # most show two colours or more
        assert max(greatest_difference(pixels[number], each) for number, each in expected.items()) <= 1


def test_the_reference_around_a_crop_is_the_obvious_way_where_both_are_feasible():
    image = loud(12, 1)
    for box in crop_boxes(12, 1, Resize(224), 144)[::5]:
        for how in PILLOW:
            assert abs(far_out(image, box, how) - Obvious(image, how)(box)).max() <= 1


def test_flipped_crops_are_exact_mirror_images_and_crops_differ(photo):
    crops = take_crops(photo, Preprocess.of(64), 144)
    assert torch.equal(crops[1::2], crops[::2].flip(-1))
    assert len({crop.numpy().tobytes() for crop in crops}) == 144


@pytest.mark.parametrize("size", [224, 299])
def test_crops_within_others_show_what_they_would_alone(photo, size):
    preprocess = Preprocess.of(size)
    among = take_crops(photo, preprocess, 144)
    for count in (10, 12):
        alone = take_crops(photo, preprocess, count)
        assert abs(among[list(crops_within(144)[count])].short() - alone.short()).max() <= 1


def test_an_image_one_pixel_thin_does_not_need_the_memory_of_the_resized_whole():
    ramp = (np.arange(10000) * 255 // 9999).astype(np.uint8)
    image = Image.fromarray(ramp[:, None]).convert("RGB")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    crops = take_crops(image, Preprocess.of(224), 144)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 300_000  # KiB; the resized whole is 3.7 GB
    squares = crops.reshape(4, 3, 12, -1).float()
    assert squares[:, 0].max() <= 1  # the first pixel of the ramp
    assert squares[:, 1].min() >= 126
    assert squares[:, 1].max() <= 128
    assert squares[:, 2].min() >= 254


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("mode", ["crop", "squash"])
@pytest.mark.parametrize("width_height", [(1, 1), (33, 32), (3, 500)])
def test_small_images_are_cut_too(width_height, mode, antialias):
    image = Image.new("RGB", width_height, (10, 200, 90))
    for count in (12, 144):
        crops = take_crops(image, Preprocess.of(32, mode=mode, antialias=antialias), count)
        assert crops.shape == (count, 3, 32, 32)
        assert crops.amin((0, 2, 3)).tolist() == crops.amax((0, 2, 3)).tolist() == [10, 200, 90]


def test_take_crops_does_as_the_preprocessing_says(photo):
    preprocess = Preprocess.of(96, interpolation="bicubic", crop_fraction=0.75)  # 128 pixels
    by_hand = photo.resize((191, 128), PILLOW["bicubic"]).crop((48, 16, 144, 112))  # 640 * 128 / 427 = 191.9; 47.5 to the even 48
    assert greatest_difference(take_crops(photo, preprocess)[0], np.asarray(by_hand).astype(np.int16)) <= 1


@pytest.mark.parametrize("how", ["bilinear", "bicubic", "nearest", "area"])
def test_squashed_images_are_torchvisions(photo, how):
    mode = v2.InterpolationMode("box" if how == "area" else how)
    ours = take_crops(photo, Preprocess.of(96, mode="squash", interpolation=how))[0]
    assert torch.equal(ours, F.pil_to_tensor(F.resize(photo, [96, 96], mode)))


def without_antialiasing(pixels, size, how):
    """By torchvision, in floats: of bytes, it makes whole numbers of what it resized across before it resizes that down."""
    return F.resize(pixels.float(), size, v2.InterpolationMode(how), antialias=False).clamp(0, 255).round()


@pytest.mark.parametrize("size", [96, 700])
@pytest.mark.parametrize("how", ["bilinear", "bicubic"])
@pytest.mark.parametrize("mode", ["crop", "squash"])
def test_images_without_antialiasing_are_torchvisions(photo, mode, how, size):
    preprocess = Preprocess.of(size, mode=mode, interpolation=how, antialias=False)
    resized = [size, size] if mode == "squash" else preprocess.resize.shorter_side
    expected = F.center_crop(without_antialiasing(F.pil_to_tensor(photo), resized, how), [size])
    ours = take_crops(photo, preprocess)[0]
    assert abs(ours - expected).max() <= 1
    of_bytes = F.resize(F.pil_to_tensor(photo), resized, v2.InterpolationMode(how), antialias=False)
    assert abs(ours.float() - F.center_crop(of_bytes, [size])).mean() < 0.5
    antialiased = take_crops(photo, Preprocess.of(size, mode=mode, interpolation=how))[0]
    assert (abs(antialiased - expected).mean() > 2) == (size == 96)


@pytest.mark.parametrize("how", ["bilinear", "bicubic"])
def test_many_crops_of_squashed_images_without_antialiasing_are_cut_from_torchvisions(photo, how):
    resize = Resize(64, mode="squash", interpolation=how, antialias=False)
    boxes = crop_boxes(*photo.size, resize, 144)
    for box, crop in zip(boxes, cut_crops(photo, boxes, resize), strict=True):
        left, top, right, bottom = box.box
        whole = without_antialiasing(F.pil_to_tensor(photo), [*box.resized], how)
        expected = without_antialiasing(whole[:, top:bottom, left:right], [64, 64], how)
        assert abs(crop - (expected.flip(-1) if box.flip else expected)).max() <= 2  # rounded twice


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("mode", ["crop", "squash"])
def test_the_pipeline_for_torchvision_gives_what_we_give(photo, mode, antialias):
    preprocess = Preprocess.of(96, (0.5, 0.4, 0.3), (0.2, 0.3, 0.25), mode=mode, antialias=antialias, interpolation="bicubic")
    ours, theirs = normalise(take_crops(photo, preprocess), preprocess)[0], preprocess.transforms()(photo)
    assert theirs.shape == ours.shape
    assert theirs.dtype == torch.float32
    assert (ours - theirs).abs().mean() < 0.5 / 255 / 0.2  # half a grey level


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("how", ["bilinear", "nearest", "area"])
def test_the_pipeline_for_torchvision_takes_tensors(photo, how, antialias):
    preprocess = Preprocess.of(96, interpolation=how, antialias=antialias)
    ours, theirs = normalise(take_crops(photo, preprocess), preprocess)[0], preprocess.transforms()(F.pil_to_tensor(photo))
    assert (ours - theirs).abs().mean() < 0.5 / 255 / 0.2  # half a grey level


UPRIGHT = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_270}  # what undoes orientations of EXIF


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_crops_are_those_of_the_upright_image(photo, tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo.save(tmp_path / "turned.jpg", exif=exif)
    photo.save(tmp_path / "plain.jpg")
    with Image.open(tmp_path / "plain.jpg") as plain:
        upright = plain.transpose(UPRIGHT[orientation])
    preprocess = Preprocess.of(224)
    for count in (1, 144):
        expected = take_crops(upright, preprocess, count)
        assert torch.equal(take_crops(decode(tmp_path / "turned.jpg"), preprocess, count), expected)
        (batch,) = crop_loader(FileDataset([tmp_path / "turned.jpg"], [0]), [0], [preprocess.resize], count, 1)
        assert torch.equal(batch.crops[preprocess.resize][0], expected)


ODD = Preprocess.of(24, mean=(0.1, 0.5, 0.7), std=(0.3, 0.2, 0.9), interpolation="bicubic", crop_fraction=0.8)


@pytest.mark.parametrize("batch_size", [1, 5, 1000])
def test_crops_are_normalised_to_the_same_bits_in_batches_of_any_size(photo, batch_size):
    crops = torch.cat([take_crops(photo.resize(size), ODD, 12) for size in ((60, 40), (33, 50), (2, 90))])
    before = crops.clone()
    batches = [normalise(batch, ODD) for batch in crops.split(batch_size)]
    assert all(batch.is_contiguous(memory_format=torch.channels_last) for batch in batches)
    assert torch.equal(torch.cat(batches), normalise(crops.contiguous(), ODD))
    assert torch.equal(crops, before)
