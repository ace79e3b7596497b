"""A table that no registry knows, from its JSON to a server, by the command line and from Python."""

import json
import os
import signal
import subprocess
import time
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import godeeper
from godeeper import workflows
from godeeper.data.open import open_data
from godeeper.notation import Cat, Conv
from godeeper.papers.registry import definition, variant
from processes import GODEEPER, running

SETTINGS = ("image_size=32", "batch_size=32", "precision=fp32", "checkpoint_minutes=0", "warmup_epochs=0.5", "ema_decay=0.9")
TRAIN = ("--data", "digits", "--width", "0.25", "--small", "--epochs", "2", "--tracker", "none")


def edited_spec(folder: Path) -> Path:
    """A googlenet_bn whose 3a has 96 filters in its first branch, not 64, under a name of its own."""
    printed = subprocess.run([*GODEEPER, "describe", "googlenet_bn", "--json"], capture_output=True, text=True, check=True)
    content = json.loads(printed.stdout)
    content["spec"]["definition"]["name"] = "mine"
    first = content["spec"]["definition"]["stages"]["3a"]["branches"][0][0]
    assert first["filters"] == 64
    first["filters"] = 96
    file = folder / "SPEC.json"
    file.write_text(json.dumps(content))
    return file


def godeeper_says(*words: object) -> str:
    done = subprocess.run([*GODEEPER, *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def until_a_checkpoint(run: Path, process: "subprocess.Popen[str]") -> None:
    for _ in range(600):
        if any((run / "checkpoints").glob("*.safetensors")):
            return
        assert process.poll() is None
        time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_an_edited_table_lives_on_the_command_line(tmp_path):
    spec, run, images = edited_spec(tmp_path), tmp_path / "run", tmp_path / "images"
    line = [*GODEEPER, "train", "--model", spec, *TRAIN, "--out", run, *(word for s in SETTINGS for word in ("--set", s))]
    with running(*line, stderr=subprocess.PIPE) as process:
        until_a_checkpoint(run, process)
        os.killpg(process.pid, signal.SIGTERM)
        _, error = process.communicate(timeout=60)
        assert process.returncode == 143, error
    assert not (run / "model.safetensors").exists()
    spec.unlink()  # from here on, the run knows all
    godeeper_says("train", "--resume", "--out", run)

    stages = {stage["name"]: stage for stage in json.loads(godeeper_says("describe", run, "--json"))["stages"]}
    assert stages["3a"]["output"][0] == 24 + 32 + 8 + 8  # a quarter of 96, 128, 32, 32
    errors = json.loads(godeeper_says("evaluate", run, "--data", "digits", "--crops", "10", "--json"))
    assert errors["architectures"] == ["mine (width 0.25, small)"]
    assert errors["top1_error"] < 60
    images.mkdir()
    test = open_data("digits").test
    for index in range(4):
        test.image(index).save(images / f"{index}.png")
    predictions = json.loads(godeeper_says("predict", run, images, "--engine", "torch", "--json"))
    assert len(predictions) == 4
    godeeper_says("explain", run, images / "0.png", "--crops", "1", "--out", tmp_path / "explained")
    assert (tmp_path / "explained" / "explanation.html").is_file()
    godeeper_says("draw", run, "--out", tmp_path / "mine.svg")
    assert 'data-stage="3a"' in (tmp_path / "mine.svg").read_text()
    for name in ("mine.onnx", "mine.xml"):
        godeeper_says("export", run, "--out", tmp_path / name)
        again = json.loads(godeeper_says("predict", tmp_path / name, images, "--json"))
        for ours, theirs in zip(predictions, again, strict=True):
            assert ours["predictions"][0]["label"] == theirs["predictions"][0]["label"]
            assert ours["predictions"][0]["probability"] == pytest.approx(theirs["predictions"][0]["probability"], abs=1e-3)
    answer = served(run, images / "0.png")
    assert answer["predictions"][0]["label"] == predictions[0]["predictions"][0]["label"]


def served(run: Path, image: Path) -> dict:
    """What `godeeper serve` answers."""
    with running(*GODEEPER, "serve", run, "--port", "0", "--engine", "torch", stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        line = ""
        while "http://" not in line:
            line = process.stderr.readline()
            assert line, "the server ended"
        address = line.partition("http://")[2].split()[0]
        request = urllib.request.Request(f"http://{address}/predict", image.read_bytes(), {"Content-Type": "image/png"})
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_an_edited_table_lives_in_python(tmp_path):
    original = variant(definition("googlenet_bn"), width=0.25, small=True)
    branches = original.stages["3a"].branches
    table = replace(original, name="mine", stages={**original.stages, "3a": Cat([Conv(24)], *branches[1:])})
    result = workflows.train(
        tmp_path / "run", table, "digits", overrides=["epochs=1", *SETTINGS[1:], "image_size=16"], trackers=()
    )  # fmt: skip
    network = result.network
    assert network.definition.stages == godeeper.create_model(table, num_classes=10).definition.stages
    assert network.classes == tuple("0123456789")
    assert workflows.evaluate([network], "digits").evaluation.top1_error == result.metrics[-1]["top1_error"]
    images = [open_data("digits").test.image(index) for index in range(3)]
    predicted = workflows.predict(network, images, engine="torch")
    assert [len(outcome.labels) for outcome in predicted.outcomes] == [5, 5, 5]
    assert workflows.embed(network, images).embeddings.shape == (3, 256)
    assert 'data-stage="3a"' in godeeper.draw(network)
    godeeper.export(network, tmp_path / "mine.onnx")
    exported = workflows.predict(tmp_path / "mine.onnx", images)
    assert [one.labels[0] for one in exported.outcomes] == [one.labels[0] for one in predicted.outcomes]


def test_create_model_takes_a_table_and_a_spec():
    table = variant(definition("googlenet_bn"), num_classes=3, width=0.25, small=True)
    network = godeeper.create_model(table)
    again = godeeper.create_model(network.spec)
    assert again.spec == network.spec
    assert again.state_dict().keys() == network.state_dict().keys()
    with torch.no_grad():
        assert again.eval()(torch.zeros(1, 3, 32, 32)).shape == (1, 3)


def test_a_registered_table_has_a_name(monkeypatch):
    from godeeper.papers import registry

    monkeypatch.setattr(registry, "DEFINITIONS", dict(registry.DEFINITIONS))
    table = replace(variant(definition("googlenet_bn"), num_classes=3, width=0.25, small=True), name="mine")
    godeeper.register(table)
    assert "mine" in godeeper.list_models()
    assert godeeper.create_model("mine").num_classes == 3
    with pytest.raises(godeeper.GodeeperError, match="another model 'googlenet'"):
        godeeper.register(replace(table, name="googlenet"))
