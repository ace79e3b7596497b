"""The torch networks: torch counts what describe counts, and a network takes, gives and learns what it says."""

from itertools import product
from typing import Any

import pytest
import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from godeeper import GodeeperError, create_model, describe
from godeeper.models.build import AveragePool, ResidualBlock, build
from godeeper.models.network import Network
from godeeper.papers.notation import (
    CEIL,
    LRN,
    SAME,
    VALID,
    Adaptive,
    Avg,
    AvgTo,
    BatchNorm,
    Cat,
    Conv,
    Definition,
    Dropout,
    FullyConnected,
    Linear,
    LinearNorm,
    Max,
    Residual,
    Separable,
    Stage,
    times,
)
from godeeper.papers.shape import FeatureShape, TooSmall, Uneven, row_output
from godeeper.train.loss import ClassificationLoss

MODELS = ["googlenet", "googlenet_counted", "googlenet_bn"]  # Table 1, three ways; all networks are in test_every_model.py
TINY: dict[str, Any] = {"width": 0.25, "num_classes": 5, "small": True}


def images(size, count=2, channels=3, seed=0):
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
    x, described = images(97, count=1), describe(network, 97)
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
    "1x7": Conv(4, (1, 7)),
    "7x1": Conv(4, (7, 1)),
    "valid 1x7": Conv(4, (1, 7), padding=VALID),
    "valid 3x1/2": Conv(4, (3, 1), 2, VALID),
    "7x7/4 with 2 zeros": Conv(4, 7, 4, 2),
    "2x2/2 with a zero": Conv(4, 2, 2, 1),
    "max ceil": Max(3, 2, CEIL),
    "max ceil 2x2/2": Max(2, 2, CEIL),
    "max with a zero": Max(3, 2, 1),
    "average": Avg(3),
    "average valid": Avg(5, 3, VALID),
    "average, zeros counted": Avg(3, 2, counts_padding=True),
    "average ceil": Avg(3, 2, CEIL),
    "adaptive to 4": Adaptive(4),
    "adaptive to more": Adaptive(13),
    "residual": Residual(Cat([Conv(2)], [Conv(3), Conv(4, (1, 7))]), 0.17),
    "residuals": times(3, Residual(Cat([Conv(8)]), relu=False)),
    "cat of cats": Cat([Conv(2)], [Conv(3), Cat([Conv(4, (1, 3))], [Conv(5, (3, 1))])]),
}
NORMS = {"bias": None, "norm": BatchNorm(), "both": BatchNorm(conv_bias=True)}


@pytest.mark.parametrize("batch_norm", NORMS.values(), ids=NORMS)
@pytest.mark.parametrize("size", [11, 12])
@pytest.mark.parametrize("case", ROWS)
def test_every_row_is_built_as_it_is_counted(case, size, batch_norm):
    table = Definition("tiny", "made up", {"row": ROWS[case]}, {"linear": Linear(3)}, {}, batch_norm, image_size=size)
    with torch.device("meta"):
        network = Network(table)
    described = assert_counted(network, size)
    assert numbers(network) == described.parameters


@pytest.mark.parametrize("conv_bias", [False, True])
def test_an_embedding_is_built_as_it_is_counted(conv_bias):
    head = {"embedding": LinearNorm(6), "linear": Linear(3)}
    table = Definition("tiny", "made up", {"row": Conv(4, 3, 2)}, head, {}, BatchNorm(1e-4, 0.05, conv_bias), image_size=11)
    network = Network(table).to("meta").eval()
    described = assert_counted(network, 11)
    assert [numbers(module) for module in network.head.values()] == [4 * 36 * 6 + 12, 6 * 3 + 3]
    assert numbers(network) == described.parameters
    norm = network.head["embedding"].norm
    assert (norm.eps, norm.momentum, network.head["embedding"].fc.bias) == (1e-4, 0.05, None)


