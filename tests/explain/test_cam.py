"""Class maps: against the classifier's own weights, against evidence whose place is known, on every network and odd image."""

import sys

import numpy as np
import pytest
import torch
from PIL import Image

from godeeper import GodeeperError, create_model, list_models
from godeeper.explain.cam import COLOUR_RAMP, class_maps, grad_cam, last_features, overlay
from godeeper.explain.centre_crop import crop_box, spread_over_image
from godeeper.explain.receptive_field import receptive_field
from godeeper.preprocess import Preprocess
from networks import alive, images


def noise(width, height):
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    "name", ["googlenet", "googlenet_bn", "inception_v3", pytest.param("inception_resnet_v2", marks=pytest.mark.slow)]
)
def test_after_an_average_pool_the_map_is_the_features_weighted_by_the_classifiers_weights(name):
    torch.manual_seed(0)
    network = alive(create_model(name, num_classes=3, width=0.125))
    x = images(160, count=1)
    with torch.no_grad():
        features, _ = network.features(x)
        logits = network(x)[0]
    linear = network.head["linear"].linear
    for label in range(3):
        values = grad_cam(network, x, network.stages[last_features(network.definition)], label)
        by_hand = torch.einsum("c,chw->hw", linear.weight[label], features[0]) / features[0, 0].numel()
        assert torch.allclose(values, by_hand, atol=1e-5 * by_hand.abs().max().item())
        assert values.sum().item() == pytest.approx((logits[label] - linear.bias[label]).item(), rel=1e-4, abs=1e-4)
        assert values.std() > 0


@pytest.mark.parametrize(("width", "height", "red", "green"), [
    (64, 64, (4, 4), (40, 40)), (64, 64, (44, 2), (8, 44)), (128, 128, (20, 80), (90, 10)), (100, 64, (24, 40), (60, 4)),
    (32, 48, (2, 10), (16, 24)),
])  # fmt: skip
def test_the_map_of_a_class_peaks_where_its_evidence_is(red_or_green, two_squares, width, height, red, green):
    side = 16 * min(width, height) // 64
    image = two_squares((width, height), red, green, side)
    for heat, (left, top) in zip(class_maps(red_or_green, image, [0, 1]), (red, green), strict=True):
        assert heat.shape == (height, width)
        assert heat.min() == 0
        assert heat.max() == pytest.approx(1, abs=0.02)
        inside = heat[top : top + side, left : left + side]
        assert inside.max() == heat.max()
        assert inside.mean() > 0.5
        rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        centre = [(heat * axis).sum() / heat.sum() + 0.5 for axis in (columns, rows)]
        assert centre == pytest.approx([left + side / 2, top + side / 2], abs=0.2 * side)


def test_what_lies_outside_the_crop_has_no_evidence(red_or_green, two_squares):
    image = two_squares((200, 64), (100, 20), (0, 20))  # the green square is not looked at
    assert crop_box(red_or_green, (200, 64)) == (68, 0, 132, 64)
    red, green = class_maps(red_or_green, image, [0, 1])
    assert red[28, 108] == pytest.approx(1, abs=0.02)
    assert not red[:, :68].any()
    assert not red[:, 132:].any()
    assert not green.any()  # nothing speaks for it


def test_maps_at_another_size_are_the_same_maps(red_or_green, two_squares):
    image = two_squares((128, 128), (20, 80), (90, 10), 32)
    (heat,), (small,) = (class_maps(red_or_green, image, [0], size) for size in (None, (64, 64)))
    assert small.shape == (64, 64)
    pooled = torch.nn.functional.avg_pool2d(heat[None], 2)[0]
    assert (small - pooled).abs().mean() < 0.01


@pytest.mark.parametrize("name", ["googlenet", "inception_v4"])
def test_each_units_value_stands_in_the_middle_of_what_it_sees(name):
    network = create_model(name, num_classes=2, width=0.125)
    size = network.preprocess.image_size
    network.preprocess = Preprocess.of(size, crop_fraction=1.0)
    field = receptive_field(network.definition, "3a" if name == "googlenet" else "A")
    grid = torch.zeros(20, 20)
    grid[5, 11] = 1
    heat = spread_over_image(grid, field, network, (size, size))
    for axis, (extent, unit) in enumerate(zip(field, (5, 11), strict=True)):
        weight = heat.sum(1 - axis)
        centre = (weight * (torch.arange(size) + 0.5)).sum() / weight.sum()
        start = extent.start + unit * extent.stride
        assert centre.item() == pytest.approx(start + extent.size / 2, abs=0.01)


