"""Every file of ours carries a checksum, and equal networks make equal files."""

import json
import logging
import os
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from flips import outcomes
from godeeper import BadCheckpoint, create_model, load, save
from godeeper.digests import warn_unchecked
from godeeper.models.weights import foreign
from godeeper.models.weights.published import PUBLISHED
from godeeper.tensor_files import digest, load_tensors, read_safetensors, save_tensors


def network():
    torch.manual_seed(3)
    table = create_model("googlenet_bn", num_classes=3, width=0.1, small=True).definition
    made = create_model(replace(table, stages={name: table.stages[name] for name in ("conv1", "pool1")}, auxiliary={}))
    made.classes = ("cat", "dog", "金鱼")
    return made.eval()


@pytest.fixture
def saved(tmp_path):
    save(network(), tmp_path / "net.safetensors")
    return tmp_path / "net.safetensors"


def loaded(file):
    def read():
        made = load(file)
        return made.spec, digest(made.state_dict())

    return read


def test_the_checksum_is_sha256_with_its_own_digits_as_zeros(saved):
    content = saved.read_bytes()
    before, mark, after = content.partition(b'"checksum":"godeeper-sha256:')
    assert sha256(before + mark + b"0" * 64 + after[64:]).hexdigest().encode() == after[:64]
    assert load_file(saved).keys() == network().state_dict().keys()  # the format is safetensors' as before


def test_no_flipped_bit_loads_as_something_else(saved):
    whole = outcomes(loaded(saved), [saved], 40)
    header = outcomes(loaded(saved), [saved], 60, seed=1, within=8 + int.from_bytes(saved.read_bytes()[:8], "little"))
    assert whole["refused"] + header["refused"] >= 95  # the others are in the key of the checksum
    assert whole["other"] + header["other"] == 0


def test_without_the_checksum_flipped_bits_do_load_as_something_else(saved):
    """What the test above is able to see."""
    tensors, metadata = read_safetensors(saved)
    save_file(tensors, saved, {"spec": metadata["spec"]})
    assert outcomes(loaded(saved), [saved], 40)["other"] > 20


def test_a_file_without_a_checksum_says_so_once(saved, caplog):
    tensors, metadata = read_safetensors(saved)
    save_file(tensors, saved, {"spec": metadata["spec"]})
    warn_unchecked.cache_clear()
    with caplog.at_level(logging.WARNING, "godeeper"):
        load(saved)
        assert digest(load(saved).state_dict()) == digest(tensors)
    (record,) = caplog.records
    assert "net.safetensors carries no checksum" in record.getMessage()


@pytest.mark.parametrize("name", ["stages.conv1.conv.weight", "spec"])
def test_what_another_program_changed_is_refused(saved, name):
    tensors, metadata = read_safetensors(saved)
    if name == "spec":
        metadata["spec"] = metadata["spec"].replace("cat", "cow")
    else:
        tensors[name] = -tensors[name]
    save_file(tensors, saved, metadata)
    with pytest.raises(BadCheckpoint, match=r"net\.safetensors' is damaged, or was changed by another program"):
        load(saved)


@pytest.mark.slow
def test_equal_networks_make_equal_files_that_others_may_read(saved, tmp_path):
    """In other processes, too: the order of metadata was that of a hash."""
    script = "from test_checksums import *; save(network(), sys.argv[1])"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(Path(__file__).parent)]), "PYTHONHASHSEED": "7"}
    again = tmp_path / "again.safetensors"
    subprocess.run([sys.executable, "-c", script, str(again)], check=True, env=env, timeout=300)
    assert again.read_bytes() == saved.read_bytes()
    files = [tmp_path / f"{number}.safetensors" for number in range(8)]
    for file in files:
        save_tensors(file, {"a": torch.ones(3)}, {name: name for name in "qwertyuiop"} | {"text": 'é\x7f\x01"\\金'})
    assert len({file.read_bytes() for file in files}) == 1
    assert load_tensors(files[0])[1] == {name: name for name in "qwertyuiop"} | {"text": 'é\x7f\x01"\\金'}
    mask = os.umask(0)
    os.umask(mask)
    assert {file.stat().st_mode & 0o777 for file in (saved, *files)} == {0o666 & ~mask}


def test_a_published_file_is_held_against_its_name(tmp_path, monkeypatch):
    """torchvision's files are called by the beginning of their SHA-256; the hub's by all of it."""
    content = b"weights"
    name = f"net-{sha256(content).hexdigest()[:8]}.pth"
    weights = replace(PUBLISHED["torchvision/googlenet"], url=f"https://example.org/{name}")
    (tmp_path / name).write_bytes(content)
    foreign.check_published(weights, tmp_path / name)
    blob = tmp_path / sha256(content).hexdigest()
    blob.write_bytes(content)
    (tmp_path / "model.safetensors").symlink_to(blob)
    foreign.check_published(PUBLISHED["timm/inception_v4.tf_in1k"], tmp_path / "model.safetensors")
    for file, of in ((tmp_path / name, weights), (tmp_path / "model.safetensors", PUBLISHED["timm/inception_v4.tf_in1k"])):
        file.write_bytes(b"weighty")
        with pytest.raises(BadCheckpoint, match=r"is not the file that was published, or is damaged: .*: remove it"):
            foreign.check_published(of, file)


def test_the_record_of_metadata_is_plain_json(saved):
    header = saved.read_bytes()[8 : 8 + int.from_bytes(saved.read_bytes()[:8], "little")]
    assert list(json.loads(header)["__metadata__"]) == ["checksum", "spec"]
