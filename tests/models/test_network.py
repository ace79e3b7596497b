"""The torch networks: torch counts what describe counts, and a network takes, gives and learns what it says."""

import time
from typing import Any

import pytest
import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from godeeper import GodeeperError, create_model, describe, list_models
from godeeper.models.build import AveragePool
from godeeper.models.network import Network
from godeeper.papers.notation import (
    LRN,
    VALID,
    AvgTo,
    BatchNorm,
    Cat,
    Conv,
    Definition,
    Dropout,
    FullyConnected,
    Linear,
    Max,
    Separable,
    Stage,
)
from godeeper.train.loss import Objective

MODELS = list_models()
TINY: dict[str, Any] = {"width": 0.25, "num_classes": 5, "small": True}


def pictures(size, count=2, channels=3, seed=0):
    return torch.randn(count, channels, size, size, generator=torch.Generator().manual_seed(seed))


def numbers(module):
    return sum(parameter.numel() for parameter in module.parameters())


def assert_counted(network, size):
    """Output shapes, parameters and multiply-adds of every stage, and in total, as torch has them."""
    described = describe(network, size)
    with FlopCounterMode(display=False) as counter:
        last, outputs = network.features(torch.empty(1, 3, size, size, device="meta"), network.stages)
        logits = network.classify(last)
    flops = {module: sum(counts.values()) for module, counts in counter.get_flop_counts().items()}
    for name, stage in network.stages.items():
        line = described[name]
        assert (*outputs[name].shape, 1, 1)[:4] == (1, *line.output), name  # fully connected rows give (N, C)
        assert numbers(stage) == line.parameters, name
    assert logits.flatten().shape == list(described)[-1].output[:1]
    assert counter.get_total_flops() == 2 * described.multiply_adds
    assert flops["Global"] == 2 * described.multiply_adds
    return described


@pytest.mark.parametrize("size", [224, 97, 161])
@pytest.mark.parametrize("width", [0.25, 1])
@pytest.mark.parametrize("name", MODELS)
def test_torch_counts_what_describe_counts(name, width, size):
    with torch.device("meta"):  # shapes without arithmetic
        network = create_model(name, width=width)
        headed = create_model(name, width=width, aux=True)
    described = assert_counted(network, size)
    assert numbers(network) == described.parameters
    assert numbers(headed) == described.parameters_with_heads
    for head, lines in described.auxiliary.items():
        assert [numbers(stage) for stage in headed.auxiliary[head].children()] == [line.parameters for line in lines]


@pytest.mark.parametrize("name", MODELS)
def test_torch_spends_multiply_adds_where_describe_says(name):
    network = create_model(name, width=0.25).eval()
    x, described = pictures(97, count=1), describe(network, 97)
    for stage, module in network.stages.items():
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            x = module(x)
        assert counter.get_total_flops() == 2 * described[stage].multiply_adds, stage


ROWS: dict[str, Stage] = {
    "same 5x5/2": Conv(4, 5, 2),
    "same 3x3/3": Conv(4, 3, 3),
    "valid 3x3/2": Conv(4, 3, 2, VALID),
    "valid 2x2/2": Conv(4, 2, 2, VALID),
    "separable": Separable(6, 7, 2, multiplier=8),
    "separable valid": Separable(6, 3, 2, multiplier=2, padding=VALID),
    "max": Max(3, 2),
    "max valid": Max(3, 2, VALID),
    "max valid 2x2/2": Max(2, 2, VALID),
    "average to 3": AvgTo(3),
    "lrn": LRN(),
    "dropout": Dropout(0.5),
    "fully connected": FullyConnected(10),
    "cat": Cat([Conv(2)], [Conv(3), Conv(4, 3)], [Max(3), Conv(5)]),
    "several": (Conv(4, 3, 2), Max(3, 2), AvgTo(2)),
}


