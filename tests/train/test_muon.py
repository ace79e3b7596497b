"""Muon against singular values by torch.linalg, and against steps worked out by hand."""

import pytest
import torch

from godeeper import create_model
from godeeper.train.muon import Muon, orthogonal
from godeeper.train.optim import make_optimizer, scaled_parameters, set_learning_rate
from godeeper.train.recipe import Recipe


@pytest.mark.parametrize("shape", [(16, 40), (40, 16)])
def test_orthogonal_keeps_the_singular_vectors_and_equalises_the_values(shape):
    torch.manual_seed(0)
    left, _ = torch.linalg.qr(torch.randn(shape[0], 16))
    right, _ = torch.linalg.qr(torch.randn(shape[1], 16))
    made = orthogonal(left @ torch.diag(torch.linspace(0.3, 1.0, 16)) @ right.T)
    values = left.T @ made @ right
    assert values.diagonal().min() > 0.6
    assert values.diagonal().max() < 1.25
    assert (values - torch.diag(values.diagonal())).abs().max() < 0.03  # bfloat16
    assert torch.linalg.matrix_norm(made - left @ values @ right.T) < 0.05


def test_a_step_is_as_large_whatever_the_gradient():
    torch.manual_seed(0)
    gradient, weights = torch.randn(4, 3, 3, 3), [torch.nn.Parameter(torch.ones(4, 3, 3, 3)) for _ in range(2)]
    for weight, factor in zip(weights, (1.0, 1024.0), strict=True):
        weight.grad = factor * gradient
        Muon([weight], lr=0.1, weight_decay=0.5).step()
    assert torch.allclose(*weights, atol=1e-3)
    step = (weights[0] - (1 - 0.1 * 0.5)) / -0.1  # w <- (1 - lr * weight_decay) * w - lr * u
    assert torch.allclose(step, orthogonal(gradient.flatten(1)).view_as(gradient), atol=0.02)  # bfloat16


def test_momentum_is_nesterovs():
    """Of opposite gradients, the second step follows the second: 0.6 * (0.6 - 1) - 1 is below 0."""
    first, second = torch.eye(4).view(4, 4, 1, 1), -torch.eye(4).view(4, 4, 1, 1)
    weight = torch.nn.Parameter(torch.zeros(4, 4, 1, 1))
    optimizer = Muon([weight], lr=1.0, momentum=0.6)
    weight.grad = first
    optimizer.step()
    before = weight.detach().clone()
    weight.grad = second
    optimizer.step()
    assert optimizer.state[weight]["momentum_buffer"].diagonal().flatten().tolist() == pytest.approx([-0.4] * 4)
    assert (weight - before).diagonal().min() > 0.5  # -1 + 0.6 * -0.4 < 0: against the gradient
    assert before.diagonal().max() < -0.5


def test_the_rest_takes_steps_of_adamw_by_hand():
    """lr 0.1, betas 0.5 and 0.5, gradients 2, then -4, from 1: means 2 and -1, mean squares 4 and 10."""
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = Muon([{"params": [weight], "adamw": True}], lr=0.1, betas=(0.5, 0.5), eps=0.0)
    for gradient, expected in ((2.0, 1 - 0.1), (-4.0, 0.9 + 0.1 / 10**0.5)):
        weight.grad = torch.tensor([gradient])
        optimizer.step()
        assert weight.item() == pytest.approx(expected)


def test_a_recipe_gives_filters_to_muon_and_the_rest_to_adamw():
    network = create_model("googlenet_bn", num_classes=2, width=0.25, small=True)
    recipe = Recipe(
        optimizer="muon", lr=0.2, adamw_lr=0.01, bias_lr=0.02, weight_decay=0.1, schedule="linear", warmup_epochs=0, epochs=2
    )
    optimizer = make_optimizer(scaled_parameters(network, 1.0), recipe)
    filters, linear, biases = optimizer.param_groups
    assert [{parameter.ndim for parameter in group["params"]} for group in optimizer.param_groups] == [{4}, {2}, {1}]
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(list(network.parameters()))
    assert [group["adamw"] for group in optimizer.param_groups] == [False, True, True]
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.1, 0.0, 0.0]
    set_learning_rate(optimizer, recipe, step=5, steps_per_epoch=5)  # half of the run
    assert (filters["lr"], linear["lr"], biases["lr"]) == pytest.approx((0.1, 0.005, 0.01))


@pytest.mark.parametrize("wrong", [{"momentum": 1.0}, {"lr": -1.0}, {"betas": (0.9, 1.0)}, {"weight_decay": -0.1}, {"eps": -1.0}])
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Muon([torch.nn.Parameter(torch.ones(1, 1, 1, 1))], **wrong)