FAST = ("googlenet", "inception_resnet_v1_facenet", "alexnet")


@pytest.mark.parametrize("name", [pytest.param(name, marks=[] if name in FAST else pytest.mark.slow) for name in list_models()])
def test_every_network_has_maps_and_is_left_as_it_was(name):
    torch.manual_seed(0)
    network = alive(create_model(name, num_classes=6, width=0.125 if "vgg" not in name else 0.05))
    network.preprocess = Preprocess.of(159)
    next(network.stages.children()).train()  # one stage in training, the rest not
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    modes = {key: module.training for key, module in network.named_modules()}
    maps = class_maps(network, noise(120, 90), range(6))
    again = class_maps(network.requires_grad_(False), noise(120, 90), range(6))
    assert all(torch.equal(one, other) for one, other in zip(maps, again, strict=True))
    assert len({heat.numpy().tobytes() for heat in maps}) > 2
    for heat in maps:
        assert heat.shape == (90, 120)
        assert 0 <= heat.min() <= heat.max() <= 1
        assert not heat[:, :10].any()
    assert max(heat.max().item() for heat in maps) > 0.5
    assert all(torch.equal(tensor, before[key]) for key, tensor in network.state_dict().items())
    assert modes == {key: module.training for key, module in network.named_modules()}
    assert not any(parameter.grad is not None or parameter.requires_grad for parameter in network.parameters())
    assert not any(module._forward_hooks or module._forward_pre_hooks or module._backward_hooks for module in network.modules())


@pytest.mark.parametrize(("name", "stage"), [
    ("googlenet", "5b"), ("inception_resnet_v2", "conv6"), ("inception_resnet_v1_facenet", "C_last"), ("alexnet", "conv5"),
    ("zfnet", "conv5"), ("vgg16", "conv5"),
])  # fmt: skip
def test_the_last_features_are_those_before_any_last_pool(name, stage):
    assert last_features(create_model(name, width=0.05).definition) == stage


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 2), (32, 32), (28, 31)])
def test_tiny_and_long_images(red_or_green, size):
    (heat,) = class_maps(red_or_green, Image.new("RGB", size, "red"), [0])
    assert heat.shape == size[::-1]
    assert heat.max() > 0.9
    left, top, right, bottom = crop_box(red_or_green, size)
    assert 0 <= left < right <= size[0]
    assert 0 <= top < bottom <= size[1]


def test_no_such_class(red_or_green):
    for label in (2, -1):
        with pytest.raises(GodeeperError, match=f"red_or_green has the classes 0 to 1, not {label}"):
            class_maps(red_or_green, Image.new("RGB", (9, 9)), [label])


def test_without_captum(monkeypatch, red_or_green):
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    with pytest.raises(GodeeperError, match=r"captum.attr is not installed .*pip install .*\[explain\]'"):
        class_maps(red_or_green, Image.new("RGB", (9, 9)), [0])


def test_an_overlay_is_grey_where_there_is_no_evidence_and_the_warmer_the_more_there_is():
    image = noise(6, 4)
    heat = torch.zeros(4, 6)
    heat[1, 2], heat[3, 5] = 0.5, 1
    drawn = np.array(overlay(image, heat)).astype(int)
    grey = np.array(image.convert("L")).astype(int)
    plain = heat.numpy() == 0
    assert (drawn[plain] == grey[plain][:, None]).all()
    most = np.array(list(bytes.fromhex(COLOUR_RAMP[-1][1:])))
    assert abs(drawn[3, 5] - (0.4 * grey[3, 5] + 0.6 * most)).max() <= 1
    assert drawn[1, 2, 0] - drawn[1, 2, 2] > 40  # red


def test_an_overlay_enlarges_a_tiny_image_by_its_pixels():
    image = noise(2, 2)
    drawn = np.array(overlay(image, torch.zeros(8, 8)))
    assert (drawn == np.array(image.convert("L")).repeat(4, 0).repeat(4, 1)[..., None]).all()
