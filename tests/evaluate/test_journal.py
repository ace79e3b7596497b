"""Interrupted evaluations go on: nothing twice, nothing lost, never into another evaluation."""

import json
import shutil

import numpy as np
import pytest
import torch

from godeeper import GodeeperError
from godeeper.data.dataset import ArrayDataset, FileDataset
from godeeper.evaluate import evaluate, journal
from godeeper.evaluate.journal import Journal
from godeeper.preprocess import Preprocess
from godeeper.tensor_files import load_tensors, save_tensors

PLAIN = Preprocess.of(8, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
IMAGES = ArrayDataset(np.random.default_rng(0).integers(0, 255, (20, 8, 8), dtype=np.uint8), [i % 3 for i in range(20)], "n")
WEIGHT = torch.randn(192, 3, generator=torch.Generator().manual_seed(0))


def network(x):
    return x.flatten(1) @ WEIGHT


class PowerCut(BaseException):
    """Ends an evaluation as a signal does."""


def interrupted_after(passes):
    seen = []

    def logits_of(x):
        if len(seen) == passes:
            raise PowerCut
        seen.append(len(x))
        return network(x)

    return logits_of, seen


def test_an_interrupted_evaluation_ends_as_if_it_had_not_been(tmp_path):
    whole = evaluate(network, IMAGES, PLAIN, crops=10, batch_size=20, keep=True)
    for passes in (3, 4):
        failing, _ = interrupted_after(passes)
        notes = Journal(tmp_path, {"crops": 10}, resume=True)
        with pytest.raises(PowerCut):
            evaluate(failing, IMAGES, PLAIN, crops=10, batch_size=20, keep=True, journal=notes)
    counting, seen = interrupted_after(1000)
    again = evaluate(
        counting, IMAGES, PLAIN, crops=10, batch_size=20, keep=True, journal=Journal(tmp_path, {"crops": 10}, resume=True)
    )
    assert sum(seen) == 200 - 7 * 20  # crops left of 20 images with 10 each
    assert torch.equal(again.index, whole.index)
    assert torch.equal(again.decisions, whole.decisions)
    assert torch.allclose(again.probabilities, whole.probabilities, rtol=2e-5)
    assert json.dumps(again.as_dict()) == json.dumps(whole.as_dict())


def test_what_is_done_is_written_now_and_then(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "SECONDS", 0)
    failing, _ = interrupted_after(6)
    notes = Journal(tmp_path, {})
    with pytest.raises(PowerCut):
        evaluate(failing, IMAGES, PLAIN, batch_size=2, journal=notes)
    assert len(list(tmp_path.glob("*.safetensors"))) >= 4
    notes.remove()
    assert not tmp_path.exists()


def test_bad_images_are_remembered(tmp_path):
    files = [tmp_path / "a.png", tmp_path / "b.png"]
    for file in files:
        file.write_text("no image")
    good = IMAGES.image(0)
    good.save(tmp_path / "c.png")
    images = FileDataset([*files, tmp_path / "c.png"], [0, 1, 2])
    first = evaluate(network, images, PLAIN, skip_bad=True, journal=Journal(tmp_path / "j", {}))
    again = evaluate(interrupted_after(0)[0], images, PLAIN, skip_bad=True, journal=Journal(tmp_path / "j", {}, resume=True))
    assert first.skipped == again.skipped
    assert len(again.skipped) == 2
    assert again.images == 1


def test_another_evaluation_is_refused_with_the_difference(tmp_path):
    evaluate(network, IMAGES, PLAIN, journal=Journal(tmp_path, {"crops": 1, "weights": ["ab"]}))
    with pytest.raises(GodeeperError, match="its crops is 1, now 10"):
        Journal(tmp_path, {"crops": 10, "weights": ["ab"]}, resume=True)
    with pytest.raises(GodeeperError, match="go on with --resume"):
        Journal(tmp_path, {"crops": 1, "weights": ["ab"]})


def test_a_damaged_part_is_named(tmp_path):
    evaluate(network, IMAGES, PLAIN, journal=Journal(tmp_path, {}))
    (part,) = tmp_path.glob("*.safetensors")
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(GodeeperError, match=rf"{part.name}.*remove it to go on"):
        evaluate(network, IMAGES, PLAIN, journal=Journal(tmp_path, {}, resume=True))


def test_a_part_written_twice_counts_once(tmp_path):
    whole = evaluate(network, IMAGES, PLAIN, crops=10, journal=Journal(tmp_path, {}))
    (part,) = tmp_path.glob("*.safetensors")
    shutil.copy(part, tmp_path / "9-0.safetensors")
    again = evaluate(network, IMAGES, PLAIN, crops=10, journal=Journal(tmp_path, {}, resume=True))
    assert again.images == 20
    assert torch.equal(again.decisions, whole.decisions)


@pytest.mark.parametrize(
    "change",
    [
        {"indices": lambda t: t + 1000},
        {"labels": lambda t: (t + 1) % 3},
        {"labels": lambda t: t[:3]},
        {"decisions": lambda t: t[:, :, :1]},
        {"decisions": lambda t: t[:5]},
        {"decisions": lambda t: t.float()},
        {"decisions": lambda t: t + 6},
        {"decisions": lambda t: t - 1},
        {"indices": lambda t: t * 0, "labels": lambda t: t[:1].repeat(len(t))},
        {"indices": lambda t: t.float()},
    ],
)
def test_a_part_of_something_else_is_refused(tmp_path, change):
    evaluate(network, IMAGES, PLAIN, crops=10, journal=Journal(tmp_path, {}))
    (part,) = tmp_path.glob("*.safetensors")
    tensors, metadata = load_tensors(part)
    save_tensors(part, {name: change.get(name, lambda t: t)(tensor) for name, tensor in tensors.items()}, metadata)
    with pytest.raises(GodeeperError, match="is damaged"):
        evaluate(network, IMAGES, PLAIN, crops=10, journal=Journal(tmp_path, {}, resume=True))


@pytest.mark.parametrize("text", ["", "[1]", "\udcff"])
def test_a_damaged_identity_is_named(tmp_path, text):
    evaluate(network, IMAGES, PLAIN, journal=Journal(tmp_path, {}))
    (tmp_path / "evaluation.json").write_text(text, "utf-8", errors="surrogateescape")
    with pytest.raises(GodeeperError, match=r"evaluation\.json.*remove the folder"):
        Journal(tmp_path, {}, resume=True)
    (tmp_path / "evaluation.json").unlink()
    with pytest.raises(GodeeperError, match="remove the folder"):
        Journal(tmp_path, {}, resume=True)


def test_a_finished_journal_takes_nothing_of_others_with_it(tmp_path):
    notes = Journal(tmp_path / "partial", {})
    evaluate(network, IMAGES, PLAIN, journal=notes)
    (tmp_path / "partial" / "notes.txt").write_text("precious")
    notes.remove()
    assert [file.name for file in (tmp_path / "partial").iterdir()] == ["notes.txt"]
