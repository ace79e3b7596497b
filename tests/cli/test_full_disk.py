"""The disk is full at each write of each command, once: one clear line, nothing lost, and the same command goes on afterwards."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from full_disk import SIGNS, disk
from godeeper import BadCheckpoint
from godeeper.cli.main import status
from godeeper.deploy.export_metadata import check_exported
from godeeper.tensor_files import load_tensors

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
SMALLEST = "--model googlenet_bn --small --width 0.125 --epochs 1 --batch-size 4 --workers 0 --tracker none"
SETTINGS = "--set image_size=16 --set auxiliary_weight=0 --set warmup_epochs=0 --set precision=fp32"


@dataclass(frozen=True)
class Case:
    """A command; `again` is how it goes on, given the folder as the full disk left it; `made` are what it writes."""

    line: str
    made: tuple[str, ...]
    again: Callable[[Path], str] = lambda folder: ""
    extra: str = ""  # a package that it needs
    is_quick: bool = False  # then each write fails in each way, not in one of them


def resumed(file: str) -> Callable[[Path], str]:
    return lambda folder: "--resume" if (folder / file).exists() else ""


CASES = {
    "train": Case(
        f"train {SMALLEST} {SETTINGS} --data DATA --out run", ("run",), resumed("run/recipe.json")
    ),
    "evaluate": Case(
        "evaluate WEIGHTS --data DATA --workers 0 --report report --save p.safetensors", ("report", "p.safetensors"),
        resumed("report/partial/evaluation.json"),
    ),
    "ensemble": Case("ensemble kept.safetensors --data DATA --report report", ("report",)),
    "predict csv": Case("predict WEIGHTS DATA --out table.csv", ("table.csv",), is_quick=True),
    "predict jsonl": Case("predict WEIGHTS DATA --out table.jsonl", ("table.jsonl",)),
    "predict parquet": Case("predict WEIGHTS DATA --out table.parquet", ("table.parquet",), extra="pyarrow"),
    "predict plot": Case("predict WEIGHTS DATA/val/cat/0.png --plot plot.png", ("plot.png",)),
    "embed npz": Case("embed WEIGHTS DATA --out table.npz", ("table.npz",)),
    "embed csv": Case("embed WEIGHTS DATA --out table.csv", ("table.csv",)),
    "fid": Case("fid DATA/train --weights WEIGHTS --save real.npz", ("real.npz",)),
    "export onnx": Case("export WEIGHTS --out small.onnx", ("small.onnx",), extra="onnxruntime"),
    "export openvino": Case(
        "export WEIGHTS --out small.xml", ("small.xml", "small.bin"), extra="openvino", is_quick=True
    ),
    "export torch": Case("export WEIGHTS --out small.pt2", ("small.pt2",)),
    "explain": Case("explain WEIGHTS DATA/val/cat/0.png --out page", ("page",)),
    "shards": Case("shards DATA shards --shard-size 0.001", ("shards",)),
    "draw": Case("draw googlenet --out drawing.svg", ("drawing.svg",), is_quick=True),
    "curves": Case("curves trained --out curves.png", ("curves.png",), extra="matplotlib"),
}  # fmt: skip


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, weights_file: Path) -> Path:
    """What commands need, and what stood before them."""
    folder = tmp_path_factory.mktemp("full-disk")
    random = np.random.default_rng(0)
    for part, count in (("train", 4), ("val", 2)):
        for name in ("cat", "dog"):
            (folder / "data" / part / name).mkdir(parents=True)
            for index in range(count):
                image = Image.fromarray(random.integers(0, 255, (24, 24, 3), dtype=np.uint8))
                image.save(folder / "data" / part / name / f"{index}.png")
    shutil.copy(weights_file, folder / "weights.safetensors")
    (folder / "trained").mkdir()
    (folder / "trained" / "metrics.jsonl").write_text(
        '{"epoch": 1, "loss": 2.5, "lr": 0.1}\n{"epoch": 2, "loss": 2.25, "lr": 0.1}\n'
    )
    kept = folder / "kept.safetensors"
    words = f"evaluate {folder}/weights.safetensors --data {folder}/data --workers 0 --save {kept}"
    assert status(words.split()) == 0
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def is_whole(name: str, found: bytes, expected: bytes) -> bool:
    """Whether a file is the one that an undisturbed command leaves, but for its times, its place and its random name."""
    if found == expected:
        return True
    if name.endswith((".json", ".jsonl")):
        lines = [[json.loads(line) for line in data.splitlines()] if name.endswith("l") else [json.loads(data)] for data in
                 (found, expected)]  # fmt: skip
        return [line.keys() for line in lines[0]] == [line.keys() for line in lines[1]]
    return name.endswith("log.txt") or (name.endswith(".html") and found.rstrip().endswith(b"</html>"))


def run(case: Case, more: str = "") -> int:
    """The command, in the current folder; its exit status."""
    words = f"{case.line} {more}".replace("DATA", "data").replace("WEIGHTS", "weights.safetensors").split()
    return status(words)


@pytest.mark.parametrize("name", CASES)
def test_a_full_disk_costs_nothing(name, prepared, tmp_path, monkeypatch, capsys):
    case = CASES[name]
    if case.extra:
        pytest.importorskip(case.extra)
    before = contents(prepared)

    def fresh(number: object) -> Path:
        folder = tmp_path / str(number)
        shutil.copytree(prepared, folder, copy_function=shutil.copy)
        monkeypatch.chdir(folder)
        return folder

    fresh("warm")
    assert run(case) == 0  # what is kept in caches is
    shutil.rmtree(tmp_path / "warm")
    whole = fresh("whole")
    with disk() as recorded:
        assert run(case) == 0
    expected = contents(whole)
    assert all(any(file.startswith(made) for file in expected.keys() - before.keys()) for made in case.made)
    faults: list[str] = []
    refused = 0
    capsys.readouterr()
    for full_at in range(len(recorded.events)):
        rooms = (None, 0, 500)  # no new name, empty files, half ones
        for room in rooms if case.is_quick else rooms[full_at % 3 :][:1]:
            folder = fresh("now")
            try:
                refused += check(case, folder, full_at, room, before, expected, capsys) == 2
            except (AssertionError, BadCheckpoint) as error:
                faults.append(f"{recorded.events[full_at]}, room {room}: {str(error).splitlines()[0]}")
            monkeypatch.chdir(tmp_path)
            shutil.rmtree(folder)
    assert not faults, "\n".join(faults)
    assert refused


def check(case, folder, full_at, room, before, expected, capsys) -> int:
    """One command on a disk that is full from event `full_at` on, and what it leaves; its exit status."""
    with disk(full_at, room):
        code = run(case)
    error = capsys.readouterr().err
    lines = [line for line in error.splitlines() if line.startswith("godeeper: ")]
    assert code in (0, 2), f"status {code}: {error}"
    if code == 2:
        assert len(lines) == 1, f"{len(lines)} lines: {error}"
        assert any(sign in lines[0] for sign in SIGNS), lines[0]
        assert not any(word in lines[0] for word in ("the system", ".partial", ".export-", ".shards-")), lines[0]
        assert any(made.split(".")[0] in lines[0] for made in case.made), f"no name in {lines[0]}"
    left = contents(folder)
    assert all(left.get(file) == data for file, data in before.items()), "something that stood before is lost"
    check_whole(folder, before, expected, complete=code == 0)
    if code == 2:
        assert run(case, case.again(folder)) == 0, f"again: {capsys.readouterr().err} after {lines[0]}"
        check_whole(folder, before, expected, complete=True)
        litter = contents(folder).keys() - expected.keys()
        assert not litter, f"litter: {litter}"
    capsys.readouterr()
    return code


def check_whole(folder, before, expected, complete) -> None:
    """What was made is whole; all of it is there if it is `complete`."""
    left = contents(folder)
    for file in left.keys() & expected.keys() - before.keys():
        if "/checkpoints/" in file:  # which hold how long the epoch took
            load_tensors(folder / file)  # BadCheckpoint
        elif file.endswith((".onnx", ".xml", ".pt2")):  # in which names of layers count on from one file to the next
            assert check_exported(folder / file)
        else:
            assert is_whole(file, left[file], expected[file]), f"{file} is half a file"
    if complete:
        missing = {file for file in expected.keys() - left.keys() if not is_advice(file)}
        assert not missing, f"{missing} missing"


def is_advice(file: str) -> bool:
    """Whether a run does without that file, and says so."""
    return file.startswith("run/") and not file.endswith("model.safetensors")
