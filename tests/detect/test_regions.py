"""Regions warped, against the resampling written out; their labels by hand."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from godeeper import BadImage
from godeeper.data.annotations import DetectionDataset, Objects
from godeeper.data.open_annotations import open_annotations
from godeeper.data.pixels import normalise
from godeeper.detect import regions
from godeeper.detect.regions import RegionDataset, region_labels, warp, warp_all
from godeeper.preprocess import Preprocess
from scenes import voc_folder

FILL = (124, 116, 104)  # 255 x ImageNet's mean


def noise(width, height, seed=0):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8))


def objects(*boxes, labels=None, difficult=()):
    flags = np.array([index in difficult for index in range(len(boxes))], np.bool_)
    return Objects(np.array(boxes, np.float32).reshape(-1, 4), np.array(labels or [0] * len(boxes), np.int64), flags)


def kernel(start, step, out, pixels):
    """Triangles as wide as the step, two pixels at least, around the places where `out` pixels are taken: (out, pixels)."""
    centres = start + (np.arange(out) + 0.5) * step
    weights = 1 - np.abs(np.arange(pixels) + 0.5 - centres[:, None]) / max(1, step)
    weights = weights.clip(min=0)
    return weights / weights.sum(1, keepdims=True)


def slow(image, box, size, margin):
    """The warped region of a box far from the image's edges."""
    left, top, right, bottom = box
    across, down = (right - left) / (size - 2 * margin), (bottom - top) / (size - 2 * margin)
    rows = kernel(top - margin * down, down, size, image.height)
    columns = kernel(left - margin * across, across, size, image.width)
    columns_done = np.tensordot(columns, np.asarray(image, np.float64), (1, 1))  # (size, height, 3)
    return np.tensordot(rows, columns_done, (1, 1))


class TestWarp:
    def test_pixel_for_pixel(self):
        image = noise(300, 260)
        square = warp(image, (40, 30, 235, 225), Preprocess.of(227))  # 195 pixels, and 16 around them
        assert np.array_equal(np.array(square), np.array(image)[14:241, 24:251])

    def test_beyond_the_image_is_the_mean_colour(self):
        image = noise(195, 300)
        square = np.array(warp(image, (0, 0, 195, 195), Preprocess.of(227)))
        expected = np.full((227, 227, 3), FILL, np.uint8)
        expected[16:, 16:211] = np.array(image)[:211]
        assert np.array_equal(square, expected)
        seen = normalise(torch.from_numpy(square).permute(2, 0, 1)[None], Preprocess.of(227))[0]
        assert seen[:, :16].abs().max() < 0.01  # half a level of 255

    def test_a_whole_small_image(self):
        square = np.array(warp(Image.new("RGB", (10, 20), (7, 8, 9)), (0, 0, 10, 20), Preprocess.of(227)))
        assert (square[16:211, 16:211] == (7, 8, 9)).all()
        square[16:211, 16:211] = FILL
        assert (square == FILL).all()

    def test_context_grows_with_the_size(self):
        for size, margin in ((32, 2), (224, 16), (299, 21), (454, 32)):
            square = np.array(warp(Image.new("RGB", (50, 50), (255, 255, 255)), (0, 0, 50, 50), Preprocess.of(size)))
            white = (square == 255).all(-1)
            assert (white.any(0).nonzero()[0][[0, -1]] == (margin, size - margin - 1)).all()

    @pytest.mark.parametrize("box", [
        (200, 200, 395, 395), (150, 130, 540, 520), (150, 130, 540, 325), (300, 310, 345.5, 330.25),
        (111.4, 98.6, 601.3, 133.3), (180.5, 200.25, 213.1, 600.7),
    ])  # fmt: skip
    def test_every_shape_against_the_resampling_written_out(self, box):
        image = noise(720, 700, 3)
        for size, margin in ((227, 16), (64, 5)):
            square = np.array(warp(image, box, Preprocess.of(size)), np.float64)
            assert np.abs(square - slow(image, box, size, margin)).max() <= 1.5  # two roundings

    def test_at_an_edge_what_lies_within_is_the_same(self):
        image, larger = noise(400, 300, 4), Image.new("RGB", (600, 500), FILL)
        larger.paste(image, (100, 100))
        for box in ((0, 0, 390, 195), (350, 260, 400, 300), (3, 100, 29, 300)):
            square, expected = (
                np.array(warp(*pair, Preprocess.of(227)), np.float64)
                for pair in ((image, box), (larger, tuple(side + 100 for side in box)))
            )
            assert np.abs(square - expected)[22:-22, 22:-22].mean() < 4  # up to half a pixel off, where edges are rounded

    def test_all_of_a_image(self):
        image = noise(120, 90)
        boxes = np.array([(0, 0, 120, 90), (10.5, 20, 60, 30.25), (100, 60, 120, 90), (0, 0, 1, 1)], np.float32)
        warped = warp_all(image, boxes, Preprocess.of(48))
        assert warped.dtype == torch.uint8
        assert warped.is_contiguous(memory_format=torch.channels_last)
        for one, box in zip(warped, boxes.tolist(), strict=True):
            assert np.array_equal(one.permute(1, 2, 0).numpy(), np.array(warp(image, box, Preprocess.of(48))))
        assert warp_all(image, boxes[:0], Preprocess.of(48)).shape == (0, 3, 48, 48)


