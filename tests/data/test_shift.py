from collections import Counter
from random import Random

import numpy as np
import pytest
import torch
from PIL import Image

from godeeper import GodeeperError
from godeeper.data import whole_images
from godeeper.data.augment import Augment, alternating_flip
from godeeper.data.batches import EpochBatches
from godeeper.data.crops import crop_boxes
from godeeper.data.dataset import FileDataset
from godeeper.data.loader import training_loader
from godeeper.data.pixels import take_crops
from godeeper.preprocess import Preprocess, Resize
from godeeper.train.recipe import Recipe

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")  # two workers on a machine of one core

SHIFT = Augment(color_jitter=False, shift=2)


def gradient(side):
    """An image whose pixel (row, column) is (row, column, row + column)."""
    rows, columns = np.mgrid[:side, :side]
    return Image.fromarray(np.stack([rows, columns, rows + columns], 2).astype(np.uint8))


def reflected(position, side):
    """Where a position beyond the border lies, as in a mirror on the last pixel."""
    return abs(position) if position < side else 2 * (side - 1) - position


def test_a_shift_shows_the_whole_image_moved_with_its_border_reflected():
    seen = Counter()
    for seed in range(400):
        pixels = SHIFT(gradient(8), 8, Random(seed))
        assert pixels.shape == (3, 8, 8)
        rows, columns, sums = pixels.tolist()
        flipped = columns[4][4] > columns[4][5]
        top, left = rows[4][4] - 4, (columns[4][3] if flipped else columns[4][4]) - 4
        expected = [[reflected(top + row, 8) for _ in range(8)] for row in range(8)]
        across = [reflected(left + column, 8) for column in range(8)]
        assert rows == expected
        assert columns == [across[::-1] if flipped else across] * 8
        assert sums == (pixels[0] + pixels[1]).tolist()
        seen[top, left, flipped] += 1
    assert len(seen) == 5 * 5 * 2
    assert 150 < sum(count for (_, _, flipped), count in seen.items() if flipped) < 250


def test_an_alternating_flip_shows_each_image_both_ways_in_two_epochs():
    flips = [[alternating_flip(3, epoch, index) for index in range(500)] for epoch in range(4)]
    assert 200 < sum(flips[0]) < 300
    assert all(a != b for a, b in zip(flips[0], flips[1], strict=True))
    assert flips[2] == flips[0]
    assert flips[3] == flips[1]
    assert flips[0] != [alternating_flip(4, 0, index) for index in range(500)]


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / f"{number}.png" for number in range(9)]
    for number, path in enumerate(paths):
        noise = np.random.default_rng(number).integers(0, 256, (12, 10 + number, 3), np.uint8)
        Image.fromarray(noise).save(path)
    paths[4].write_bytes(b"no image")
    return FileDataset(paths, list(range(9)))


def epochs(images, workers):
    augment = Augment(color_jitter=True, shift=1, alternating_flip=True)
    batches = EpochBatches(9, 3, seed=5)
    result = []
    with training_loader(images, 8, augment, batches, workers) as loader:
        for batches.epoch in range(3):
            result += [(batch.images, batch.labels.tolist(), batch.bad) for batch in loader]
    return result


def test_kept_images_make_the_batches_that_decoding_anew_makes(files, monkeypatch):
    kept = epochs(files, workers=0)
    monkeypatch.setattr(whole_images, "MEMORY", 0)
    for workers in (0, 2):
        for (images, labels, bad), (others, other_labels, other_bad) in zip(kept, epochs(files, workers), strict=True):
            assert torch.equal(images, others)
            assert labels == other_labels
            assert bad == other_bad
    assert sum(len(bad) for _, _, bad in kept) == 3  # the undecodable one, in each epoch


def test_an_image_that_is_kept_is_read_once(files, monkeypatch):
    reads = Counter()
    raw = FileDataset.raw
    monkeypatch.setattr(FileDataset, "raw", lambda self, index: (reads.update([index]), raw(self, index))[1])
    epochs(files, workers=2)  # in this process, as no others are needed
    assert {index: count for index, count in reads.items() if index != 4} == dict.fromkeys([0, 1, 2, 3, 5, 6, 7, 8], 1)


def test_six_crops_are_the_centre_and_two_shifts_each_with_its_mirror_image():
    preprocess = Preprocess(Resize(8)).whole()
    crops = take_crops(gradient(8), preprocess, 6)
    rows, columns, _ = crops.unbind(1)  # (6, 8, 8)
    for number, by in ((0, 0), (2, -1), (4, 1)):
        expected = [reflected(by + position, 8) for position in range(8)]
        assert rows[number].tolist() == [[row] * 8 for row in expected]
        assert columns[number].tolist() == [expected] * 8
        assert torch.equal(crops[number + 1], crops[number].flip(-1))
    (centre,) = crop_boxes(20, 12, Resize(8))
    assert crop_boxes(20, 12, Resize(8), 6)[0] == centre


def test_a_recipe_with_a_shift_has_images_of_one_size():
    with pytest.raises(GodeeperError, match="start_size=0"):
        Recipe(shift=2, start_size=16)
    with pytest.raises(GodeeperError, match="crop_scale takes effect with shift=0"):
        Recipe(shift=2).with_overrides(["crop_scale=0.5,1"])
    with pytest.raises(GodeeperError, match="alternating_flip takes effect with hflip=True"):
        Recipe(hflip=False).with_overrides(["alternating_flip=true"])
