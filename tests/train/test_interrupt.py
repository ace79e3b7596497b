"""Runs that are stopped, killed, or fed what is not a number."""

import json
import math
import os
import signal
from dataclasses import dataclass, field, replace
from multiprocessing import active_children

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from godeeper import BadImage, GodeeperError, Recipe, create_model
from godeeper.data.dataset import ArrayDataset, ImageDataset
from godeeper.evaluate import evaluate
from godeeper.preprocess import Preprocess
from godeeper.train import classification, train
from godeeper.train.checkpoint import checkpoints
from godeeper.train.interrupt import Interruption, take_effect
from godeeper.train.step import MAX_BAD_STEPS
from noise import SomeBad

RECIPE = Recipe(
    epochs=2, batch_size=4, image_size=16, lr=0.02, warmup_epochs=0, ema_decay=0.9, crop_scale=(0.5, 1), mixup=0.2, cutmix=1.0
)
IMAGES = ArrayDataset(
    np.random.default_rng(0).integers(0, 256, (24, 12, 12), dtype=np.uint8), [index % 2 for index in range(24)], "made"
)


def network(seed=0):
    torch.manual_seed(seed)
    return create_model("googlenet_bn", num_classes=2, width=0.25, small=True, aux=True)


@dataclass
class Trap(ImageDataset):
    """The images; as the n-th is asked for, `act` happens, in the process that asks."""

    at: int
    act: object
    labels: list = field(default_factory=lambda: IMAGES.labels)
    asked: int = 0

    def __len__(self):
        return len(IMAGES)

    def name(self, index):
        return IMAGES.name(index)

    def raw(self, index):
        self.asked += 1
        if self.asked == self.at:
            self.act()
        return IMAGES.raw(index)

    def size_or_checksum(self, index):  # before the run begins: not what the trap is set for
        return IMAGES.size_or_checksum(index)


def same_weights(one, other):
    first, second = load_file(one / "model.safetensors"), load_file(other / "model.safetensors")
    return first.keys() == second.keys() and all(torch.equal(tensor, second[name]) for name, tensor in first.items())