def test_labels_by_hand():
    there = objects((0, 0, 10, 10), (20, 0, 30, 10), (0, 50, 10, 60), (20, 50, 30, 60), labels=[1, 0, 2, 2], difficult={2, 3})
    boxes = np.float32([
        (0, 0, 10, 10), (0, 0, 10, 5), (0, 0, 10, 4.9),  # all of the first, half of it, less
        (20, 0, 30, 12), (5, 0, 25, 10),  # the second; a quarter of both
        (0, 50, 10, 61), (0, 50, 10, 53),  # a difficult one; too little of it
        (70, 70, 80, 80),
    ])  # fmt: skip
    assert region_labels(boxes, there, 3).tolist() == [1, 1, 3, 0, 3, -1, 3, 3]
    assert region_labels(boxes, objects(), 3).tolist() == [3] * 8
    assert region_labels(boxes[:0], there, 3).tolist() == []


def test_the_larger_overlap_decides():
    there = objects((0, 0, 10, 10), (0, 0, 10, 8), labels=[0, 1])
    assert region_labels(np.float32([(0, 0, 10, 10), (0, 0, 10, 8.5), (0, 0, 10, 7)]), there, 2).tolist() == [0, 1, 1]


FIRST, SECOND = (0, 0, 20, 20), (40, 10, 60, 30)
NEAR = [(0, 0, 20, 18), (40, 12, 60, 30), (41, 10, 60, 30)]
FAR = [(float(x), 40.0, x + 12.0, 60.0) for x in range(0, 60, 3)]


@pytest.fixture
def by_hand(tmp_path):
    """Three images: two objects, one of them difficult; one object; none. Their proposals."""
    files = []
    for number, size in enumerate(((80, 64), (64, 80), (70, 70))):
        files.append(tmp_path / f"{number}.png")
        noise(*size, number).save(files[-1])
    there = [objects(FIRST, SECOND, labels=[1, 0], difficult={0}), objects(FIRST, labels=[1]), objects()]
    images = DetectionDataset(("disc", "square"), files, [(80, 64), (64, 80), (70, 70)], there, "train")
    return images, [np.float32([*NEAR, *FAR]), np.float32([NEAR[0], *FAR]), np.float32(FAR)]


def listed(made):
    return {(Path(made.name(index).split(" [")[0]).stem, tuple(made.boxes[index].tolist())) for index in range(len(made))}


