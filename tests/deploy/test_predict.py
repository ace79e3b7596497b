import json
import os
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

from godeeper import GodeeperError, Predictor, Preprocess, decode, export, load, take_crops, workflows
from godeeper.cli.main import status
from godeeper.data.pixels import normalise
from godeeper.deploy import engine_choice
from godeeper.models.spec import ModelSpec
from godeeper.papers.registry import variant


@pytest.fixture
def difficult(tmp_path: Path) -> Path:
    """Every awkward file of the image contract, good ones and bad ones."""
    folder = tmp_path / "difficult"
    folder.mkdir()
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8))
    noise.save(folder / "plain.jpg")
    noise.convert("CMYK").save(folder / "cmyk.jpg")
    noise.quantize(16).save(folder / "palette.png", transparency=3)
    Image.fromarray(np.arange(4800, dtype=np.uint16).reshape(60, 80) * 13).save(folder / "sixteen.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    noise.save(folder / "rotated.jpg", exif=exif)
    Image.new("RGB", (1, 1), (9, 200, 30)).save(folder / "one.png")
    whole = (folder / "plain.jpg").read_bytes()
    (folder / "truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.jpg").write_text("this is no image")
    (folder / "nowhere.jpg").symlink_to(folder / "is_not_there.jpg")
    return folder


GOOD = {"plain.jpg", "cmyk.jpg", "palette.png", "sixteen.png", "rotated.jpg", "one.png"}
BAD = {"truncated.jpg", "empty.jpg", "text.jpg", "nowhere.jpg"}


def test_a_folder_of_good_and_bad_images(difficult, weights_file, capsys):
    assert status(["predict", str(weights_file), str(difficult), "--json"]) == 2
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    predicted = {Path(entry["image"]).name for entry in document if "predictions" in entry}
    refused = {Path(entry["image"]).name for entry in document if "error" in entry}
    assert (predicted, refused) == (GOOD, BAD)
    lines = captured.err.strip().splitlines()
    assert len(lines) == len(BAD)
    assert all(any(name in line for line in lines) for name in BAD)
    for entry in document:
        probabilities = [p["probability"] for p in entry.get("predictions", [])]
        assert probabilities == sorted(probabilities, reverse=True)
        assert sum(probabilities) == pytest.approx(1 if probabilities else 0, abs=1e-5)


def test_probabilities_are_those_of_the_network(difficult, weights_file):
    network = load(weights_file)
    names = ("plain.jpg", "rotated.jpg", "cmyk.jpg")
    found = Predictor(weights_file)([difficult / name for name in names], top=3, crops=10)
    for name, prediction in zip(names, found, strict=True):
        image = decode(difficult / name)
        x = normalise(take_crops(image, network.preprocess, 10), network.preprocess)
        with torch.no_grad():
            expected = dict(zip(network.classes, network(x).softmax(1).mean(0).tolist(), strict=True))
        assert dict(zip(prediction.labels, prediction.probabilities, strict=True)) == pytest.approx(expected, abs=1e-4)
    assert len({prediction.probabilities for prediction in found}) > 1


def test_paths_bytes_images_and_arrays_give_the_same(difficult, weights_file):
    file = difficult / "plain.jpg"
    image = decode(file)
    predictions = Predictor(load(weights_file))([file, str(file), file.read_bytes(), image, np.array(image)])
    assert len(set(predictions)) == 1


@pytest.mark.parametrize("name", sorted(GOOD))
def test_an_opened_pil_image_is_converted_as_its_file_is(name, difficult, weights_file):
    with Image.open(difficult / name) as opened:
        by_file, by_image = Predictor(weights_file, "torch")([difficult / name, opened])
    assert by_image == by_file


def test_what_is_no_image_is_named(weights_file):
    predictor = Predictor(weights_file, "torch")
    for wrong in (np.zeros((3, 8, 8), np.uint8), np.zeros((8, 8, 3), np.float32), np.zeros((0, 8, 3), np.uint8), 3):
        with pytest.raises(GodeeperError, match=r"^an image is a path, .* or an array \(H, W, 3\) of uint8, not (an array|int)"):
            predictor([wrong])
    for single in (np.zeros((8, 8, 3), np.uint8), Image.new("RGB", (8, 8))):
        with pytest.raises(GodeeperError, match="give the images as a list, even a single one"):
            predictor(single)


def test_globs_top_and_drawing(difficult, weights_file, tmp_path, capsys):
    sheet = tmp_path / "sheet.png"
    line = ["predict", str(weights_file), str(difficult / "p*.*"), str(difficult / "one.png"), "--top", "2"]
    assert status([*line, "--plot", str(sheet)]) == 0
    out = capsys.readouterr().out
    assert out.count("%") == 6  # palette.png, plain.jpg, one.png
    assert "plain.jpg" in out
    with Image.open(sheet) as drawn:
        assert drawn.width > drawn.height / 2
        assert len(set(drawn.convert("RGB").resize((64, 64)).get_flattened_data())) > 50  # images and bars, not a blank sheet


@pytest.mark.slow
def test_real_photographs_go_through_144_views_and_predict(shared, tmp_path):
    import tarfile

    with tarfile.open(shared / "photos.tar") as archive:
        archive.extractall(tmp_path, filter="data")
    files = sorted(tmp_path.rglob("*.JPEG"))
    assert len(files) == 200
    from godeeper import create_model

    predict = Predictor(create_model("googlenet", width=0.25))
    for file in files:
        image = decode(file)
        crops = take_crops(image, Preprocess.of(224), 144)
        assert crops.shape == (144, 3, 224, 224)
        assert crops.float().std() > 1
        assert len(predict([image])[0].labels) == 5


def test_a_pipe_is_no_image(weights_file, tmp_path, capsys):
    os.mkfifo(tmp_path / "pipe.png")
    assert status(["predict", str(weights_file), str(tmp_path / "pipe.png")]) == 2
    assert capsys.readouterr().err.endswith("pipe.png: not a regular file\n")


def test_a_file_of_fewer_classes_than_answers(weights_file, tmp_path):
    network = load(weights_file)
    export(network, tmp_path / "net.onnx")
    model = onnx.load(tmp_path / "net.onnx")
    metadata = json.loads(model.metadata_props[0].value)
    del metadata["checksum"]
    spec = load(weights_file).spec
    fewer = ModelSpec(variant(spec.definition, num_classes=2), spec.preprocess, ("cat", "dog"))
    model.metadata_props[0].value = json.dumps({**metadata, "spec": fewer.as_dict()})
    onnx.save(model, tmp_path / "net.onnx")
    with pytest.raises(GodeeperError, match="the file names 2 classes, its network has 3: export it again"):
        Predictor(tmp_path / "net.onnx", "onnxruntime")([Image.new("RGB", (32, 32))])


def test_a_few_images_wait_for_no_choice_of_an_engine(weights_file, difficult, monkeypatch):
    measured = []
    monkeypatch.setattr(engine_choice, "fastest", lambda make, *_: measured.append(make) or make("torch"))
    image = decode(difficult / "plain.jpg")
    few = workflows.predict(weights_file, [image] * 16)
    assert not measured
    many = workflows.predict(weights_file, [image] * 17)
    assert len(measured) == 1
    assert many.outcomes[16].labels == few.outcomes[0].labels


def test_an_exported_file_keeps_its_preprocessing(weights_file, difficult, tmp_path, capsys):
    file = export(load(weights_file), tmp_path / "net.onnx").file
    assert status(["predict", str(file), str(difficult / "plain.jpg"), "--preprocess", "0..1"]) == 2
    assert (
        capsys.readouterr().err
        == f"godeeper: {str(file)!r} is an exported file, which says how images are prepared: leave --preprocess out\n"
    )
