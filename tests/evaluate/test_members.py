"""Several classifiers in one pass, the ways of averaging, and results that batches, threads and processes hardly change."""

import json
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image

from godeeper import GodeeperError, load
from godeeper.cli.main import status
from godeeper.data.dataset import FileDataset
from godeeper.data.pixels import normalise, take_crops
from godeeper.evaluate import Member, evaluate, evaluate_members
from godeeper.evaluate.classify import averaged
from godeeper.evaluate.ensemble import read_probabilities
from godeeper.preprocess import Preprocess

PLAIN = Preprocess.of(16, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    random = np.random.default_rng(0)
    for index in range(12):
        Image.fromarray(random.integers(0, 255, (5, 6, 3), dtype=np.uint8)).resize((48, 40)).save(folder / f"{index:02}.png")
    return FileDataset(sorted(folder.iterdir()), [index % 3 for index in range(12)])


def brightness(x):
    bright = x.mean((1, 2, 3))
    return torch.stack([bright * 9, torch.full_like(bright, 4.5), bright.neg()], 1)


def redness(x):
    return torch.stack([x[:, 1].mean((1, 2)), x[:, 0].mean((1, 2)), x[:, 2].mean((1, 2))], 1) * 20


def by_hand(logits_of, images, preprocess, crops):
    rows = []
    for index in range(len(images)):
        shown = normalise(take_crops(images.image(index), preprocess, crops), preprocess)
        rows.append(torch.stack([logits_of(crop[None])[0] for crop in shown]).softmax(1).mean(0))
    return torch.stack(rows)


def test_members_of_other_sizes_and_class_orders_are_averaged(images):
    other = Preprocess.of(24, (0.3, 0.4, 0.5), (0.5, 0.4, 0.3), interpolation="bicubic")
    order = (2, 0, 1)  # the images' class 0 is the second member's logit 2
    members = [Member("a", brightness, PLAIN), Member("b", redness, other, order)]
    found = evaluate_members(members, images, crops=10, keep=True, batch_size=7)
    a, b = by_hand(brightness, images, PLAIN, 10), by_hand(redness, images, other, 10)[:, list(order)]
    assert (a - b).abs().max() > 0.1
    assert torch.allclose(found.probabilities, torch.stack([a, b], 1), atol=1e-6)
    labels = torch.tensor(images.labels)
    for column, expected in enumerate((a, b, (a + b) / 2)):
        own = expected.gather(1, labels[:, None])
        assert found.outcomes(column).top1_errors == int(((expected >= own).sum(1) > 1).sum())
    assert found.top1_error == found.outcomes(2).top1_error
    document = found.as_dict()
    assert [one["model"] for one in document["members"]] == ["a", "b"]
    assert document["members"][0]["top1_error"] == found.outcomes(0).top1_error


def test_each_image_is_decoded_once_for_all_members(images):
    opened = Counter()

    class Counting(FileDataset):
        def raw(self, index):
            opened[index] += 1
            return super().raw(index)

    members = [Member(str(number), brightness, Preprocess.of(16 + 8 * number)) for number in range(3)]
    evaluate_members(members, Counting(images.files, images.labels), crops=10)
    assert opened == Counter(range(12))


def test_the_three_averages_by_hand():
    logits = torch.tensor([[[0.0, 1.0, 2.0], [4.0, 0.0, 0.0]]])
    softmax = logits[0].softmax(1)
    assert torch.allclose(averaged(logits, "softmax")[0], (softmax[0] + softmax[1]) / 2)
    assert torch.allclose(averaged(logits, "logits")[0], torch.tensor([2.0, 0.5, 1.0]).softmax(0))
    largest = torch.maximum(softmax[0], softmax[1])
    assert torch.allclose(averaged(logits, "max")[0], largest / largest.sum())


def test_the_choice_of_average_is_used_and_checked(images):
    found = {how: evaluate(redness, images, PLAIN, crops=12, average=how, keep=True) for how in ("softmax", "logits", "max")}
    assert len({tuple(one.probabilities.flatten().tolist()) for one in found.values()}) == 3
    with pytest.raises(GodeeperError, match=r"'softmx'.*'softmax'"):
        evaluate(redness, images, PLAIN, average="softmx")


def test_fewer_crops_come_from_the_same_pass(images):
    whole = evaluate(redness, images, PLAIN, crops=144, keep=True)
    for crops in (10, 12):
        alone = evaluate(redness, images, PLAIN, crops=crops)
        assert torch.equal(whole.outcomes(crops=crops).decisions, alone.outcomes().decisions)
    assert list(whole.counts) == [1, 10, 12, 36, 72, 108, 144]


def test_a_squashed_image_is_seen_whole(images):
    squash = Preprocess.of(16, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), mode="squash")
    for crops in (1, 10):
        probabilities = evaluate(redness, images, squash, crops=crops, keep=True).probabilities[:, 0]
        assert torch.allclose(probabilities, by_hand(redness, images, squash, crops), atol=1e-6)
        assert not torch.allclose(probabilities, by_hand(redness, images, PLAIN, crops), atol=1e-3)


BOUND = 2e-5  # of the docstring: how far apart probabilities may be


def agree(first, second):
    """Whether probabilities (N, members, classes) are within the bound, and no decision hangs on less."""
    hangs = (first.topk(2).values.diff() / first.amax(-1, keepdim=True)).abs().min() < 2 * BOUND
    return torch.allclose(first, second, rtol=BOUND, atol=0) and not hangs


def test_batches_workers_and_threads_change_no_count(images, weights_file):
    network = load(weights_file)
    before = torch.get_num_threads()
    results = []
    try:
        for batch_size, workers, threads in ((None, 0, 1), (1, 0, 1), (7, 2, 2)):
            torch.set_num_threads(threads)
            options = {"crops": 10, "batch_size": batch_size, "workers": workers, "keep": True}
            results.append(evaluate(network, images, network.preprocess, **options))
    finally:
        torch.set_num_threads(before)
    first = results[0]
    assert 0 < first.top1_error < 100
    for other in results[1:]:
        assert agree(first.probabilities, other.probabilities)
        assert torch.equal(first.index, other.index)
        assert torch.equal(first.decisions[..., :2], other.decisions[..., :2])


@pytest.mark.slow
def test_several_processes_count_as_one(class_folder, weights_file, tmp_path):
    """12 and 4 images a class do not divide by 3 processes."""
    line = ["evaluate", str(weights_file), str(weights_file), "--data", str(class_folder), "--crops", "10", "--split", "all"]
    results, saved = [], []
    for processes in (1, 3):
        report, save = tmp_path / f"report{processes}", tmp_path / f"{processes}.safetensors"
        command = [*line, "--report", str(report), "--save", str(save), "--workers", "0"]
        if processes == 1:
            assert status(command) == 0
        else:
            torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
            run = subprocess.run([*torchrun, "-m", "godeeper", *command], capture_output=True, text=True, check=False)
            assert run.returncode == 0, run.stderr
        results.append(json.loads((report / "result.json").read_text("utf-8")))
        saved.append(read_probabilities(save))
        assert not (report / "partial").exists()
    assert agree(saved[0].probabilities, saved[1].probabilities)
    assert torch.equal(saved[0].index, saved[1].index)
    assert results[0]["images"] == 32
    for name in ("images", "top1_error", "top5_error", "skipped"):
        assert results[0][name] == results[1][name]