@pytest.mark.parametrize("batch_norm", [None, BatchNorm()], ids=["bias", "norm"])
@pytest.mark.parametrize("size", [11, 12])
@pytest.mark.parametrize("case", ROWS)
def test_every_row_is_built_as_it_is_counted(case, size, batch_norm):
    table = Definition("tiny", "made up", {"row": ROWS[case]}, {"linear": Linear(3)}, {}, batch_norm, image_size=size)
    with torch.device("meta"):
        network = Network(table)
    described = assert_counted(network, size)
    assert numbers(network) == described.parameters


# What goes in, what comes out


@pytest.mark.parametrize("aux", [False, True])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_logits_are_always_a_plain_tensor(name, training, aux):
    network = create_model(name, aux=aux, **TINY).train(training)
    logits = network(pictures(32, count=3))
    assert type(logits) is torch.Tensor
    assert logits.shape == (3, 5)
    assert network.num_classes == 5


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_with_auxiliary_gives_the_logits_of_the_heads(name, training):
    network = create_model(name, aux=True, **TINY).train(training)
    logits, heads = network.with_auxiliary(pictures(32, count=3))
    assert list(heads) == ["aux1", "aux2"]
    assert [tensor.shape for tensor in (logits, *heads.values())] == [(3, 5)] * 3
    assert not torch.equal(heads["aux1"], heads["aux2"])


def test_without_heads_with_auxiliary_gives_the_logits_alone():
    network = create_model("googlenet", **TINY).eval()
    logits, heads = network.with_auxiliary(pictures(32))
    assert heads == {}
    assert torch.equal(logits, network(pictures(32)))


def test_taps_are_the_outputs_of_their_stages():
    network = create_model("googlenet", **TINY).eval()
    last, tapped = network.features(pictures(32), taps=["5b", "conv1", "4a"])
    assert set(tapped) == {"conv1", "4a", "5b"}
    assert torch.equal(tapped["5b"], last)
    assert torch.equal(tapped["conv1"], network.stages["conv1"](pictures(32)))  # no later stage wrote into it
    assert network.features(pictures(32))[1] == {}


def test_the_network_sees_oblong_pictures():
    network = create_model("googlenet", width=0.25, num_classes=5, aux=True).eval()
    logits, heads = network.with_auxiliary(torch.randn(1, 3, 97, 160))
    assert [tensor.shape for tensor in (logits, *heads.values())] == [(1, 5)] * 3


def test_other_channels_and_classes():
    network = create_model("googlenet_bn", in_channels=1, num_classes=7, width=0.25, small=True).eval()
    assert network(pictures(32, channels=1)).shape == (2, 7)


@pytest.mark.parametrize("name", MODELS)
def test_small_keeps_16x16_for_3a(name):
    _, tapped = create_model(name, **TINY).eval().features(pictures(32), taps=["3a", "4a", "5a"])
    assert [tuple(tapped[stage].shape[2:]) for stage in ("3a", "4a", "5a")] == [(16, 16), (8, 8), (4, 4)]


def test_average_pool_to():
    x = pictures(14).double()
    assert torch.equal(AveragePool(AvgTo(4))(x), F.avg_pool2d(x, 5, 3))
    assert torch.equal(AveragePool(AvgTo(2))(x[..., :9, :]), F.avg_pool2d(x[..., :9, :], (5, 7), (4, 7)))
    for oblong in (x, x[..., :7, :]):
        assert torch.allclose(AveragePool(AvgTo(1))(oblong), F.adaptive_avg_pool2d(oblong, 1), rtol=1e-12, atol=1e-12)


# Bad input

# Without heads same padding takes any picture. With heads 4a must be 4x4: after four halvings, rounded up, 49 -> 25 -> 13 ->
# 7 -> 4. A small network halves twice only: 13 -> 7 -> 4.
MINIMUM = [(False, False, 1), (True, False, 49), (False, True, 1), (True, True, 13)]


