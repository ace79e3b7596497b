"""Decisions and what follows from them, by hand; Wilson's interval against scipy's."""

import pytest
import torch
from scipy.stats import binomtest

from godeeper.evaluate.outcome import PREDICTED, RANK, Outcomes, decide, wilson


def counted(probabilities, labels):
    labels = torch.tensor(labels)
    result = Outcomes(labels, decide(torch.tensor(probabilities), labels))
    return result.top1_errors, result.top5_errors


def test_top_1_and_top_5_by_hand():
    falling = [0.3, 0.25, 0.2, 0.1, 0.08, 0.05, 0.02]  # the ranks of classes 0..6
    assert counted([falling] * 7, list(range(7))) == (6, 2)


def test_ties_and_nans_count_against_the_network():
    assert counted([[0.25] * 4], [0]) == (1, 0)
    assert counted([[0.1] * 10], [0]) == (1, 1)
    assert counted([[float("nan")] * 10], [0]) == (1, 1)


def test_a_decision_names_the_rival_and_whole_percents():
    probabilities = torch.tensor([[0.2, 0.504, 0.296], [0.2, 0.504, 0.296], [0.5, 0.5, 0.0]])
    decisions = decide(probabilities, torch.tensor([1, 2, 1]))
    assert decisions.tolist() == [[1, 0, 50, 50], [1, 1, 50, 30], [0, 1, 50, 50]]


HAND = Outcomes(  # predicted, rank, confidence, own
    torch.tensor([0, 0, 1, 1, 2, 2]),
    torch.tensor([[0, 0, 90, 90], [1, 1, 80, 10], [1, 0, 55, 55], [2, 5, 95, 1], [1, 2, 95, 0], [1, 1, 10, 9]]).int(),
)


def test_what_follows_from_decisions_by_hand():
    assert (HAND.images, HAND.top1_errors, HAND.top5_errors) == (6, 4, 1)
    assert HAND.top1_error == pytest.approx(100 * 4 / 6)
    assert HAND.class_errors() == {0: (2, 1, 0), 1: (2, 1, 1), 2: (2, 2, 0)}
    assert HAND.confusions() == {(0, 1): 1, (1, 2): 1, (2, 1): 2}
    assert HAND.worst(3) == [4, 3, 1]  # 95 % with 0 % of its own, 95 % with 1 %, 80 %
    bins = HAND.calibration()
    assert bins[1] == (1, 10, 0)
    assert bins[5] == (1, 55, 1)
    assert bins[8] == (1, 80, 0)
    assert bins[9] == (3, 280, 1)
    assert sum(n for n, _, _ in bins) == 6
    assert HAND.calibration_error() == pytest.approx((10 + 45 + 80 + 180) / 6)


def test_full_confidence_falls_into_the_last_part():
    sure = Outcomes(torch.tensor([0]), torch.tensor([[0, 0, 100, 100]]).int())
    assert sure.calibration()[9] == (1, 100, 1)
    assert sure.calibration_error() == 0


@pytest.mark.parametrize(("errors", "images"), [(0, 10), (1, 10), (3335, 50_000), (50, 50), (7, 23)])
def test_wilson_is_scipys(errors, images):
    expected = binomtest(errors, images).proportion_ci(0.95, "wilson")
    assert wilson(errors, images) == pytest.approx((100 * expected.low, 100 * expected.high), abs=1e-9)


def test_columns_are_what_they_are_called():
    decisions = decide(torch.tensor([[0.1, 0.7, 0.2]]), torch.tensor([0]))
    assert decisions[0, PREDICTED] == 1
    assert decisions[0, RANK] == 2
