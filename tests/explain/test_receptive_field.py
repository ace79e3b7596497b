"""The receptive field of a unit, against the pixels that its value depends on."""

import pytest
import torch
from torch import nn

from godeeper import GodeeperError, create_model, describe, list_models
from godeeper.explain.receptive_field import receptive_field
from godeeper.papers.registry import definition


def dependent(name, stage, channel, size):
    """A unit in the middle of a stage, and first and last row and column of the pixels that its value depends on."""
    network = create_model(name, num_classes=2, width=0.125).eval()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.abs_()  # nothing cancels, and no ReLU is shut
    for module in list(network.modules()):  # of a window, a max pool would pass on one place only
        for key, child in list(module.named_children()):
            if isinstance(child, nn.MaxPool2d):
                pool = nn.AvgPool2d(child.kernel_size, child.stride, child.padding, child.ceil_mode)
                setattr(module, key, pool) if not isinstance(module, nn.ModuleDict) else module.update({key: pool})
    x = torch.ones(1, 3, *size, dtype=torch.float64, requires_grad=True)
    _, tapped = network.double().features(x, [stage])
    row, column = (side // 2 for side in tapped[stage].shape[2:])
    tapped[stage][0, channel, row, column].backward()
    rows, columns = (x.grad[0].abs().sum((0, dim)).nonzero().flatten() for dim in (2, 1))
    return network, (row, column), [(rows[0].item(), rows[-1].item()), (columns[0].item(), columns[-1].item())]


@pytest.mark.parametrize(
    ("name", "stage", "channel", "size"),
    [
        ("googlenet", "pool2", 0, (128, 128)),
        ("googlenet", "3a", 0, (160, 192)),  # the 1x1 branch
        ("googlenet", "3a", 8, (160, 192)),  # 3x3
        ("googlenet", "3a", 24, (160, 192)),  # 5x5
        ("googlenet", "3a", 32, (160, 192)),  # pool
        ("googlenet", "4a", 30, (320, 320)),
        ("googlenet_torchvision", "pool3", 20, (224, 224)),  # pools that round up
        ("googlenet_counted", "conv1", 1, (40, 40)),  # separable
        ("inception_v3", "reduction_a", 50, (299, 299)),  # valid padding
        ("inception_v4", "concat2", 0, (160, 160)),
        ("inception_v4", "concat2", 14, (160, 160)),  # 7x1 and 1x7
        ("inception_resnet_v1", "A", 5, (299, 299)),  # a residual block sees its input and its branches
        ("alexnet", "conv5", 7, (300, 300)),
        ("zfnet", "pool2", 7, (224, 224)),
    ],
)
def test_a_unit_depends_on_the_pixels_of_its_receptive_field(name, stage, channel, size):
    network, place, depends = dependent(name, stage, channel, size)
    for extent, number, (first, last) in zip(receptive_field(network.definition, stage, channel), place, depends, strict=True):
        assert (extent.start + number * extent.stride, extent.size) == (first, last - first + 1)


def test_the_channels_of_a_module_see_what_their_branch_sees_and_the_module_the_most():
    googlenet = definition("googlenet")
    fields = [receptive_field(googlenet, "3a", channel)[0].size for channel in (0, 64, 192, 224)]
    assert fields == [27, 27 + 2 * 8, 27 + 4 * 8, 27 + 2 * 8]  # 3a's input sees 27 pixels, 8 apart
    assert receptive_field(googlenet, "3a")[0].size == describe("googlenet")["3a"].receptive_field == max(fields)


@pytest.mark.parametrize("name", list_models())
def test_the_receptive_fields_of_the_description(name):
    table, described = definition(name), describe(name)
    for stage in table.stages:
        assert max(extent.size for extent in receptive_field(table, stage)) == described[stage].receptive_field


def test_unknown_stages_and_channels():
    with pytest.raises(GodeeperError, match="unknown stage 'pool9': did you mean 'pool4'"):
        receptive_field(definition("googlenet"), "pool9")
    for channel in (256, -1):
        with pytest.raises(GodeeperError, match=f"3a of googlenet has the channels 0 to 255, not {channel}"):
            receptive_field(definition("googlenet"), "3a", channel)
