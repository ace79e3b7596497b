"""A .pth file that would unpack to more than it has is refused before it is unpacked."""

import copy
import zipfile

import pytest
import torch
from safetensors.torch import save_file

from godeeper import load
from godeeper.errors import BadCheckpoint
from godeeper.models.weights.foreign import read_pickled


@pytest.fixture
def sound(tmp_path):
    torch.save({"a": torch.zeros(25_000)}, tmp_path / "sound.pth")
    return tmp_path / "sound.pth"


def rewritten(sound, compression, copies=0):
    """The same archive; its largest entry under `copies` names more, of the same bytes."""
    file = sound.with_name("hostile.pth")
    with zipfile.ZipFile(sound) as archive, zipfile.ZipFile(file, "w", compression) as hostile:
        for entry in archive.infolist():
            hostile.writestr(entry.filename, archive.read(entry))
        largest = max(hostile.filelist, key=lambda entry: entry.file_size)
        for index in range(copies):
            other = copy.copy(largest)
            other.filename = f"{largest.filename}{index}"
            hostile.filelist.append(other)
    return file


def test_what_torch_saves_is_read(sound):
    assert read_pickled(sound)["a"].shape == read_pickled(rewritten(sound, zipfile.ZIP_STORED))["a"].shape == (25_000,)


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressed_entries_are_refused(sound, compression):
    with pytest.raises(BadCheckpoint, match=r"hostile.pth' is refused: its entries are compressed"):
        read_pickled(rewritten(sound, compression))


def test_very_many_tensors_are_refused(tmp_path, monkeypatch):
    """Each costs some microseconds in each of a dozen comparisons."""
    monkeypatch.setattr("godeeper.models.weights.foreign.MOST_TENSORS", 8)
    monkeypatch.setattr("godeeper.tensor_files.MOST_TENSORS", 8)
    zeros = {f"a{index}": torch.zeros(1) for index in range(9)}
    torch.save(zeros, tmp_path / "many.pth")
    save_file(zeros, tmp_path / "many.safetensors")
    with pytest.raises(BadCheckpoint, match=r"many.pth' is refused: it has \d+ entries, and 8 at most are read"):
        load(tmp_path / "many.pth")
    with pytest.raises(BadCheckpoint, match="it holds 9 tensors, and 8 at most are read"):
        load(tmp_path / "many.safetensors")


def test_entries_that_share_their_bytes_are_refused(sound):
    with pytest.raises(BadCheckpoint, match=r"hostile.pth' is refused: its entries are larger than the file"):
        read_pickled(rewritten(sound, zipfile.ZIP_STORED, copies=2))


def test_a_tensor_larger_than_its_bytes_is_refused(tmp_path):
    """A classifier of ten million classes, of which the file has one number."""
    torch.save({"fc.weight": torch.zeros(1).expand(10_000_000, 1024)}, tmp_path / "hostile.pth")
    with pytest.raises(BadCheckpoint, match=r"hostile.pth' holds 'fc.weight', which is larger than its bytes in the file"):
        load(tmp_path / "hostile.pth")
