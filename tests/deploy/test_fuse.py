"""The fused network against the network that it was made of: the same numbers, from fewer and cheaper modules."""

from collections import Counter

import pytest
import torch
from every_network import representative
from torch import nn

from godeeper import Network, create_model, list_models
from godeeper.deploy.fuse import Added, PooledConv, SharedConcat, fuse
from godeeper.models.build import Concat, ResidualBlock, build, build_stage
from godeeper.papers.notation import Avg, BatchNorm, Cat, Conv, Max, Residual, Separable
from godeeper.papers.shape import FeatureShape
from networks import alive, images

# Convolutions of the modules by hand, from the figures: before, and with the 1x1s on the module's input as one.
CONVOLUTIONS = {
    "googlenet": {"3a": (6, 4), "3b": (6, 4), "4c": (6, 4), "5b": (6, 4)},  # 1x1, 3x3r and 5x5r are one; the pool's is not
    "googlenet_bn": {"3a": (6, 4), "5b": (6, 4)},
    "bn_inception": {"3a": (7, 5), "3c": (5, 4), "4e": (5, 4), "5b": (7, 5)},  # 3c and 4e have no 1x1 and no pool's
}
FORBIDDEN = nn.BatchNorm1d | nn.BatchNorm2d | nn.Dropout | ResidualBlock


def made(name, **arguments):
    torch.manual_seed(0)
    return alive(create_model(name, **{"width": 0.25, "num_classes": 10, **arguments}))


def difference(found, expected):
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    assert expected.std() > 0
    return ((found - expected).abs().max() / expected.abs().max()).item()


def kinds(module):
    return Counter(type(part) for part in module.modules())


def convolutions(module):
    return kinds(module)[nn.Conv2d]


@pytest.mark.parametrize("name", representative(list_models()))
def test_every_network_gives_the_same_numbers(name):
    network = made(name, aux=name in ("googlenet", "bn_inception", "inception_v3"))
    network.classes = tuple("abcdefghij")
    x = images(network.preprocess.image_size)
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    fused = fuse(network)

    taps = list(network.stages)
    with torch.no_grad():
        expected, found = network.features(x, taps), fused.features(x, taps)
        assert list(found[1]) == taps
        for tap in taps:
            assert difference(found[1][tap], expected[1][tap]) < 1e-5, tap
        assert difference(found[0], expected[0]) < 1e-5
        assert (expected[0][0] - expected[0][1]).std() > 0.01 * expected[0].std()  # the images are told apart
        assert difference(fused(x), network(x)) < 1e-5
        assert difference(fused.embed(x), network.embed(x)) < 1e-5

    assert not [part for part in fused.modules() if isinstance(part, FORBIDDEN)]
    assert len(fused.auxiliary) == 0
    assert not fused.training
    assert not any(parameter.requires_grad for parameter in fused.parameters())
    assert (fused.classes, fused.preprocess, fused.num_classes) == (network.classes, network.preprocess, 10)

    after = network.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[key], before[key]) for key in before)
    theirs = {tensor.data_ptr() for tensor in fused.state_dict().values()}
    assert not theirs & {tensor.data_ptr() for tensor in after.values()}


@pytest.mark.parametrize("name", representative(list_models()))
def test_in_double_precision_nothing_but_rounding_is_between_them(name):
    network = made(name).double()
    x = images(max(network.minimum_size, 96)).double()
    with torch.no_grad():
        assert difference(fuse(network)(x), network(x)) < 1e-10


@pytest.mark.parametrize("name", ["googlenet_bn", "inception_resnet_v1_facenet", "bn_inception_caffe"])
def test_the_original_still_trains(name):
    network = made(name, aux=name == "googlenet_bn")
    x = images(max(network.minimum_size, 96))
    fuse(network)
    network.train()
    logits, heads = network.with_auxiliary(x)
    sum(out.square().mean() for out in (logits, *heads.values())).backward()
    missing = [key for key, parameter in network.named_parameters() if parameter.grad is None]
    assert not missing
    statistics = {key: tensor for key, tensor in network.named_buffers() if key.endswith("num_batches_tracked")}
    assert statistics
    assert all(tensor == 1 for tensor in statistics.values())


