from dataclasses import dataclass

import numpy as np
import pytest
import torch
from PIL import Image

from godeeper import BadImage, GodeeperError
from godeeper.data.augment import Augment
from godeeper.data.batches import EpochBatches
from godeeper.data.dataset import ArrayDataset, FileDataset, ImageDataset
from godeeper.data.loader import training_loader
from godeeper.data.view_loader import view_loader
from godeeper.data.views import cut, layout, take_views
from godeeper.preprocess import Preprocess

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")  # two workers on a machine of one core


def noise(count):
    """Images that differ everywhere; each one's label is its index."""
    arrays = np.random.default_rng(0).integers(0, 256, (count, 12, 16), dtype=np.uint8)
    return ArrayDataset(arrays, list(range(count)), "noise")


@dataclass(frozen=True)
class SomeBad(ImageDataset):
    """Noise, of which the images at `bad` cannot be decoded."""

    images: ArrayDataset
    bad: tuple[int, ...]

    @property
    def labels(self):
        return self.images.labels

    def __len__(self):
        return len(self.images)

    def name(self, index):
        return self.images.name(index)

    def raw(self, index):
        if index in self.bad:
            raise BadImage(f"{self.name(index)}: damaged")
        return self.images.raw(index)


def epoch(batches, number):
    batches.epoch = number
    return list(batches)


