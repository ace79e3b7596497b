"""What follows a run from outside, and the curves of several."""

import sys
import types

import numpy as np
import pytest
from accelerate.tracking import TensorBoardTracker
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from godeeper import GodeeperError, Recipe, create_model
from godeeper.cli.main import status
from godeeper.data.dataset import ArrayDataset
from godeeper.train import curves, train
from godeeper.train.trackers import Trackers, check_trackers

IMAGES = ArrayDataset(np.arange(8 * 64, dtype=np.uint8).reshape(8, 8, 8), [0, 1] * 4, "made")
RECIPE = Recipe(epochs=3, batch_size=4, image_size=32, auxiliary_weight=0)


def run(out, trackers=(), **more):
    network = create_model("googlenet_bn", num_classes=2, width=0.25, small=True)
    return train(network, IMAGES, RECIPE, out, evaluate=lambda _: {"top1_error": 50.0}, trackers=trackers, **more)


@pytest.mark.slow
def test_tensorboard_has_what_metrics_have_once_also_after_resuming(tmp_path):
    seen = []

    def stop(network):
        seen.append(1)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return {"top1_error": 50.0}

    network = create_model("googlenet_bn", num_classes=2, width=0.25, small=True)
    with pytest.raises(KeyboardInterrupt):
        train(network, IMAGES, RECIPE, tmp_path / "run", evaluate=stop, trackers=["tensorboard"])
    run(tmp_path / "run", ["tensorboard"], resume=True)
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("epoch/loss")] == [2, 4, 6]
    assert [event.value for event in events.Scalars("epoch/top1_error")] == [50, 50, 50]


def test_wandb_is_told_through_accelerate(tmp_path, monkeypatch):
    told = types.SimpleNamespace(init=[], log=[], finished=0)

    class Run:
        def log(self, values, step=None, **_):
            told.log.append((step, values))

        def finish(self):
            told.finished += 1

    def init(**how):
        told.init.append(how)
        return Run()

    monkeypatch.setitem(sys.modules, "wandb", types.SimpleNamespace(init=init, __spec__=object()))
    run(tmp_path / "mine", ["wandb"])
    assert told.init[0]["project"] == "godeeper"
    assert told.init[0]["name"] == "mine"
    assert told.init[0]["config"]["recipe"]["epochs"] == 3
    assert [values["epoch/epoch"] for _, values in told.log if "epoch/epoch" in values] == [1, 2, 3]
    assert told.finished == 1


def test_unknown_and_missing_trackers_are_named():
    with pytest.raises(GodeeperError, match="unknown tracker 'tensorbord'"):
        check_trackers(["tensorbord"])
    with pytest.raises(GodeeperError, match="pip install wandb"):
        check_trackers(["wandb"])


@pytest.mark.slow
def test_the_curves_of_several_runs_in_one_image(tmp_path, capsys):
    first, second = run(tmp_path / "first"), run(tmp_path / "second")
    assert status(["curves", str(first), str(second), "--out", str(tmp_path / "both.png")]) == 0
    with Image.open(tmp_path / "both.png") as image:
        assert image.width > 800
    (tmp_path / "empty").mkdir()
    assert status(["curves", str(tmp_path / "empty")]) == 2
    assert "holds no metrics" in capsys.readouterr().err
    assert status(["curves", str(first), "--out", str(tmp_path / "nowhere" / "x.png")]) == 2
    assert status(["curves", str(first), "--out", str(tmp_path / "x.unknown")]) == 2
    assert "name a .png" in capsys.readouterr().err


def test_the_curve_of_very_many_epochs_has_no_more_points_than_can_be_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(curves, "MOST_POINTS", 10)
    curves.draw_curves({"run": [{"epoch": epoch, "loss": 1 / epoch} for epoch in range(1, 201)]}, tmp_path / "curves.svg")
    points = [line for line in (tmp_path / "curves.svg").read_text().splitlines() if "<use " in line and "#1f77b4" in line]
    assert 0 < len(points) <= 11  # with that of the legend


@pytest.mark.parametrize("when", ["start", "finish"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("no API key configured")])
def test_what_a_tracker_cannot_do_is_a_warning_and_ends_no_run(tmp_path, monkeypatch, when, error):
    def fail(self):
        raise error

    monkeypatch.setattr(TensorBoardTracker, when, fail)
    with pytest.warns(UserWarning, match="No space left|no API key"), Trackers(["tensorboard"], tmp_path, {}, 0) as trackers:
        trackers.log({"step/loss": 1.0}, 1)
