import numpy as np
import pytest
import torch
from PIL import Image

from godeeper import GodeeperError
from godeeper.data.augment import Augment
from godeeper.data.batches import EpochBatches
from godeeper.data.dataset import ArrayDataset, FileDataset
from godeeper.data.loader import training_loader
from noise import SomeBad, noise

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")  # two workers on a machine of one core


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