@pytest.mark.parametrize("name", ["googlenet", "googlenet_bn", "bn_inception"])
def test_convolutions_of_the_modules_by_hand(name):
    network = made(name)
    fused = fuse(network)
    for stage, expected in CONVOLUTIONS[name].items():
        assert (convolutions(network.stages[stage]), convolutions(fused.stages[stage])) == expected, stage


def test_every_module_of_googlenet():
    network = made("googlenet")
    fused = fuse(network)
    modules = [name for name, stage in network.stages.items() if isinstance(stage, Concat)]
    assert len(modules) == 9  # Table 1
    assert convolutions(network) - convolutions(fused) == 9 * 2
    for name in modules:
        widths = [branch[0].conv.out_channels for branch in list(network.stages[name].branches)[:3]]
        assert fused.stages[name].widths == widths
        assert fused.stages[name].shared[0].out_channels == sum(widths)


def grown(row, batch_norm=None, channels=6, side=9, *, dtype=torch.float64):
    """A module of one row with random weights, and what it is fed."""
    torch.manual_seed(0)
    make = build_stage if isinstance(row, tuple) else build
    module = alive(make(row, FeatureShape(channels, side, side), batch_norm)).to(dtype)
    return module, torch.randn(2, channels, side, side + 2, dtype=dtype)


@torch.no_grad()
def rewritten(module, x):
    """The module fused, and how far its output is from what the module's was."""
    expected = module(x)
    fused = fuse(Only(module)).stages["only"]
    return fused, difference(fused(x), expected)


class Only(Network):
    """A network of one stage, as far as `fuse` looks."""

    def __init__(self, module):
        nn.Module.__init__(self)
        self.stages, self.head, self.auxiliary = nn.ModuleDict({"only": module}), nn.ModuleDict(), nn.ModuleDict()


@pytest.mark.parametrize("counts_padding", [True, False])
@pytest.mark.parametrize("batch_norm", [None, BatchNorm(), BatchNorm(conv_bias=True)])
@pytest.mark.parametrize("margins", ["same", "valid", "ceil", 1])
def test_the_average_pool_comes_after_the_convolution(counts_padding, batch_norm, margins):
    pool = Avg(3, 2 if margins == "ceil" else 1, margins, counts_padding)
    module, x = grown(Cat([pool, Conv(8)]), batch_norm, side=10)
    fused, apart = rewritten(module, x)
    assert apart < 1e-13
    (pooled,) = [part for part in fused.modules() if isinstance(part, PooledConv)]
    assert [type(part) for part in pooled.children()] == [nn.Conv2d, nn.AvgPool2d]
    averaged = []
    pooled.pool.register_forward_pre_hook(lambda pool, given: averaged.append(given[0].shape[1]))
    fused(x)
    assert averaged == [8]  # channels: those of the convolution's output


def test_a_pooled_convolution_by_hand():
    """A single one at the corner: a weight of 2, a bias of 3, of which the zeros around the image have nothing."""
    x = torch.zeros(1, 1, 3, 3)
    x[..., 0, 0] = 1
    for counts_padding, corner in ((True, 2 / 9 + 3), (False, 2 / 4 + 3)):
        conv, pool = nn.Conv2d(1, 1, 1), nn.AvgPool2d(3, 1, 1, count_include_pad=counts_padding)
        nn.init.constant_(conv.weight, 2)
        nn.init.constant_(conv.bias, 3)
        with torch.no_grad():
            found = PooledConv(conv, pool)(x)[0, 0]
        assert found[0, 0].item() == pytest.approx(corner)
        assert found[1, 1].item() == pytest.approx(2 / 9 + 3)
        assert found[2, 2].item() == pytest.approx(3)


