"""Tables of predictions: complete, in order, each image once, whatever happens on the way."""

import csv
import json
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from godeeper import Predictor, load, locks, save
from godeeper.cli.main import status
from godeeper.deploy import table_parts
from godeeper.deploy.prediction_table import write_predictions
from godeeper.deploy.table_parts import fingerprint
from godeeper.errors import GodeeperError

COUNT, BAD, CHUNK = 23, 11, 5


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Images 00.png to 22.png, one of which is text."""
    random = np.random.default_rng(0)
    images = tmp_path / "images"
    images.mkdir()
    for number in range(COUNT):
        Image.fromarray(random.integers(0, 255, (20 + number, 30, 3), dtype=np.uint8)).save(images / f"{number:02}.png")
    (images / f"{BAD:02}.png").write_text("no image")
    return images


@pytest.fixture
def predictor(weights_file):
    return Predictor(weights_file, "torch")


def expected(predictor, folder, top):
    files = [file for file in sorted(folder.iterdir()) if file.stem != f"{BAD:02}"]
    return dict(zip(map(str, files), predictor(files, top=top), strict=True))


def check(rows, predictor, folder, top):
    """Rows of a table against the predictor's own answers."""
    known = expected(predictor, folder, top)
    assert [row["image"] for row in rows] == [str(file) for file in sorted(folder.iterdir())]
    for number, row in enumerate(rows):
        if number == BAD:
            assert "not an image" in row["error"]
            assert not row["label_1"]
            continue
        prediction = known[row["image"]]
        assert [row[f"label_{place + 1}"] for place in range(top)] == list(prediction.labels)
        found = [float(row[f"probability_{place + 1}"]) for place in range(top)]
        assert found == pytest.approx(prediction.probabilities, abs=1e-5)
        assert not row["error"]


def test_csv(folder, predictor, tmp_path):
    out = tmp_path / "table.csv"
    write_predictions(out, sorted(folder.iterdir()), predictor, {}, top=2, chunk=CHUNK)
    with out.open(newline="") as opened:
        check(list(csv.DictReader(opened)), predictor, folder, 2)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["images", "table.csv"]


def test_parquet(folder, predictor, tmp_path):
    import pyarrow.parquet

    out = tmp_path / "table.parquet"
    write_predictions(out, sorted(folder.iterdir()), predictor, {}, top=3, chunk=CHUNK)
    check(pyarrow.parquet.read_table(out).to_pylist(), predictor, folder, 3)


def test_jsonl_by_the_command(folder, weights_file, predictor, tmp_path, capsys):
    out = tmp_path / "table.jsonl"
    assert status(["predict", str(weights_file), str(folder), "--out", str(out), "--top", "1"]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"{COUNT} images" in captured.err
    assert "decode" in captured.err
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["image"] for row in rows] == [str(file) for file in sorted(folder.iterdir())]
    assert [number for number, row in enumerate(rows) if "error" in row] == [BAD]
    known = expected(predictor, folder, 1)
    assert all(row["predictions"][0]["label"] == known[row["image"]].labels[0] for row in rows if "error" not in row)


class Breaking:
    """A predictor that stops for good after some images, and counts those it was asked for."""

    def __init__(self, predictor, after):
        self.predictor, self.after, self.classes, self.asked = predictor, after, predictor.classes, []

    def outcomes(self, files, **options):
        for file, outcome in zip(files, self.predictor.outcomes(files, **options), strict=True):
            if len(self.asked) == self.after:
                raise KeyboardInterrupt
            self.asked.append(file)
            yield outcome


def test_a_broken_call_goes_on_and_gives_the_same_table(folder, predictor, tmp_path):
    files = sorted(folder.iterdir())
    whole, broken = tmp_path / "whole.jsonl", tmp_path / "broken.jsonl"
    write_predictions(whole, files, predictor, {}, chunk=CHUNK)
    first = Breaking(predictor, after=13)
    with pytest.raises(KeyboardInterrupt):
        write_predictions(broken, files, first, {}, chunk=CHUNK)
    assert not broken.exists()
    second = Breaking(predictor, after=-1)
    write_predictions(broken, files, second, {}, chunk=CHUNK)
    assert second.asked == files[10:]  # two parts of five were whole
    as_rows = [[json.loads(line) for line in file.read_text().splitlines()] for file in (whole, broken)]
    assert [row["image"] for row in as_rows[0]] == [row["image"] for row in as_rows[1]]
    assert as_rows[0][BAD] == as_rows[1][BAD]
    assert not list(tmp_path.glob("*.parts"))


