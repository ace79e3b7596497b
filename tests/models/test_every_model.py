"""Whatever its name: every network learns, takes what variants promise, exports, compiles, and costs what describe says."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from godeeper import GodeeperError, create_model, describe, list_models
from godeeper.models.network import Network
from godeeper.papers.describe import minimum_size
from godeeper.papers.registry import definition
from godeeper.train.loss import ClassificationLoss
from networks import alive, images, representative

MODELS = list_models()
NARROW: dict[str, Any] = {"width": 0.25, "num_classes": 10}

# The least image, without heads and with them, by hand from the last row down: before a valid 3x3/2, g was 2g + 1; before
# one that rounds up, 2g; before a 7x7/2 with margins, 2g - 1. Same padding leaves 1 of 1. So, from the logits to the image:
# Inceptions 1, 3, 7, 15, 17, 35, 37, 75, and 107 where a head's 5x5 needs 5 of B; AlexNet 1, 3, 7, 15, 63; ZFNet 1, 2, 4, 11,
# 22, 47; torchvision's 1, 2, 4, 8, 15; Caffe's 1, 2, 4, 8, 16, 31, even where branches meet; heads on 4a need 4: 7, 13, 25, 49;
# googlenet_cifar 1, 2, 4, 8, and 9 before the 2x2.
MINIMUM = {
    "googlenet": (1, 49), "googlenet_counted": (1, 49), "googlenet_bn": (1, 49), "googlenet_torchvision": (15, 15),
    "googlenet_cifar": (9, 9), "bn_inception": (1, 1), "bn_inception_caffe": (31, 31),
    "inception_v3": (75, 107), "inception_v3_tf": (75, 107), "inception_v3_fid": (75, 75),
    "inception_v4": (75, 107), "inception_v4_printed": (75, 75),
    "inception_resnet_v1": (75, 75), "inception_resnet_v1_facenet": (75, 75), "inception_resnet_v2_printed": (75, 75),
    "inception_resnet_v2": (75, 107), "alexnet": (63, 63), "zfnet": (47, 47), "vgg16": (32, 32), "vgg19": (32, 32),
}  # fmt: skip


def numbers(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def made(name: str, **arguments: Any) -> Network:
    """A narrow network with fresh weights, the same every time."""
    torch.manual_seed(0)
    return create_model(name, **{**NARROW, **arguments})


@torch.no_grad()
def settled(name: str, size: int, **arguments: Any) -> Network:
    """A network whose every part shows in its answers."""
    network = made(name, **arguments)
    alive(network)
    logits = network(images(size))
    assert (logits[0] - logits[1]).std() > 0.01 * logits.std() > 0
    return network


def silenced(network: Network) -> Iterator[str]:
    """Biases that batch norm takes out again: their gradient is nothing but rounding."""
    for name, module in network.named_modules():
        if hasattr(module, "norm") and hasattr(module, "conv") and module.conv.bias is not None:
            yield f"{name}.conv.bias"


def test_the_minima_are_of_every_model():
    assert list(MINIMUM) == MODELS


@pytest.mark.parametrize("name", MODELS)
def test_minimum_size(name):
    assert (minimum_size(definition(name)), minimum_size(definition(name), heads=True)) == MINIMUM[name]


def _sizes() -> Iterator[Any]:
    """Every network at its least size, with its heads where it has some; a few at all sizes, the others of `make test-all`."""
    for name in MODELS:
        headed = bool(definition(name).auxiliary)
        for at in ("minimum", "minimum with heads", "default") if headed else ("minimum", "default"):
            fast = at == "minimum with heads" or (at == "minimum" and not headed) or (at == "default" and name == "googlenet_bn")
            yield pytest.param(name, at, marks=() if fast else pytest.mark.slow)


@pytest.mark.parametrize(("name", "at"), list(_sizes()))
def test_every_parameter_learns(name, at):
    alone, headed = MINIMUM[name]
    size = {"minimum": alone, "minimum with heads": headed, "default": definition(name).image_size}[at]
    network = made(name, aux=at != "minimum").train()
    count = 3 if at == "default" else 16  # batch norm needs several values a channel, where a grid is 1x1
    logits, auxiliary = network.with_auxiliary(images(size, count))
    ClassificationLoss()(logits, torch.arange(count) % 10, auxiliary).backward()
    assert logits.shape == (count, 10)
    assert (logits[0] - logits[1]).std() > 0
    gradients = {key: parameter.grad for key, parameter in network.named_parameters()}
    assert {key.split(".")[1] for key in gradients if key.startswith("auxiliary.")} == (
        set(definition(name).auxiliary) if at != "minimum" else set()
    )
    without = set(silenced(network))
    assert bool(without) == (name == "bn_inception_caffe")
    dead = {key for key, grad in gradients.items() if grad is None or not grad.isfinite().all() or not grad.any()}
    assert dead - without == set()


@pytest.mark.slow
@pytest.mark.parametrize("aux", [False, True])
@pytest.mark.parametrize("name", representative(MODELS))
def test_one_pixel_below_the_minimum_is_refused(name, aux, monkeypatch):
    minimum = MINIMUM[name][aux]
    with torch.device("meta"):
        network = create_model(name, aux=aux, **NARROW).eval()
        network.with_auxiliary(torch.empty(2, 3, minimum, minimum))
        below = torch.empty(2, 3, minimum - 1, minimum)
        with pytest.raises(GodeeperError, match=rf"{name}.* at least {minimum}x{minimum} pixels, not {minimum - 1}x{minimum}$"):
            network.with_auxiliary(below)
        monkeypatch.setattr(Network, "_check", lambda *_: None)
        with pytest.raises((RuntimeError, ZeroDivisionError)):  # and torch could not have done it
            network.with_auxiliary(below)


@pytest.mark.parametrize("channels", [1, pytest.param(4, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", representative(MODELS))
@torch.no_grad()
def test_other_channels_and_classes_half_width_and_small_images(name, channels):
    network = made(name, in_channels=channels, num_classes=10, width=0.5, small=True).eval()
    x = images(32, channels=channels)
    logits = network(x)
    assert logits.shape == (2, 10)
    assert logits.isfinite().all()
    assert (logits[0] - logits[1]).std() > 0
    assert network.definition.image_size == 32
    for gone in range(channels):  # every channel is seen
        blind = x.clone()
        blind[:, gone] = 0
        assert not torch.equal(network(blind), logits)


@pytest.mark.parametrize("width", [pytest.param(0.5, marks=pytest.mark.slow), 0.3])
@pytest.mark.parametrize("name", representative(MODELS))
def test_widths_are_multiples_of_8(name, width):
    with torch.device("meta"):
        narrow = create_model(name, width=width, num_classes=10, aux=True)
        whole = create_model(name, num_classes=10, aux=True)
    ours, theirs = (
        {key: module.out_channels for key, module in network.named_modules() if isinstance(module, nn.Conv2d)}
        | {key: module.out_features for key, module in network.named_modules() if isinstance(module, nn.Linear)}
        for network in (narrow, whole)
    )
    assert ours.keys() == theirs.keys()
    filters = {key: count for key, count in ours.items() if not key.endswith((".linear.linear", ".depthwise", "whitening.conv"))}
    assert {key: count for key, count in filters.items() if count % 8} == {}
    for key, count in filters.items():  # what is a sum of several may be as far off as each of them
        assert abs(count - width * theirs[key]) <= 4 or key.endswith(".linear"), key
    assert {count for key, count in ours.items() if key.endswith(".linear.linear")} == {10}


@pytest.mark.parametrize("name", MODELS)
def test_every_norm_has_the_tables_eps_and_momentum(name):
    with torch.device("meta"):
        network = create_model(name, aux=True, **NARROW)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d)]
    convolutions = [key for key, module in network.named_modules() if isinstance(module, nn.Conv2d)]
    table = definition(name).batch_norm
    assert {(norm.eps, norm.momentum) for norm in norms} == ({(table.eps, table.momentum)} if table else set())
    if table is not None:  # after all convolutions but the depthwise, residual blocks' last, and whitening
        unnormed = (".depthwise", ".linear", "whitening.conv")
        normed = [key for key in convolutions if not key.endswith(unnormed)]
        assert len(norms) == len(normed) + (name == "inception_resnet_v1_facenet")


# What it costs


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [{}, {"small": True, "width": 0.25}], ids=["whole", "small"])
@pytest.mark.parametrize("name", representative(MODELS, ["bn_inception_caffe", "inception_resnet_v1_facenet"]))
def test_torch_counts_what_describe_counts(name, arguments):
    with torch.device("meta"):  # shapes without arithmetic
        network, headed = create_model(name, **arguments).eval(), create_model(name, aux=True, **arguments).eval()
    sizes = [32] if "small" in arguments else [network.definition.image_size, MINIMUM[name][1]]
    for size in sizes:
        described = describe(network, size)
        x = torch.empty(1, 3, size, size, device="meta")
        for stage, module in [*network.stages.items(), *network.head.items()]:
            with FlopCounterMode(display=False) as counter:
                x = module(x)
            line = described[stage]
            assert (*x.shape, 1, 1)[1:4] == line.output, (stage, size)
            assert counter.get_total_flops() == 2 * line.multiply_adds, (stage, size)
            assert numbers(module) == line.parameters, stage
        assert numbers(network) == described.parameters
        assert sum(line.multiply_adds for line in described) == described.multiply_adds
        assert set(described.auxiliary) == set(headed.auxiliary)
        assert numbers(headed) == described.parameters_with_heads
        _, heads = headed.with_auxiliary(torch.empty(1, 3, size, size, device="meta"))
        for head, lines in described.auxiliary.items():
            assert [numbers(stage) for stage in headed.auxiliary[head].children()] == [line.parameters for line in lines]
            assert heads[head].shape == (1, *lines[-1].output[:1])


# Other ways to run it


EXPORTED = ("googlenet", "inception_resnet_v1_facenet")


def least(name: str) -> int:
    """A small size that every stage passes something through."""
    return max(64, MINIMUM[name][0])


@pytest.mark.slow
@pytest.mark.parametrize("name", representative(MODELS, EXPORTED))
@torch.no_grad()
def test_exported_it_gives_the_same_logits(name):
    size = least(name)
    network = settled(name, size)
    x = images(size, 3)
    exported = torch.export.export(network, (images(size, 3),)).module()
    torch.testing.assert_close(exported(x), network(x), rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", representative(MODELS, ["googlenet"]))
@torch.no_grad()
def test_compiled_it_gives_the_same_logits(name):
    size = least(name)
    network = settled(name, size)
    x = images(size, 3)
    torch.compiler.reset()
    compiled = torch.compile(network, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), network(x), rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bn_inception_caffe", "inception_v4", "inception_resnet_v1_facenet"])
@torch.no_grad()
def test_compiled_by_inductor_it_gives_the_same_logits(name):
    size = least(name)
    network = settled(name, size)
    x = images(size, 3)
    torch.compiler.reset()
    compiled = torch.compile(network, fullgraph=True)
    torch.testing.assert_close(compiled(x), network(x), rtol=1e-3, atol=1e-3)
