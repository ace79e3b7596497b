"""Selective search on images whose objects are plain to see; what is kept of it, whole or made again; coverage by hand."""

import math
import os
import random
import signal
import sys
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image, ImageDraw

from godeeper import BadImage, GodeeperError
from godeeper.data.annotations import Objects
from godeeper.data.decode import decode
from godeeper.data.open_annotations import open_annotations
from godeeper.detect import proposals
from godeeper.detect.iou import box_iou
from godeeper.detect.proposals import CachedProposals, CombinedProposals, SelectiveSearch, coverage, propose_all
from godeeper.detect.selective_search import SMALLEST, WIDTH, selective_search
from scenes import voc_folder

A, B = (40, 30, 160, 120), (250, 140, 420, 260)
BOXES = np.array([[0.5, 1.25, 20, 30], [7, 8, 90.75, 70]], np.float32)


def blocks(width=500, height=300):
    """Two plain rectangles, A and B at that size, on a plain ground."""
    image = Image.new("RGB", (500, 300), (230, 230, 210))
    draw = ImageDraw.Draw(image)
    for (left, top, right, bottom), colour in ((A, (190, 30, 30)), (B, (30, 60, 170))):
        draw.rectangle((left, top, right - 1, bottom - 1), fill=colour)
    return image.resize((width, height))


def texture(seed=0):
    """Blots of all sizes."""
    draws, image = np.random.default_rng(seed), Image.new("RGB", (250, 180), (128, 128, 128))
    draw = ImageDraw.Draw(image)
    for _ in range(40):
        (x, y), side = draws.integers(0, (250, 180)).tolist(), int(draws.integers(4, 40))
        draw.ellipse((x, y, x + side, y + side), fill=tuple(draws.integers(0, 255, 3).tolist()))
    return image


@dataclass(frozen=True)
class Fixed:
    """Proposes BOXES, and notes in a file that it was asked."""

    log: str
    name: str = "fixed"

    def __call__(self, image):
        with open(self.log, "a") as log:
            log.write(".")
        return BOXES.copy()


@dataclass(frozen=True)
class Corner:
    """Proposes the image's own first pixel, as a box that tells images apart."""

    name: str = "corner"

    def __call__(self, image):
        return np.array([[*map(float, image.getpixel((0, 0))), 255]], np.float32)


@dataclass(frozen=True)
class Killed:
    """Is ended as the system ends a process for want of memory."""

    name: str = "killed"

    def __call__(self, image):
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GODEEPER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "proposals"


@pytest.fixture
def image_file(tmp_path):
    blocks().save(tmp_path / "blocks.png")
    return tmp_path / "blocks.png"


@pytest.fixture
def fixed(tmp_path):
    return Fixed(str(tmp_path / "log"))


def asked(proposer):
    return os.path.getsize(proposer.log) if os.path.exists(proposer.log) else 0


@pytest.mark.parametrize("superpixels", [1, 2])
@pytest.mark.parametrize("times", [1, 0.5, 2.2])
def test_plain_objects_are_found_at_every_size(superpixels, times):
    boxes = selective_search(blocks(round(500 * times), round(300 * times)), superpixels)
    assert boxes.dtype == np.float32
    assert (box_iou(np.float32([A, B]) * np.float32(times), boxes).max(1) > 0.9).all()


def test_boxes_are_different_within_the_image_and_not_too_small():
    image = texture()
    boxes = selective_search(image)
    assert len(np.unique(boxes, axis=0)) == len(boxes) > 20
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2:] <= image.size).all()
    assert ((boxes[:, 2:] - boxes[:, :2]).min(1) >= SMALLEST * image.width / WIDTH - 1e-3).all()


@pytest.mark.slow
def test_larger_superpixels_propose_less():
    counts = [len(selective_search(texture(), superpixels)) for superpixels in (1, 2, 4)]
    assert counts == sorted(counts, reverse=True)
    assert counts[1] < 0.75 * counts[0]


def test_boxes_depend_on_the_image_alone():
    first = selective_search(texture())
    selective_search(texture(1))  # OpenCV's random numbers have moved on
    assert np.array_equal(selective_search(texture()), first)


def test_nothing_to_see():
    assert selective_search(Image.new("RGB", (300, 200), (9, 9, 9))).tolist() == [[0, 0, 300, 200]]
    assert selective_search(Image.new("RGB", (500, 1))).shape == (0, 4)  # lower than the smallest box


@pytest.mark.parametrize("workers", [0, 2])
def test_without_opencv(workers, tmp_path, monkeypatch):
    images = open_annotations(voc_folder(tmp_path), "val")
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(GodeeperError, match=r"pip install .*\[detect\]'"):
        propose_all(SelectiveSearch(), images, workers=workers)


def kept(proposer, file):
    return CachedProposals(proposer)(decode(file))