def place(row, size):
    """The output's height and width by the table's count, or None where nothing fits."""
    try:
        return row_output(row, FeatureShape(3, *size), None)[0].chw[1:]
    except TooSmall:
        return None


CONVOLUTIONS = [
    Conv(4, kernel, stride, padding)
    for kernel, stride, padding in product([1, 3, 5, (1, 7), (3, 1), 11], [1, 2, 3, 4], [SAME, VALID, 0, 1, 2])
]
POOLS = [
    word(kernel, stride, padding)
    for word, kernel, stride, padding in product([Max, Avg], [2, 3, 5, 11], [1, 2, 3, 4], [SAME, VALID, CEIL, 0, 1])
    if not (kernel % 2 == 0 and padding == SAME) and not (padding == CEIL and kernel < stride)
]
SPARSE = [word(1, 2, CEIL) for word in (Max, Avg)]  # of 4: at 0 and 2; a window at 4 would hang over altogether


@pytest.mark.parametrize("row", [*CONVOLUTIONS, *POOLS, *SPARSE], ids=repr)
def test_torch_finds_as_many_places_as_the_table(row):
    module = build(row, FeatureShape(3, 16, 16), None).to("meta")
    for size in [(side, side) for side in range(1, 17)] + [(3, 16), (16, 3), (7, 8)]:
        expected = place(row, size)
        try:
            found = tuple(module(torch.empty(1, 3, *size, device="meta")).shape[2:])
        except RuntimeError:
            found = None
        assert found == expected, size


def test_a_residual_block_adds_scaled_and_ends_in_relu_if_asked():
    x = images(5)
    for scale, relu in [(1.0, True), (0.17, True), (1.0, False), (0.2, False)]:
        block = build(Residual(Cat([Conv(2)], [Conv(3, 3)]), scale, relu), FeatureShape(3, 5, 5), None)
        assert isinstance(block, ResidualBlock)
        torch.nn.init.normal_(block.linear.bias)
        one, two = (F.relu(F.conv2d(x, b[0].conv.weight, b[0].conv.bias, padding=p)) for p, b in enumerate(block.body.branches))
        wanted = x + scale * F.conv2d(torch.cat([one, two], 1), block.linear.weight, block.linear.bias)
        assert wanted.min() < -0.5
        before = x.clone()
        torch.testing.assert_close(block(x), wanted.clamp(min=0) if relu else wanted)
        assert torch.equal(x, before)  # no ReLU wrote into its input


@pytest.mark.parametrize(("counted", "corner"), [(False, 1.0), (True, 4 / 9)])
def test_an_average_of_ones_shows_whether_zeros_count(counted, corner):
    averaged = build(Avg(3, counts_padding=counted), FeatureShape(1, 5, 5), None)(torch.ones(1, 1, 5, 5))
    assert averaged[0, 0, 0, 0].item() == pytest.approx(corner)
    assert averaged[0, 0, 2, 2].item() == pytest.approx(1)


def test_what_is_1x7_is_1_high_and_7_wide():
    x = torch.zeros(1, 1, 9, 9)
    x[0, 0, 4, 4] = 1
    for kernel, seen in {(1, 7): (1, 7), (7, 1): (7, 1)}.items():
        row = build(Conv(1, kernel), FeatureShape(1, 9, 9), None)
        torch.nn.init.ones_(row.conv.weight)
        torch.nn.init.zeros_(row.conv.bias)
        lit = row(x)[0, 0].nonzero()
        assert tuple((lit.amax(0) - lit.amin(0) + 1).tolist()) == seen


@pytest.mark.parametrize("name", ["googlenet", "googlenet_torchvision", "inception_resnet_v1_facenet", "alexnet"])
@torch.no_grad()
def test_embed_is_what_the_classifier_sees(name):
    network = create_model(name, **TINY).eval()
    seen = []
    network.head["linear"].linear.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    x = images(32)
    logits, embedding = network(x), network.embed(x)
    assert torch.equal(embedding, seen[0])
    assert (embedding[0] - embedding[1]).std() > 1e-3 * embedding.std() > 0
    linear = network.head["linear"].linear
    torch.testing.assert_close(embedding @ linear.weight.T + linear.bias, logits)


