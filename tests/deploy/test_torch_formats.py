"""Programs written for torch.export and ExecuTorch, held against the network they were written from."""

import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch
from torch import nn

from godeeper import create_model
from godeeper.deploy import phone, torch_formats
from godeeper.deploy.fuse import fuse
from godeeper.deploy.phone import for_phone, read_pte_metadata, rewrite_pte_metadata, run_pte, write_pte
from godeeper.deploy.torch_formats import read_pt2_metadata, rewrite_pt2_metadata, run_pt2, write_pt2
from godeeper.errors import GodeeperError

METADATA = {"classes": ["cat", "金鱼"], "preprocess": {"resize": {"size": 32}}}
ALONE = """
import sys, numpy, torch
sys.modules["godeeper"] = None
from executorch.runtime import Runtime
pt2, pte, x, y, z = sys.argv[1:]
x = torch.from_numpy(numpy.load(x))
numpy.save(y, torch.export.load(pt2).module()(x).detach().numpy())
numpy.save(z, Runtime.get().load_program(pte).load_method("forward").execute([x[:1]])[0].numpy())
"""


def alive(name, **arguments):
    """A fused network whose batch norms and logits are away from their start."""
    torch.manual_seed(1)
    network = create_model(name, **arguments)
    for key, buffer in network.named_buffers():
        if key.endswith("running_mean"):
            buffer.normal_(std=0.1)
        if key.endswith("running_var"):
            buffer.uniform_(0.5, 1.5)
    return fuse(network)


def difference(found, expected):
    assert found.shape == expected.shape
    return ((found - expected).abs().max() / expected.abs().max()).item()


@torch.no_grad()
def logits(network, x):
    return network(x)


@pytest.fixture(scope="module")
def network():
    return alive("googlenet_bn", small=True, width=0.25, num_classes=10)


@pytest.fixture(scope="module")
def images():
    return torch.randn(5, 3, 32, 32, generator=torch.Generator().manual_seed(2))


@pytest.fixture(scope="module")
def pt2(network, tmp_path_factory):
    file = tmp_path_factory.mktemp("pt2") / "network.pt2"
    write_pt2(network, 32, file, METADATA)
    return file


@pytest.fixture(scope="module")
def pte(network, tmp_path_factory):
    file = tmp_path_factory.mktemp("pte") / "network.pte"
    return file, write_pte(network, 32, file, METADATA)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_pt2_takes_any_number_of_images(pt2, network, images, count):
    x = images[:count]
    assert difference(run_pt2(pt2, x), logits(network, x)) < 1e-6
    assert difference(run_pt2(pt2, x.to(memory_format=torch.channels_last)), logits(network, x)) < 1e-6


@pytest.mark.slow
def test_both_run_without_godeeper_in_another_process(pt2, pte, network, images, tmp_path):
    x, y, z = (tmp_path / f"{name}.npy" for name in "xyz")
    np.save(x, images.numpy())
    subprocess.run([sys.executable, "-c", ALONE, *map(str, (pt2, pte[0], x, y, z))], check=True, timeout=120)
    expected = logits(network, images)
    assert difference(torch.from_numpy(np.load(y)), expected) < 1e-6
    assert difference(torch.from_numpy(np.load(z)), expected[:1]) < 1e-4


def test_a_pt2_holds_no_pickle_and_its_metadata_can_be_exchanged(pt2, network, images, tmp_path):
    with zipfile.ZipFile(pt2) as archive:
        assert archive.testzip() is None
        contents = {name: archive.read(name) for name in archive.namelist()}
    assert not any(content.startswith((b"\x80", b"PK")) for content in contents.values())  # pickles, and torch.save's files
    assert b'"use_pickle": true' not in contents["archive/data/weights/model_weights_config.json"]
    assert read_pt2_metadata(pt2) == METADATA

    other = tmp_path / "other.pt2"
    other.write_bytes(pt2.read_bytes())
    rewrite_pt2_metadata(other, {"difference": 1e-6})
    rewrite_pt2_metadata(other, {"difference": 2e-6})
    assert read_pt2_metadata(other) == {"difference": 2e-6}
    assert torch.equal(run_pt2(other, images), run_pt2(pt2, images))
    with zipfile.ZipFile(other) as archive:
        assert sorted(archive.namelist()) == sorted(contents)


