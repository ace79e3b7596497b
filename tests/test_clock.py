"""The machine's clock may jump, also backwards: durations and names of files do not depend on it."""

import json
import re
import time
from pathlib import Path

import numpy as np
import pytest
import torch

import godeeper
from godeeper import Recipe, create_model
from godeeper.data.dataset import ArrayDataset
from godeeper.evaluate.journal import ImageResults, Journal
from godeeper.train import train

IMAGES = ArrayDataset(np.arange(8 * 64, dtype=np.uint8).reshape(8, 8, 8), [0, 1] * 4, "made")


def results(index: int) -> ImageResults:
    return ImageResults([index], torch.tensor([index % 2]), torch.zeros(1, 1, 1, 4, dtype=torch.int32), None, [])


def test_no_result_replaces_another_where_the_clock_stands_still_or_goes_back(tmp_path, monkeypatch):
    clock = iter([5, 5, 3])
    monkeypatch.setattr(time, "time_ns", lambda: next(clock))
    with Journal(tmp_path, {}) as journal:
        for index in range(3):
            journal.add(results(index))
            journal.flush()
    assert sorted(index for each in journal.read([0, 1, 0], (1, 1, 4)) for index in each.indices) == [0, 1, 2]


def test_durations_come_from_a_clock_that_does_not_jump():
    """The time of day stands in logs and lock files, for people; nothing else reads it."""
    reads = re.compile(r"\btime\.(time|time_ns)\(|\bfrom time import .*\btime\b|datetime\.(now|utcnow|today)\(|\blocaltime\(")
    root = Path(godeeper.__file__).parent
    found = [str(file.relative_to(root)) for file in root.rglob("*.py") if reads.search(file.read_text("utf-8"))]
    assert found == []


@pytest.mark.slow
def test_a_run_under_a_clock_that_goes_back_is_the_run(tmp_path, monkeypatch):
    """Each look at the clock is a day earlier than the one before."""

    def trained(name):
        torch.manual_seed(0)
        network = create_model("googlenet_bn", num_classes=2, width=0.125, small=True)
        recipe = Recipe(epochs=2, batch_size=4, image_size=32, auxiliary_weight=0)
        return train(network, IMAGES, recipe, tmp_path / name, evaluate=lambda _: {"top1_error": 50.0}, trackers=())

    steady = trained("steady")
    now = [time.time()]

    def earlier() -> float:
        now[0] -= 86400
        return now[0]

    monkeypatch.setattr(time, "time", earlier)
    monkeypatch.setattr(time, "time_ns", lambda: int(earlier() * 1e9))
    jumping = trained("jumping")
    assert (steady / "model.safetensors").read_bytes() == (jumping / "model.safetensors").read_bytes()
    records = [json.loads(line) for line in (jumping / "metrics.jsonl").read_text().splitlines()]
    assert [record["epoch"] for record in records] == [1, 2]
    assert all(record["seconds"] > 0 for record in records)
