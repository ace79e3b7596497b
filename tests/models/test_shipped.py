"""The networks that come with godeeper: small enough, whole, loaded without a network, and as good as they say."""

import importlib.util
import json
import re
import shlex
import tarfile
from hashlib import sha256
from itertools import pairwise
from math import sqrt

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

from godeeper import GodeeperError, Predictor, describe, export, load, open_data, workflows
from godeeper.cli.main import status
from godeeper.models.weights import shipped as module
from godeeper.models.weights.shipped import default_network, shipped
from godeeper.train.recipe import Recipe, recipe_named
from godeeper.train.run import RunFolder
from pages import DOCS

spec = importlib.util.spec_from_file_location("shipped_pages", DOCS / "shipped.py")
pages = importlib.util.module_from_spec(spec)
spec.loader.exec_module(pages)

NAMES = tuple(shipped())
DIGITS = "godeeper/digits"


def save_digits(folder, count=10):
    """The first test images of the digits as files, `count` of each digit; their digits, in the files' order."""
    folder.mkdir()
    images = open_data("digits").test
    labels = np.asarray(images.labels)
    for digit in range(10):
        for number, index in enumerate(np.flatnonzero(labels == digit)[:count]):
            images.image(int(index)).save(folder / f"{digit}_{number:02}.png")
    return [int(file.name[0]) for file in sorted(folder.iterdir())]


@pytest.fixture(scope="module")
def data_of(tmp_path_factory, request):
    """`data_of(record)`: the test images of a network's record, where they are at hand."""

    def images(record):
        if record.data == "digits":
            return "digits"
        archive = request.getfixturevalue("shared") / f"{record.name.partition('/')[2]}.tar.xz"
        if not archive.is_file():
            pytest.skip(f"GODEEPER_SHARED has no {archive.name}")
        folder = tmp_path_factory.mktemp("data")
        with tarfile.open(archive) as opened:
            members = (member for member in opened if "test" in member.name.split("/"))
            opened.extractall(folder, members, filter="data")
        return str(next(folder.rglob("test")).parent)

    return images


def test_the_pages_say_what_the_records_say():
    assert [str(page) for page, _ in pages.changed()] == []  # python docs/shipped.py mends them
    assert default_network() in NAMES
    assert DIGITS in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_network_is_small_and_what_its_record_says(name, offline):
    record = shipped()[name]
    content = record.file.read_bytes()
    assert len(content) <= 4_000_000
    assert sha256(content).hexdigest() == record.sha256
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert {entry["dtype"] for key, entry in header.items() if key != "__metadata__"} == {"F16", "I64"}  # I64: of batches seen
    assert "checksum" in header["__metadata__"]
    network = load(name)
    assert not network.training
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    described = describe(network.definition, record.image_size)
    assert (record.parameters, record.multiply_adds) == (described.parameters, described.multiply_adds)
    assert (record.architecture, record.image_size) == (network.definition.name, network.preprocess.image_size)
    assert list(record.classes["en"]) == list(network.classes)
    assert len(set(record.classes["zh"])) == len(network.classes)
    assert all(re.search("[\u3007\u4e00-\u9fff]", label) for label in record.classes["zh"])
    assert [epoch["epoch"] for epoch in record.curve] == [*range(1, record.recipe["epochs"] + 1)]
    assert Recipe.from_dict(record.recipe).epochs == record.recipe["epochs"]


@pytest.mark.parametrize("name", NAMES)
def test_an_error_is_stated_with_its_interval(name):
    record = shipped()[name]
    for error, interval in ((record.top1_error, record.top1_interval), (record.top5_error, record.top5_interval)):
        wrong = error * record.images / 100
        assert wrong == pytest.approx(round(wrong), abs=1e-6)
        for bound in (value / 100 for value in interval):  # what Wilson's bounds are: 1.96 deviations from what was observed
            assert abs(error / 100 - bound) == pytest.approx(1.959964 * sqrt(bound * (1 - bound) / record.images), abs=1e-9)
    assert record.name in record.commands["evaluate"]
    for command in record.commands.values():
        assert not any(word.startswith("/") for word in shlex.split(command))  # a path of some machine


def test_a_network_answers_as_a_run_does(tmp_path, capsys, offline):
    digits = save_digits(tmp_path / "images", 1)
    assert status(["predict", DIGITS, str(tmp_path / "images"), "--lang", "zh", "--top", "1", "--json", "--engine", "torch"]) == 0
    labels = [entry["predictions"][0]["label"] for entry in json.loads(capsys.readouterr().out)]
    expected = ["零一二三四五六七八九"[digit] for digit in digits]
    assert sum(label == right for label, right in zip(labels, expected, strict=True)) >= 9
    assert status(["models", DIGITS]) == 0
    card = capsys.readouterr().out
    assert f"{shipped()[DIGITS].top1_error:.2f} %" in card
    assert shipped()[DIGITS].commands["train"] in card
    assert status(["describe", DIGITS]) == 0
    assert f"{shipped()[DIGITS].parameters:,} parameters" in capsys.readouterr().out


