"""torch.export programs, against the network they were made from."""

import json
import logging
import subprocess
import sys
import warnings
import zipfile

import numpy as np
import pytest
import torch
from torch import nn

from godeeper import load
from godeeper.deploy.executorch import lower
from godeeper.deploy.fuse import fuse
from godeeper.deploy.torch_export import load_pt2, silenced, trace_any_batch
from godeeper.errors import GodeeperError

ALONE = """
import sys, numpy, torch
sys.modules["godeeper"] = None
from executorch.runtime import Runtime
pt2, pte, x, y, z = sys.argv[1:]
x = torch.from_numpy(numpy.load(x))
numpy.save(y, torch.export.load(pt2).module()(x).detach().numpy())
numpy.save(z, Runtime.get().load_program(pte).load_method("forward").execute([x[:1]])[0].numpy())
"""


def difference(actual, expected):
    """The largest difference, as a share of the largest value."""
    assert actual.shape == expected.shape
    return ((actual - expected).abs().max() / expected.abs().max()).item()


@torch.no_grad()
def logits(network, x):
    return network(x)


@pytest.fixture(scope="module")
def images():
    return torch.randn(5, 3, 32, 32, generator=torch.Generator().manual_seed(2))


@pytest.fixture(scope="module")
def fused(weights_file):
    return fuse(load(weights_file))


@pytest.fixture(scope="module")
def pt2(exported):
    return exported[".pt2"].file


def test_a_pt2_takes_any_number_of_images(pt2, fused, images):
    with silenced():
        program = torch.export.load(pt2).module()
    for count in (1, 2, 5):
        assert difference(logits(program, images[:count]), logits(fused, images[:count])) < 1e-6
    channels_last = images.to(memory_format=torch.channels_last)
    assert difference(load_pt2(pt2)(channels_last), logits(fused, images)) < 1e-6


def test_a_pt2_holds_no_pickle_and_gives_its_metadata_to_torch(pt2):
    with zipfile.ZipFile(pt2) as archive:
        assert archive.testzip() is None
        contents = {name: archive.read(name) for name in archive.namelist()}
    assert not any(content.startswith((b"\x80", b"PK")) for content in contents.values())  # pickles, and torch.save's files
    assert b'"use_pickle": true' not in contents["archive/data/weights/model_weights_config.json"]
    extra = {"godeeper": ""}
    with silenced():
        torch.export.load(pt2, extra_files=extra)
    assert "金鱼" in json.dumps(json.loads(extra["godeeper"]), ensure_ascii=False)


@pytest.mark.slow
@pytest.mark.slow
def test_both_formats_run_without_godeeper_in_another_process(pt2, fused, images, tmp_path):
    x, y, z = (tmp_path / f"{name}.npy" for name in "xyz")
    np.save(x, images.numpy())
    (tmp_path / "network.pte").write_bytes(lower(fused, 32).content)
    subprocess.run([sys.executable, "-c", ALONE, *map(str, (pt2, tmp_path / "network.pte", x, y, z))], check=True, timeout=120)
    expected = logits(fused, images)
    assert difference(torch.from_numpy(np.load(y)), expected) < 1e-6
    assert difference(torch.from_numpy(np.load(z)), expected[:1]) < 1e-4


class DecidesByItsInput(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


@pytest.mark.parametrize("export", [trace_any_batch, lower])
def test_a_network_that_decides_by_its_input_cannot_be_traced(export, capfd):
    module = nn.Sequential(nn.Conv2d(3, 4, 3), DecidesByItsInput()).eval()
    with pytest.raises(GodeeperError, match=r"^torch\.export cannot trace this network: .*data-dependent"):
        export(module, 16)
    assert capfd.readouterr() == ("", "")


def test_warnings_and_logging_are_as_before_afterwards():
    before = list(warnings.filters), logging.root.manager.disable
    with silenced():
        logging.getLogger("anything").warning("not shown")
    assert (list(warnings.filters), logging.root.manager.disable) == before
