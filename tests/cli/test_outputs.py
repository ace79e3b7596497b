"""Where output may go: one answer for all commands, before any work, and nothing is left behind."""

from pathlib import Path

import pytest

from godeeper.cli.main import status

FILES = {  # commands that write a file, without its name
    "predict WEIGHTS IMAGES --out": ".csv",
    "predict WEIGHTS IMAGES --plot": ".png",
    "embed WEIGHTS IMAGES --out": ".npz",
    "evaluate WEIGHTS --data IMAGES --save": ".safetensors",
    "detect evaluate WEIGHTS --data IMAGES --save": ".json",
    "detect evaluate WEIGHTS --data IMAGES --plot": ".png",
    "fid IMAGES IMAGES --weights WEIGHTS --save": ".npz",
    "export WEIGHTS --out": ".onnx",
    "detect export WEIGHTS --out": ".onnx",
    "draw googlenet --out": ".svg",
    "curves RUN --out": ".png",
}
FOLDERS = [  # and those that make a folder
    "train --model googlenet_bn --data digits --out",
    "detect train --model googlenet_bn --data IMAGES --out",
    "evaluate WEIGHTS --data IMAGES --report",
    "explain WEIGHTS IMAGE --out",
    "shards IMAGES",
    "reproduce rmsprop --out",
]


@pytest.fixture
def refused(tmp_path, weights_file, class_folder, digits_run, monkeypatch, capsys):
    """A command that is refused, by its line and its last word, in one line: what that says."""
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("here")
    Path("folder").mkdir()
    names = {"WEIGHTS": weights_file, "IMAGES": class_folder, "IMAGE": class_folder / "val" / "cat" / "0.png", "RUN": digits_run}
    before = sorted(tmp_path.rglob("*"))

    def run(line: str, last: str) -> str:
        assert status([*(str(names.get(word, word)) for word in line.split()), last]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert sorted(tmp_path.rglob("*")) == before
        assert Path("file").read_text() == "here"
        return error

    return run


@pytest.mark.parametrize("line", FILES)
def test_a_file_is_of_a_known_kind_and_in_a_folder_that_is_there(line, refused):
    option, suffix = line.split()[-1], FILES[line]
    assert f"{option} is empty" in refused(line, "")
    assert "there is no folder 'nowhere'" in refused(line, f"nowhere/x{suffix}")
    assert "ending decides the format" in refused(line, "x.unknown")
    assert "no file system takes such a name" in refused(line, "x" * 300 + suffix)
    if line != "predict WEIGHTS IMAGES --plot":
        assert "is a folder" in refused(line, "folder") or "ending decides" in refused(line, "folder")


@pytest.mark.parametrize("line", FOLDERS)
def test_a_folder_is_of_its_own(line, refused):
    assert "is empty" in refused(line, "")
    assert "needs a folder of its own" in refused(line, ".")
    assert "'file' is a file: name a folder" in refused(line, "file")
    assert "'file' is a file: name a folder" in refused(line, "file/within/it")


@pytest.mark.parametrize(
    "line",
    [
        "models",
        "describe",
        "audit",
        "reproduce",
        "app",
        "describe --image-size",
        "train --out x --data digits --weights",
        "bench",
    ],
)
def test_nothing_is_not_everything_nor_the_default(line, refused):
    assert "is empty" in refused(line, "")
    assert "is empty" in refused("models", "--json=")
