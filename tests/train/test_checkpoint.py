"""Training states: whole or not at all, checked, the one before as a reserve."""

import os
import resource
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from textwrap import dedent

import pytest
import torch

from full_disk import disk
from godeeper import BadCheckpoint, GodeeperError, Recipe, __version__, create_model
from godeeper.tensor_files import load_tensors, save_tensors
from godeeper.train.checkpoint import Position, State, checkpoints, load_newest, save_checkpoint
from godeeper.train.optim import make_optimizer
from godeeper.train.run import RunFolder, versions

RECIPE = Recipe(lr=0.1)


def state(seed):
    torch.manual_seed(seed)
    network, average = (create_model("googlenet_bn", num_classes=2, width=0.25, small=True) for _ in range(2))
    optimizer = make_optimizer([(1.0, list(network.parameters()))], RECIPE)
    network.train()(torch.randn(2, 3, 32, 32)).sum().backward()
    optimizer.step()
    return State(network, average, optimizer)


def numbers(made):
    momentum = [made.optimizer.state[p]["momentum_buffer"] for p in made.network.parameters()]
    return [*made.network.state_dict().values(), *made.average.state_dict().values(), *momentum]


def fresh():
    made = state(99)
    return replace(made, optimizer=make_optimizer([(1.0, list(made.network.parameters()))], RECIPE))


def test_everything_comes_back(tmp_path):
    saved, position = state(0), Position(3, 17, {"loss": 1.5, "bad": ["a: damaged"]})
    save_checkpoint(tmp_path, position, saved)
    back = fresh()
    assert load_newest(tmp_path, back, pytest.fail) == position
    for was, now in zip(numbers(saved), numbers(back), strict=True):
        assert torch.equal(was, now)


def test_the_newest_two_are_kept_and_steps_sort_within_epochs(tmp_path):
    made = state(0)
    for position in (Position(0, 900), Position(0, 10_000), Position(1, 5)):
        save_checkpoint(tmp_path, position, made)
    assert [path.name for path in checkpoints(tmp_path)] == [
        "epoch-00000-step-0010000.safetensors",
        "epoch-00001-step-0000005.safetensors",
    ]
    assert load_newest(tmp_path, fresh(), pytest.fail).epoch == 1


def flip_a_bit(data):
    data[-1000] ^= 1  # one bit of one weight: the file still reads as safetensors


def cut(data):
    del data[-1000:]


def empty(data):
    data.clear()


@pytest.mark.parametrize("damage", [flip_a_bit, cut, empty])
def test_a_damaged_newest_one_is_named_and_the_one_before_taken(tmp_path, damage):
    first, second = state(0), state(1)
    save_checkpoint(tmp_path, Position(0, 5), first)
    save_checkpoint(tmp_path, Position(0, 9), second)
    newest = checkpoints(tmp_path)[-1]
    data = bytearray(newest.read_bytes())
    damage(data)
    newest.write_bytes(data)
    said, back = [], fresh()
    assert load_newest(tmp_path, back, said.append).step == 5
    assert len(said) == 1
    assert newest.name in said[0]
    assert torch.equal(numbers(back)[0], numbers(first)[0])
    older = checkpoints(tmp_path)[0]
    older.write_bytes(b"")
    with pytest.raises(BadCheckpoint, match="no whole checkpoint is left"):
        load_newest(tmp_path, fresh(), said.append)


def test_changed_notes_are_noticed_too(tmp_path):
    save_checkpoint(tmp_path, Position(0, 5), state(0))
    file = checkpoints(tmp_path)[0]
    file.write_bytes(file.read_bytes().replace(b'"step":"5"', b'"step":"6"'))
    with pytest.raises(BadCheckpoint, match="checksum"):
        load_newest(tmp_path, fresh(), pytest.fail)