def test_other_files_have_no_metadata(tmp_path):
    file = tmp_path / "file.pt2"
    file.write_bytes(b"no archive")
    assert read_pt2_metadata(file) is None
    for content in ("[1]", "{", "[" * 100_000):
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("archive/extra/godeeper.json", content)
        assert read_pt2_metadata(file) is None
    torch.save({}, file)
    assert read_pt2_metadata(file) is None
    with pytest.raises(GodeeperError, match=r"cannot run .*file\.pt2"):
        read_pte_metadata(file)


def test_a_pte_gives_the_networks_logits_wholly_by_xnnpack(pte, network, images, capfd):
    file, report = pte
    assert report.undelegated == ()
    assert report.weights == 4 * sum(parameter.numel() for parameter in network.parameters())
    for image in images.split(1):
        assert difference(run_pte(file, image), logits(network, image)) < 1e-4
        assert difference(run_pte(file, image.to(memory_format=torch.channels_last)), logits(network, image)) < 1e-4
    assert capfd.readouterr() == ("", "")


def test_a_ptes_metadata_can_be_exchanged(pte, images, tmp_path):
    file = tmp_path / "other.pte"
    file.write_bytes(pte[0].read_bytes())
    assert read_pte_metadata(file) == METADATA
    longer = {"text": "金" * 5000}
    rewrite_pte_metadata(file, longer)
    assert read_pte_metadata(file) == longer
    assert torch.equal(run_pte(file, images[:1]), run_pte(pte[0], images[:1]))


def test_a_pte_of_the_wrong_size_of_image(pte, capfd):
    with pytest.raises(GodeeperError, match=r"cannot run .*network\.pte"):
        run_pte(pte[0], torch.zeros(1, 3, 33, 33))
    assert capfd.readouterr() == ("", "")


def test_a_pte_whose_kernel_is_missing(monkeypatch, tmp_path, capfd):
    file = tmp_path / "pool.pte"
    monkeypatch.setattr(phone, "_check_kernels", lambda operators: None)
    write_pte(Function(lambda x: nn.functional.avg_pool3d(x, (3, 1, 1))).eval(), 16, file, {})
    with pytest.raises(GodeeperError, match=r"cannot run .*pool\.pte': it has no kernel for aten::avg_pool3d\.out"):
        run_pte(file, torch.zeros(1, 3, 16, 16))
    assert capfd.readouterr() == ("", "")


def test_two_convolutions_by_hand(tmp_path):
    layers = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(inplace=True), nn.Conv2d(8, 4, 3)).eval()
    report = write_pte(layers, 16, tmp_path / "two.pte", {})
    image, middle, out = 4 * 3 * 16 * 16, 4 * 8 * 14 * 14, 4 * 4 * 12 * 12
    assert report.weights == 4 * (3 * 9 * 8 + 8 + 8 * 9 * 4 + 4)
    assert report.activations == max(image + middle, middle + out) == 9344
    assert 0 <= report.planned - (image + out) < 128  # it leaves gaps to align by
    assert report.running == report.weights + report.activations


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.conv, self.function = nn.Conv2d(3, 4, 3), function

    def forward(self, x):
        return self.function(self.conv(x))


def test_what_xnnpack_does_not_run_is_named(tmp_path):
    module = Function(torch.erf).eval()
    report = write_pte(module, 16, tmp_path / "erf.pte", {})
    assert report.undelegated == ("aten::erf.out",)
    outside = 2 * 4 * 4 * 14 * 14  # bytes into erf and out of it; the image, smaller, is no longer needed by then
    assert report.activations == outside
    assert 0 <= report.planned - outside < 128
    x = torch.randn(1, 3, 16, 16)
    assert difference(run_pte(tmp_path / "erf.pte", x), logits(module, x)) < 1e-4


