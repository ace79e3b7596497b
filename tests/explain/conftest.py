"""A network that knows red from green, its weights set by hand, and images of a red and a green square."""

import numpy as np
import pytest
import torch
from PIL import Image

from godeeper.models.network import Network
from godeeper.papers.notation import VALID, AvgTo, Cat, Conv, Definition, Linear, Max
from godeeper.preprocess import Preprocess


@pytest.fixture
def red_or_green() -> Network:
    """Of its only module, branch 0 is red that is not green, branch 1 the reverse; class 0 likes the one, class 1 the other."""
    definition = Definition(
        name="red_or_green",
        source="by hand",
        stages={
            "conv1": Conv(3, 3, stride=2),
            "pool1": Max(3, 2, VALID),
            "mixed": Cat([Conv(1)], [Conv(1)]),
        },
        head={"avgpool": AvgTo(1), "linear": Linear(2)},
        image_size=64,
    )
    network = Network(definition).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        for colour in range(3):
            network.stages["conv1"].conv.weight[colour, colour, 1, 1] = 1
        for own, (branch,) in enumerate(network.stages["mixed"].branches):
            branch.conv.weight[0, :, 0, 0] = torch.tensor([-1.0, -1.0, -1.0])
            branch.conv.weight[0, own] = 1
        network.head["linear"].linear.weight.copy_(torch.tensor([[5.0, -3.0], [-3.0, 5.0]]))
        network.head["linear"].linear.bias.copy_(torch.tensor([0.5, -0.5]))
    network.preprocess = Preprocess.of(64, mean=(0, 0, 0), std=(1, 1, 1), crop_fraction=1.0)
    network.classes = ("red", "green")
    return network


def squares(size, red, green, side=16):
    """A black image with a red and a green square, by their left upper corners; None for neither."""
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    for channel, corner in enumerate((red, green)):
        if corner is not None:
            pixels[corner[1] : corner[1] + side, corner[0] : corner[0] + side, channel] = 255
    return Image.fromarray(pixels)


@pytest.fixture
def two_squares():
    return squares
