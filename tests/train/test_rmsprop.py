"""TensorFlow's RMSProp, against its formula worked out in plain numbers, and against the other one."""

from math import sqrt

import pytest
import torch

from godeeper import RMSpropTF

# lr 0.1, decay 0.9, eps 1.0, momentum 0.9, from w = 1 with gradient 2, then -1:
# m = 0.9 * 1 + 0.1 * 4 = 1.3; b = 0.1 * 2 / sqrt(2.3); then m = 0.9 * 1.3 + 0.1 * 1 = 1.27; b = 0.9 b - 0.1 / sqrt(2.27)
FIRST = 0.2 / sqrt(2.3)
SECOND = 0.9 * FIRST - 0.1 / sqrt(2.27)


def stepped(optimizer, weight, gradients):
    for gradient in gradients:
        weight.grad = torch.tensor([gradient], dtype=weight.dtype)
        optimizer.step()
    return weight.item()


def one(value=1.0):
    return torch.nn.Parameter(torch.full((1,), value, dtype=torch.float64))


def test_two_steps_by_hand():
    weight = one()
    optimizer = RMSpropTF([weight], lr=0.1)
    assert stepped(optimizer, weight, [2.0]) == pytest.approx(1 - FIRST, rel=1e-12)
    assert stepped(optimizer, weight, [-1.0]) == pytest.approx(1 - FIRST - SECOND, rel=1e-12)
    assert optimizer.state[weight]["mean_square"].item() == pytest.approx(1.27, rel=1e-12)


def test_weight_decay_is_added_to_the_gradient():
    plain, decayed = one(3.0), one(3.0)
    expected = stepped(RMSpropTF([plain], lr=0.1), plain, [2.0 + 0.5 * 3.0])
    assert stepped(RMSpropTF([decayed], lr=0.1, weight_decay=0.5), decayed, [2.0]) == pytest.approx(expected, rel=1e-12)


def test_the_rate_is_inside_the_momentum_buffer():
    """A rate that falls to nothing does not stop what is already moving."""
    weight = one()
    optimizer = RMSpropTF([weight], lr=0.1)
    stepped(optimizer, weight, [2.0])
    optimizer.param_groups[0]["lr"] = 0.0
    assert stepped(optimizer, weight, [5.0]) == pytest.approx(1 - FIRST - 0.9 * FIRST, rel=1e-12)


def test_torchs_own_is_another_optimizer():
    ours, theirs = one(), one()
    there = torch.optim.RMSprop([theirs], lr=0.1, alpha=0.9, eps=1.0, momentum=0.9)
    assert stepped(RMSpropTF([ours], lr=0.1), ours, [2.0]) != pytest.approx(stepped(there, theirs, [2.0]), rel=0.01)


def test_many_weights_step_as_each_alone():
    torch.manual_seed(0)
    weights = [torch.nn.Parameter(torch.randn(size)) for size in ((3,), (4, 5), (2, 3, 1, 1))]
    alone = [torch.nn.Parameter(weight.detach().clone()) for weight in weights]
    together = RMSpropTF(weights, lr=0.05, weight_decay=0.1)
    each = [RMSpropTF([weight], lr=0.05, weight_decay=0.1) for weight in alone]
    for _ in range(3):
        for first, second in zip(weights, alone, strict=True):
            first.grad = torch.randn_like(first)
            second.grad = first.grad.clone()
        for optimizer in (together, *each):
            optimizer.step()
    for first, second in zip(weights, alone, strict=True):
        assert torch.equal(first, second)


def test_a_closure_is_evaluated_and_what_has_no_gradient_stays():
    used, unused = torch.nn.Parameter(torch.ones(2)), torch.nn.Parameter(torch.ones(2))
    optimizer = RMSpropTF([used, unused], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = (used**2).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 2.0
    assert (used < 1).all()
    assert torch.equal(unused, torch.ones(2))


@pytest.mark.parametrize("wrong", [{"lr": -1}, {"alpha": 1}, {"eps": -1e-9}, {"momentum": 1.5}, {"weight_decay": float("nan")}])
def test_impossible_values_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RMSpropTF([one()], **wrong)
