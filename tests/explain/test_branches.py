"""What branches contribute: sums that are known, captum's own ablation, blocks by hand."""

import re

import numpy as np
import pytest
import torch
from captum.attr import LayerFeatureAblation
from PIL import Image
from torch.nn import functional as F

from godeeper import GodeeperError, create_model
from godeeper.explain.branches import branch_contributions, branch_maps
from godeeper.explain.cam import class_maps, grad_cam
from godeeper.explain.centre_crop import centre_crop
from godeeper.preprocess import Preprocess
from networks import alive


def made(name, size=159):
    torch.manual_seed(0)
    network = alive(create_model(name, num_classes=4, width=0.125))
    network.preprocess = Preprocess.of(size)
    return network


@pytest.fixture(scope="module")
def image():
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    "name", ["googlenet", "bn_inception", "inception_v3", pytest.param("inception_v4", marks=pytest.mark.slow)]
)
def test_before_an_average_pool_and_a_linear_layer_the_branches_sum_to_the_logit_less_its_bias(name, image):
    network = made(name)
    parts = branch_contributions(network, image, [2, 0])
    with torch.no_grad():
        logits = network(centre_crop(network, image))[0]
    bias = network.head["linear"].linear.bias
    for place, label in enumerate((2, 0)):
        total = sum(part.logits[place] for part in parts)
        assert total == pytest.approx((logits[label] - bias[label]).item(), rel=1e-4, abs=1e-4)
    assert len({part.logits for part in parts}) == len(parts) == 4


@pytest.mark.parametrize(("name", "stage"), [("googlenet", "3a"), ("googlenet_bn", "4c"), ("inception_v3", "reduction_a")])
def test_in_the_middle_they_are_captums_ablation(name, stage, image):
    network = made(name)
    parts = branch_contributions(network, image, [1], stage)
    with torch.no_grad():
        places = list(network.stages)
        _, tapped = network.features(centre_crop(network, image), places)
        given = tapped[places[places.index(stage) - 1]]
        widths = [branch(given).shape[1] for branch in network.stages[stage].branches]
    groups = torch.repeat_interleave(torch.arange(len(widths)), torch.tensor(widths))[None, :, None, None]
    ablation = LayerFeatureAblation(network, network.stages[stage])
    with torch.no_grad():
        fell = ablation.attribute(centre_crop(network, image), target=1, layer_mask=groups)
    starts = np.cumsum([0, *widths[:-1]])
    assert [part.logits[0] for part in parts] == pytest.approx(fell[0, starts, 0, 0].tolist(), rel=1e-3, abs=1e-4)
    assert max(abs(part.logits[0]) for part in parts) > 0.01


@torch.no_grad()
def test_a_residual_blocks_parts_by_hand(image):
    network = made("inception_resnet_v1")
    *earlier, block = network.stages["C"]
    x, tapped = centre_crop(network, image), {}
    for name, stage in network.stages.items():
        x = stage(x) if name != "C" else torch.nn.Sequential(*earlier)(x)
        tapped[name] = x
    first, second = (branch(x) for branch in block.body.branches)
    weight = block.linear.weight[:, :, 0, 0]

    def logit(one, two, shortcut=1, residual=1):
        added = torch.einsum("oc,nchw->nohw", weight, torch.cat([one, two], 1)) + block.linear.bias[:, None, None]
        return network.classify(F.relu(shortcut * x + residual * 0.2 * added))[0, 3].item()

    whole = logit(first, second)
    expected = [
        whole - logit(0 * first, second), whole - logit(first, 0 * second), whole - logit(first, second, shortcut=0),
        whole - logit(first, second, residual=0),
    ]  # fmt: skip
    parts = branch_contributions(network, image, [3], "C")
    assert [part.logits[0] for part in parts] == pytest.approx(expected, rel=1e-3, abs=1e-4)
    assert [part.branch for part in parts] == ["1x1 24", "1x1 24, 1x3 24, 3x1 24", "shortcut", "residual"]
    assert min(map(abs, expected)) > 1e-3


def test_without_a_last_relu_the_residual_is_its_branches_and_its_bias(image):
    network = made("inception_resnet_v1_facenet")
    one, two, shortcut, residual = (part.logits[0] for part in branch_contributions(network, image, [0]))
    with torch.no_grad():
        logit = network(centre_crop(network, image))[0, 0].item()
        network.stages["C_last"].linear.bias.zero_()
        of_bias = logit - network(centre_crop(network, image))[0, 0].item()
    assert residual == pytest.approx(one + two + of_bias, rel=1e-3, abs=1e-3)
    assert min(abs(one), abs(two), abs(shortcut), abs(of_bias)) > 1e-3


def test_maps_of_the_last_modules_branches_are_the_class_map_in_parts(red_or_green, two_squares):
    image = two_squares((64, 64), (4, 4), (40, 40))
    red, green = branch_maps(red_or_green, image, 0)
    (whole,) = class_maps(red_or_green, image, [0])
    assert torch.allclose(red, whole, atol=1e-6)  # green speaks against red, which is not shown
    assert not green.any()
    for_red, for_green = branch_contributions(red_or_green, image, [0, 1])
    assert for_red.logits[0] > 0 > for_red.logits[1]
    assert for_green.logits[1] > 0 > for_green.logits[0]


def test_branch_maps_share_one_scale(image):
    network = made("googlenet")
    maps = branch_maps(network, image, 1, "4c", (240, 180))
    assert [heat.shape for heat in maps] == [(180, 240)] * 4
    x = centre_crop(network, image)
    most = [grad_cam(network, x, branch, 1).max().item() for branch in network.stages["4c"].branches]
    expected = [max(0, one) / max(most) for one in most]
    assert [heat.max().item() for heat in maps] == pytest.approx(expected, abs=0.05)
    assert sum(0.1 < one < 0.9 for one in expected) > 0


def test_the_network_is_left_as_it_was(image):
    network = made("inception_resnet_v1")
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    expected = branch_contributions(network, image, [0])
    network.train()
    assert branch_contributions(network, image, [0]) == expected
    branch_maps(network, image, 0)
    assert all(module.training and not module._forward_hooks for module in network.modules())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in network.parameters())
    assert all(torch.equal(tensor, before[key]) for key, tensor in network.state_dict().items())


@pytest.mark.parametrize(("name", "stage", "message"), [
    ("googlenet", "4z", "unknown module '4z': did you mean '4e'?"),
    ("googlenet", "pool3", "pool3 of googlenet has no branches: choose one of: 3a, 3b, 4a"),
    ("alexnet", "conv1", "alexnet has no modules with branches"), ("alexnet", None, "alexnet has no modules with branches"),
])  # fmt: skip
def test_modules_that_there_are_not(image, name, stage, message):
    with pytest.raises(GodeeperError, match=re.escape(message)):
        branch_contributions(create_model(name, num_classes=2, width=0.05), image, [0], stage)