@pytest.mark.parametrize(("aux", "small", "minimum"), MINIMUM)
@pytest.mark.parametrize("name", MODELS)
def test_minimum_size(name, aux, small, minimum):
    network = create_model(name, width=0.25, num_classes=5, aux=aux, small=small).eval()
    assert network.minimum_size == 1
    logits, heads = network.with_auxiliary(pictures(minimum))
    assert all(tensor.shape == (2, 5) for tensor in (logits, *heads.values()))
    for shape in [(minimum - 1, minimum - 1), (minimum - 1, 64), (64, minimum - 1)]:
        with pytest.raises(GodeeperError, match=f"at least {minimum}x{minimum} pixels, not {shape[0]}x{shape[1]}$"):
            network.with_auxiliary(torch.zeros(1, 3, *shape))
    assert network(pictures(1)).shape == (2, 5)  # heads or not: only the loss runs them


@pytest.mark.parametrize("shape", [(3, 32, 32), (2, 1, 32, 32), (2, 4, 32, 32), (2, 32, 32, 3), (2, 3, 32), (1, 2, 3, 32, 32)])
def test_a_wrong_shape_is_refused(shape):
    network = create_model("googlenet", **TINY)
    with pytest.raises(GodeeperError, match=r"googlenet takes pictures of shape \(N, 3, H, W\), not \(") as caught:
        network(torch.zeros(shape))
    assert str(shape) in str(caught.value)


def test_an_unknown_tap_names_the_nearest():
    with pytest.raises(GodeeperError, match="unknown stage 'conv3': did you mean 'conv"):
        create_model("googlenet", **TINY).features(pictures(32), taps=["3a", "conv3"])


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("googlnet", {}, "did you mean 'googlenet'"),
        ("googlenet", {"width": 0}, "width is 0"),
        ("googlenet", {"num_classes": 0}, "num_classes is 0"),
        ("googlenet", {"in_channels": 0}, "in_channels is 0"),
    ],
)
def test_create_model_refuses(name, arguments, says):
    with pytest.raises(GodeeperError, match=says):
        create_model(name, **arguments)


# Fresh weights


@pytest.mark.parametrize("name", MODELS)
def test_every_parameter_learns(name):
    torch.manual_seed(0)
    network = create_model(name, aux=True, **TINY).train()
    loss, logits = Objective(network)(pictures(32, count=8), torch.arange(8) % 5)
    loss.backward()
    assert logits.shape == (8, 5)
    gradients = {key: parameter.grad for key, parameter in network.named_parameters()}
    assert any(key.startswith("auxiliary.aux2.") for key in gradients)
    dead = [key for key, grad in gradients.items() if grad is None or not grad.isfinite().all() or not grad.any()]
    assert dead == []


def test_the_objective_adds_the_heads_at_their_weight():
    network = create_model("googlenet", aux=True, **TINY).eval()
    x, labels = pictures(32, count=4), torch.tensor([0, 1, 2, 3])
    logits, heads = network.with_auxiliary(x)
    main, first, second = (F.cross_entropy(tensor, labels) for tensor in (logits, *heads.values()))
    assert torch.allclose(Objective(network)(x, labels)[0], main + 0.3 * first + 0.3 * second)  # Section 5: 0.3
    assert torch.allclose(Objective(network, auxiliary_weight=0)(x, labels)[0], main)


@pytest.mark.parametrize("name", MODELS)
def test_construction_is_quick(name):
    start = time.perf_counter()
    create_model(name, aux=True)
    assert time.perf_counter() - start < 5  # the goal is 1 s, measured on a quiet machine by the benchmarks


def test_the_seed_decides_the_weights():
    def weights(seed):
        torch.manual_seed(seed)
        return torch.cat([parameter.detach().flatten() for parameter in create_model("googlenet", **TINY).parameters()])

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_the_signal_neither_dies_nor_explodes(name):
    torch.manual_seed(0)
    network = create_model(name).eval()
    last, outputs = network.features(pictures(224), network.stages)
    logits = network.classify(last)
    for stage, output in outputs.items():
        assert 0.1 < output.std() < 30, stage
        assert (output[0] - output[1]).std() > 0.1, stage  # two pictures, two answers
    assert logits.isfinite().all()
    assert (logits[0] - logits[1]).std() > 0.005
    assert logits.std() < 3  # near equal probabilities
