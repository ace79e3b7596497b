"""`explain` as a person uses it."""

import json
import re

import numpy as np
import pytest
import torch
from PIL import Image

from godeeper import Predictor, create_model, load, save
from godeeper.cli.main import status
from godeeper.tensor_files import save_tensors


@pytest.fixture
def image(class_folder):
    return class_folder / "val/cat/0.png"


def explained(line, capsys):
    assert status(["explain", *map(str, line)]) == 0
    return capsys.readouterr()


def test_everything_at_once(weights_file, class_folder, image, tmp_path, capsys):
    line = (weights_file, image, "--out", tmp_path / "out", "--channel", "4a:17", "--folder", class_folder)
    printed = explained([*line, "--top", 2, "--module", "4c", "--json"], capsys)
    result = json.loads(printed.out)
    assert result == json.loads((tmp_path / "out/explanation.json").read_text())
    assert printed.err == f"explained: {tmp_path / 'out/explanation.html'}\n"
    network = load(weights_file)
    (prediction,) = Predictor(network, engine="torch")([image], top=2)
    assert [entry["label"] for entry in result["predictions"]] == list(prediction.labels)
    assert [entry["probability"] for entry in result["predictions"]] == pytest.approx(prediction.probabilities, abs=1e-5)
    (average,) = Predictor(network, engine="torch")([image], top=3, crops=144)
    mean = dict(zip(average.labels, average.probabilities, strict=True))
    assert sum(entry["crops"] for entry in result["crop_predictions"]) == result["crops"] == 144
    for entry in result["crop_predictions"]:
        assert entry["probability"] == pytest.approx(mean[entry["label"]], abs=1e-5)
    assert result["module"] == "4c"
    assert len(result["branches"]) == 4
    assert all(len(entry["logits"]) == 2 for entry in result["branches"])
    assert len(result["top_activations"]) == 12
    values = [entry["value"] for entry in result["top_activations"]]
    assert values == sorted(values, reverse=True)
    assert len(list((tmp_path / "out").glob("channel-*.png"))) == 12


def test_the_same_again_is_the_same(weights_file, image, tmp_path, capsys):
    for name in ("a", "b"):
        explained([weights_file, image, "--out", tmp_path / name, "--crops", 10], capsys)
    first, second = ({file.name: file.read_bytes() for file in (tmp_path / name).iterdir()} for name in ("a", "b"))
    assert first == second


def test_without_json_it_prints_tables_in_the_language(weights_file, image, tmp_path, capsys):
    printed = explained([weights_file, image, "--out", tmp_path / "out", "--crops", 12, "--lang", "both"], capsys)
    assert re.search(r"^ +\d+\.\d\d %  猫 cat$", printed.out, re.M)
    assert re.search(r"^branch of 5b +", printed.out, re.M)
    assert re.search(r"^crops  mean probability  class$", printed.out, re.M)
    assert "猫 cat" in (tmp_path / "out/explanation.html").read_text("utf-8")


def test_images_of_the_folder_that_cannot_be_decoded_are_named(weights_file, class_folder, image, tmp_path, capsys):
    (class_folder / "val/cat/broken.png").write_bytes(b"no image")
    line = (weights_file, image, "--out", tmp_path / "out", "--crops", 1, "--json")
    printed = explained([*line, "--channel", "conv1:0", "--folder", class_folder / "val"], capsys)
    assert re.search(r"^skipped .*broken.png: not an image", printed.err, re.M)
    assert len(json.loads(printed.out)["skipped"]) == 1


def test_networks_without_average_pool_and_without_branches(tmp_path, capsys):
    network = create_model("alexnet", num_classes=3, width=0.05)
    network.preprocess = network.preprocess.with_size(64)
    save(network, tmp_path / "alexnet.safetensors")
    grey = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 300), dtype=np.uint8))
    grey.save(tmp_path / "grey.png")
    line = (tmp_path / "alexnet.safetensors", tmp_path / "grey.png", "--out", tmp_path / "out", "--crops", 1)
    result = json.loads(explained([*line, "--json"], capsys).out)
    assert (result["module"], result["branches"]) == (None, [])
    assert result["crop"] == [132, 2, 168, 38]  # of 300x40 pixels, seven eighths of the shorter side
    assert status(["explain", *map(str, line[:3]), str(tmp_path / "other"), "--module", "conv1"]) == 2
    assert "alexnet has no modules with branches" in capsys.readouterr().err


@pytest.mark.parametrize(("options", "message"), [
    (["--module", "4z"], "unknown module '4z': did you mean '4e'?"),
    (["--module", "pool3"], "pool3 of googlenet_bn has no branches: choose one of: 3a, 3b"),
    (["--crops", "7"], "there is no scheme of 7 crops"),
    (["--top", "0"], "--top"),
    (["--channel", "4a:17"], "--channel and --folder go together"),
    (["--folder", "FOLDER"], "--channel and --folder go together"),
    (["--channel", "4a", "--folder", "FOLDER"], "--channel '4a': name a stage and a channel's number, such as 4a:17"),
    (["--channel", "4a:-1", "--folder", "FOLDER"], "--channel '4a:-1': name a stage and a channel's number"),
    (["--channel", "4a:9999", "--folder", "FOLDER"], "4a of googlenet_bn has the channels 0 to 135, not 9999"),
    (["--channel", "4q:1", "--folder", "FOLDER"], "unknown stage '4q': did you mean"),
    (["--channel", "4a:1", "--folder", "EMPTY"], "there are no images at"),
    (["--channel", "4a:1", "--folder", "IMAGE"], "is not a folder"),
    (["--out", "FOLDER"], "is not empty: it holds 'train'; name another folder"),
    (["--out", "IMAGE"], "is a file: name a folder"),
    (["--out", ""], "--out is empty"),
])  # fmt: skip
def test_bad_options(weights_file, class_folder, image, tmp_path, capsys, options, message):
    (tmp_path / "empty").mkdir()
    places = {"FOLDER": str(class_folder), "EMPTY": str(tmp_path / "empty"), "IMAGE": str(image)}
    line = ["explain", str(weights_file), str(image), "--out", str(tmp_path / "out")]
    assert status([*line, *(places.get(option, option) for option in options)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_bad_images_and_runs(weights_file, image, tmp_path, capsys):
    (tmp_path / "broken.png").write_bytes(image.read_bytes()[:100])
    (tmp_path / "model.onnx").write_bytes(b"exported")
    save_tensors(tmp_path / "detector.safetensors", {"x": torch.zeros(1)}, {"detector": {}})
    for run, given, message in [
        (weights_file, tmp_path / "broken.png", "broken.png"),
        (weights_file, tmp_path / "none.png", "none.png: No such file"),
        (weights_file, tmp_path, "Is a directory"),
        (tmp_path / "nowhere", image, "there is no run folder or weights file"),
        (tmp_path / "detector.safetensors", image, "holds a detector, not a classifier: use it with `godeeper detect`"),
        (tmp_path / "model.onnx", image, "is named like an exported network, which only predict and serve take"),
    ]:
        assert status(["explain", str(run), str(given), "--out", str(tmp_path / "out")]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()
