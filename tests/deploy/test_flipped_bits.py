"""Bits that flip on the disk: no file that godeeper reads, and none that it writes for others, passes for another one."""

import shutil
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from made_images import made_images

from flips import flipped, outcomes
from godeeper import BadCheckpoint, Predictor, load
from godeeper.deploy.export_metadata import check_exported, checksummed_files, read_metadata
from godeeper.deploy.torch_export import load_pt2
from godeeper.tensor_files import digest, load_tensors
from godeeper.train.checkpoint import Position, State, checkpoints, load_newest, save_checkpoint
from godeeper.train.optim import make_optimizer
from godeeper.train.recipe import Recipe
from networks import images

SUFFIXES = (".onnx", ".xml", ".pt2", ".pte")


@pytest.fixture
def copied(exported, tmp_path):
    """`copied(suffix)`: the files of an exported network, first that which carries their checksum."""

    def copy(suffix):
        files = checksummed_files(exported[suffix].file)
        return [Path(shutil.copy(file, tmp_path)) for file in files]

    return copy


@pytest.mark.slow
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_flips_of_exported_files(suffix, copied, tmp_path):
    files = copied(suffix)
    reads = suffix in (".onnx", ".xml")
    read = (lambda: read_metadata(tmp_path / f"net{suffix}")) if reads else (lambda: check_exported(tmp_path / f"net{suffix}"))
    content = files[0].read_bytes()
    mark = content.index(b"godeeper-sha256:")
    refused = 0
    for file, bit in flipped(files, 250):
        try:
            read()
        except BadCheckpoint:
            refused += 1
        else:  # then it carries no checksum any more, and is otherwise as it was
            assert file == files[0]
            assert mark <= bit // 8 < mark + 16
    assert refused > 240


@pytest.mark.slow
def test_flips_of_weights_and_checkpoints(weights_file, tmp_path):
    file = shutil.copy(weights_file, tmp_path / "net.safetensors")
    header = 8 + int.from_bytes(file.read_bytes()[:8], "little")

    def weights():
        network = load(file)
        return network.spec, digest(network.state_dict())

    def checkpoint():
        tensors, notes = load_tensors(state_file)
        return digest(tensors), notes

    network = load(file).train()
    optimizer = make_optimizer([(1.0, list(network.parameters()))], Recipe())
    network(images(32)).sum().backward()
    optimizer.step()
    state = State(network, load(file), optimizer, network.spec.as_dict())
    save_checkpoint(tmp_path, Position(3, 1, {"loss": 1.0}), state)
    (state_file,) = checkpoints(tmp_path)
    for read, of in ((weights, file), (checkpoint, state_file)):
        whole = outcomes(read, [of], 250)
        metadata = outcomes(read, [of], 250, seed=1, within=header)
        assert whole["other"] + metadata["other"] == 0
        assert whole["refused"] + metadata["refused"] > 480
    assert load_newest(tmp_path, state, pytest.fail).epoch == 3


@pytest.mark.parametrize("suffix", [".onnx", ".xml"])
def test_a_flip_in_an_exported_file_is_refused(suffix, copied):
    files = copied(suffix)
    for file, _ in flipped(files, 2):
        with pytest.raises(BadCheckpoint, match="damaged"):
            Predictor(files[0])
        assert file in files
    assert Predictor(files[0])(made_images(1))


@pytest.mark.parametrize("suffix", [pytest.param(name, marks=pytest.mark.slow if name == ".pte" else ()) for name in SUFFIXES])
def test_the_checksum_of_each_format(suffix, copied):
    """SHA-256 of what is there, the digits as zeros: computed here as the pages say it."""
    files = copied(suffix)
    before, mark, after = files[0].read_bytes().partition(b"godeeper-sha256:")
    whole = before + mark + b"0" * 64 + after[64:] + b"".join(file.read_bytes() for file in files[1:])
    assert sha256(whole).hexdigest().encode() == after[:64]
    assert {file.stat().st_mode & 0o044 for file in files} == {0o044}


def test_a_pt2_file_is_as_good_as_before(copied, weights_file):
    (file,) = copied(".pt2")
    assert zipfile.ZipFile(file).testzip() is None
    x = images(32)
    torch.testing.assert_close(load_pt2(file)(x), load(weights_file)(x).detach(), atol=1e-4, rtol=1e-4)