def test_a_name_that_does_not_come_with_godeeper_is_refused_with_those_that_do(capsys):
    with pytest.raises(GodeeperError, match=f"weights file 'godeeper/digit'; published are .*{DIGITS}"):
        load("godeeper/digit")
    assert status(["describe", "godeeper/digit"]) == 2
    assert f"did you mean '{DIGITS}'?" in capsys.readouterr().err


def test_only_a_small_run_of_data_that_others_have_is_published(digits_run, monkeypatch):
    monkeypatch.setattr(pages, "FOLDER", None)  # nothing is written
    with pytest.raises(GodeeperError, match=r"the run's data is '/images', a path of this machine"):
        pages.publish(digits_run, "digits", "/images", 1)
    monkeypatch.setattr(pages, "LARGEST", 100_000)
    with pytest.raises(GodeeperError, match=r"^0\.\d\d MB in half precision: at most 0\.1 MB"):
        pages.publish(digits_run, "digits", None, 1)


def test_the_command_that_is_published_makes_the_run_again(digits_run):
    saved = RunFolder(digits_run).read()
    recipe = Recipe.from_dict(saved["recipe"])
    words = shlex.split(pages._train_command(saved["options"], recipe, "again"))
    command = "godeeper train --model googlenet_bn --small --width 0.25 --data digits --recipe digits --epochs 2"
    assert words[: len(command.split())] == command.split()
    settings = [word for option, word in pairwise(words) if option == "--set"]
    assert recipe_named("digits").with_overrides(["epochs=2", *settings]) == recipe
    assert words[-2:] == ["--out", "runs/again"]


@pytest.mark.slow
def test_a_run_is_published(digits_run, tmp_path, monkeypatch):
    for at in (pages, module):
        monkeypatch.setattr(at, "FOLDER", tmp_path)
    monkeypatch.setattr(pages, "CURVES", tmp_path / "curves")
    pages.publish(digits_run, "mine", None, 1)
    try:
        (record,) = shipped().values()
        assert record.file.stat().st_size < (digits_run / "model.safetensors").stat().st_size * 0.6
        assert (record.name, record.data, record.images) == ("godeeper/mine", "digits", 359)
        assert record.top1_error == pytest.approx(record.curve[-1]["top1_error"], abs=1)
        assert "`godeeper/mine`" in pages.table("en")
        assert record.commands["train"] in pages.sections("zh")
        assert (tmp_path / "curves" / "mine-curves.png").is_file()
    finally:
        shipped.cache_clear()


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_stated_error_is_what_evaluate_gives(name, data_of):
    record = shipped()[name]
    result = workflows.evaluate([name], data_of(record), crops=record.crops).as_dict()
    stated = (record.images, record.top1_error, record.top5_error)
    assert (result["images"], result["top1_error"], result["top5_error"]) == stated


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_network_is_exported_and_explained(name, tmp_path, offline):
    report = export(name, tmp_path / "net.onnx")
    size = shipped()[name].image_size
    noise = np.random.default_rng(0).integers(0, 255, (4, size, size, 3), dtype=np.uint8)
    images = [Image.fromarray(image) for image in noise]
    assert report.check["same_top1"] == report.check["images"]
    for expected, actual in zip(Predictor(name, "torch")(images), Predictor(report.file, "onnxruntime")(images), strict=True):
        assert dict(zip(expected.labels, expected.probabilities, strict=True)) == pytest.approx(
            dict(zip(actual.labels, actual.probabilities, strict=True)), abs=1e-4
        )
    onnxruntime.InferenceSession(str(report.file))  # a file that others read
    explained = workflows.explain(name, images[0], tmp_path / "page", lang="zh")
    assert set(shipped()[name].classes["zh"]) & set(re.findall(r"[\u3007\u4e00-\u9fff]+", explained.page.read_text("utf-8")))


@pytest.mark.slow
def test_in_eight_bits_the_digits_network_loses_little(tmp_path):
    digits = save_digits(tmp_path / "images", 40)
    files = sorted((tmp_path / "images").iterdir())
    report = export(DIGITS, tmp_path / "net.onnx", precision="int8", images=tmp_path / "images")
    held_out = list(zip(files, digits, strict=True))[1::2]

    def errors(predictor):
        predictions = predictor([file for file, _ in held_out], top=1)
        return sum(prediction.labels[0] != str(digit) for prediction, (_, digit) in zip(predictions, held_out, strict=True))

    drop = errors(Predictor(report.file)) - errors(Predictor(DIGITS, "torch"))
    assert abs(drop) <= 0.02 * len(held_out)
    assert report.file.stat().st_size < shipped()[DIGITS].file.stat().st_size
