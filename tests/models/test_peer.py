"""An independent GoogLeNet with the same weights: the paper's Figure 3 written out in plain functional torch."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torchvision.models import googlenet as torchvision_googlenet  # type: ignore[import-untyped]

from godeeper import create_model

MODULES = ("3a", "3b", "pool", "4a", "4b", "4c", "4d", "4e", "pool", "5a", "5b")


class Weights(dict[str, torch.Tensor]):
    """A state dict that remembers what was asked of it."""

    def __init__(self, state):
        super().__init__(state)
        self.used = set()

    def __getitem__(self, key):
        self.used.add(key)
        return super().__getitem__(key)


def conv_relu(w, name, x, stride=1, batch_norm=False):
    """Convolution with margins of half the filter, then bias or batch norm, then ReLU."""
    weight = w[f"{name}.conv.weight"]
    bias = None if batch_norm else w[f"{name}.conv.bias"]
    x = F.conv2d(x, weight, bias, stride=stride, padding=weight.shape[-1] // 2)
    if batch_norm:
        mean, var, scale, shift = (
            w[f"{name}.norm.{part}"].view(1, -1, 1, 1) for part in ("running_mean", "running_var", "weight", "bias")
        )
        x = (x - mean) / (var + 1e-3).sqrt() * scale + shift
    return x.clamp(min=0)


def inception(w, name, x, batch_norm):
    """Figure 2(b)."""
    unit = lambda branch, y: conv_relu(w, f"stages.{name}.branches.{branch}", y, batch_norm=batch_norm)  # noqa: E731
    one = unit("0.0", x)
    three = unit("1.1", unit("1.0", x))
    five = unit("2.1", unit("2.0", x))
    pool = unit("3.1", F.max_pool2d(x, 3, 1, padding=1))
    return torch.cat([one, three, five, pool], dim=1)


def norm(x):
    """Local response normalisation over 5 channels, by its formula, with AlexNet's alpha and beta and k = 1."""
    squares = F.pad(x**2, (0, 0, 0, 0, 2, 2))
    around = sum(squares[:, shift : shift + x.shape[1]] for shift in range(5))
    return x / (1 + 1e-4 / 5 * around) ** 0.75


def stem(w, x, separable, batch_norm):
    if separable:
        x = F.conv2d(x, w["stages.conv1.depthwise.weight"], stride=2, padding=3, groups=3)
        x = conv_relu(w, "stages.conv1.pointwise", x)
    else:
        x = conv_relu(w, "stages.conv1", x, stride=2, batch_norm=batch_norm)
    x = F.max_pool2d(x, 3, 2, padding=1)
    x = x if batch_norm else norm(x)
    x = conv_relu(w, "stages.conv2.0", x, batch_norm=batch_norm)
    x = conv_relu(w, "stages.conv2.1", x, batch_norm=batch_norm)
    x = x if batch_norm else norm(x)
    return F.max_pool2d(x, 3, 2, padding=1)


def auxiliary(w, name, x, batch_norm):
    """Section 5, for images of 224 pixels: pool 5x5/3, 1x1 to 128, 1024 units, classifier."""
    x = conv_relu(w, f"auxiliary.{name}.conv", F.avg_pool2d(x, 5, 3), batch_norm=batch_norm).flatten(1)
    x = F.linear(x, w[f"auxiliary.{name}.fc.fc.weight"], w[f"auxiliary.{name}.fc.fc.bias"]).clamp(min=0)
    return F.linear(x, w[f"auxiliary.{name}.linear.linear.weight"], w[f"auxiliary.{name}.linear.linear.bias"])


def paper(w, x, separable=False, batch_norm=False):
    """Images of 224 pixels -> logits, those of the head on 4a, those of the head on 4d."""
    x = stem(w, x, separable, batch_norm)
    kept = {}
    for name in MODULES:
        x = F.max_pool2d(x, 3, 2, padding=1) if name == "pool" else inception(w, name, x, batch_norm)
        kept[name] = x
    logits = F.linear(F.avg_pool2d(x, 7).flatten(1), w["head.linear.linear.weight"], w["head.linear.linear.bias"])
    return logits, auxiliary(w, "aux1", kept["4a"], batch_norm), auxiliary(w, "aux2", kept["4d"], batch_norm)


@torch.no_grad()
def shaken(network, seed=0):
    """The network with every bias, scale, shift and statistic away from 0 and 1, so that none can be forgotten unseen."""
    generator = torch.Generator().manual_seed(seed)
    uniform = lambda tensor: torch.rand(tensor.shape, generator=generator, dtype=tensor.dtype)  # noqa: E731
    for name, tensor in network.state_dict().items():
        if name.endswith(("running_var", "norm.weight")):
            tensor.copy_(0.5 + uniform(tensor))
        elif name.endswith(("bias", "running_mean")):
            tensor.copy_(uniform(tensor) - 0.5)
    return network


@pytest.mark.parametrize("width", [0.25, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["googlenet", "googlenet_counted", "googlenet_bn"])
@torch.no_grad()
def test_the_network_is_the_papers(name, width):
    torch.manual_seed(0)
    network = shaken(create_model(name, width=width, aux=True).double()).eval()
    x = 20 * torch.randn(2, 3, 224, 224, dtype=torch.float64)  # large enough for local response normalisation to matter
    weights = Weights(network.state_dict())
    theirs = paper(weights, x, separable=name == "googlenet_counted", batch_norm=name == "googlenet_bn")
    logits, heads = network.with_auxiliary(x)
    for ours, their in zip((logits, heads["aux1"], heads["aux2"]), theirs, strict=True):
        assert ours.shape == (2, 1000)
        assert ours.std() > 0.1
        assert (ours[0] - ours[1]).abs().max() > 0.01
        torch.testing.assert_close(ours, their, rtol=1e-9, atol=1e-9 * their.abs().max().item())
    unused = {key for key in weights if not key.endswith("num_batches_tracked")} - weights.used
    assert unused == set()
    assert torch.equal(network(x), logits)


@torch.no_grad()
def test_the_peer_would_notice():
    """A forgotten normalisation, or one weight that differs, is far outside the tolerance above."""
    torch.manual_seed(0)
    network = shaken(create_model("googlenet", width=0.25, num_classes=10, aux=True).double()).eval()
    x = 20 * torch.randn(1, 3, 224, 224, dtype=torch.float64)
    logits = network(x)
    torch.testing.assert_close(paper(network.state_dict(), x)[0], logits, rtol=1e-9, atol=1e-9)
    normalised = network.stages["norm1"](10 * x)
    assert (normalised / (10 * x) - 1).abs().max() > 0.01
    state = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    state["stages.4c.branches.2.1.conv.bias"][0] += 1
    assert (paper(state, x)[0] - logits).abs().max() > 1e-5 * logits.abs().max()


def convolutions(network):
    return [(c.in_channels, c.out_channels, c.kernel_size[0], c.stride[0]) for c in network.modules() if isinstance(c, nn.Conv2d)]


def test_torchvision_has_the_same_filters_except_the_5x5():
    with torch.device("meta"):
        ours = convolutions(create_model("googlenet_bn"))
        theirs = convolutions(torchvision_googlenet(init_weights=False, aux_logits=False))
    assert len(ours) == 57
    assert sum(kernel == 5 for _, _, kernel, _ in ours) == 9
    assert [(i, o, 3 if kernel == 5 else kernel, stride) for i, o, kernel, stride in ours] == theirs