@pytest.mark.slow
def test_a_full_disk_warns_keeps_the_old_checkpoint_and_training_goes_on(tmp_path):
    """A limit on the size of files stands in for the disk: the second checkpoint does not fit."""
    script = dedent("""
        import resource, sys
        import numpy as np
        from pathlib import Path
        from godeeper import Recipe, create_model
        from godeeper.data.dataset import ArrayDataset
        from godeeper.train import train
        def limit(network):
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
            return {"top1_error": 50.0}
        images = ArrayDataset(np.arange(8 * 64, dtype=np.uint8).reshape(8, 8, 8), [0, 1] * 4, "made")
        network = create_model("googlenet_bn", num_classes=2, width=0.25, small=True)
        recipe = Recipe(epochs=3, batch_size=4, image_size=32, auxiliary_weight=0)
        train(network, images, recipe, sys.argv[1], evaluate=limit, trackers=())
    """)
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "run")],
        capture_output=True, text=True, timeout=120, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    log = (tmp_path / "run" / "log.txt").read_text()
    assert log.count("a checkpoint cannot be written") == 2
    assert "epoch 3/3" in log  # it went on to the end, where the network itself does not fit either
    assert done.returncode != 0
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["epoch-00000-step-0000002.safetensors"]
    assert load_newest(tmp_path / "run" / "checkpoints", fresh_of_eight(), pytest.fail) is not None
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def fresh_of_eight():
    network, average = (create_model("googlenet_bn", num_classes=2, width=0.25, small=True) for _ in range(2))
    return State(network, average, make_optimizer([(1.0, list(network.parameters()))], RECIPE), network.spec.as_dict())


def test_a_record_that_does_not_fit_on_the_disk_is_written_with_the_next(tmp_path):
    folder = RunFolder(tmp_path)
    folder.record({"epoch": 1, "loss": 3.0})
    with pytest.raises(OSError, match=r"metrics\.jsonl"), disk(full_at=0, room=0):
        folder.record({"epoch": 2, "loss": 2.0})
    assert [record["epoch"] for record in folder.metrics()] == [1]
    folder.record({"epoch": 3, "loss": 1.0})
    assert [(record["epoch"], record["loss"]) for record in folder.metrics()] == [(1, 3.0), (2, 2.0), (3, 1.0)]


EDITS = {  # of a checkpoint's tensors and notes, and what is said of each
    "epoch is None": lambda tensors, notes: notes.pop("epoch"),
    "step is -1": lambda tensors, notes: notes.update(step=-1),
    "totals is": lambda tensors, notes: notes.update(totals=[]),
    "optimizer has 'nothing": lambda tensors, notes: tensors.update({"optimizer.nothing.momentum_buffer": torch.zeros(1)}),
    "has 'stages.x'": lambda tensors, notes: tensors.update({"network.stages.x": torch.zeros(1)}),
    "lacks 'stages.conv1.conv.weight'": lambda tensors, notes: tensors.pop("average.stages.conv1.conv.weight"),
    "int8": lambda tensors, notes: tensors.update({"network.stages.conv1.conv.weight": torch.zeros(2, dtype=torch.int8)}),
}


def test_a_run_is_not_begun_where_its_weights_could_not_be_read_and_its_log_takes_any_name(tmp_path):
    odd = os.fsdecode(b"\xe9")
    with pytest.raises(GodeeperError, match="is no UTF-8"):
        RunFolder(tmp_path / odd).begin({})
    assert not list(tmp_path.iterdir())
    RunFolder(tmp_path).log(f"skipped {odd}")
    assert (tmp_path / "log.txt").read_text("utf-8").endswith("skipped \\udce9\n")


def test_a_run_says_its_version_where_godeeper_is_not_installed(monkeypatch):
    def version(name):
        if name == "godeeper":
            raise PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr("godeeper.train.run.version", version)
    assert versions()["godeeper"] == __version__


def test_an_edited_one_is_refused_in_one_line_and_leaves_the_network_as_it_was(tmp_path):
    """Its checksum is right: someone edited it, no disk."""
    save_checkpoint(tmp_path, Position(1, 5, {"loss": 1.0}), replace(state(0), spec={"name": "it"}))
    (file,) = checkpoints(tmp_path)
    back = replace(fresh(), spec={"name": "it"})
    before = [tensor.clone() for tensor in back.network.state_dict().values()]
    for says, edit in EDITS.items():
        tensors, notes = load_tensors(file)
        edit(tensors, notes)
        save_tensors(tmp_path / "edited" / file.name, tensors, notes)
        with pytest.raises(BadCheckpoint, match=says):
            load_newest(tmp_path / "edited", back, pytest.fail)
        assert all(map(torch.equal, before, back.network.state_dict().values()))
    assert load_newest(tmp_path, back, pytest.fail).step == 5
