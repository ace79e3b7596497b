"""ExecuTorch programs, against the network they were made from."""

import sys

import pytest
import torch
from torch import nn

from godeeper import create_model, load
from godeeper.deploy import executorch
from godeeper.deploy.executorch import activations, for_xnnpack, lower, run_pte
from godeeper.deploy.fuse import fuse
from godeeper.deploy.torch_export import layers_of, load_pt2, trace, trace_any_batch, write_pt2
from godeeper.errors import GodeeperError
from networks import alive

pytestmark = pytest.mark.slow


def difference(actual, expected):
    """The largest difference, as a share of the largest value."""
    assert actual.shape == expected.shape
    return ((actual - expected).abs().max() / expected.abs().max()).item()


@torch.no_grad()
def logits(network, x):
    return network(x)


@pytest.mark.slow
def test_a_pte_gives_the_networks_logits_wholly_by_xnnpack(exported, weights_file, capfd):
    fused, file, memory = fuse(load(weights_file)), exported[".pte"].file, exported[".pte"].memory
    assert memory["slow_operators"] == []
    assert memory["weights"] == 4 * sum(parameter.numel() for parameter in fused.parameters())
    assert memory["running"] > memory["weights"] + memory["activations"] - 1
    for image in torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(2)).split(1):
        assert difference(run_pte(file, image), logits(fused, image)) < 1e-4
        assert difference(run_pte(file, image.to(memory_format=torch.channels_last)), logits(fused, image)) < 1e-4
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_a_pte_of_the_wrong_size_of_image(exported, capfd):
    with pytest.raises(GodeeperError, match=r"cannot run .*net\.pte"):
        run_pte(exported[".pte"].file, torch.zeros(1, 3, 33, 33))
    assert capfd.readouterr() == ("", "")


def test_another_file_is_no_pte(tmp_path):
    (tmp_path / "other.pte").write_bytes(b"no program")
    with pytest.raises(GodeeperError, match=r"cannot run .*other\.pte"):
        run_pte(tmp_path / "other.pte", torch.zeros(1, 3, 16, 16))


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.conv, self.function = nn.Conv2d(3, 4, 3), function

    def forward(self, x):
        return self.function(self.conv(x))


def test_a_pte_whose_kernel_is_missing(monkeypatch, tmp_path, capfd):
    file = tmp_path / "pool.pte"
    monkeypatch.setattr(executorch, "_check_kernels", lambda operators: None)
    file.write_bytes(lower(Function(lambda x: nn.functional.avg_pool3d(x, (3, 1, 1))).eval(), 16).content)
    with pytest.raises(GodeeperError, match=r"cannot run .*pool\.pte': it has no kernel for aten::avg_pool3d\.out"):
        run_pte(file, torch.zeros(1, 3, 16, 16))
    assert capfd.readouterr() == ("", "")


def test_the_memory_of_two_convolutions_by_hand():
    memory = lower(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(inplace=True), nn.Conv2d(8, 4, 3)).eval(), 16).memory
    image, middle, out = 4 * 3 * 16 * 16, 4 * 8 * 14 * 14, 4 * 4 * 12 * 12
    assert memory.weights == 4 * (3 * 9 * 8 + 8 + 8 * 9 * 4 + 4)
    assert memory.activations == max(image + middle, middle + out) == 9344
    assert 0 <= memory.planned - (image + out) < 128  # it leaves gaps to align by
    assert memory.running == memory.weights + memory.activations


def test_what_xnnpack_does_not_run_is_named(tmp_path):
    module = Function(torch.erf).eval()
    lowered = lower(module, 16)
    assert lowered.memory.slow_operators == ("aten::erf.out",)
    outside = 2 * 4 * 4 * 14 * 14  # bytes into erf and out of it; the image, smaller, is no longer needed by then
    assert lowered.memory.activations == outside
    assert 0 <= lowered.memory.planned - outside < 128
    x = torch.randn(1, 3, 16, 16)
    (tmp_path / "erf.pte").write_bytes(lowered.content)
    assert difference(run_pte(tmp_path / "erf.pte", x), logits(module, x)) < 1e-4


@pytest.mark.parametrize(
    ("function", "operator"),
    [
        (lambda x: torch.linalg.qr(x)[0], r"cannot lower the operator aten\.linalg_qr"),
        (lambda x: nn.functional.avg_pool3d(x, (3, 1, 1)), r"no kernel for aten::avg_pool3d\.out"),
    ],
)
def test_an_operator_that_cannot_be_lowered_is_named(function, operator, capfd):
    with pytest.raises(GodeeperError, match=operator) as caught:
        lower(Function(function).eval(), 16)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("arguments", [(5, 1e-4, 0.75, 2.0), (4, 0.3, 0.75, 1.0), (3, 0.3, 0.5, 1.0)])
def test_sliced_normalisation_is_torchs(arguments):
    norm, x = nn.LocalResponseNorm(*arguments), 5 * torch.randn(2, 7, 4, 5)
    sliced = for_xnnpack(nn.Sequential(norm))
    assert not isinstance(sliced[0], nn.LocalResponseNorm)
    assert difference(sliced(x), norm(x)) < 1e-6


@pytest.mark.parametrize("pool", [nn.AvgPool2d(3, 1, 1), nn.AvgPool2d((3, 5), (1, 2), (1, 2)), nn.AvgPool2d(2)])
def test_padded_pools_are_torchs(pool):
    x = torch.randn(2, 3, 9, 11)
    assert difference(for_xnnpack(nn.Sequential(pool))(x), pool(x)) < 1e-6


def test_a_missing_executorch_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "executorch.exir", None)
    with pytest.raises(GodeeperError, match=r"pip install .*\[phone\]'"):
        lower(nn.Conv2d(3, 4, 3), 16)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "slow_operators"),
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
def test_the_papers_networks_in_both_formats(name, slow_operators, tmp_path):
    torch.manual_seed(1)
    network = fuse(alive(create_model(name)))
    side = network.definition.image_size
    x = torch.randn(2, 3, side, side)
    expected = logits(network, x)
    write_pt2(trace_any_batch(network, side), tmp_path / "network.pt2", {}, "")
    assert difference(load_pt2(tmp_path / "network.pt2")(x), expected) < 1e-5
    lowered = lower(network, side)
    (tmp_path / "network.pte").write_bytes(lowered.content)
    assert difference(run_pte(tmp_path / "network.pte", x[:1]), expected[:1]) < 1e-4
    assert lowered.memory.slow_operators == slow_operators
    if not slow_operators:  # then ExecuTorch itself holds the image and the logits, and nothing between
        assert 0 <= lowered.memory.planned - 4 * (3 * side * side + 1000) < 128
    assert activations(trace(for_xnnpack(layers_of(network)), side, 1)) == lowered.memory.activations