def test_parts_of_another_call_are_refused(folder, predictor, tmp_path):
    files, out = sorted(folder.iterdir()), tmp_path / "table.csv"
    with pytest.raises(KeyboardInterrupt):
        write_predictions(out, files, Breaking(predictor, after=7), {"run": "a"}, chunk=CHUNK)
    for changes in ({"identity": {"run": "b"}}, {"files": files[1:]}, {"top": 1}):
        arguments = {"files": files, "identity": {"run": "a"}, "top": 5, **changes}
        with pytest.raises(GodeeperError, match="remove it, or choose another --out"):
            write_predictions(out, arguments["files"], predictor, arguments["identity"], top=arguments["top"], chunk=CHUNK)
    copies = [shutil.copy(file, tmp_path) for file in files[:1]]
    with files[0].open("ab") as file:
        file.write(b"another image of that name")
    with pytest.raises(GodeeperError, match="remove it, or choose another --out"):
        write_predictions(out, files, predictor, {"run": "a"}, chunk=CHUNK)
    shutil.move(copies[0], files[0])
    plan = out.with_name("table.csv.parts") / "plan.json"
    older = {name: value for name, value in json.loads(plan.read_text()).items() if name != "sizes"}
    plan.write_text(json.dumps(older))  # as begun by a release that did not look at sizes
    part = min(plan.parent.glob("*.jsonl"))
    whole = part.read_bytes()
    rows = whole.splitlines(keepends=True)
    for damaged in (
        whole[:-9],
        b"".join(rows[1:]),
        b"".join(rows[:-1]),
        whole.replace(b"0.", b"1.", 1),
        b"{}\n" + whole,
        b"5\n",
        b"",
    ):
        part.write_bytes(damaged)
        with pytest.raises(GodeeperError, match="is damaged: remove it, and the same command makes it again"):
            write_predictions(out, files, predictor, {"run": "a"}, chunk=CHUNK)
        assert not out.exists()
    part.unlink()
    write_predictions(out, files, predictor, {"run": "a"}, chunk=CHUNK)
    assert out.is_file()


def test_a_folder_of_something_else_is_not_taken_for_parts(folder, predictor, tmp_path):
    mine = tmp_path / "table.csv.parts" / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    with pytest.raises(GodeeperError, match=r"table.csv.parts' holds 'mine.txt', which is no part of a table"):
        write_predictions(tmp_path / "table.csv", sorted(folder.iterdir()), predictor, {"run": "a"}, chunk=CHUNK)
    assert [file.name for file in tmp_path.rglob("*.txt")] == ["mine.txt"]
    assert mine.read_text() == "mine"


def test_weights_and_files_are_told_apart_by_what_they_hold(weights_file, tmp_path):
    network = load(weights_file)
    other = tmp_path / "other.safetensors"
    save(network, other)
    assert fingerprint(load(other)) == fingerprint(load(weights_file))
    squashed = load(other)
    squashed.preprocess = replace(squashed.preprocess, resize=replace(squashed.preprocess.resize, mode="squash"))
    assert fingerprint(squashed) != fingerprint(load(weights_file))  # the weights are the same, its images are not
    with torch.no_grad():
        network.head["linear"].linear.bias[0] += 1
    save(network, other)
    assert fingerprint(load(other)) != fingerprint(load(weights_file))
    (tmp_path / "a.xml").write_bytes(b"graph")
    (tmp_path / "a.bin").write_bytes(b"weights")
    before = fingerprint(tmp_path / "a.xml")
    (tmp_path / "a.bin").write_bytes(b"others")
    assert fingerprint(tmp_path / "a.xml") != before


class Process:
    """As accelerate's PartialState, of two threads."""

    num_processes, met = 2, threading.Barrier(2)

    def __init__(self, cpu):
        self.process_index = int(threading.current_thread().name)

    def wait_for_everyone(self):
        self.met.wait(20)


