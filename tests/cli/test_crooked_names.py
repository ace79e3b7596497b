"""Classes and files of any name, a class of a single image: through training, evaluation, prediction, server and reports."""

import csv
import html
import json
import re
from pathlib import Path
from subprocess import PIPE
from urllib.request import Request, urlopen

import numpy as np
import pytest
from PIL import Image

from godeeper import load, open_data
from godeeper.cli.main import status
from processes import GODEEPER, running

# Sorted, as folders are: a line break, a space at each end, Markdown and HTML, letters beyond 16 bits, Chinese.
CLASSES = ("\nline\n", " a  cat ", "#1 <b>&amp;", "x,\"y\";'z'", "金鱼 🐠", "🐈\u200d⬛")
FILES = ("0 金鱼 🐠.png", "1\nline.png", "2#?%20&.png", '3,"a".png', " 4 .png")
NETWORK = "--model googlenet_bn --small --width 0.125 --epochs 1 --batch-size 8 --workers 0 --tracker none"
SETTINGS = "--set image_size=16 --set auxiliary_weight=0 --set warmup_epochs=0"


def crooked_folder(root: Path) -> Path:
    """Five images of each class to train on and to test on, but a single one of the last."""
    random = np.random.default_rng(0)
    for part in ("train", "val"):
        for label, name in enumerate(CLASSES):
            (root / part / name).mkdir(parents=True)
            for file in FILES[: 1 if name == CLASSES[-1] else None]:
                pixels = random.integers(0, 200, (20, 20, 3), dtype=np.uint8) + np.uint8(9 * label)
                Image.fromarray(pixels).save(root / part / name / file)
    return root


def result_of(line, capsys, expected=0):
    capsys.readouterr()
    assert status(list(map(str, line))) == expected, capsys.readouterr().err
    return capsys.readouterr()


@pytest.mark.slow
def test_names_come_through_everything_as_they_are(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data, run = crooked_folder(tmp_path / "数据 #1 🗂"), tmp_path / "跑 #1\n🏃"
    assert open_data(data).classes == CLASSES
    result_of(["train", *NETWORK.split(), *SETTINGS.split(), "--data", data, "--out", run], capsys)
    assert load(run).classes == CLASSES
    check_evaluation(data, run, tmp_path, capsys)
    check_predictions(data, run, tmp_path, capsys)
    check_other_files(data, run, tmp_path, capsys)
    check_server(run, data / "val" / CLASSES[0] / FILES[0])


def check_evaluation(data, run, tmp_path, capsys) -> None:
    report = tmp_path / "报告 #\n"
    line = ["evaluate", run, "--data", data, "--workers", 0, "--save", tmp_path / "p #.safetensors", "--json"]
    result = json.loads(result_of([*line, "--report", report], capsys).out)
    assert result["images"] == 26
    page, markdown = (report / "report.html").read_text(), (report / "report.md").read_text()
    for name in CLASSES:
        assert " ".join(html.escape(name).split()) in " ".join(page.replace("&#34;", "&quot;").replace("&#39;", "&#x27;").split())
    assert "\\#1 \\<b\\>&amp;" in markdown
    assert "#1 <b>" not in page
    again = result_of(["ensemble", tmp_path / "p #.safetensors", "--data", data, "--json"], capsys)
    assert json.loads(again.out)["top1_error"] == result["top1_error"]


def check_predictions(data, run, tmp_path, capsys) -> None:
    files = sorted(str(file) for file in (data / "val").rglob("*.png"))
    rows = json.loads(result_of(["predict", run, data / "val", "--json", "--top", 6], capsys).out)
    assert sorted(row["image"] for row in rows) == files
    assert all({each["label"] for each in row["predictions"]} == set(CLASSES) for row in rows)
    for name in ("表 #.csv", "表\n.jsonl"):
        result_of(["predict", run, data / "val", "--out", tmp_path / name, "--top", 6], capsys)
    with (tmp_path / "表 #.csv").open(newline="", encoding="utf-8") as opened:
        table = list(csv.DictReader(opened))
    lines = list(map(json.loads, (tmp_path / "表\n.jsonl").read_bytes().decode().splitlines()))
    assert [row["image"] for row in table] == [row["image"] for row in lines] == [row["image"] for row in rows]
    first = [[each["label"] for each in row["predictions"]] for row in rows]
    assert [[row[f"label_{rank}"] for rank in range(1, 7)] for row in table] == first
    shown = result_of(["predict", run, data / "val"], capsys).out
    assert len(shown.splitlines()) == 26 * 6  # a line break in a name is none on the terminal
    result_of(["predict", run, *files[:3], "--plot", tmp_path / "画 #\n.png"], capsys)
    with Image.open(tmp_path / "画 #\n.png") as drawing:
        assert drawing.width > 100


def check_other_files(data, run, tmp_path, capsys) -> None:
    odd = data / "val" / CLASSES[3] / FILES[1]
    result_of(["explain", run, odd, "--top", 6, "--out", tmp_path / "解释 #\n"], capsys)
    page = (tmp_path / "解释 #\n" / "explanation.html").read_text()
    assert "金鱼 🐠" in page
    assert "#1 <b>" not in page
    result_of(["embed", run, data / "val", "--out", tmp_path / "向量 #.npz"], capsys)
    assert set(np.load(tmp_path / "向量 #.npz")["images"]) == {str(file) for file in (data / "val").rglob("*.png")}
    result_of(["shards", data, tmp_path / "碎片 #\n"], capsys)
    assert open_data(f"wds:{tmp_path / '碎片 #'}\n").classes == CLASSES
    result_of(["export", run, "--out", tmp_path / "出 #\n.pt2"], capsys)
    result_of(["fid", data / "train", data / "val", "--weights", run, "--json"], capsys)


def check_server(run, file) -> None:
    with running(*GODEEPER, "serve", run, "--port", 0, stderr=PIPE) as process:
        port = int(re.search(r":(\d+)", process.stderr.readline())[1])
        request = Request(f"http://127.0.0.1:{port}/predict?top=6", file.read_bytes(), {"content-type": "image/png"})
        with urlopen(request, timeout=30) as answer:
            served = json.loads(answer.read())
    assert {each["label"] for each in served["predictions"]} == set(CLASSES)
    assert served["model"] == run.name


def test_a_class_of_one_image_is_trained_on_and_tested(tmp_path, capsys):
    """One image to train on, one to test on; without a split of its own it is refused (test_open_data.py)."""
    for part in ("train", "val"):
        for name, count in (("many", 4), ("one", 1)):
            (tmp_path / "data" / part / name).mkdir(parents=True)
            for index in range(count):
                Image.new("RGB", (9, 9), (60 * index, 0, 0)).save(tmp_path / "data" / part / name / f"{index}.png")
    line = ["train", *NETWORK.split(), *SETTINGS.split(), "--set", "batch_size=5", "--data", tmp_path / "data"]
    result_of([*line, "--out", tmp_path / "run"], capsys)
    record = json.loads((tmp_path / "run" / "metrics.jsonl").read_text())
    assert (record["images"], record["test_skipped"]) == (5, 0)
    assert (tmp_path / "run" / "model.safetensors").is_file()
