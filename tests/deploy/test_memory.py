"""What an export holds in memory does not grow with the number and size of its images; too little memory is one clear line."""

import weakref

import numpy as np
import pytest
import torch
from PIL import Image, ImageFile

import godeeper.deploy.export as export_module
from godeeper.cli import main
from godeeper.data.decode import as_image, decode
from godeeper.deploy import checked_export, export_metadata
from godeeper.errors import BadCheckpoint


@pytest.mark.parametrize("with_preprocessing", [False, True])
def test_images_to_calibrate_and_check_with_are_held_one_at_a_time(
    with_preprocessing, weights_file, sixty_images, tmp_path, monkeypatch
):
    alive, most, calibrated_on = [], [], []

    def counted(file):
        image = decode(file)
        alive.append(file)
        weakref.finalize(image, alive.remove, file)
        most.append(len(alive))
        return image

    def quantised(model, crops, preprocess):
        calibrated_on.append((len(crops), sum(crop.nbytes for crop in crops)))
        return model

    monkeypatch.setattr(checked_export, "decode", counted)
    monkeypatch.setattr(export_module, "quantised", quantised)
    options = {"precision": "int8", "images": sixty_images, "max_drop": 100, "with_preprocessing": with_preprocessing}
    report = export_module.export(weights_file, tmp_path / "net.onnx", **options)
    assert report.check["images"] == 30
    assert calibrated_on == [(30, 30 * 3 * 32 * 32)]
    assert len(most) == 20 + 60  # the first twenty show that there are enough
    assert max(most) <= 2


SHORT = {
    "Python": lambda: bytearray(2**62),
    "NumPy": lambda: np.empty(2**60, np.uint8),
    "torch, CPU": lambda: torch.empty(2**60, dtype=torch.uint8),
    "torch, CUDA": lambda: raised(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB.")),
    "a loader's process": lambda: raised(RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. ")),
}


def raised(error):
    raise error


@pytest.mark.parametrize("case", SHORT)
def test_too_little_memory_is_one_line(case, monkeypatch, capsys):
    monkeypatch.setattr(main, "app", lambda arguments, standalone_mode: SHORT[case]())
    assert main.status(["predict"]) == 2
    error = capsys.readouterr().err
    assert "not enough memory" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(("said", "kind"), [(MemoryError(), MemoryError), (RuntimeError(), BadCheckpoint)])
def test_an_exported_file_for_which_memory_is_short_is_not_called_damaged(said, kind, exported, monkeypatch):
    monkeypatch.setattr(export_metadata, "_onnx_text", lambda file: raised(said))
    with pytest.raises(kind) as caught:
        export_metadata.read_metadata(exported[".onnx"].file)
    assert kind is MemoryError or "RuntimeError; export it again" in str(caught.value)


@pytest.mark.parametrize("as_pil", [False, True])
def test_an_image_for_which_memory_is_short_is_not_called_damaged(as_pil, tmp_path, monkeypatch):
    """It would be left out as one that cannot be decoded, and nobody would know that it is sound."""
    Image.new("RGB", (8, 8)).save(tmp_path / "sound.png")
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: raised(MemoryError()))
    with (tmp_path / "sound.png").open("rb") as opened, pytest.raises(MemoryError):
        as_image(Image.open(opened) if as_pil else tmp_path / "sound.png")