def test_other_pools_and_convolutions_stay_in_their_order():
    for row in (Cat([Max(3), Conv(8)]), Cat([Avg(3), Conv(8, 3)]), Cat([Avg(3), Conv(8, 1, 2)]), Cat([Avg(3), Conv(8), Conv(4)])):
        module, x = grown(row)
        fused, apart = rewritten(module, x)
        assert apart < 1e-13
        assert kinds(fused)[PooledConv] == 0


@pytest.mark.parametrize(
    ("row", "before", "after"),
    [
        (Cat([Conv(4)], [Conv(5)], [Conv(6)]), 3, 1),
        (Cat([Conv(4)], [Conv(5, 3)], [Conv(6)]), 3, 2),  # order is kept: 4, 5, 6
        (Cat([Conv(4, 3)], [Conv(5), Conv(5, 3)], [Max(3)]), 3, 3),  # a single one has no one to share with
        (Cat([Conv(4, 1, 2)], [Conv(5, 1, 2)]), 2, 2),  # of stride 2
        (Cat([Conv(4, 1, padding=1)], [Conv(5, 1, padding=1)]), 2, 2),  # zeros around
        (Cat([Conv(4)], [Conv(4), Cat([Conv(3, (1, 3))], [Conv(3, (3, 1))])]), 4, 3),  # a Cat within
        (Cat([Separable(4, 3)], [Separable(5, 3)]), 4, 4),
    ],
)
@pytest.mark.parametrize("batch_norm", [None, BatchNorm()])
def test_siblings_share_one_convolution(row, before, after, batch_norm):
    module, x = grown(row, batch_norm)
    fused, apart = rewritten(module, x)
    assert apart < 1e-13
    assert (convolutions(module), convolutions(fused)) == (before, after)
    assert kinds(fused)[SharedConcat] == (after < before)


@pytest.mark.parametrize(("scale", "relu"), [(0.17, True), (1.0, True), (0.2, False)])
def test_the_residual_scale_is_in_the_weights(scale, relu):
    module, x = grown(Residual(Cat([Conv(4)], [Conv(4), Conv(4, 3)]), scale, relu), BatchNorm())
    weight, bias = module.linear.weight.clone(), module.linear.bias.clone()
    fused, apart = rewritten(module, x)
    assert apart < 1e-13
    assert isinstance(fused, Added)
    assert torch.equal(fused.body[1].weight, weight * scale)
    assert torch.equal(fused.body[1].bias, bias * scale)
    assert torch.equal(module.linear.weight, weight)  # the original's
    with torch.no_grad():
        assert (fused(x).min() < 0) != relu


def test_batch_norm_in_a_convolution_by_hand():
    """(2 x + 1 - 5) / sqrt(3 + 1) * 6 + 7 = 6 x - 5."""
    module = build(Conv(1), FeatureShape(1, 2, 2), BatchNorm(eps=1.0, conv_bias=True))
    values = {"conv.weight": 2, "conv.bias": 1, "norm.running_mean": 5, "norm.running_var": 3, "norm.weight": 6, "norm.bias": 7}
    with torch.no_grad():
        for key, value in values.items():
            module.state_dict()[key].fill_(value)
    conv = fuse(Only(module.eval())).stages["only"].conv
    assert (conv.weight.item(), conv.bias.item()) == (6, -5)


@pytest.mark.parametrize("name", ["googlenet", "inception_resnet_v2", "vgg16"])
def test_memory_is_channels_last(name):
    fused = fuse(made(name))
    weights = [part.weight for part in fused.modules() if isinstance(part, nn.Conv2d) and min(part.weight.shape[:2]) > 1]
    assert weights
    assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in weights)
    assert not all(weight.is_contiguous() for weight in weights)
    x = images(fused.preprocess.image_size)
    assert x.is_contiguous()
    features, _ = fused.features(x)
    assert features.is_contiguous(memory_format=torch.channels_last)


def test_a_fused_network_can_be_fused_again():
    network = made("inception_resnet_v1_facenet")
    x = images(network.preprocess.image_size)
    with torch.no_grad():
        assert difference(fuse(fuse(network))(x), network(x)) < 1e-5
