"""An Inception module's branches with joined layers, against each branch on its own: values, gradients, statistics, training."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from godeeper.models import build as build_module
from godeeper.models.build import build
from godeeper.models.joined import can_join
from godeeper.models.network import Network
from godeeper.papers.googlenet import inception
from godeeper.papers.notation import Avg, AvgTo, BatchNorm, Cat, Conv, Definition, Linear, Max
from godeeper.papers.shape import FeatureShape
from networks import alive

MODULES = {
    "googlenet": inception(8, 5, 6, 4, 3, 7),
    "a 1x1 in the middle and last": Cat([Avg(3), Conv(3)], [Conv(4), Conv(6)], [Conv(2), Max(3), Conv(3, 3)], [Conv(9)]),
    "no 1x1 alone, a stride": Cat([Conv(4), Conv(5, 3, 2)], [Conv(3), Conv(3, 3), Conv(4, 3, 2)], [Conv(7, 3, 2)]),
    "nothing but 1x1": Cat([Conv(3)], [Conv(5)]),
}
PLAIN = BatchNorm()


def module(row, batch_norm=PLAIN):
    torch.manual_seed(0)
    return alive(build(row, FeatureShape(6, 8, 8), batch_norm)).double().train()


def images():
    return torch.randn(3, 6, 7, 8, dtype=torch.float64).contiguous(memory_format=torch.channels_last).requires_grad_()


@pytest.mark.parametrize("conv_bias", [False, True])
@pytest.mark.parametrize("name", MODULES)
def test_values_gradients_and_statistics_are_those_of_the_branches(name, conv_bias):
    joined = module(MODULES[name], batch_norm=BatchNorm(conv_bias=conv_bias))
    apart = copy.deepcopy(joined)
    x = images()
    assert can_join(joined.branches, x)
    outputs = [joined(x), torch.cat([branch(x) for branch in apart.branches], dim=1)]
    torch.testing.assert_close(*outputs)
    weights = torch.randn_like(outputs[0])
    for output, made in zip(outputs, (joined, apart), strict=True):
        gradients = torch.autograd.grad((output * weights).sum(), [x, *made.parameters()])
        for parameter, gradient in zip([x, *made.parameters()], gradients, strict=True):
            parameter.kept = [*getattr(parameter, "kept", []), gradient]
    torch.testing.assert_close(*x.kept)
    for one, other in zip(joined.parameters(), apart.parameters(), strict=True):
        torch.testing.assert_close(one.kept, other.kept)
    for one, other in zip(joined.buffers(), apart.buffers(), strict=True):
        torch.testing.assert_close(one, other)
    assert all(buffer.item() == 1 for key, buffer in joined.named_buffers() if key.endswith("num_batches_tracked"))


def frozen_first(made):
    made.branches[1][0].norm.eval()


def frozen_last(made):
    made.branches[1][1].norm.eval()


def of_another_momentum(made):
    made.branches[2][0].norm.momentum = 0.3


def of_another_kind(made):
    made.branches[0][0].norm.__class__ = type("Doubled", (nn.BatchNorm2d,), {"forward": lambda self, x: 2 * x})


@pytest.mark.parametrize("change", [frozen_first, frozen_last, of_another_momentum, of_another_kind])
def test_a_norm_that_somebody_has_changed_does_what_it_does(change):
    made = module(MODULES["googlenet"])
    change(made)
    apart = copy.deepcopy(made)
    x = images()
    torch.testing.assert_close(made(x), torch.cat([branch(x) for branch in apart.branches], dim=1))
    for one, other in zip(made.buffers(), apart.buffers(), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("layer", [0, 1])
def test_hooks_are_called(layer):
    made, seen = module(MODULES["googlenet"]), []
    made.branches[1][layer].norm.register_forward_hook(lambda *_: seen.append(1))
    made(images())
    assert seen == [1]


@pytest.mark.parametrize("row", [Cat([Max(3)], [Conv(3)], [Conv(4)]), Cat([Conv(3)], [Conv(4, 3)], [Max(3), Conv(3)])])
def test_branches_that_end_in_a_pool_or_share_no_1x1_are_left_alone(row):
    assert not can_join(module(row).branches, images())


def test_without_batch_norm_and_off_the_cpu_nothing_is_joined():
    assert not can_join(module(MODULES["googlenet"], batch_norm=None).branches, images())
    assert not can_join(module(MODULES["googlenet"]).branches, images().to("meta"))


def losses(steps=20):
    """Those of a small network that learns noise by heart."""
    torch.manual_seed(0)
    stages = {"conv": Conv(8, 3), "a": inception(6, 4, 8, 2, 4, 6), "pool": Max(3, 2), "b": inception(8, 4, 8, 2, 4, 4)}
    head = {"avgpool": AvgTo(1), "linear": Linear(4)}
    network = Network(Definition("made", "made", stages, head, batch_norm=BatchNorm(), image_size=8)).double().train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    x, y = torch.randn(8, 3, 8, 8, dtype=torch.float64), torch.arange(8) % 4
    for _ in range(steps):
        loss = F.cross_entropy(network(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss.item()


def test_twenty_steps_have_the_same_losses(monkeypatch):
    joined = list(losses())
    monkeypatch.setattr(build_module, "can_join", lambda *_: False)
    apart = list(losses())
    assert joined == pytest.approx(apart, rel=1e-9)
    assert joined != apart  # two ways of computing were compared
    assert joined[-1] < 0.5 * joined[0]