@pytest.mark.parametrize(("length", "batch_size"), [(12, 4), (12, 1), (12, 12)])
def test_an_epoch_is_a_permutation_in_batches(length, batch_size):
    found = epoch(EpochBatches(length, batch_size, seed=0), 3)
    assert [len(batch) for batch in found] == [batch_size] * (length // batch_size)
    keys = [key for batch in found for key in batch]
    assert sorted(keys) == [(3, index) for index in range(length)]
    assert keys != sorted(keys)


def test_epochs_and_seeds_differ_and_repeat():
    batches = EpochBatches(50, 5, seed=7)
    first, second = [[index for batch in epoch(batches, number) for _, index in batch] for number in (0, 1)]
    other_seed = [index for batch in epoch(EpochBatches(50, 5, seed=8), 0) for _, index in batch]
    assert first != second
    assert first != other_seed
    assert epoch(batches, 0) == epoch(EpochBatches(50, 5, seed=7), 0)
    assert epoch(batches, 1) == epoch(EpochBatches(50, 5, seed=7), 1)


def test_the_order_is_not_that_of_the_global_random_numbers():
    torch.manual_seed(1)
    first = epoch(EpochBatches(50, 5, seed=0), 0)
    torch.manual_seed(2)
    assert epoch(EpochBatches(50, 5, seed=0), 0) == first


@pytest.mark.parametrize("ranks", [2, 3, 4])
@pytest.mark.parametrize("number", [0, 5])
def test_ranks_share_each_batch_exactly(ranks, number):
    whole = epoch(EpochBatches(65, 12, seed=1), number)
    shares = [epoch(EpochBatches(65, 12, seed=1, rank=rank, ranks=ranks), number) for rank in range(ranks)]
    assert len(whole) == 5
    for batch, *parts in zip(whole, *shares, strict=True):
        assert {len(part) for part in parts} == {12 // ranks}
        assert sorted(key for part in parts for key in part) == sorted(batch)


@pytest.mark.parametrize(("length", "batch_size", "count"), [(10, 4, 2), (11, 4, 2), (12, 4, 3), (7, 4, 1)])
def test_the_last_incomplete_batch_is_dropped(length, batch_size, count):
    batches = EpochBatches(length, batch_size, seed=0)
    found = epoch(batches, 0)
    assert len(batches) == len(found) == count
    assert {len(batch) for batch in found} == {batch_size}
    left_out = [set(range(length)) - {index for batch in epoch(batches, n) for _, index in batch} for n in range(20)]
    assert all(len(left) == length - count * batch_size for left in left_out)
    assert length == 12 or len(set(map(frozenset, left_out))) > 1  # not always the same images


@pytest.mark.parametrize(("length", "batch_size", "ranks", "expected"), [(3, 8, 1, 3), (5, 8, 2, 2)])
def test_fewer_images_than_a_batch_make_one_smaller_batch(length, batch_size, ranks, expected):
    batches = EpochBatches(length, batch_size, seed=0, ranks=ranks)
    assert [len(batch) for batch in batches] == [expected]


@pytest.mark.parametrize(
    ("length", "batch_size", "ranks", "words"),
    [(100, 10, 3, "10 .* 3 processes"), (2, 4, 4, "2 images"), (0, 4, 1, "0 images"), (10, 0, 1, "0"), (10, -2, 1, "-2")],
)
def test_impossible_batches_are_refused(length, batch_size, ranks, words):
    with pytest.raises(GodeeperError, match=words) as error:
        list(EpochBatches(length, batch_size, seed=0, ranks=ranks))
    assert "\n" not in str(error.value)


def loaded(images, batch_size, number, workers=0, seed=3, image_size=20):
    batches = EpochBatches(len(images), batch_size, seed)
    batches.epoch = number
    return list(training_loader(images, image_size, Augment(), batches, workers))


def by_label(batches):
    return {label: image for batch in batches for label, image in zip(batch.labels.tolist(), batch.images, strict=True)}


def test_training_batches_are_augmented_images_with_their_labels():
    batches = loaded(noise(11), 4, 0)
    assert [batch.images.shape for batch in batches] == [(4, 3, 20, 20)] * 2
    assert {batch.images.dtype for batch in batches} == {torch.uint8}
    assert {batch.labels.dtype for batch in batches} == {torch.int64}
    order = EpochBatches(11, 4, 3)
    assert [batch.labels.tolist() for batch in batches] == [[index for _, index in batch] for batch in order]
    assert [batch.bad for batch in batches] == [(), ()]


def test_labels_belong_to_their_images():
    levels = np.repeat(np.arange(10, dtype=np.uint8) * 25, 64).reshape(10, 8, 8)
    images = ArrayDataset(levels, [int(level) * 25 for level in range(10)], "levels")
    batches = EpochBatches(10, 5, 0)
    for batch in training_loader(images, 8, Augment(color_jitter=False), batches):
        assert (batch.images == batch.labels.view(5, 1, 1, 1)).all()


@pytest.mark.parametrize("number", [0, 4])
def test_workers_change_nothing(number):
    alone, helped = loaded(noise(11), 4, number), loaded(noise(11), 4, number, workers=2)
    assert len(alone) == len(helped) == 2
    for one, other in zip(alone, helped, strict=True):
        assert torch.equal(one.images, other.images)
        assert torch.equal(one.labels, other.labels)


def test_workers_that_stay_follow_the_epoch():
    batches = EpochBatches(8, 4, 3)
    loader = training_loader(noise(8), 20, Augment(), batches, workers=2)
    for number in (0, 1, 7):
        batches.epoch = number
        for one, other in zip(loader, loaded(noise(8), 4, number), strict=True):
            assert torch.equal(one.images, other.images)


def test_a_image_depends_on_seed_epoch_and_index_alone():
    by_four, by_six = by_label(loaded(noise(12), 4, 2)), by_label(loaded(noise(12), 6, 2))
    assert sorted(by_four) == sorted(by_six) == list(range(12))
    assert all(torch.equal(by_four[index], by_six[index]) for index in range(12))
    next_epoch, next_seed = by_label(loaded(noise(12), 4, 3)), by_label(loaded(noise(12), 4, 2, seed=4))
    assert not any(torch.equal(by_four[index], next_epoch[index]) for index in range(12))
    assert not any(torch.equal(by_four[index], next_seed[index]) for index in range(12))


def test_ranks_draw_what_one_process_draws():
    whole = by_label(loaded(noise(12), 4, 0))
    shares: dict[int, torch.Tensor] = {}
    for rank in range(2):
        batches = EpochBatches(12, 4, 3, rank=rank, ranks=2)
        shares |= by_label(training_loader(noise(12), 20, Augment(), batches))
    assert sorted(shares) == list(range(12))
    assert all(torch.equal(whole[index], shares[index]) for index in range(12))


@pytest.mark.parametrize("workers", [0, 2])
def test_bad_images_are_left_out_and_named(workers):
    whole = loaded(noise(12), 4, 0)
    some_bad = loaded(SomeBad(noise(12), (2, 7)), 4, 0, workers)
    assert sorted(text for batch in some_bad for text in batch.bad) == ["noise[2]: damaged", "noise[7]: damaged"]
    for full, batch in zip(whole, some_bad, strict=True):
        kept = [place for place, label in enumerate(full.labels.tolist()) if label not in (2, 7)]
        assert batch.labels.tolist() == full.labels[kept].tolist()  # nobody stands in for them
        assert torch.equal(batch.images, full.images[kept])
        assert len(batch.bad) == 4 - len(kept)


def test_bad_files_are_named_with_the_reason(tmp_path):
    files = [tmp_path / f"{number}.png" for number in range(4)]
    for file in files:
        Image.new("RGB", (9, 9), (50, 60, 70)).save(file)
    files[1].write_bytes(b"")
    files[2].unlink()
    (batch,) = training_loader(FileDataset(files, [0, 1, 2, 3]), 8, Augment(), EpochBatches(4, 4, 0))
    assert sorted(batch.labels.tolist()) == [0, 3]
    assert batch.images.shape == (2, 3, 8, 8)
    first, second = sorted(batch.bad)
    assert first.startswith(f"{files[1]}: ")
    assert "empty" in first
    assert second.startswith(f"{files[2]}: ")


def test_a_batch_with_nothing_but_bad_images_is_empty():
    (batch,) = loaded(SomeBad(noise(3), (0, 1, 2)), 3, 0)
    assert len(batch.images) == len(batch.labels) == 0
    assert len(batch.bad) == 3


def views_of(one, preprocess, scheme, which=0):
    """The views of an image, cut from what the loader gave."""
    _, places = layout(one.size, preprocess, scheme)
    side = preprocess.image_size
    return torch.stack([cut(one.sheets[which], place, (side, side)) for place in places])


@pytest.mark.parametrize("scheme", [1, 10, 12, 144])
@pytest.mark.parametrize("workers", [0, 2])
def test_views_come_in_the_order_asked_for(scheme, workers):
    arrays = noise(9).arrays
    images, indices = ArrayDataset(arrays, [50 - index for index in range(9)], "noise"), [7, 0, 3, 8, 1]
    preprocess = Preprocess.of(10)
    batches = list(view_loader(images, indices, [preprocess], scheme, 2, workers))
    assert [len(list(batch)) for batch in batches] == [2, 2, 1]
    assert [batch.bad for batch in batches] == [[], [], []]
    given = [one for batch in batches for one in batch]
    assert [one.index for one in given] == indices
    assert [one.label for one in given] == [43, 50, 47, 42, 49]
    assert {one.size for one in given} == {(16, 12)}
    for one in given:
        assert {sheet.dtype for sheet in one.sheets[0]} == {torch.uint8}
        assert {sheet.shape[2] for sheet in one.sheets[0]} == {3}
        expected = take_views(images.image(one.index), preprocess, scheme)
        assert expected.shape == (scheme, 3, 10, 10)
        assert torch.equal(views_of(one, preprocess, scheme), expected)


def test_views_of_images_of_different_sizes_make_one_batch(tmp_path):
    files, sizes = [tmp_path / f"{number}.png" for number in range(3)], [(9, 9), (40, 20), (1, 300)]
    for number, (file, width_height) in enumerate(zip(files, sizes, strict=True)):
        Image.new("RGB", width_height, (50 + number, 60, 70)).save(file)
    (batch,) = view_loader(FileDataset(files, [6, 4, 5]), range(3), [Preprocess.of(16)], 10, 3)
    assert [(one.index, one.label, one.size) for one in batch] == list(zip(range(3), [6, 4, 5], sizes, strict=True))
    for number, one in enumerate(batch):
        shown = views_of(one, Preprocess.of(16), 10)
        assert shown.shape == (10, 3, 16, 16)
        assert shown.amin((0, 2, 3)).tolist() == shown.amax((0, 2, 3)).tolist() == [50 + number, 60, 70]


SEVERAL = [  # two of them alike but for what is done to the numbers later
    Preprocess.of(10),
    Preprocess.of(14, interpolation="bicubic", crop_fraction=0.8),
    Preprocess.of(10, mean=(0, 0, 0), std=(1, 1, 1)),
    Preprocess.of(10, interpolation="area", crop_fraction=1),
]


@pytest.mark.parametrize("scheme", [1, 12, 144])
def test_a_image_is_given_once_for_each_preprocessing(scheme):
    images = noise(3)
    (batch,) = view_loader(images, [2, 0, 1], SEVERAL, scheme, 5)
    assert len(list(batch)) == 3
    for one in batch:
        assert len(one.sheets) == 4
        expected = [take_views(images.image(one.index), preprocess, scheme) for preprocess in SEVERAL]
        for which, preprocess in enumerate(SEVERAL):
            assert torch.equal(views_of(one, preprocess, scheme, which), expected[which])
        assert torch.equal(expected[0], expected[2])
        assert not torch.equal(expected[0], expected[3])  # what each asks for does show
    assert batch.pixels.numel() == sum(sheet.numel() for one in batch for drawn in one.sheets for sheet in drawn)


def test_workers_change_nothing_in_evaluation():
    def given(workers):
        return list(view_loader(SomeBad(noise(7), (1, 4)), [6, 4, 0, 1, 2, 5], SEVERAL, 12, 2, workers))

    alone = given(0)
    assert [[one.index for one in batch] for batch in alone] == [[6], [0], [2, 5]]
    assert min(len(batch.pixels) for batch in alone) > 1000
    for workers in (1, 2):
        for one, other in zip(alone, given(workers), strict=True):
            assert torch.equal(one.pixels, other.pixels)
            assert (one.images, one.bad) == (other.images, other.bad)


def test_bad_images_are_named_when_evaluating():
    images = SomeBad(noise(6), (1, 4))
    batches = list(view_loader(images, range(6), [Preprocess.of(10)], 1, 3))
    assert [[one.index for one in batch] for batch in batches] == [[0, 2], [3, 5]]
    assert [batch.bad for batch in batches] == [[(1, "noise[1]: damaged")], [(4, "noise[4]: damaged")]]
    for batch in batches:
        for one in batch:  # the one after a bad image is its own self
            assert torch.equal(views_of(one, Preprocess.of(10), 1), take_views(images.image(one.index), Preprocess.of(10)))


def test_bad_files_are_named_with_the_reason_when_evaluating(tmp_path):
    files = [tmp_path / f"{number}.png" for number in range(3)]
    Image.new("RGB", (9, 9), (50, 60, 70)).save(files[0])
    files[1].write_bytes(b"")
    (batch,) = view_loader(FileDataset(files, [0, 1, 2]), range(3), [Preprocess.of(8)], 10, 3)
    assert [one.index for one in batch] == [0]
    (first, why_first), (second, why_second) = batch.bad
    assert (first, second) == (1, 2)
    assert why_first.startswith(f"{files[1]}: ")
    assert "empty" in why_first
    assert why_second.startswith(f"{files[2]}: ")


@pytest.mark.parametrize("workers", [0, 1])
def test_an_evaluation_batch_with_nothing_but_bad_images_is_empty(workers):
    (batch,) = view_loader(SomeBad(noise(3), (0, 1, 2)), range(3), SEVERAL, 144, 3, workers)
    assert list(batch) == []
    assert len(batch.pixels) == 0
    assert batch.bad == [(index, f"noise[{index}]: damaged") for index in range(3)]
