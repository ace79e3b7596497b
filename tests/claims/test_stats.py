"""Intervals against scipy's, verdicts by hand."""

import math

import numpy as np
import pytest
from scipy import stats

from godeeper.claims.stats import Mean, T, by_image, mean, paired, verdict_above, verdict_at_most


def test_students_factors_are_scipys():
    assert pytest.approx([stats.t.ppf(0.975, freedom) for freedom in range(1, len(T) + 1)], abs=5e-4) == list(T)


@pytest.mark.parametrize("count", [2, 3, 7, 15])
def test_a_means_interval_is_scipys(count):
    values = np.random.default_rng(count).normal(50, 4, count)
    interval = mean(values.tolist())
    low, high = stats.t.interval(0.95, count - 1, loc=values.mean(), scale=stats.sem(values))
    assert (interval.low, interval.high, interval.count) == (pytest.approx(low, abs=2e-3), pytest.approx(high, abs=2e-3), count)


def test_one_repetition_decides_nothing():
    single = mean([3.0])
    assert (single.value, single.half) == (3.0, math.inf)
    assert verdict_above(single) == verdict_at_most(single, 100.0) == "inconclusive"


def test_more_repetitions_than_the_table_has_are_no_narrower_than_they_should_be():
    values = np.random.default_rng(0).normal(0, 1, 18)
    low, high = stats.t.interval(0.95, 17, loc=values.mean(), scale=stats.sem(values))
    interval = mean(values.tolist())
    assert interval.low <= low < high <= interval.high
    assert interval.half < 1.03 * (high - low) / 2


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