@pytest.mark.parametrize(("height", "width"), [(33, 33), (31, 32), (32, 31)])
def test_a_size_whose_branches_do_not_fit_is_refused_before_torch_sees_it(height, width):
    even = Cat([Max(3, 2, CEIL)], [Conv(2, 3, 2)])
    table = Definition("tiny", "made up", {"cat": even, "again": even}, {"avgpool": AvgTo(1), "linear": Linear(3)}, image_size=32)
    network = Network(table).eval()
    for fits in [(32, 32), (44, 32)]:
        assert network(torch.randn(2, 3, *fits)).shape == (2, 3)
    with pytest.raises(Uneven, match=f"tiny cannot take images of {height}x{width} pixels"):
        network(torch.randn(2, 3, height, width))


# What goes in, what comes out


@pytest.mark.parametrize("aux", [False, True])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_logits_are_always_a_plain_tensor(name, training, aux):
    network = create_model(name, aux=aux, **TINY).train(training)
    logits = network(images(32, count=3))
    assert type(logits) is torch.Tensor
    assert logits.shape == (3, 5)
    assert network.num_classes == 5


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_with_auxiliary_gives_the_logits_of_the_heads(name, training):
    network = create_model(name, aux=True, **TINY).train(training)
    logits, heads = network.with_auxiliary(images(32, count=3))
    assert list(heads) == ["aux1", "aux2"]
    assert [tensor.shape for tensor in (logits, *heads.values())] == [(3, 5)] * 3
    assert not torch.equal(heads["aux1"], heads["aux2"])


def test_without_heads_with_auxiliary_gives_the_logits_alone():
    network = create_model("googlenet", **TINY).eval()
    logits, heads = network.with_auxiliary(images(32))
    assert heads == {}
    assert torch.equal(logits, network(images(32)))


def test_taps_are_the_outputs_of_their_stages():
    network = create_model("googlenet", **TINY).eval()
    last, tapped = network.features(images(32), taps=["5b", "conv1", "4a"])
    assert set(tapped) == {"conv1", "4a", "5b"}
    assert torch.equal(tapped["5b"], last)
    assert torch.equal(tapped["conv1"], network.stages["conv1"](images(32)))  # no later stage wrote into it
    assert network.features(images(32))[1] == {}


def test_the_network_sees_oblong_images():
    network = create_model("googlenet", width=0.25, num_classes=5, aux=True).eval()
    logits, heads = network.with_auxiliary(torch.randn(1, 3, 97, 160))
    assert [tensor.shape for tensor in (logits, *heads.values())] == [(1, 5)] * 3


def test_other_channels_and_classes():
    network = create_model("googlenet_bn", in_channels=1, num_classes=7, width=0.25, small=True).eval()
    assert network(images(32, channels=1)).shape == (2, 7)


@pytest.mark.parametrize("name", MODELS)
def test_small_keeps_16x16_for_3a(name):
    _, tapped = create_model(name, **TINY).eval().features(images(32), taps=["3a", "4a", "5a"])
    assert [tuple(tapped[stage].shape[2:]) for stage in ("3a", "4a", "5a")] == [(16, 16), (8, 8), (4, 4)]


def test_average_pool_to():
    x = images(14).double()
    assert torch.equal(AveragePool(AvgTo(4))(x), F.avg_pool2d(x, 5, 3))
    assert torch.equal(AveragePool(AvgTo(2))(x[..., :9, :]), F.avg_pool2d(x[..., :9, :], (5, 7), (4, 7)))
    for oblong in (x, x[..., :7, :]):
        assert torch.allclose(AveragePool(AvgTo(1))(oblong), F.adaptive_avg_pool2d(oblong, 1), rtol=1e-12, atol=1e-12)


# Bad input