@pytest.mark.parametrize(
    ("function", "operator"),
    [
        (lambda x: torch.linalg.qr(x)[0], r"cannot lower the operator aten\.linalg_qr"),
        (lambda x: nn.functional.avg_pool3d(x, (3, 1, 1)), r"no kernel for aten::avg_pool3d\.out"),
    ],
)
def test_an_operator_that_cannot_be_lowered_is_named(function, operator, tmp_path, capfd):
    with pytest.raises(GodeeperError, match=operator) as caught:
        write_pte(Function(function).eval(), 16, tmp_path / "bad.pte", {})
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_a_network_that_decides_by_its_input_cannot_be_traced(tmp_path, capfd):
    module = Function(lambda x: x if x.sum() > 0 else -x).eval()
    for write in (write_pt2, write_pte):
        with pytest.raises(GodeeperError, match=r"^torch\.export cannot trace this network: .*data-dependent"):
            write(module, 16, tmp_path / "bad", {})
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("arguments", [(5, 1e-4, 0.75, 2.0), (4, 0.3, 0.75, 1.0), (3, 0.3, 0.5, 1.0)])
def test_reworded_normalisation_is_torchs(arguments):
    norm, x = nn.LocalResponseNorm(*arguments), 5 * torch.randn(2, 7, 4, 5)
    reworded = for_phone(nn.Sequential(norm))
    assert not isinstance(reworded[0], nn.LocalResponseNorm)
    assert difference(reworded(x), norm(x)) < 1e-6


@pytest.mark.parametrize("pool", [nn.AvgPool2d(3, 1, 1), nn.AvgPool2d((3, 5), (1, 2), (1, 2)), nn.AvgPool2d(2)])
def test_reworded_pools_are_torchs(pool):
    x = torch.randn(2, 3, 9, 11)
    reworded = for_phone(nn.Sequential(pool))
    assert difference(reworded(x), pool(x)) < 1e-6


def test_a_missing_executorch_is_said_in_one_line(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "executorch.exir", None)
    with pytest.raises(GodeeperError, match=r"pip install 'godeeper\[phone\]'"):
        write_pte(nn.Conv2d(3, 4, 3), 16, tmp_path / "a.pte", {})


def test_the_exporters_leave_warnings_and_logging_as_they_were():
    import logging
    import warnings

    before = list(warnings.filters), logging.root.manager.disable
    with torch_formats.quiet():
        logging.getLogger("anything").warning("not shown")
    assert (list(warnings.filters), logging.root.manager.disable) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "undelegated"),
    [
        ("googlenet", ()),
        ("bn_inception", ()),
        ("inception_v3", ()),
        ("inception_v4", ()),
        ("inception_resnet_v1", ()),
        ("inception_resnet_v2", ()),
        ("alexnet", ("aten::_adaptive_avg_pool2d.out",)),
    ],
)
def test_the_papers_networks_in_both_formats(name, undelegated, tmp_path):
    network = alive(name)
    side = network.definition.image_size
    x = torch.randn(2, 3, side, side)
    expected = logits(network, x)
    write_pt2(network, side, tmp_path / "network.pt2", {})
    assert difference(run_pt2(tmp_path / "network.pt2", x), expected) < 1e-5
    report = write_pte(network, side, tmp_path / "network.pte", {})
    assert difference(run_pte(tmp_path / "network.pte", x[:1]), expected[:1]) < 1e-4
    assert report.undelegated == undelegated
    if not undelegated:  # then ExecuTorch itself holds the image and the logits, and nothing between
        assert 0 <= report.planned - 4 * (3 * side * side + 1000) < 128
    assert phone.activations(torch_formats.exported(for_phone(torch_formats.plain(network)), side, 1)) == report.activations