def metrics(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The uninterrupted run."""
    return train(network(), IMAGES, RECIPE, tmp_path_factory.mktemp("whole") / "run", trackers=())


class Stopped(BaseException):
    pass


@pytest.fixture
def on_sigterm():
    def stop(number, frame):
        raise Stopped

    before = signal.signal(signal.SIGTERM, stop)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(
    ("number", "error", "at"),
    [
        (signal.SIGTERM, Stopped, 10),
        *(pytest.param(signal.SIGTERM, Stopped, at, marks=pytest.mark.slow) for at in (1, 24, 30, 48)),
        *(pytest.param(signal.SIGINT, KeyboardInterrupt, at, marks=pytest.mark.slow) for at in (1, 10, 24, 30, 48)),
    ],
)
def test_a_signal_ends_the_step_saves_and_resuming_is_bit_equal(tmp_path, whole, on_sigterm, number, error, at):
    trap = Trap(at, lambda: signal.raise_signal(number))
    with pytest.raises(error):
        train(network(), trap, RECIPE, tmp_path / "run", trackers=())
    epoch, step = (at - 1) // 24, (at - 1) % 24 // 4 + 1
    assert [path.name for path in checkpoints(tmp_path / "run" / "checkpoints")][-1] == (
        f"epoch-{epoch:05d}-step-{step:07d}.safetensors"
    )
    assert f"{number.name} in epoch {epoch + 1}, after step {step}" in (tmp_path / "run" / "log.txt").read_text()
    train(network(7), IMAGES, RECIPE, tmp_path / "run", resume=True, workers=2 if at == 10 else 0, trackers=())
    assert same_weights(tmp_path / "run", whole)
    records = [
        [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()] for run in (tmp_path / "run", whole)
    ]
    for mine, theirs in zip(*records, strict=True):
        for name in ("epoch", "loss", "mixed_error", "images", "lr"):
            assert mine[name] == theirs[name], name


@pytest.mark.slow
def test_a_handler_of_the_host_that_returns_lets_the_run_go_on(tmp_path, whole):
    """As under Slurm, where the handler only sets a flag."""
    noted = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: noted.append(number))
    try:
        trap = Trap(10, lambda: signal.raise_signal(signal.SIGTERM))
        train(network(), trap, RECIPE, tmp_path / "run", trackers=())
    finally:
        signal.signal(signal.SIGTERM, before)
    assert noted == [signal.SIGTERM]
    assert same_weights(tmp_path / "run", whole)
    assert [record["images"] for record in metrics(tmp_path / "run")] == [24, 24]
    assert "SIGTERM in epoch 1, after step 3: its handler has returned" in (tmp_path / "run" / "log.txt").read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("handler", [signal.SIG_IGN, lambda number, frame: None])
def test_a_process_that_ignores_a_signal_ends_with_another_that_does_not(number, handler):
    before = signal.signal(number, handler)
    try:
        take_effect(number, lambda flag: flag)  # alone, it goes on
        with pytest.raises(KeyboardInterrupt if number == signal.SIGINT else SystemExit) as ended:
            take_effect(number, lambda flag: True)
        assert number == signal.SIGINT or ended.value.code == 143
    finally:
        signal.signal(number, before)


def test_a_handler_that_is_not_pythons_is_left_alone(monkeypatch):
    """`getsignal` says None of one that C code installed, which `signal.signal` could not put back."""
    installed = []
    monkeypatch.setattr(signal, "getsignal", lambda number: None)
    monkeypatch.setattr(signal, "signal", lambda *arguments: installed.append(arguments))
    with Interruption():
        pass
    assert installed == []


def test_no_decoding_process_outlives_its_run_or_its_evaluation(tmp_path):
    few = ArrayDataset(IMAGES.arrays[:4], IMAGES.labels[:4], "few")
    errors = []  # kept, and with them what was on the stack
    for run in (
        lambda: train(network(), few, RECIPE, tmp_path / "run", evaluate=stop, workers=1, trackers=()),
        lambda: evaluate(network().eval(), SomeBad(few, (3,)), Preprocess.of(16), batch_size=1, workers=1),
    ):
        with pytest.raises((Stopped, BadImage)) as error:
            run()
        errors.append(error)
        assert active_children() == []


def stop(network):
    raise Stopped


def test_a_signal_that_is_ignored_stays_so():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interruption() as interruption:
            signal.raise_signal(signal.SIGINT)
        assert interruption.signal == 0
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.slow
def test_checkpoints_within_an_epoch_come_by_the_clock(tmp_path, whole):
    def die():
        raise OSError("the power fails")

    recipe = replace(RECIPE, checkpoint_minutes=0)
    with pytest.raises(OSError, match="power"):
        train(network(), Trap(40, die), recipe, tmp_path / "run", trackers=())
    names = [path.name for path in checkpoints(tmp_path / "run" / "checkpoints")]
    assert names == ["epoch-00001-step-0000002.safetensors", "epoch-00001-step-0000003.safetensors"]
    train(network(7), IMAGES, recipe, tmp_path / "run", resume=True, workers=1, trackers=())
    assert same_weights(tmp_path / "run", whole)


@pytest.mark.timeout(60)  # not the half hour that a loader may wait
def test_a_decoding_process_that_dies_is_an_error(tmp_path):
    trap = Trap(3, lambda: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(GodeeperError, match="process that decodes images died"):
        train(network(), trap, RECIPE, tmp_path / "run", workers=1, trackers=())


@pytest.fixture
def poisoned(monkeypatch):
    """Steps, counted from 0, whose images are not numbers."""
    steps, calls = set(), []

    def normalise(images, preprocess, normalise=classification.normalise):
        calls.append(1)
        return normalise(images, preprocess) * (math.nan if len(calls) - 1 in steps else 1.0)

    monkeypatch.setattr(classification, "normalise", normalise)
    return steps


def test_a_loss_that_is_not_a_number_is_left_out(tmp_path, poisoned):
    poisoned |= {1, 2, 9}
    run = train(network(), IMAGES, RECIPE, tmp_path / "run", trackers=())
    records = metrics(run)
    assert [record["bad_steps"] for record in records] == [2, 1]
    assert [record["images"] for record in records] == [16, 20]
    assert all(math.isfinite(record["loss"]) for record in records)
    assert all(tensor.isfinite().all() for tensor in load_file(run / "model.safetensors").values())
    assert (run / "log.txt").read_text().count("is left out") == 3


@pytest.mark.slow
def test_too_many_in_a_row_stop_the_run_with_the_state_before_them(tmp_path, poisoned):
    recipe = replace(RECIPE, epochs=4)
    with pytest.raises(KeyboardInterrupt):
        train(network(), Trap(16, lambda: signal.raise_signal(signal.SIGINT)), recipe, tmp_path / "four", trackers=())
    poisoned |= {4 + step for step in range(4, 4 + MAX_BAD_STEPS)}  # the calls of the run above count, too
    with pytest.raises(GodeeperError, match="lower lr"):
        train(network(), IMAGES, recipe, tmp_path / "run", trackers=())
    kept, expected = (load_file(checkpoints(tmp_path / run / "checkpoints")[-1]) for run in ("run", "four"))
    assert kept.keys() == expected.keys()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in kept.items())
    assert not (tmp_path / "run" / "model.safetensors").exists()