# Without heads same padding takes any image. With heads 4a must be 4x4: after four halvings, rounded up, 49 -> 25 -> 13 ->
# 7 -> 4. A small network halves twice only: 13 -> 7 -> 4.
MINIMUM = [(False, False, 1), (True, False, 49), (False, True, 1), (True, True, 13)]


@pytest.mark.parametrize(("aux", "small", "minimum"), MINIMUM)
@pytest.mark.parametrize("name", MODELS)
def test_minimum_size(name, aux, small, minimum):
    network = create_model(name, width=0.25, num_classes=5, aux=aux, small=small).eval()
    assert network.minimum_size == 1
    logits, heads = network.with_auxiliary(images(minimum))
    assert all(tensor.shape == (2, 5) for tensor in (logits, *heads.values()))
    for shape in [(minimum - 1, minimum - 1), (minimum - 1, 64), (64, minimum - 1)]:
        with pytest.raises(GodeeperError, match=f"at least {minimum}x{minimum} pixels, not {shape[0]}x{shape[1]}$"):
            network.with_auxiliary(torch.zeros(1, 3, *shape))
    assert network(images(1)).shape == (2, 5)  # heads or not: only the loss runs them


@pytest.mark.parametrize("shape", [(3, 32, 32), (2, 1, 32, 32), (2, 4, 32, 32), (2, 32, 32, 3), (2, 3, 32), (1, 2, 3, 32, 32)])
def test_a_wrong_shape_is_refused(shape):
    network = create_model("googlenet", **TINY)
    with pytest.raises(GodeeperError, match=r"googlenet takes images of shape \(N, 3, H, W\), not \(") as caught:
        network(torch.zeros(shape))
    assert str(shape) in str(caught.value)


def test_an_unknown_tap_names_the_nearest():
    with pytest.raises(GodeeperError, match="unknown stage 'conv3': did you mean 'conv"):
        create_model("googlenet", **TINY).features(images(32), taps=["3a", "conv3"])


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
    logits, auxiliary = network.with_auxiliary(images(32, count=8))
    ClassificationLoss()(logits, torch.arange(8) % 5, auxiliary).backward()
    assert logits.shape == (8, 5)
    gradients = {key: parameter.grad for key, parameter in network.named_parameters()}
    assert any(key.startswith("auxiliary.aux2.") for key in gradients)
    dead = [key for key, grad in gradients.items() if grad is None or not grad.isfinite().all() or not grad.any()]
    assert dead == []


def test_the_loss_adds_the_heads_at_their_weight():
    network = create_model("googlenet", aux=True, **TINY).eval()
    x, labels = images(32, count=4), torch.tensor([0, 1, 2, 3])
    logits, heads = network.with_auxiliary(x)
    main, first, second = (F.cross_entropy(tensor, labels) for tensor in (logits, *heads.values()))
    assert torch.allclose(ClassificationLoss()(logits, labels, heads), main + 0.3 * first + 0.3 * second)  # Section 5: 0.3
    assert torch.allclose(ClassificationLoss(auxiliary_weight=0)(logits, labels, heads), main)


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
    last, outputs = network.features(images(224), network.stages)
    logits = network.classify(last)
    for stage, output in outputs.items():
        assert 0.1 < output.std() < 30, stage
        assert (output[0] - output[1]).std() > 0.1, stage  # two images, two answers
    assert logits.isfinite().all()
    assert (logits[0] - logits[1]).std() > 0.005
    assert logits.std() < 3  # near equal probabilities


@pytest.mark.filterwarnings("ignore")  # torch.jit is deprecated, and names every number that it takes as fixed
def test_a_network_with_heads_is_traced_to_one_that_gives_logits():
    """As in pytorch/vision#6121, where it gives another type."""
    torch.manual_seed(0)
    network = create_model("googlenet", num_classes=3, width=0.125, small=True, aux=True).eval()
    x = torch.randn(1, 3, 32, 32)
    torch.testing.assert_close(torch.jit.trace(network, x)(x), network(x))
