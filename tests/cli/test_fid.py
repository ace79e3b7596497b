"""`godeeper fid` with a small network, so that only what is around the network counts; the peers' figures: test_fid_peers.py."""

import json
import re
import subprocess
import sys
import tarfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from godeeper import GodeeperError, load, workflows
from godeeper.cli.main import status
from godeeper.evaluate.generated import FeatureStatistics, frechet_distance


def fill(folder, count, seed, sizes=((40, 30), (25, 33), (64, 64))):
    random = np.random.default_rng(seed)
    folder.mkdir()
    for number in range(count):
        width, height = sizes[number % len(sizes)]
        blocks = random.integers(0, 255, (4, 5, 3), dtype=np.uint8)
        Image.fromarray(blocks).resize((width, height), Image.Resampling.BICUBIC).save(folder / f"{number:02}.png")
    return folder


@pytest.fixture
def folders(tmp_path):
    return fill(tmp_path / "a", 12, 0), fill(tmp_path / "b", 11, 1)


def test_figures_do_not_depend_on_the_batch(folders, weights_file):
    options = {"weights": weights_file, "engine": "torch", "kid": True, "inception_score": True}
    by_batch = [workflows.fid(*folders, batch_size=size, **options) for size in (1, 7, 64)]
    for name in ("fid", "kid", "inception_score"):
        values = [getattr(result, name) for result in by_batch]
        assert values == pytest.approx([values[0]] * 3, rel=1e-5)
    first = by_batch[0]
    assert (first.images, first.like, first.bad) == ((12, 11), "pytorch-fid", [])
    assert "fewer than 2,048" in first.notes[0]


def test_features_are_those_of_the_stretched_image(folders, weights_file):
    """Images of the network's own size are not resized by any library: then it is what `embed` gives of the whole image."""
    network = load(weights_file)
    network.preprocess = replace(network.preprocess, resize=replace(network.preprocess.resize, mode="squash"))
    square = [fill(folder.parent / f"{folder.name}_square", 5, seed, ((32, 32),)) for seed, folder in enumerate(folders)]
    embeddings = [workflows.embed(network, sorted(folder.iterdir()), engine="torch").embeddings.numpy() for folder in square]
    expected = frechet_distance(*map(FeatureStatistics.of, embeddings))
    assert workflows.fid(*square, weights=network, engine="onnxruntime").fid == pytest.approx(expected, rel=1e-4)


def test_statistics_are_kept_and_not_mixed(folders, weights_file, tmp_path, capsys):
    a, b = map(str, folders)
    line = ["--weights", str(weights_file), "--engine", "torch"]
    kept = str(tmp_path / "a.npz")
    assert status(["fid", a, *line, "--save", kept]) == 0
    capsys.readouterr()
    assert status(["fid", a, b, *line, "--json"]) == 0
    direct = json.loads(capsys.readouterr().out)
    assert {"fid", "images", "like", "bad", "notes"} == set(direct)
    assert status(["fid", b, kept, *line, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["fid"] == pytest.approx(direct["fid"], rel=1e-6)
    assert status(["fid", kept, kept, "--json"]) == 0  # no network is needed
    assert json.loads(capsys.readouterr().out)["fid"] == pytest.approx(0, abs=1e-6 * direct["fid"])
    for more, reason in (
        (["--like", "clean-fid"], "give --like pytorch-fid"),
        (["--kid"], "KID needs the images"),
        (["--save", kept], "exists: remove it"),
    ):
        assert status(["fid", kept, b, *line, *more]) == 2
        assert reason in capsys.readouterr().err
    with np.load(kept) as arrays:
        np.savez(tmp_path / "others.npz", **{**arrays, "weights": "others"})
    with pytest.raises(GodeeperError, match="of other weights"):
        workflows.fid(kept, tmp_path / "others.npz")


def test_damaged_files_are_named_and_left_out(folders, weights_file, capsys):
    a, b = folders
    line = ["fid", str(a), str(b), "--weights", str(weights_file), "--engine", "torch", "--json"]
    assert status(line) == 0
    without = json.loads(capsys.readouterr().out)["fid"]
    (a / "005_damaged.png").write_bytes((a / "05.png").read_bytes()[:60])
    assert status(line) == 2
    captured = capsys.readouterr()
    assert json.loads(captured.out)["fid"] == pytest.approx(without, rel=1e-6)
    assert "005_damaged.png: damaged" in captured.err


def test_shards_need_no_labels(folders, weights_file, tmp_path):
    a, b = folders
    with tarfile.open(tmp_path / "b.tar", "w") as tar:
        for file in sorted(b.iterdir()):
            tar.add(file, file.name)
    options = {"weights": weights_file, "engine": "torch"}
    sharded = workflows.fid(a, f"wds:{tmp_path / 'b.tar'}", **options)
    assert sharded.fid == pytest.approx(workflows.fid(a, b, **options).fid, rel=1e-6)


def test_a_folder_is_at_no_distance_from_itself(folders, weights_file, capsys):
    a = str(folders[0])
    assert status(["fid", a, a, "--weights", str(weights_file), "--engine", "torch"]) == 0
    assert re.search(r"^FID, as pytorch-fid +0\.0000$", capsys.readouterr().out, re.M)


@pytest.mark.slow
def test_several_processes_are_as_one(folders, weights_file, capsys):
    line = [
        "fid",
        *map(str, folders),
        "--weights",
        str(weights_file),
        "--engine",
        "torch",
        "--kid",
        "--inception-score",
        "--json",
    ]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "godeeper"]
    done = subprocess.run([*torchrun, *line], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert status(line) == 0
    shared, alone = json.loads(done.stdout), json.loads(capsys.readouterr().out)
    assert {name: shared.pop(name) for name in list(shared) if isinstance(shared[name], float)} == pytest.approx(
        {name: alone.pop(name) for name in list(alone) if isinstance(alone[name], float)}, rel=1e-5
    )
    assert shared == alone
    for folder in folders:
        for file in folder.iterdir():
            file.write_text("no image")
    failed = subprocess.run([*torchrun, *line], capture_output=True, text=True, timeout=300, check=False)
    assert failed.returncode != 0
    assert failed.stderr.count("godeeper: FID takes at least 2 images a side") == 1


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (["a"], "name the second"),
        (["a", "one"], "at least 2 images"),
        (["a", "nowhere"], "there are no images at 'nowhere'"),
        (["a", "b", "--like", "tensorflow"], "unknown library"),
        (["a", "b", "--save", "stats.txt"], "name a .npz file"),
        (["a", "a/00.npz"], "cannot be read as saved statistics"),
    ],
)
def test_what_cannot_be_compared_is_one_line(line, reason, folders, weights_file, tmp_path, monkeypatch, capsys):
    fill(tmp_path / "one", 1, 0)
    monkeypatch.chdir(tmp_path)
    assert status(["fid", *line, "--weights", str(weights_file), "--engine", "torch"]) == 2
    captured = capsys.readouterr()
    assert reason in captured.err
    assert len(captured.err.splitlines()) == 1