def test_processes_share_the_parts_and_the_first_waits_for_latecomers(folder, predictor, tmp_path, monkeypatch):
    files, out = sorted(folder.iterdir()), tmp_path / "table.csv"
    monkeypatch.setattr(table_parts, "PartialState", Process)
    monkeypatch.setattr(locks, "rank_and_ranks", lambda: (int(threading.current_thread().name), 2))
    first, second = Breaking(predictor, after=-1), Breaking(predictor, after=-1)

    def both(out, files):
        call = {"target": write_predictions, "kwargs": {"top": 2, "chunk": CHUNK}}
        threads = [threading.Thread(name=str(n), args=(out, files, of, {}), **call) for n, of in enumerate((first, second))]
        threads[0].start()
        while not Process.met.n_waiting:
            assert threads[0].is_alive()
            time.sleep(0.01)
        assert not out.exists()  # though the first has nothing to wait for but the second's arrival
        threads[1].start()
        for thread in threads:
            thread.join()

    both(tmp_path / "one part.csv", files[:3])
    assert first.asked == files[:3]
    first.asked.clear()
    both(out, files)
    assert sorted(first.asked + second.asked) == files
    assert second.asked == files[5:10] + files[15:20]
    assert not list(tmp_path.glob("*.parts"))
    with out.open(newline="") as opened:
        check(list(csv.DictReader(opened)), predictor, folder, 2)


TABLE_OF_SMALL_PARTS = """
import os, sys, time
from pathlib import Path
from godeeper import Predictor
from godeeper.deploy import table_parts
from godeeper.deploy.prediction_table import write_predictions

weights, folder, out, asked = sys.argv[1:]
predictor = Predictor(weights, "torch")

class Counting:
    classes = predictor.classes
    def outcomes(self, files, **options):
        with open(f"{asked}.{os.environ['RANK']}", "a") as log:
            log.writelines(f"{file}\\n" for file in files)
        return predictor.outcomes(files, **options)

files = sorted(Path(folder).iterdir())
write_predictions(Path(out), files, Counting(), {}, top=2, chunk=5)
if os.environ["RANK"] == "1":
    time.sleep(1)  # a latecomer: nothing is left for it, and the first process could finish without it
write_predictions(Path(out + ".late.csv"), files[:5], predictor, {}, chunk=5)
"""


@pytest.mark.slow
def test_torchrun_writes_one_table(folder, weights_file, predictor, tmp_path):
    script, out, asked = tmp_path / "table.py", tmp_path / "table.csv", tmp_path / "asked"
    script.write_text(TABLE_OF_SMALL_PARTS)
    line = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    done = subprocess.run(
        [*line, str(weights_file), str(folder), str(out), str(asked)], capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    with out.open(newline="") as opened:
        check(list(csv.DictReader(opened)), predictor, folder, 2)
    files = sorted(map(str, folder.iterdir()))
    assert Path(f"{asked}.0").read_text().split() == files[:5] + files[10:15] + files[20:]
    assert Path(f"{asked}.1").read_text().split() == files[5:10] + files[15:20]
    assert len(Path(f"{out}.late.csv").read_text().splitlines()) == 6
    assert not list(tmp_path.glob("*.parts"))


@pytest.mark.parametrize(
    ("name", "more", "reason"),
    [
        ("table.xlsx", [], "the name's ending decides"),
        ("nowhere/table.csv", [], "there is no folder"),
        ("kept.csv", [], "exists"),
        ("table.csv", ["--json"], "instead of"),
        ("table.csv", ["--engine", "tensorrt"], "unknown engine"),
        ("table.csv", ["--engine", "onnxruntime", "--precision", "bf16"], "does not compute in bf16"),
        ("table.csv", ["--precision", "int8"], "int8 needs a file"),
    ],
)
def test_what_cannot_be_done_is_one_line(folder, weights_file, tmp_path, capsys, name, more, reason):
    (tmp_path / "kept.csv").write_text("mine")
    assert status(["predict", str(weights_file), str(folder), "--out", str(tmp_path / name), *more]) == 2
    captured = capsys.readouterr()
    assert reason in captured.err
    assert len(captured.err.strip().splitlines()) == 1
    assert (tmp_path / "kept.csv").read_text() == "mine"
