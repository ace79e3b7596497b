import os
import subprocess
import sys
from pathlib import Path

from godeeper import load

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(name, *arguments):
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, str(EXAMPLES / name), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env=environment, check=False)


def test_train_then_infer(tmp_path):
    weights = tmp_path / "example.safetensors"
    trained = run("train_googlenet.py", 1, weights)
    assert trained.returncode == 0, trained.stderr
    assert "epoch 1/1: loss" in trained.stdout
    assert load(weights).classes == tuple("0123456789")
    saved = run("save_digits.py", tmp_path / "pictures")
    assert saved.returncode == 0, saved.stderr
    pictures = sorted((tmp_path / "pictures").glob("*.png"))
    assert len(pictures) == 10
    inferred = run("googlenet_inference.py", weights, *pictures)
    assert inferred.returncode == 0, inferred.stderr
    assert inferred.stdout.count("%") == 50
