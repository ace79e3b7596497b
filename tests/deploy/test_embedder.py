"""Embeddings: the same by every engine, in tables, in pairs."""

import csv
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from made_images import made_images
from torch.nn import functional as F

from godeeper import GodeeperError, Predictor, create_model, load, workflows
from godeeper.cli.main import status
from godeeper.data.pixels import normalise, take_crops
from godeeper.deploy.embedder import Embedder
from godeeper.errors import BadImage
from godeeper.preprocess import Preprocess
from networks import alive
from processes import running


@pytest.fixture(scope="module")
def network(weights_file):
    return load(weights_file)


def batch(network, images):
    return normalise(torch.cat([take_crops(image, network.preprocess) for image in images]), network.preprocess)


@pytest.mark.parametrize("engine", ["torch", "openvino", "onnxruntime"])
@torch.inference_mode()
def test_every_engine_gives_what_the_classifier_sees(engine, network):
    images, layer = made_images(5), next(iter(network.stages))
    x = batch(network, images)
    found = torch.stack(list(Embedder(network, engine).outcomes(images)))
    torch.testing.assert_close(found, network.embed(x), rtol=1e-4, atol=1e-5)
    within = torch.stack(list(Embedder(network, engine, layer=layer).outcomes(images, normalize=True)))
    expected = network.features(x, (layer,))[1][layer].mean((2, 3))
    torch.testing.assert_close(within, F.normalize(expected), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["inception_resnet_v1_facenet", "alexnet"])
@torch.inference_mode()
def test_heads_of_more_than_a_pool(name):
    network = alive(create_model(name, num_classes=3, width=0.125))
    network.preprocess = Preprocess.of(224 if name == "alexnet" else 80)
    images = made_images(2)
    embedder = Embedder(network, "openvino")
    found = torch.stack(list(embedder.outcomes(images)))
    assert found.shape == (2, embedder.units)
    torch.testing.assert_close(found, network.embed(batch(network, images)), rtol=1e-3, atol=1e-4)


def test_the_predictor_gives_them_too(network):
    images = [made_images(1)[0], b"no image"]
    predictor = Predictor(network, "torch")
    first, second = predictor.embeddings(images)
    assert torch.equal(first, next(Embedder(network, "torch").outcomes(images)))
    assert isinstance(second, BadImage)
    predictor._network = None  # as of an exported file
    assert not predictor.has_embeddings
    with pytest.raises(GodeeperError, match="take the run or weights file"):
        predictor.embeddings(images)
    with pytest.raises(GodeeperError, match="gives logits only"):
        Embedder("net.onnx")


@pytest.fixture
def folder(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for number, image in enumerate(made_images(4)):
        image.save(images / f"{number}.png")
    (images / "2.png").write_text("no image")
    return images


def test_tables_hold_the_same_numbers(folder, weights_file, network, tmp_path, capsys):
    import pyarrow.parquet

    line = ["embed", str(weights_file), str(folder), "--engine", "torch", "--out"]
    for suffix in (".npz", ".csv", ".parquet"):
        assert status([*line, str(tmp_path / f"table{suffix}")]) == 0
    assert "4 images" in capsys.readouterr().err
    files = sorted(folder.iterdir())
    expected = [next(Embedder(network, "torch").outcomes([file])) for file in files]
    workflows.embed_table(network, [], tmp_path / "empty.npz", engine="torch")
    with np.load(tmp_path / "empty.npz") as arrays:
        assert arrays["embeddings"].shape == (0, len(expected[0]))
    with np.load(tmp_path / "table.npz") as arrays:
        names, errors, embeddings = arrays["images"], arrays["errors"], arrays["embeddings"]
    assert names.tolist() == [str(file) for file in files]
    assert [bool(error) for error in errors] == [False, False, True, False]
    assert embeddings.dtype == np.float32
    assert np.isnan(embeddings[2]).all()
    parquet = pyarrow.parquet.read_table(tmp_path / "table.parquet").to_pylist()
    with (tmp_path / "table.csv").open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    for number in (0, 1, 3):
        np.testing.assert_allclose(embeddings[number], expected[number].numpy(), rtol=1e-4, atol=1e-5)
        assert parquet[number]["embedding"] == embeddings[number].tolist()
        from_csv = [np.float32(rows[number][f"embedding_{unit}"]) for unit in range(len(embeddings[number]))]
        assert from_csv == embeddings[number].tolist()
    assert parquet[2]["embedding"] is None
    assert "not an image" in parquet[2]["error"]
    assert "not an image" in rows[2]["error"]
    assert not list(tmp_path.glob("*.parts"))


def test_pairs_are_compared_by_their_angle(folder, weights_file, network, capsys):
    (folder / "2.png").unlink()
    assert status(["embed", str(weights_file), str(folder), "--pairs", "--engine", "torch"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    files = sorted(folder.iterdir())
    assert [line[:2] for line in lines[1:]] == [[str(files[a]), str(files[b])] for a, b in ((0, 1), (0, 2), (1, 2))]
    a, b = (next(Embedder(network, "torch").outcomes([file])) for file in files[:2])
    assert float(lines[1][2]) == pytest.approx(F.cosine_similarity(a, b, dim=0).item(), abs=1e-4)


@pytest.mark.slow
def test_several_processes_that_are_ended_go_on_to_one_table(folder, weights_file, tmp_path, capsys):
    """1,604 images are four parts: two processes are ended once a part is there, and begun again."""
    for number in range(1600):
        shutil.copy(folder / f"{number % 2}.png", folder / f"copy{number:04}.png")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "godeeper"]
    line = ["embed", str(weights_file), str(folder), "--engine", "torch", "--normalize", "--out"]
    out = tmp_path / "table.npz"
    with running(*torchrun, *line, out, stderr=subprocess.DEVNULL) as process:
        while not list(tmp_path.glob("table.npz.parts/*.jsonl")):
            time.sleep(0.02)
        process.terminate()  # which torchrun passes on: its processes are in groups of their own
        process.wait(60)
    assert not out.exists()
    assert 0 < len(list(tmp_path.glob("table.npz.parts/*.jsonl"))) < 4
    done = subprocess.run([*torchrun, *line, str(out)], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert status([*line, str(tmp_path / "alone.npz")]) == 0
    with np.load(out) as shared, np.load(tmp_path / "alone.npz") as alone:
        assert shared["images"].tolist() == alone["images"].tolist() == sorted(map(str, folder.iterdir()))
        np.testing.assert_allclose(shared["embeddings"], alone["embeddings"], rtol=0, atol=1e-5)
    assert not list(tmp_path.glob("*.parts"))


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ([], "either --out FILE"),
        (["--pairs", "--out", "a.npz"], "either --out FILE"),
        (["--out", "a.xlsx"], "the name's ending decides"),
        (["--out", "a.npz", "--layer", "mixed_6e"], "unknown layer"),
        (["--out", "a.npz", "--precision", "int8"], "int8 needs a file"),
    ],
)
def test_what_cannot_be_embedded_is_one_line(more, reason, folder, weights_file, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert status(["embed", str(weights_file), str(folder), *more]) == 2
    captured = capsys.readouterr()
    assert reason in captured.err
    assert len(captured.err.splitlines()) == 1
