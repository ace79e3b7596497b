import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from godeeper import BadCheckpoint, GodeeperError, Recipe, create_model, load, open_data
from godeeper.data.dataset import ArrayDataset
from godeeper.train import train

RECIPE = Recipe(
    epochs=3, batch_size=8, image_size=16, lr=0.02, warmup_epochs=1, clip_norm=1.0, ema_decay=0.9, crop_scale=(0.5, 1)
)


@pytest.fixture(scope="module")
def images():
    """Bright images and dark ones: learnable in a few steps."""
    random = np.random.default_rng(0)
    arrays = random.integers(0, 100, (24, 12, 12), dtype=np.uint8)
    arrays[::2] += 150
    return ArrayDataset(arrays, [index % 2 for index in range(24)], "made")


def network(model="googlenet_bn", aux=True):
    torch.manual_seed(0)
    made = create_model(model, num_classes=2, width=0.25, small=True, aux=aux)
    made.classes = ("bright", "dark")
    return made


def test_a_run_leaves_everything_it_should(tmp_path, images):
    seen = []
    run = train(network(), images, RECIPE, tmp_path / "run", evaluate=lambda net: seen.append(net) or {"top1_error": 12.5})
    names = {path.name for path in run.iterdir()}
    assert names == {"recipe.json", "metrics.jsonl", "curves.png", "log.txt", "model.safetensors", "checkpoints", "tensorboard"}
    assert [path.name for path in sorted((run / "checkpoints").iterdir())] == [
        "epoch-00001-step-0000003.safetensors",
        "epoch-00002-step-0000003.safetensors",
    ]
    saved = json.loads((run / "recipe.json").read_text())
    assert Recipe.from_dict(saved["recipe"]) == RECIPE
    assert saved["spec"]["definition"]["name"] == "googlenet_bn"
    metrics = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [record["epoch"] for record in metrics] == [1, 2, 3]
    assert all(record["top1_error"] == 12.5 and record["images"] == 24 for record in metrics)
    assert len(seen) == 3
    loaded = load(run)
    assert loaded.classes == ("bright", "dark")
    assert loaded.preprocess.image_size == 16
    assert not any(name.startswith("auxiliary") for name in load_file(run / "model.safetensors"))


@pytest.mark.slow
def test_the_environment_divides_no_gradient(tmp_path, images, monkeypatch):
    recipe = replace(RECIPE, epochs=1, batch_size=24, auxiliary_weight=0.0)
    weights = []
    for steps in ("1", "4"):
        monkeypatch.setenv("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", steps)
        weights.append(load_file(train(network(aux=False), images, recipe, tmp_path / steps, trackers=()) / "model.safetensors"))
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


@pytest.mark.parametrize("model", ["googlenet_bn", pytest.param("googlenet", marks=pytest.mark.slow)])
def test_it_learns_bright_from_dark(tmp_path, images, model):
    recipe = replace(RECIPE, epochs=12, color_jitter=False, lr=0.05, precision="fp32")
    run = train(network(model), images, recipe, tmp_path / "run")
    metrics = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert metrics[0]["train_error"] > 25
    assert sum(record["train_error"] for record in metrics[-4:]) / 4 <= 15


@pytest.mark.parametrize("optimizer", ["sgd", *(pytest.param(name, marks=pytest.mark.slow) for name in ("rmsprop", "muon"))])
def test_a_resumed_run_ends_bit_equal_whatever_the_workers(tmp_path, images, optimizer):
    recipe = replace(RECIPE, optimizer=optimizer)
    whole = train(network(), images, recipe, tmp_path / "whole")

    def interrupted(net, calls=[]):  # noqa: B006
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return {}

    with pytest.raises(KeyboardInterrupt):
        train(network(), images, recipe, tmp_path / "broken", evaluate=interrupted)
    assert not (tmp_path / "broken" / "model.safetensors").exists()
    torch.manual_seed(77)  # a new process knows nothing of the old one's state
    fresh = create_model("googlenet_bn", num_classes=2, width=0.25, small=True, aux=True)
    resumed = train(fresh, images, recipe, tmp_path / "broken", resume=True, workers=1)
    expected, ended = load_file(whole / "model.safetensors"), load_file(resumed / "model.safetensors")
    assert expected.keys() == ended.keys()
    for name, tensor in expected.items():
        assert torch.equal(tensor, ended[name]), name
    assert (whole / "model.safetensors").read_bytes() == (resumed / "model.safetensors").read_bytes()  # metadata, too
    assert len((resumed / "metrics.jsonl").read_text().splitlines()) == 3


