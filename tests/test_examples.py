"""The examples, as a reader runs them: what they print is what the package answers."""

import re
import runpy
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors import safe_open
from sklearn.datasets import load_sample_image

from godeeper import Predictor, load

EXAMPLES = Path(__file__).parent.parent / "examples"
DIGITS = tuple("0123456789")


@pytest.fixture
def run(monkeypatch, capsys):
    """`run(name, *arguments)`: what the example prints, run as a program in this process."""

    def printed(name, *arguments):
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return capsys.readouterr().out

    return printed


@pytest.fixture
def photos(tmp_path):
    files = [tmp_path / "china.jpg", tmp_path / "flower.jpg"]
    for file in files:
        Image.fromarray(load_sample_image(file.name)).save(file)
    return files


def check(text, weights, images, crops):
    """The lines "12.34 %  class" are, for each image in turn, the top-5 predictions of the weights."""
    lines = re.findall(r"^ *(\d+\.\d\d) %  (\S.*)$", text, re.M)
    predictions = Predictor(load(weights))(images, top=5, crops=crops)
    expected = [pair for p in predictions for pair in zip(p.probabilities, p.labels, strict=True)]
    assert [label for _, label in lines] == [label for _, label in expected]
    assert [float(percent) for percent, _ in lines] == pytest.approx([100 * p for p, _ in expected], abs=0.02)
    assert len(lines) == 5 * len(images)


def test_infer_with_a_trained_run(run, digits_run, tmp_path):
    run("save_digits.py", tmp_path / "images")
    images = sorted((tmp_path / "images").glob("*.png"))
    assert len(images) == 10
    check(run("googlenet_inference.py", digits_run, *images), digits_run, images, 10)


@pytest.mark.slow
def test_train_then_infer(run, tmp_path):
    weights = tmp_path / "example.safetensors"
    assert re.search(r"^epoch 1/1: loss \d+\.\d+, top-1 error \d+\.\d+ %$", run("train_googlenet.py", 1, weights), re.M)
    assert load(weights).classes == DIGITS


@pytest.mark.slow
def test_train_the_residual_network_then_name_photographs(run, tmp_path, photos):
    weights = tmp_path / "resnet.safetensors"
    assert "epoch 1/1: loss" in run("train_inception_resnet.py", 1, weights)
    check(run("inception_v4_inference.py", photos[0], weights), weights, photos[:1], 1)
    compared = run("inception_resnet_v2_inference.py", "--weights", weights, *photos)
    check(compared, weights, photos, 10)
    first, second = ([float(cosine) for cosine in line.split()] for line in compared.splitlines()[-2:])
    assert (first[0], second[1]) == (1.0, 1.0)
    assert first[1] == second[0] < 1


def test_the_photographs_examples_print_what_the_weights_say(run, digits_run, photos):
    check(run("inception_v4_inference.py", photos[0], digits_run), digits_run, photos[:1], 1)
    check(run("inception_resnet_v2_inference.py", "--weights", digits_run, *photos), digits_run, photos, 10)


@pytest.mark.parametrize("name", ["inception_v4", "inception_resnet_v2"])
def test_offline_the_examples_say_what_to_fetch(run, name, photos, offline):
    with pytest.raises(SystemExit) as ended:
        run(f"{name}_inference.py", photos[0])
    assert f"download https://huggingface.co/timm/{name}.tf_in1k/resolve/main/model.safetensors and put it at" in ended.value.code


@pytest.mark.slow
def test_a_foreign_checkpoint_answers_as_its_own_library(run, shared, tmp_path):
    """Beside TensorFlow.js, whose logits are in the file; the image as it came to it."""
    checkpoint = shared / "trained_inception_v3.safetensors"
    assert "22,343,653 parameters" in run("foreign_checkpoint.py", checkpoint, tmp_path / "ours.safetensors")
    network = load(tmp_path / "ours.safetensors")
    with safe_open(checkpoint, "pt") as file, torch.inference_mode():
        pixels, logits = (file.get_tensor(f"reference/{name}")[:4] for name in ("pixels", "logits"))
        ours = network(pixels.permute(0, 3, 1, 2) / 255)
    assert (ours - logits).abs().max() < 1e-5 * logits.abs().max()
    assert network.preprocess.words == "0..1,squash,bilinear,299"


def test_a_checkpoint_of_other_shapes_is_refused():
    functions = runpy.run_path(str(EXAMPLES / "foreign_checkpoint.py"))
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1, bias=False), torch.nn.Conv2d(4, 4, 1, bias=False))
    arrays = {"conv2d_9/kernel": torch.randn(1, 1, 3, 4), "conv2d_10/kernel": torch.randn(1, 1, 4, 4)}
    functions["fill"](network, arrays)
    assert torch.equal(network[1].weight[1, 2, 0, 0], arrays["conv2d_10/kernel"][0, 0, 2, 1])
    with pytest.raises(ValueError, match=r"\(4, 3, 1, 1\) there, \(4, 4, 1, 1\) here"):
        functions["fill"](network[1:], arrays)
    with pytest.raises(ValueError, match="conv2d_10 has no place"):
        functions["fill"](network[:1], arrays)