class TestRegionImages:
    def test_regions_of_objects_by_hand(self, by_hand):
        made = RegionDataset(*by_hand, Preprocess.of(32), 0)
        found = [
            (made.image_indices[i], tuple(made.boxes[i].tolist()), label) for i, label in enumerate(made.labels) if label != 2
        ]
        assert found == [
            (0, SECOND, 0), (0, NEAR[1], 0), (0, NEAR[2], 0),  # what overlaps the difficult object is left out
            (1, NEAR[0], 1), (1, FIRST, 1),
        ]  # fmt: skip
        assert made.name(0).endswith("0.png [0, 40, 12, 60]") or made.labels[0] != 2

    def test_three_regions_of_background_to_each(self, by_hand):
        made = RegionDataset(*by_hand, Preprocess.of(32), 0)
        background = [i for i, label in enumerate(made.labels) if label == 2]
        assert len(background) == 3 * (len(made) - len(background)) == 15
        assert {tuple(made.boxes[i].tolist()) for i in background} <= set(FAR)
        assert len(listed(made)) == len(made)  # none twice

    def test_as_many_as_there_are(self, by_hand):
        images, proposals = by_hand
        made = RegionDataset(images, [boxes[: len(boxes) - 18] for boxes in proposals], Preprocess.of(32), 0)
        assert made.labels.count(2) == 2 * 3

    def test_no_proposals_and_no_objects(self, by_hand):
        images, proposals = by_hand
        assert RegionDataset(images, [boxes[:0] for boxes in proposals], Preprocess.of(32), 0).labels == [0, 1]
        nothing = DetectionDataset(("disc", "square"), images.files, images.sizes, [objects()] * 3, "train")
        assert RegionDataset(nothing, proposals, Preprocess.of(32), 0).labels == [2, 2, 2]

    def test_the_seed_alone_decides(self, by_hand):
        first, again, other = (RegionDataset(*by_hand, Preprocess.of(32), seed) for seed in (3, 3, 4))
        assert listed(first) == listed(again) != listed(other)

    def test_their_images(self, by_hand):
        images, _ = by_hand
        made = RegionDataset(*by_hand, Preprocess.of(32), 0)
        for index in range(len(made)):
            expected = warp(images.image(made.image_indices[index]), made.boxes[index].tolist(), Preprocess.of(32))
            assert np.array_equal(np.array(made.image(index)), np.array(expected))

    def test_sent_to_another_process(self, by_hand):
        made = RegionDataset(*by_hand, Preprocess.of(32), 0)
        made.image(0)
        copy = pickle.loads(pickle.dumps(made))
        assert listed(copy) == listed(made)
        assert np.array_equal(np.array(copy.image(5)), np.array(made.image(5)))

    def test_images_are_decoded_once_while_there_is_room(self, by_hand, monkeypatch):
        decoded, real = [], regions.decode
        monkeypatch.setattr(regions, "decode", lambda file: (decoded.append(file.stem), real(file))[1])
        monkeypatch.setattr(regions, "_decoded_images", regions._DecodedImages())
        made = RegionDataset(*by_hand, Preprocess.of(32), 0)
        for index in range(len(made)):
            made.image(index)
        assert decoded == ["0", "1", "2"]
        monkeypatch.setattr(regions, "CACHE_PIXELS", 2 * 64 * 80)  # of these two
        monkeypatch.setattr(regions, "_decoded_images", regions._DecodedImages())
        files = made.images.files
        for place in (0, 1, 0, 2, 0, 1):  # 0 was asked for last: 1 makes room
            regions._decoded_images(files[place])
        assert decoded[3:] == ["0", "1", "2", "1"]
        assert regions._decoded_images.pixels == sum(p.width * p.height for p in regions._decoded_images.images.values())
        monkeypatch.setattr(regions, "CACHE_PIXELS", 1)
        assert regions._decoded_images(files[0]).size == (80, 64)
        assert len(regions._decoded_images.images) == 1

    def test_a_bad_image(self, by_hand):
        images, _ = by_hand
        made = RegionDataset(*by_hand, Preprocess.of(32), 0)
        images.files[0].write_bytes(b"no image")
        with pytest.raises(BadImage, match=r"0\.png"):
            made.image(0)


def test_scenes_objects_are_among_the_regions(tmp_path):
    images = open_annotations(voc_folder(tmp_path), "train")
    made = RegionDataset(images, [np.zeros((0, 4), np.float32)] * len(images), Preprocess.of(32), 0)
    assert sorted(made.labels) == sorted(label for some in images.objects for label in some.labels.tolist())
    colour = {images.classes.index("disc"): (200, 40, 40), images.classes.index("square"): (40, 60, 200)}
    for index, label in enumerate(made.labels):
        assert np.abs(np.array(made.image(index).getpixel((16, 16))) - colour[label]).max() < 40