def test_an_existing_run_is_never_overwritten(tmp_path, images):
    recipe = replace(RECIPE, epochs=1)
    run = train(network(), images, recipe, tmp_path / "run")
    before = (run / "model.safetensors").read_bytes()
    with pytest.raises(GodeeperError, match="--resume"):
        train(network(), images, recipe, run)
    assert (run / "model.safetensors").read_bytes() == before


def test_a_checkpoint_of_another_model_or_a_damaged_one_is_refused(tmp_path, images):
    recipe = replace(RECIPE, epochs=1)
    run = train(network(), images, recipe, tmp_path / "run")
    with pytest.raises(BadCheckpoint, match="'googlenet_bn "):
        train(network("googlenet"), images, recipe, run, resume=True)
    with pytest.raises(BadCheckpoint, match="auxiliary_weight"):
        train(network(aux=False), images, recipe, run, resume=True)
    with pytest.raises(GodeeperError, match=r"keeps the recipe it began with: ema_decay was 0\.9, now 0"):
        train(network(), images, replace(recipe, ema_decay=0), run, resume=True)
    newest = run / "checkpoints" / "epoch-00000-step-0000003.safetensors"
    newest.write_bytes(newest.read_bytes()[:-1000])
    with pytest.raises(BadCheckpoint, match=r"epoch-00000-step-0000003\.safetensors"):
        train(network(), images, recipe, run, resume=True)


def test_a_loss_that_explodes_stops_the_run_with_a_remedy(tmp_path, images):
    recipe = replace(RECIPE, lr=1000, warmup_epochs=0, clip_norm=0, epochs=20)
    with pytest.raises(GodeeperError, match="lower lr"):
        train(network("googlenet"), images, recipe, tmp_path / "run")


def test_images_too_small_for_the_heads_are_refused_before_anything_is_written(tmp_path, images):
    with pytest.raises(GodeeperError, match="at least 13"):  # 4a sees a quarter of the side: 13 -> 7 -> 4
        train(network(), images, replace(RECIPE, image_size=12), tmp_path / "run")
    with pytest.raises(GodeeperError, match="start_size gives images of 8"):
        train(network(), images, replace(RECIPE, start_size=8), tmp_path / "run")
    with pytest.raises(GodeeperError, match="grow to 16 pixels only"):
        train(network(), images, replace(RECIPE, start_size=64), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_undecodable_images_are_left_out_and_named_never_fatal(tmp_path, class_folder):
    (class_folder / "train" / "cat" / "broken.png").write_bytes(b"no image")
    source = open_data(class_folder)
    run = train(network(), source.train, replace(RECIPE, epochs=1, batch_size=1), tmp_path / "run")
    record = json.loads((run / "metrics.jsonl").read_text())
    assert (record["images"], record["skipped"]) == (24, 1)
    assert "broken.png" in (run / "log.txt").read_text()


def test_a_folder_with_other_runs_weights_is_left_alone(tmp_path, images):
    run = train(network(), images, replace(RECIPE, epochs=1), tmp_path / "run")
    (run / "recipe.json").unlink()
    with pytest.raises(GodeeperError, match="holds a run already"):
        train(network(), images, RECIPE, run)


@pytest.mark.slow
def test_two_processes_train_one_network(tmp_path, class_folder):
    """Under torchrun the ranks share each batch, count every image once, and one of them writes."""
    line = [
        "train",
        "--model",
        "googlenet_bn",
        "--small",
        "--width",
        "0.25",
        "--data",
        str(class_folder),
        "--out",
        str(tmp_path / "run"),
    ]
    line += ["--epochs", "2", "--batch-size", "8", "--workers", "0", "--set", "image_size=16"]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "godeeper"]
    done = run_quietly([*launch, *line])
    assert done.returncode == 0, done.stderr
    metrics = [json.loads(text) for text in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [(record["epoch"], record["images"]) for record in metrics] == [(1, 24), (2, 24)]
    assert done.stderr.count("done: ") == 1
    assert load(tmp_path / "run").classes == ("cat", "dog")
    line = ["evaluate", str(tmp_path / "run"), "--data", str(class_folder), "--json", "--workers", "0", "--split", "all"]
    several, one = run_quietly([*launch, *line]), run_quietly([sys.executable, "-m", "godeeper", *line])
    assert json.loads(several.stdout) == json.loads(one.stdout)  # one report, and the same


def run_quietly(line):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(line, capture_output=True, text=True, timeout=300, check=False, env=environment)
