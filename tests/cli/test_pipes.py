"""Pipes, devices and files of a terabyte in the place of files: refused at once in one line, and left as they are."""

import os
import stat

import pytest

from godeeper.cli.main import status

LINES = [
    "describe NAME.json",
    "train --model NAME.json --data DATA --out run",
    "train --resume --out NAME",
    "predict WEIGHTS NAME.jpg",
    "predict NAME.safetensors IMAGES",
    "predict NAME.pth IMAGES",
    "predict NAME.h5 IMAGES",
    "predict NAME.onnx IMAGES",
    "evaluate WEIGHTS --data IMAGES --skip-blacklisted NAME.json",
    "evaluate WEIGHTS --data wds:NAME.tar",
    "ensemble NAME.safetensors",
    "tables NAME.json",
    "detect tables NAME.json",
    "fid NAME.npz IMAGES --weights WEIGHTS",
    "curves NAME --out curves.png",
]


def pipe(file):
    os.mkfifo(file)


def device(file):
    file.symlink_to("/dev/zero")


def terabyte(file):
    with file.open("wb") as opened:
        opened.truncate(10**12)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("make", [pipe, device, terabyte])
@pytest.mark.parametrize("line", LINES)
def test_it_is_refused_at_once_as_input(line, make, class_folder, weights_file, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    places = {"DATA": class_folder, "IMAGES": class_folder / "val", "WEIGHTS": weights_file}
    for name, place in places.items():
        line = line.replace(name, str(place))
    if line.split()[0] in ("train", "curves") and "NAME.json" not in line:
        (tmp_path / "NAME").mkdir()
        make(tmp_path / "NAME" / ("metrics.jsonl" if "curves" in line else "recipe.json"))
    else:
        make(tmp_path / next(word for word in line.replace("wds:", "").split() if word.startswith("NAME")))
    assert status(line.split()) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "NAME" in error


@pytest.mark.parametrize("line", ["predict WEIGHTS IMAGES --plot", "draw googlenet --out"])
def test_it_is_not_replaced_by_output(line, class_folder, weights_file, tmp_path, capsys):
    file = tmp_path / ("pipe.svg" if "draw" in line else "pipe.png")
    os.mkfifo(file)
    words = line.replace("WEIGHTS", str(weights_file)).replace("IMAGES", str(class_folder / "val")).split()
    assert status([*words, str(file)]) == 2
    assert "is a pipe or a device" in capsys.readouterr().err
    assert stat.S_ISFIFO(file.stat().st_mode)
