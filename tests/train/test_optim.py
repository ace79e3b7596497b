import math

import pytest
import torch

from godeeper import create_model
from godeeper.train.optim import WeightAverage, learning_rate, make_optimizer
from godeeper.train.recipe import Recipe


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (0, 0.1 * 1 / 20),  # warm-up: 2 epochs of 10 steps
        (19, 0.1),
        (20, 0.1),  # the cosine begins
        (60, 0.1 * 0.5 * (1 + math.cos(math.pi * 4 / 8))),  # half of the remaining 8 epochs
        (100, 0.0),
    ],
)
def test_cosine_schedule_with_warm_up(step, expected):
    recipe = Recipe(epochs=10, lr=0.1, warmup_epochs=2, schedule="cosine")
    assert learning_rate(recipe, step, 10) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("epoch", "expected"), [(0, 0.01), (7, 0.01), (8, 0.0096), (16, 0.009216)])
def test_the_papers_schedule_falls_by_4_percent_every_8_epochs(epoch, expected):
    recipe = Recipe(epochs=100, lr=0.01, warmup_epochs=0, schedule="step", step_epochs=8, step_factor=0.96)
    assert learning_rate(recipe, epoch * 5, 5) == pytest.approx(expected)


def test_one_step_of_sgd_by_hand():
    layer = torch.nn.Linear(1, 1)
    torch.nn.init.constant_(layer.weight, 2.0)
    torch.nn.init.constant_(layer.bias, 1.0)
    optimizer = make_optimizer([(1.0, list(layer.parameters()))], Recipe(lr=0.1, momentum=0.9, nesterov=False, weight_decay=0.5))
    for _ in range(2):
        layer.weight.grad, layer.bias.grad = torch.full((1, 1), 3.0), torch.full((1,), 3.0)
        optimizer.step()
    # weight: v = 3 + 0.5 * 2 = 4, w = 1.6; v = 0.9 * 4 + 3 + 0.5 * 1.6 = 7.4, w = 0.86
    # bias, without decay: v = 3, b = 0.7; v = 2.7 + 3 = 5.7, b = 0.13
    assert layer.weight.item() == pytest.approx(0.86)
    assert layer.bias.item() == pytest.approx(0.13)


def test_the_average_follows_its_formula():
    network = create_model("googlenet_bn", num_classes=2, width=0.25, small=True)
    weight = network.stages["conv1"].conv.weight
    variance = network.stages["conv1"].norm.running_var
    torch.nn.init.constant_(weight, 1.0)
    average = WeightAverage(network, ema_decay=0.5)
    torch.nn.init.constant_(weight, 3.0)
    variance.fill_(11.0)
    average.update(network, step=0)  # decay (1 + 0) / (10 + 0) = 0.1
    averaged = average.network.stages["conv1"]
    assert torch.allclose(averaged.conv.weight, torch.tensor(0.1 * 1 + 0.9 * 3))
    assert torch.allclose(averaged.norm.running_var, torch.tensor(0.1 * 1 + 0.9 * 11))
    average.update(network, step=100)  # now 0.5
    assert torch.allclose(averaged.conv.weight, torch.tensor(0.5 * 2.8 + 0.5 * 3))
