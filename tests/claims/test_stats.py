"""Intervals against scipy's, verdicts by hand."""

import math

import numpy as np
import pytest
from scipy import stats

from godeeper.claims.stats import Mean, by_image, exact_interval, mean, paired, students_t, verdict_above, verdict_at_most


def test_students_factors_are_scipys():
    for beyond in (0.1, 0.025, 0.005):
        ours = [students_t(freedom, beyond) for freedom in range(1, 40)]
        assert ours == pytest.approx([stats.t.ppf(1 - beyond, freedom) for freedom in range(1, 40)], rel=1e-9)


@pytest.mark.parametrize("count", [2, 3, 7, 15, 18])
def test_a_means_interval_is_scipys(count):
    values = np.random.default_rng(count).normal(50, 4, count)
    interval = mean(values.tolist())
    low, high = stats.t.interval(0.95, count - 1, loc=values.mean(), scale=stats.sem(values))
    assert (interval.low, interval.high, interval.count) == (pytest.approx(low), pytest.approx(high), count)


def test_the_intervals_of_a_claim_hold_together():
    random = np.random.default_rng(0)
    values = random.normal(0, 1, 3).tolist()
    low, high = stats.t.interval(1 - 0.05 / 4, 2, loc=np.mean(values), scale=stats.sem(values))
    assert (mean(values, family=4).low, mean(values, family=4).high) == pytest.approx((low, high))
    wrong = sum(  # any of four differences that are nothing but noise is called one
        any(verdict_above(mean(arm, 4)) != "inconclusive" for arm in random.normal(0, 1, (4, 3)).tolist()) for _ in range(500)
    )
    assert stats.binomtest(wrong, 500, 0.05, "greater").pvalue > 1e-3
    images = random.random(300).tolist()
    assert by_image(images, [0.0] * 300, 4).half == pytest.approx(stats.norm.ppf(1 - 0.025 / 4) * 100 * stats.sem(images))


@pytest.mark.parametrize(("count", "total"), [(6, 6), (0, 12), (5, 6), (1, 3)])
def test_the_interval_of_a_count_is_scipys(count, total):
    for family in (1, 5):
        peer = stats.binomtest(count, total).proportion_ci(1 - 0.05 / family, "exact")
        assert exact_interval(count, total, family) == pytest.approx((100 * peer.low, 100 * peer.high))


def test_one_repetition_decides_nothing():
    single = mean([3.0])
    assert (single.value, single.half) == (3.0, math.inf)
    assert verdict_above(single) == verdict_at_most(single, 100.0) == "inconclusive"


def test_pairs_are_compared_seed_by_seed():
    interval = paired([60.0, 70.0, 80.0], [59.0, 69.0, 79.0])  # seeds differ by ten points, arms by one
    assert (interval.value, interval.half) == (1.0, 0.0)
    with pytest.raises(ValueError, match="zip"):
        paired([1.0], [1.0, 2.0])


def test_the_images_interval_is_that_of_their_differences():
    random = np.random.default_rng(0)
    first, second = random.random(500) < 0.4, random.random(500) < 0.3
    differences = 100.0 * (first.astype(float) - second.astype(float))
    interval = by_image(first.tolist(), second.tolist())
    low, high = stats.norm.interval(0.95, loc=differences.mean(), scale=stats.sem(differences))
    assert (interval.value, interval.low, interval.high) == tuple(
        pytest.approx(x, abs=1e-3) for x in (differences.mean(), low, high)
    )


@pytest.mark.parametrize(
    ("value", "half", "above", "at_most"),
    [
        (2.0, 1.0, "supported", "not supported"),
        (-2.0, 1.0, "not supported", "supported"),
        (0.5, 1.0, "inconclusive", "inconclusive"),
        (0.1, 0.3, "inconclusive", "supported"),
        (1.0, 1.0, "inconclusive", "inconclusive"),  # an interval that touches zero is not above it
    ],
)
def test_verdicts(value, half, above, at_most):
    assert verdict_above(Mean(value, half, 3)) == above
    assert verdict_at_most(Mean(value, half, 3), 0.5) == at_most
