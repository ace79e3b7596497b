"""Several classifiers in one pass, the ways of averaging, and reports that depend on nothing but images and weights."""

import json
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image

from godeeper import GodeeperError, load
from godeeper.data.augment import normalise
from godeeper.data.dataset import ArrayDataset, FileDataset
from godeeper.data.views import take_views
from godeeper.evaluate import Member, evaluate, evaluate_members
from godeeper.evaluate.classify import averaged
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
        views = normalise(take_views(images.image(index), preprocess, crops), preprocess)
        rows.append(torch.stack([logits_of(view[None])[0] for view in views]).softmax(1).mean(0))
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


def test_a_decision_that_hangs_on_the_last_bits_is_settled_by_the_image_alone():
    """Two classes a hair apart: which is ahead would depend on the batch."""
    grey = ArrayDataset(np.stack([np.full((8, 8), 128, np.uint8)] * 7), [0] * 7, "grey")
    passes = []

    def close(x):
        passes.append(len(x))
        tilt = 1e-6 if len(x) == 1 else -1e-6 if len(x) % 2 else 3e-6
        logits = torch.zeros(len(x), 3)
        logits[:, 0] += tilt
        return logits

    results = [evaluate(close, grey, PLAIN, batch_size=size).decisions for size in (2, 3, 5, 7, 64)]
    assert all(torch.equal(one, results[0]) for one in results)
    assert results[0][:, 0, 0, 1].tolist() == [0] * 7  # alone, class 0 is ahead
    assert {2, 3, 5, 7} <= set(passes)


def test_the_report_does_not_depend_on_batches_workers_or_threads(images, weights_file):
    network = load(weights_file)
    before = torch.get_num_threads()
    results = []
    try:
        for batch_size, workers, threads in ((None, 0, 1), (1, 0, 2), (5, 2, 2), (300, 1, 1)):
            torch.set_num_threads(threads)
            found = evaluate(network, images, network.preprocess, crops=10, batch_size=batch_size, workers=workers)
            results.append(json.dumps(found.as_dict()))
    finally:
        torch.set_num_threads(before)
    assert len(set(results)) == 1
    assert 0 < json.loads(results[0])["top1_error"] < 100


def test_several_processes_write_the_same_report_as_one(class_folder, weights_file, tmp_path):
    """12 and 4 images a class do not divide by 3 processes."""
    line = ["evaluate", str(weights_file), str(weights_file), "--data", str(class_folder), "--crops", "10", "--split", "all"]
    documents = []
    for processes in (1, 3):
        report = tmp_path / f"report{processes}"
        save = tmp_path / f"{processes}.safetensors"
        run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
        command = [*run, "-m", "godeeper", *line, "--report", str(report), "--save", str(save), "--workers", "0"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        documents.append((report / "report.html").read_text("utf-8"))
        assert not (report / "partial").exists()
        assert save.is_file()
    assert documents[0] == documents[1]
