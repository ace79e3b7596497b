"""Crops of images in batches: in order, once for each way of resizing, the same with any number of workers."""

import pytest
import torch
from PIL import Image

from godeeper import Preprocess, Resize, take_crops
from godeeper.data.crop_loader import crop_loader
from godeeper.data.dataset import ArrayDataset, FileDataset
from noise import SomeBad, noise

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")  # two workers on a machine of one core

SEVERAL = [
    Resize(10),
    Resize(14, interpolation="bicubic", crop_fraction=0.8),
    Resize(10, interpolation="area", mode="squash"),
    Resize(10, antialias=False, crop_fraction=0.5),
]


@pytest.mark.parametrize(("crops", "workers"), [(1, 0), (1, 2), (12, 0), (144, 2)])
def test_crops_come_in_the_order_asked_for(crops, workers):
    images, indices = ArrayDataset(noise(9).arrays, [50 - index for index in range(9)], "noise"), [7, 0, 3, 8, 1]
    batches = list(crop_loader(images, indices, [Resize(10)], crops, 2, workers))
    assert [batch.indices for batch in batches] == [[7, 0], [3, 8], [1]]
    assert [batch.labels.tolist() for batch in batches] == [[43, 50], [47, 42], [49]]
    assert [batch.bad for batch in batches] == [[], [], []]
    for batch in batches:
        given = batch.crops[Resize(10)]
        assert given.shape == (len(batch.indices), crops, 3, 10, 10)
        assert given.dtype == torch.uint8
        assert given.flatten(0, 1).is_contiguous(memory_format=torch.channels_last)
        for index, ours in zip(batch.indices, given, strict=True):
            assert torch.equal(ours, take_crops(images.image(index), Preprocess.of(10), crops))


def test_images_of_different_sizes_make_one_batch(tmp_path):
    files, sizes = [tmp_path / f"{number}.png" for number in range(3)], [(9, 9), (40, 20), (1, 300)]
    for number, (file, width_height) in enumerate(zip(files, sizes, strict=True)):
        Image.new("RGB", width_height, (50 + number, 60, 70)).save(file)
    (batch,) = crop_loader(FileDataset(files, [6, 4, 5]), range(3), [Resize(16)], 10, 3)
    assert batch.labels.tolist() == [6, 4, 5]
    for number, crops in enumerate(batch.crops[Resize(16)]):
        assert crops.amin((0, 2, 3)).tolist() == crops.amax((0, 2, 3)).tolist() == [50 + number, 60, 70]


@pytest.mark.parametrize("crops", [1, 12, 144])
def test_an_image_is_cut_for_each_way_of_resizing(crops):
    images = noise(3)
    (batch,) = crop_loader(images, [2, 0, 1], [*SEVERAL, SEVERAL[0]], crops, 5)
    assert list(batch.crops) == SEVERAL
    for resize in SEVERAL:
        expected = torch.stack([take_crops(images.image(index), Preprocess(resize), crops) for index in (2, 0, 1)])
        assert torch.equal(batch.crops[resize], expected)
    assert not torch.equal(batch.crops[SEVERAL[0]], batch.crops[SEVERAL[2]])


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing(workers):
    def load(workers):
        return list(crop_loader(SomeBad(noise(7), (1, 4)), [6, 4, 0, 1, 2, 5], SEVERAL, 12, 2, workers))

    alone = load(0)
    assert [batch.indices for batch in alone] == [[6], [0], [2, 5]]
    assert [batch.bad for batch in alone] == [[(4, "noise[4]: damaged")], [(1, "noise[1]: damaged")], []]
    for ours, others in zip(alone, load(workers), strict=True):
        assert (ours.indices, ours.bad) == (others.indices, others.bad)
        assert all(torch.equal(ours.crops[resize], others.crops[resize]) for resize in SEVERAL)


def test_bad_files_are_named_with_the_reason(tmp_path):
    files = [tmp_path / f"{number}.png" for number in range(3)]
    Image.new("RGB", (9, 9), (50, 60, 70)).save(files[0])
    files[1].write_bytes(b"")
    (batch,) = crop_loader(FileDataset(files, [0, 1, 2]), range(3), [Resize(8)], 10, 3)
    assert batch.indices == [0]
    (first, why_first), (second, why_second) = batch.bad
    assert (first, second) == (1, 2)
    assert why_first.startswith(f"{files[1]}: ")
    assert "empty" in why_first
    assert why_second.startswith(f"{files[2]}: ")


@pytest.mark.parametrize("workers", [0, 1])
def test_a_batch_with_nothing_but_bad_images_is_empty(workers):
    (batch,) = crop_loader(SomeBad(noise(3), (0, 1, 2)), range(3), SEVERAL, 144, 3, workers)
    assert batch.indices == batch.labels.tolist() == []
    assert [len(crops) for crops in batch.crops.values()] == [0] * 4
    assert batch.bad == [(index, f"noise[{index}]: damaged") for index in range(3)]