class TestKept:
    def test_it_is_made_once(self, image_file, fixed):
        for _ in range(3):
            boxes = kept(fixed, image_file)
            assert boxes.dtype == np.float32
            assert np.array_equal(boxes, BOXES)
            boxes[:] = 0  # the caller's own
        assert asked(fixed) == 1

    def test_selective_search_is_not_run_again(self, image_file, monkeypatch):
        first = kept(SelectiveSearch(), image_file)
        monkeypatch.delattr(proposals, "selective_search")
        assert np.array_equal(kept(SelectiveSearch(), image_file), first)
        with pytest.raises(NameError):
            kept(SelectiveSearch(1), image_file)

    def test_it_is_found_by_content_and_by_proposer(self, image_file, fixed, tmp_path):
        kept(fixed, image_file)
        copy = tmp_path / "copy.jpg"
        copy.write_bytes(image_file.read_bytes())
        kept(fixed, copy)
        assert asked(fixed) == 1
        kept(Fixed(fixed.log, "another"), image_file)
        assert asked(fixed) == 2
        blocks(400, 240).save(image_file)
        kept(fixed, image_file)
        assert asked(fixed) == 3

    def test_opencv_is_part_of_the_name(self, monkeypatch):
        names = {SelectiveSearch(1).name, SelectiveSearch(2).name}
        monkeypatch.setattr("cv2.__version__", "9.9")
        assert len(names | {SelectiveSearch(2).name}) == 3

    def test_whatever_is_damaged_is_made_again(self, image_file, fixed, cache):
        kept(fixed, image_file)
        (file,) = cache.iterdir()
        good, chance = file.read_bytes(), random.Random(0)
        damaged = [good[:length] for length in range(len(good))] + [good + b"0" * 16, b"PK\x03\x04" + good[4:]]
        for place in chance.sample(range(8 * len(good)), 100):
            flipped = bytearray(good)
            flipped[place // 8] ^= 1 << place % 8
            damaged.append(bytes(flipped))
        for content in damaged:
            file.write_bytes(content)
            assert np.array_equal(kept(fixed, image_file), BOXES)
            assert file.read_bytes() == good
        assert asked(fixed) == 1 + len(damaged)

    def test_no_boxes_are_kept_too(self, image_file, monkeypatch, fixed):
        monkeypatch.setattr(sys.modules[__name__], "BOXES", np.zeros((0, 4), np.float32))
        assert [kept(fixed, image_file).shape for _ in range(2)] == [(0, 4), (0, 4)]
        assert asked(fixed) == 1

    def test_where_nothing_can_be_kept(self, image_file, fixed, tmp_path, monkeypatch):
        (tmp_path / "file").write_text("no folder")
        monkeypatch.setenv("GODEEPER_CACHE", str(tmp_path / "file"))
        assert np.array_equal(kept(fixed, image_file), BOXES)

    def test_bad_images(self, tmp_path, fixed, cache):
        (tmp_path / "text.jpg").write_text("no image")
        for name in ("text.jpg", "missing.jpg"):
            with pytest.raises(BadImage, match=name):
                kept(fixed, tmp_path / name)
        assert not cache.exists()


@pytest.mark.slow
def test_a_set_in_its_order_by_any_number_of_processes(tmp_path):
    images = open_annotations(voc_folder(tmp_path), "train")
    wanted = [[[*images.image(index).getpixel((0, 0)), 255]] for index in range(len(images))]
    for number, workers in enumerate((0, 2)):
        told = []
        found = propose_all(Corner(str(number)), images, workers=workers, progress=lambda *one: told.append(one))  # noqa: B023
        assert [boxes.tolist() for boxes in found.boxes] == wanted
        assert told == [(done, 8) for done in range(1, 9)]


@pytest.mark.slow
def test_a_process_that_dies(tmp_path):
    with pytest.raises(GodeeperError, match=r"died.*fewer --workers"):
        propose_all(Killed(), open_annotations(voc_folder(tmp_path), "val"), workers=1)


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_bad_image_in_a_set(workers, tmp_path):
    images = open_annotations(voc_folder(tmp_path), "val")
    images.files[1].write_bytes(b"no image")
    with pytest.raises(BadImage, match=rf"{images.files[1].name}.*\(--skip-bad leaves such images out, and counts them\)"):
        propose_all(Corner(), images, workers=workers)
    results = propose_all(Corner(), images, workers=workers, skip_bad=True)
    assert results.indices == [0, 2, 3]
    assert len(results.boxes) == 3
    assert [images.files[1].name in reason for reason in results.skipped] == [True]


def test_several_ways_together(fixed):
    both = CombinedProposals((fixed, Corner()))
    assert both.name == "fixed + corner"
    assert both(blocks()).tolist() == [*BOXES.tolist(), [230, 230, 210, 255]]


def test_coverage_by_hand():
    def objects(*boxes, difficult=()):
        flags = np.array([index in difficult for index in range(len(boxes))], np.bool_)
        return Objects(np.array(boxes, np.float32).reshape(-1, 4), np.zeros(len(boxes), np.int64), flags)

    def boxes(*some):
        return np.array(some, np.float32).reshape(-1, 4)

    there = [
        objects((0, 0, 10, 10), (20, 0, 30, 10), (50, 50, 60, 60), difficult={2}),  # covered by half exactly; by 0.4; not asked
        objects((0, 0, 10, 10)),  # no proposals
        objects(),  # proposals, but no objects
        objects((0, 0, 8, 8)),  # covered twice
    ]
    proposed = [
        boxes((0, 0, 10, 5), (20, 0, 30, 4)),
        boxes(),
        boxes((0, 0, 10, 10)),
        boxes((0, 0, 8, 8), (0, 0, 8, 7), (30, 30, 40, 40)),
    ]
    found = coverage(proposed, there)
    assert (found.objects, found.covered, found.percent, found.proposals) == (4, 2, 50, 1.5)
    assert coverage(proposed, there, 0.4).covered == 3
    assert coverage(proposed, there, 0.51).covered == 1
    assert math.isnan(coverage([boxes()], [objects()]).percent)
    with pytest.raises(ValueError, match="zip"):
        coverage(proposed, there[:2])


@pytest.mark.parametrize("size", [(1, 3000), (3000, 1), (1, 1), (4, 400)])
def test_long_thin_images_take_no_longer_than_others(size):
    noise = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    found = selective_search(Image.fromarray(noise))
    assert found.shape[1:] == (4,)
