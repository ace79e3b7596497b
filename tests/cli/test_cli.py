import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from godeeper import GodeeperError, create_model, load, save
from godeeper.cli.main import status
from godeeper.preprocess import Preprocess
from processes import GODEEPER, running


def test_help_is_quick_because_it_does_not_import_torch():
    code = "import sys; from godeeper.cli.main import status; status(['--help']); assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for command in ("models", "describe", "audit", "train", "evaluate", "predict"):
        assert command in done.stdout


def test_describe_prints_the_papers_totals(capsys):
    assert status(["describe", "googlenet"]) == 0
    out = capsys.readouterr().out
    assert "6,998,552 parameters (13,378,280 with auxiliary heads)" in out
    assert "7x7x1024" in out
    assert status(["describe", "googlenet", "--image-size", "448", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["stages"][0]["output"] == [64, 224, 224]


def test_audit_as_json(capsys):
    assert status(["audit", "--all", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    ops = [finding for finding in document["googlenet"] if finding["quantity"] == "ops"]
    not_reproduced = {finding["where"] for finding in ops if finding["verdict"] != "reproduced"}
    assert not_reproduced == {"Table 1, conv1 ops", "Table 1, 4a ops", "Table 1, 5a ops"}


def test_models_lists_every_name(capsys):
    assert status(["models"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in ("googlenet ", "googlenet_counted", "googlenet_bn"))
    assert status(["models", "googlenet", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["parameters"] == 6998552


@pytest.fixture
def places(tmp_path: Path, class_folder: Path, weights_file: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    (tmp_path / "empty").mkdir()
    (tmp_path / "one" / "cat").mkdir(parents=True)
    Image.new("RGB", (4, 4)).save(tmp_path / "one" / "cat" / "a.png")
    (tmp_path / "text.safetensors").write_text("not weights")
    monkeypatch.chdir(tmp_path)
    return {"DATA": str(class_folder), "WEIGHTS": str(weights_file)}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("describe googlnet", ["'googlnet'", "'googlenet'"]),
        ("descrbe googlenet", ["descrbe", "describe"]),
        ("describe googlenet --image-size 0", ["at least 1x1"]),
        ("describe", ["model"]),
        ("audit googlenet_bn", ["googlenet_bn", "googlenet"]),
        ("audit", ["--all"]),
        ("train --model googlenet_bm --data digits --out x", ["'googlenet_bm'", "'googlenet_bn'"]),
        ("train --model googlenet_bn --data nowhere/at/all --out x", ["no folder 'nowhere/at/all'"]),
        ("train --model googlenet_bn --data digts --out x", ["'digts'", "'digits'"]),
        ("train --model googlenet_bn --data empty --out x", ["'empty'", "no classes"]),
        ("train --model googlenet_bn --data one --out x", ["'one'", "one class only", "'cat'"]),
        ("train --model googlenet_bn --data DATA --out x --recipe standrd", ["'standrd'", "'standard'"]),
        ("train --model googlenet_bn --data DATA --out x --set lerning_rate=1", ["lerning_rate"]),
        ("train --model googlenet_bn --data DATA --out x --width 0", ["width", "above 0"]),
        ("train --model googlenet_bn --data DATA --out x --epochs 0", ["epochs", "between"]),
        ("train --model googlenet_bn --data DATA --out text.safetensors/x", ["'text.safetensors' is a file"]),
        ("train --resume --out empty", ["'empty'", "no run to resume"]),
        ("train --data digits --out x", ["--model"]),
        ("evaluate nothing --data digits", ["'nothing'"]),
        ("evaluate empty --data digits", ["'empty'", "model.safetensors"]),
        ("evaluate text.safetensors --data digits", ["text.safetensors", "not a safetensors file"]),
        ("evaluate WEIGHTS --data digits", ["classes"]),
        ("evaluate WEIGHTS --data one --crops 11", ["11", "144"]),
        ("evaluate WEIGHTS --data missing/folder", ["missing/folder"]),
        ("evaluate WEIGHTS --data one --crops 0", ["0", "144"]),
        ("evaluate WEIGHTS --data one --crops 7 --workers 1", ["7", "144"]),
        ("evaluate WEIGHTS --data one --workers -1", ["workers"]),
        ("train --model googlenet_bn --data DATA --out x --seed 20000000000", ["seed", "between"]),
        ("predict WEIGHTS one --crops 3", ["3", "144"]),
        ("predict WEIGHTS " + "a" * 300, ["no images at"]),
        ("predict WEIGHTS nothing.jpg", ["nothing.jpg"]),
        ("predict WEIGHTS empty", ["'empty'"]),
        ("predict WEIGHTS text.safetensors", ["text.safetensors", "not an image"]),
        ("train --model googlenet_bn --data DATA --out DATA", ["lies in the data"]),
        ("train --model googlenet_bn --data DATA --out DATA/runs/x", ["lies in the data"]),
        ("predict WEIGHTS one/cat/a.png --plot one/cat/a.png", ["one/cat/a.png", "name another"]),
        ("serve WEIGHTS --port 0 --timeout inf", ["--timeout", "3600"]),
        ("app WEIGHTS --runs text.safetensors", ["'text.safetensors' is a file"]),
        ("bench WEIGHTS --batch-size 99999999", ["--batch-size", "4096"]),
        ("predict WEIGHTS one --plot out.xyz", ["out.xyz", ".png"]),
        ("predict WEIGHTS one --plot no/such/place.png", ["place.png", "no folder"]),
    ],
)
def test_bad_input_is_one_line_and_status_2(line, words, places, capsys):
    for name, value in places.items():
        line = line.replace(name, value)
    assert status(line.split()) == 2
    error = capsys.readouterr().err
    assert error.startswith("godeeper: ")
    assert len(error.strip().splitlines()) == 1, error
    assert "Traceback" not in error
    for word in words:
        assert word in error
    assert not Path("x").exists()


def test_a_message_is_bounded_whatever_it_quotes():
    message = str(GodeeperError(f"'{'a' * 10**7}' is no name of weights"))
    assert len(message) < 11_000
    assert message.startswith("'aaa")
    assert message.endswith("aaa' is no name of weights")


def test_our_own_faults_are_status_1_and_debug_shows_them(monkeypatch, capsys):
    monkeypatch.setattr("godeeper.cli.papers.describe", lambda *_: 1 / 0)
    assert status(["describe", "googlenet"]) == 1
    assert "ZeroDivisionError" in capsys.readouterr().err
    with pytest.raises(ZeroDivisionError):
        status(["--debug", "describe", "googlenet"])


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        ImportError("/lib/a.so: failed to map segment from shared object"),  # under ulimit -v
        RuntimeError("can't start new thread"),
    ],
)
def test_too_little_memory_is_no_fault_of_ours(error, monkeypatch, capsys):
    def fail(*_):
        raise error

    monkeypatch.setattr("godeeper.cli.papers.describe", fail)
    assert status(["describe", "googlenet"]) == 2
    assert "there is not enough memory" in capsys.readouterr().err


def test_a_current_folder_that_was_removed_is_named(tmp_path, monkeypatch, capsys):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    monkeypatch.setattr("godeeper.cli.papers.describe", lambda *_: os.getcwd())
    assert status(["describe", "googlenet"]) == 2
    assert "the current folder, which somebody has removed: No such file" in capsys.readouterr().err


def test_train_resume_evaluate_predict(class_folder, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data, run = str(class_folder), "runs/mine"
    settings = ["--set", "image_size=32", "--set", "warmup_epochs=0", "--workers", "0"]
    command = ["train", "--model", "googlenet_bn", "--small", "--width", "0.25", "--data", data, "--out", run]
    assert status([*command, "--epochs", "2", "--batch-size", "8", *settings]) == 0
    assert status(command) == 2
    assert "--resume" in capsys.readouterr().err
    weights = load_file(f"{run}/model.safetensors")
    Path(run, "model.safetensors").unlink()
    assert status(["train", "--resume", "--out", run, "--width", "0.5"]) == 2
    assert "0.25" in capsys.readouterr().err
    assert status(["train", "--resume", "--out", run, "--epochs", "3"]) == 2
    assert "recipe" in capsys.readouterr().err
    assert status(["train", "--resume", "--out", run, "--workers", "0"]) == 0
    again = load_file(f"{run}/model.safetensors")
    assert all(torch.equal(tensor, again[name]) for name, tensor in weights.items())
    capsys.readouterr()
    assert status(["evaluate", run, "--data", data, "--crops", "10", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["images"] == 8
    assert document["crops"] == 10
    assert document["models"] == [run]
    assert {"top1_error", "top5_error", "skipped"} <= document.keys()
    assert status(["evaluate", run, "--data", str(class_folder / "train"), "--split", "all", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["images"] == 24


@pytest.mark.slow
def test_a_run_from_weights_resumed_before_its_first_checkpoint_starts_from_them_again(class_folder, tmp_path):
    first = create_model("googlenet_bn", num_classes=2, width=0.25, small=True)
    first.preprocess = Preprocess.of(first.preprocess.image_size, (0.5, 0.5, 0.5), interpolation="bicubic")
    with torch.no_grad():
        first.stages["conv1"].conv.weight.fill_(0.123)
    save(first, tmp_path / "first.safetensors")
    run = tmp_path / "run"
    line = ["train", "--model", "googlenet_bn", "--small", "--width", "0.25", "--data", str(class_folder), "--out", str(run)]
    line += ["--weights", str(tmp_path / "first.safetensors"), "--epochs", "1", "--workers", "0", "--batch-size", "2"]
    assert status([*line, "--set", "lr=1e-9", "--set", "ema_decay=0"]) == 0
    (run / "model.safetensors").unlink()
    for checkpoint in (run / "checkpoints").iterdir():  # as if it had been killed within the first epoch
        checkpoint.unlink()
    assert status(["train", "--resume", "--out", str(run), "--workers", "0"]) == 0
    trained = load(run)
    assert torch.allclose(trained.stages["conv1"].conv.weight, torch.tensor(0.123), atol=1e-4)
    assert trained.preprocess == first.preprocess


def test_bad_test_images_stop_evaluation_unless_skipped(class_folder, weights_file, capsys):
    for wrong in ("dog", "cat"):
        (class_folder / "val" / wrong / "broken.jpg").write_bytes(b"")
    line = ["evaluate", str(weights_file), "--data", str(class_folder)]
    assert status(line) == 2
    assert "broken.jpg" in capsys.readouterr().err
    assert status([*line, "--skip-bad", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["images"] == 8
    assert len(document["skipped"]) == 2


def wait_for(file: Path, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not file.exists():
        assert time.monotonic() < end, f"{file} did not appear"
        time.sleep(0.05)


def stopped(run: Path, data: Path, workers: int, send: Callable[[Any], None]) -> tuple[int, str]:
    """Status and last words of a training that `send(process)` stops after its first epoch."""
    line = ["train", "--model", "googlenet_bn", "--small", "--width", "0.25", "--data", data, "--epochs", "1000", "--out", run]
    line += ["--set", "image_size=13", "--batch-size", "4", "--workers", workers, "--tracker", "none"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with running(*GODEEPER, *line, stderr=subprocess.PIPE, env=environment) as process:
        wait_for(run / "metrics.jsonl")
        send(process)
        _, error = process.communicate(timeout=60)
    assert "Traceback" not in error
    assert list((run / "checkpoints").glob("epoch-*.safetensors"))
    return process.returncode, error.strip().splitlines()[-1]


def test_ctrl_c_ends_training_with_its_status_and_keeps_checkpoints(tmp_path, class_folder):
    code, error = stopped(tmp_path / "run", class_folder, 0, lambda process: process.send_signal(signal.SIGINT))
    assert code == 130
    assert error.startswith("godeeper: interrupted")


@pytest.mark.slow
def test_a_signal_to_the_whole_job_still_saves(tmp_path, class_folder):
    """Job managers send SIGTERM to every process, also to those that decode."""
    code, error = stopped(tmp_path / "run", class_folder, 2, lambda process: os.killpg(process.pid, signal.SIGTERM))
    assert code == 143
    assert error.startswith("godeeper: terminated")


def test_a_drawing_never_replaces_a_image_nor_a_run_the_data(class_folder, weights_file, capsys):
    image = class_folder / "val" / "cat" / "0.png"
    before, listed = image.read_bytes(), sorted(class_folder.rglob("*"))
    assert status(["predict", str(weights_file), str(image), "--plot", str(image)]) == 2
    line = ["train", "--model", "googlenet_bn", "--small", "--data", str(class_folder), "--out", str(class_folder)]
    assert status(line) == 2
    assert (image.read_bytes(), sorted(class_folder.rglob("*"))) == (before, listed)
    assert "predict" in capsys.readouterr().err


@pytest.mark.parametrize("line", [["predict", "WEIGHTS", ""], ["train", "--model", "googlenet_bn", "--data", "", "--out", "x"]])
def test_an_empty_name_is_not_the_folder_here(line, places, capsys):
    assert status([places.get(word, word) for word in line]) == 2
    assert "empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d.pop("spec"),
        lambda d: d.update(spec=None),
        lambda d: d["spec"].pop("definition"),
        lambda d: d["spec"].update(classes=5),
        lambda d: d["spec"]["preprocess"].pop("normalize"),
        lambda d: d["recipe"].update(epochs=2.5),
        lambda d: d["options"].pop("width"),
    ],
)
def test_a_damaged_run_description_is_one_line(tmp_path, digits_run, damage, capsys):
    run = shutil.copytree(digits_run, tmp_path / "run", ignore=shutil.ignore_patterns("checkpoints"))
    description = json.loads((run / "recipe.json").read_text())
    damage(description)
    (run / "recipe.json").write_text(json.dumps(description))
    assert status(["train", "--resume", "--out", str(run)]) == 2
    error = capsys.readouterr().err
    assert "recipe.json" in error
    assert error.count("\n") == 1


@pytest.mark.slow
def test_resuming_with_other_data_is_refused_and_damaged_metrics_do_no_harm(tmp_path, class_folder, capsys):
    run = tmp_path / "run"
    line = ["train", "--model", "googlenet_bn", "--small", "--width", "0.25", "--data", str(class_folder), "--epochs", "1"]
    assert status([*line, "--set", "image_size=13", "--tracker", "none", "--workers", "0", "--out", str(run)]) == 0
    good = (run / "metrics.jsonl").read_bytes()
    (run / "metrics.jsonl").write_bytes(b'5\n[1]\n{}\n\xff\xfe\x00\n{"epoch": 1}\n{"epoch": "x", "loss": 1}\n' + good)
    assert status(["curves", str(run), "--out", str(tmp_path / "x.png")]) == 0
    assert status(["train", "--resume", "--out", str(run), "--tracker", "none"]) == 0
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 1
    shutil.copy(class_folder / "train" / "cat" / "0.png", class_folder / "train" / "cat" / "more.png")
    assert status(["train", "--resume", "--out", str(run)]) == 2
    assert "the data have changed" in capsys.readouterr().err
