"""The verdicts that README and pages print, on hand-made measurements whose verdict is known."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from godeeper.claims import (
    auxiliary_heads,
    average_pooling,
    counting,
    crops_and_models,
    ensemble_gains,
    factorised_filters,
    residual_connections,
    residual_scaling,
    rmsprop,
)
from godeeper.claims.residual_connections import Needed

LOW, HIGH, MIXED = [50.0, 51.0, 52.0], [60.0, 61.0, 62.0], [60.0, 41.0, 52.0]  # MIXED: ten more, ten fewer, as many as LOW
VERDICTS = pytest.mark.parametrize(
    ("worse", "better", "verdict"),
    [(HIGH, LOW, "supported"), (LOW, HIGH, "not supported"), (MIXED, LOW, "inconclusive")],
)


def verdicts(statements):
    return {statement.name: statement.verdict for statement in statements}


@VERDICTS
def test_heads_lower_the_error(worse, better, verdict):
    statement = auxiliary_heads.lower_error("plain", without=worse, heads=better)
    assert (statement.verdict, statement.values["network"]) == (verdict, "plain")


@pytest.mark.parametrize(
    ("ratios", "verdict"),
    [([1.14, 1.16, 1.15], "supported"), ([0.86, 0.84, 0.85], "not supported"), ([0.5, 1.0, 2.0], "inconclusive")],
)
def test_heads_increase_the_gradient(ratios, verdict):
    assert auxiliary_heads.greater_gradient("plain", ratios).verdict == verdict


@VERDICTS
def test_average_pooling_and_dropout_lower_the_error(worse, better, verdict):
    errors = {"connected": worse, "average": better, "average, no dropout": worse}
    assert verdicts(average_pooling.compare_heads(errors)) == {"pooling": verdict, "dropout": verdict}
    errors["average, no dropout"] = better
    assert verdicts(average_pooling.compare_heads(errors)) == {"pooling": verdict, "dropout": "inconclusive"}


@VERDICTS
def test_two_3x3_lower_the_error(worse, better, verdict):
    errors = {"as printed": worse, "two 3x3 for a 5x5": better, "separable first layer": worse}
    assert verdicts(factorised_filters.compare_filters(errors))["factorised"] == verdict


@pytest.mark.parametrize(
    ("separable", "verdict"),
    [
        ([50.4, 51.4, 52.4], "supported"),  # less than half a point worse
        ([50.6, 51.6, 52.6], "not supported"),
        ([45.0, 46.0, 47.0], "supported"),  # better is no loss
        (MIXED, "inconclusive"),
    ],
)
def test_a_separable_layer_loses_nothing(separable, verdict):
    errors = {"as printed": LOW, "separable first layer": separable, "two 3x3 for a 5x5": LOW}
    assert verdicts(factorised_filters.compare_filters(errors))["separable"] == verdict


@VERDICTS
def test_the_best_rates_of_the_optimisers_are_compared(worse, better, verdict):
    useless = [90.0, 90.0, 90.0]
    errors = {"rmsprop 0.015": useless, "rmsprop 0.045": better, "rmsprop 0.135": useless}
    errors |= {"momentum 0.01": useless, "momentum 0.03": useless, "momentum 0.1": worse}
    statement = rmsprop.better_optimiser(errors, held_out=errors)
    assert statement.verdict == verdict
    assert (statement.values["rmsprop"], statement.values["momentum"]) == ("rmsprop 0.045", "momentum 0.1")


def test_rates_are_not_chosen_by_the_errors_that_are_compared():
    noise = np.random.default_rng(0)
    arms = [f"{name} {rate}" for name, rates in rmsprop.RATES.items() for rate in rates]
    rates_alike = rmsprop.RATES | {"rmsprop": rmsprop.RATES["rmsprop"][:1]}  # one rate of the one, three of the other
    gains = {"held out": [], "test": []}
    for _ in range(300):
        test, held_out = ({arm: noise.normal(50, 1, 3).tolist() for arm in arms} for _ in range(2))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(rmsprop, "RATES", rates_alike)
            for name, chosen_on in {"held out": held_out, "test": test}.items():
                gains[name].append(rmsprop.better_optimiser(test, chosen_on).values["gain"].value)
    assert abs(np.mean(gains["held out"])) < 0.15  # no optimiser is better
    assert np.mean(gains["test"]) < -0.3  # the luckiest of three rates beats the only one


@VERDICTS
def test_averaged_weights_are_better(worse, better, verdict):
    statement = rmsprop.better_weights(averaged={"a": better, "b": better}, last={"a": worse, "b": worse})
    assert (statement.verdict, statement.values["gain"].count) == (verdict, 3)  # two arms of a seed count once


def needs(plain, residual, seconds=(1.0, 1.0)):
    """What the plain and the residual network take, by seed, in epochs and at so many seconds an epoch."""
    per_epoch = zip(plain, residual, strict=True)
    return [tuple(Needed(epochs, each * epochs) for epochs, each in zip(pair, seconds, strict=True)) for pair in per_epoch]


@pytest.mark.parametrize(
    ("needed", "epochs", "time"),
    [
        (needs([6.0] * 3, [2.0, 2.1, 2.2]), "supported", "supported"),
        (needs([6.0] * 3, [2.0, 2.1, 2.2], (1.0, 5.0)), "supported", "not supported"),  # each epoch takes five times as long
        (needs([4.0, 4.1, 4.2], [6.0] * 3), "not supported", "not supported"),
        (needs([6.0, 6.0, 3.0], [1.0, 6.0, 6.0]), "inconclusive", "inconclusive"),
    ],
)
def test_residual_networks_are_faster(needed, epochs, time):
    statements = residual_connections.faster("small", needed, 6)
    assert verdicts(statements) == {"epochs": epochs, "time": time}


def test_seconds_that_differ_from_seed_to_seed_widen_the_interval():
    residual = [2.0, 2.0, 2.0]
    steady = residual_connections.faster("small", needs([6.0] * 3, residual), 6)[1].values["saved"]
    noisy = [(Needed(6.0, 6.0), Needed(2.0, 2.0 * seconds)) for seconds in (0.5, 1.0, 1.5)]
    unsteady = residual_connections.faster("small", noisy, 6)[1].values["saved"]
    assert steady.value == pytest.approx(unsteady.value) == pytest.approx(100 * (1 - 2 / 6))
    assert steady.half == pytest.approx(0.0, abs=1e-9)
    assert unsteady.half == pytest.approx(stats.t.ppf(1 - 0.025 / 5, 2) * 100 / 6 / 3**0.5)  # deviation 100/6, five intervals


@pytest.mark.parametrize(
    ("small_plain", "small_residual", "large_plain", "large_residual", "verdict"),
    [
        (HIGH, HIGH, LOW, LOW, "supported"),  # size alone matters
        (HIGH, LOW, HIGH, LOW, "not supported"),  # residual connections alone do
        (LOW, LOW, HIGH, HIGH, "supported"),  # size matters, to the worse: signs are ignored
        (HIGH, LOW, LOW, LOW, "inconclusive"),  # both alike
        ([60.0, 40.0, 50.0], [40.0, 60.0, 50.0], LOW, LOW, "inconclusive"),  # a connection that helps and harms is noise
    ],
)
def test_the_final_error_depends_on_size(small_plain, small_residual, large_plain, large_residual, verdict):
    names = [name for pair in residual_connections.PAIRS.values() for name in pair]
    errors = dict(zip(names, (small_plain, small_residual, large_plain, large_residual), strict=True))
    assert residual_connections.size(errors).verdict == verdict


def test_the_signs_of_size_and_connections():
    names = [name for pair in residual_connections.PAIRS.values() for name in pair]
    values = residual_connections.size(dict(zip(names, (HIGH, LOW, HIGH, LOW), strict=True))).values
    assert (values["size"].value, values["connections"].value, values["difference"].value) == (0.0, 10.0, -10.0)


def stacks(errors, dead=0.0):
    """Runs of two arms, three seeds each, whose last layer ends with so many percent dead channels."""
    return [{"error": error, "dead": [0.0, dead], "finite": True} for error in errors * 2]


@pytest.mark.parametrize(
    ("remedied", "without", "verdict"),
    [
        (stacks(LOW, dead=60.0), stacks(LOW, dead=60.0), "supported"),  # as many dead, and no lower error
        (stacks(LOW, dead=60.0), stacks(HIGH, dead=60.0), "inconclusive"),  # as many dead, but a lower error
        (stacks(HIGH), stacks(LOW, dead=60.0), "inconclusive"),  # none dead, but a higher error
        (stacks(LOW), stacks(HIGH, dead=60.0), "not supported"),  # none dead, and a lower error: it helps
        (stacks(MIXED), stacks(LOW, dead=60.0), "inconclusive"),  # none dead, the error either way
        (stacks(LOW), stacks(HIGH), "inconclusive"),  # nothing to remedy
    ],
)
def test_a_remedy_is_useless(remedied, without, verdict):
    statement = residual_scaling.useless("lower-rate", remedied, without, 3)
    assert (statement.name, statement.verdict) == ("lower-rate", verdict)
    assert statement.values["networks"] == 6


@pytest.mark.parametrize(
    ("runs", "verdict", "dead"),
    [
        ((stacks(LOW, dead=60.0) * 2)[:8], "supported", 8),
        (stacks(LOW, dead=60.0), "inconclusive", 6),  # as five intervals are to hold together
        (stacks(LOW, dead=60.0)[:3] + stacks(LOW)[:3], "inconclusive", 3),  # half is not most
        (stacks(LOW, dead=60.0)[:5] + stacks(LOW)[:1], "inconclusive", 5),  # nor are five of six, but by chance
        (stacks(LOW), "inconclusive", 0),  # they may die later
        ([{**run, "finite": False} for run in (stacks(LOW) * 2)[:8]], "supported", 8),
    ],
)
def test_unscaled_networks_die(runs, verdict, dead):
    statement = residual_scaling.die(runs, 0.045)
    assert (statement.verdict, statement.values["dead"]) == (verdict, dead)


def stack_runs(dead, scaled, scaled_small):
    """Runs of every arm: unscaled wide ones at the fast rate end dead; errors of the scaled ones, and of the narrow ones."""
    runs = {}
    for filters in residual_scaling.WIDTHS:
        for factor in residual_scaling.SCALES:
            for rate in residual_scaling.RATES:
                wide = filters > 1000
                errors = HIGH if factor == 1.0 else scaled if wide else scaled_small
                is_dead = dead if wide and factor == 1.0 and rate == residual_scaling.RATES[0] else 0.0
                runs[residual_scaling.arm(filters, factor, rate)] = stacks(errors, is_dead)[:3]
        runs[f"{residual_scaling.arm(filters, 1.0, residual_scaling.RATES[0])}, batch norm"] = stacks(HIGH)[:3]
    return runs


@pytest.mark.parametrize(
    ("scaled", "scaled_small", "stabilises", "harmless"),
    [
        (LOW, LOW, "supported", "supported"),
        ([70.0, 71.0, 72.0], [70.0, 71.0, 72.0], "not supported", "not supported"),
        ([50.0, 71.0, 62.0], [70.0, 51.0, 62.0], "inconclusive", "inconclusive"),
    ],
)
def test_scaling_stabilises_and_does_not_harm(scaled, scaled_small, stabilises, harmless):
    by_name = verdicts(residual_scaling.statements(stack_runs(60.0, scaled, scaled_small)))
    assert (by_name["unscaled"], by_name["scaled"]) == ("inconclusive", "supported")  # six deaths of six
    assert (by_name["stabilises"], by_name["harmless"]) == (stabilises, harmless)


def test_one_dead_scaled_network_refutes_that_they_train():
    runs = stack_runs(60.0, LOW, LOW)
    runs[residual_scaling.arm(1792, 0.1, residual_scaling.RATES[0])][0]["dead"] = [0.0, 60.0]
    assert verdicts(residual_scaling.statements(runs))["scaled"] == "not supported"


class Grid:
    """A grid of 100 images in which each cell has its fraction of misses, the same for every image but one."""

    networks = 7

    def __init__(self, misses):
        self.misses = misses

    def gains(self, *cells):
        return [[self.misses[first] - self.misses[then]] * 99 + [0.0] for first, then in pairwise(cells)]


@pytest.mark.parametrize(
    ("misses", "more", "returns"),
    [
        ((0.6, 0.4, 0.35), "supported", "supported"),
        ((0.6, 0.55, 0.35), "supported", "not supported"),  # the later step gains more
        ((0.35, 0.4, 0.6), "not supported", "supported"),  # more raises the error, and more and more so
        ((0.5, 0.5, 0.5), "inconclusive", "inconclusive"),
    ],
)
def test_more_crops_and_models_bring_diminishing_returns(misses, more, returns):
    cells = {**dict(zip([(1, 1), (1, 10), (1, 144)], misses, strict=True)), (4, 1): misses[1], (7, 1): misses[2]}
    statements = crops_and_models.returns(Grid(cells))
    assert [statement.values["what"] for statement in statements] == ["crops", "crops", "models", "models"]
    assert [statement.verdict for statement in statements] == [more, returns] * 2


@pytest.mark.parametrize(
    ("maximum", "average", "verdict"),
    [
        ([True] * 80 + [False] * 20, [True] * 40 + [False] * 60, "supported"),
        ([True] * 40 + [False] * 60, [True] * 80 + [False] * 20, "not supported"),
        ([True, False] * 50, [False, True] * 50, "inconclusive"),
    ],
)
def test_averaging_beats_the_maximum(maximum, average, verdict):
    assert crops_and_models.averaging(maximum, average).verdict == verdict


@pytest.mark.parametrize(
    ("older", "newer", "older_ensemble", "newer_ensemble", "single", "ensemble"),
    [
        (0.6, 0.4, 0.4, 0.4, "supported", "supported"),  # the ensembles are alike: all is lost
        (0.6, 0.5, 0.5, 0.1, "supported", "not supported"),  # the ensembles are farther apart
        (0.4, 0.6, 0.4, 0.6, "not supported", "inconclusive"),  # no gain that could carry over
        (0.6, 0.4, 0.6, 0.4, "supported", "inconclusive"),  # the same gain
    ],
)
def test_gains_of_ensembles(older, newer, older_ensemble, newer_ensemble, single, ensemble):
    names = ensemble_gains.WEAKER, ensemble_gains.STRONGER
    fractions = {name: [value] * 99 + [0.5] for name, value in zip(names, (older, newer), strict=True)}
    missed = {
        name: [index < value * 100 for index in range(100)]
        for name, value in zip(names, (older_ensemble, newer_ensemble), strict=True)
    }
    errors = {
        name: [100 * value - 0.1, 100 * value, 100 * value + 0.1] for name, value in zip(names, (older, newer), strict=True)
    }
    newer_alone = ensemble_gains.better_alone(errors)
    assert (newer_alone.verdict, newer_alone.values["gain"].count) == (single, 3)  # networks, not images
    assert ensemble_gains.lost_together(newer_alone, fractions, missed).verdict == ensemble


@pytest.mark.parametrize(
    ("vgg", "verdict"),
    [([3.0, 3.1, 3.2], "supported"), ([1.0, 1.1, 1.2], "not supported"), ([1.0, 3.0, 2.0], "inconclusive")],
)
def test_at_least_twice_as_fast_as_vgg(vgg, verdict):
    assert counting.faster({"googlenet": [1.0, 1.0, 1.0], "vgg16": vgg}).verdict == verdict


@pytest.mark.parametrize(
    ("plain", "verdict"),
    [([1.5, 1.6, 1.55], "supported"), ([1.14, 1.16, 1.15], "not supported"), ([1.1, 1.5, 1.3], "inconclusive")],
)
def test_a_step_is_slower_than_its_multiply_adds_explain(plain, verdict):
    statement = counting.slower("as printed", plain, [1.0, 1.0, 1.0], cost=1.32)
    assert (statement.verdict, statement.values["pair"], statement.values["cost"]) == (verdict, "as printed", 1.32)


def test_printed_values_are_counted_or_shown():
    right = SimpleNamespace(verdict="reproduced", printed="1", computed="1")
    erratum = SimpleNamespace(verdict="erratum", printed="1.5G", computed="1.6G")
    both = counting.printed_values("table-1", [right, erratum])
    assert (both.verdict, both.values) == ("not supported", {"reproduced": 1, "printed": 2})
    assert counting.printed_values("table-1", [right, right]).verdict == "supported"
    single = counting.printed_values("operations", [erratum])
    assert (single.verdict, single.values) == ("not supported", {"printed": "1.5G", "computed": "1.6G"})
    assert counting.printed_values("operations", [right]).verdict == "supported"
    assert counting.printed_values("operations", []).verdict == "not supported"  # a place that the audit no longer has
