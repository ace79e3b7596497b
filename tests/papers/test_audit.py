"""The audit: what of the print our tables reproduce, what the other reading explains, and that it can say no."""

from dataclasses import replace

import pytest

from godeeper import GodeeperError, audit, describe
from godeeper.papers import facts

READINGS = {"googlenet": "googlenet_counted", "googlenet_counted": "googlenet"}
COUNTED_ROWS = ("conv1", "conv2", "3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b", "linear")  # rows with params and ops


def findings(name):
    return {finding.where: finding for finding in audit(name)}


def verdicts(name, column):
    """The rows of a column that are not reproduced, by verdict."""
    found = findings(name)
    judged = {row: found[f"{row} {column}"].verdict for row in COUNTED_ROWS}
    return {verdict: [row for row in judged if judged[row] == verdict] for verdict in ("erratum", "unexplained")}


def test_every_printed_number_is_judged_once():
    places = [finding.where for finding in audit("googlenet")]
    assert len(set(places)) == len(places)
    # outputs and depths of 18 rows, softmax's output,
    # 7 patches, 9 modules of 6 filters and conv2's 2, 12 params, 12 ops, 2 heads, 4 claims
    assert len(places) == 2 * 18 + 1 + 7 + 9 * 6 + 2 + 2 * 12 + 2 + 4


def test_the_counted_network_reproduces_every_ops_cell_and_the_total():
    assert verdicts("googlenet_counted", "ops") == {"erratum": [], "unexplained": []}
    assert describe("googlenet_counted").multiply_adds == 1_500_878_720
    total = findings("googlenet_counted")["multiply-adds"]
    assert (total.printed, total.computed, total.verdict, total.note) == ("1.5G", "1.5G", "reproduced", "1.50 G")


def test_the_counted_network_departs_from_the_filter_columns_in_two_cells_only():
    departed = {where: f.computed for where, f in findings("googlenet_counted").items() if f.verdict == "erratum"}
    assert departed == {
        "4a n3x3": "204",
        "5a n5x5_reduce": "48",
        "4a output": "14x14x508",  # 192 + 204 + 48 + 64
        "aux1 avgpool output": "4x4x508",
    }


def test_the_printed_network_misses_three_ops_cells():
    assert verdicts("googlenet", "ops") == {"erratum": ["conv1", "4a", "5a"], "unexplained": []}
    found = findings("googlenet")
    assert [found[f"{row} ops"].computed for row in ("conv1", "4a", "5a")] == ["118M", "74M", "51M"]


def test_the_printed_network_misses_eight_params_cells():
    assert verdicts("googlenet", "params") == {"erratum": ["conv1", "4a", "4b"], "unexplained": ["4c", "4d", "4e", "5a", "5b"]}


def test_the_printed_network_reproduces_everything_else():
    missed = {where for where, finding in findings("googlenet").items() if finding.verdict != "reproduced"}
    ops = {f"{row} ops" for row in ("conv1", "4a", "5a")}
    params = {f"{row} params" for row in ("conv1", "4a", "4b", "4c", "4d", "4e", "5a", "5b")}
    assert missed == ops | params | {"multiply-adds", "fewer parameters than AlexNet"}


def test_twelve_times_fewer_parameters_is_unexplained():
    claim = findings("googlenet")["fewer parameters than AlexNet"]
    assert (claim.printed, claim.computed, claim.verdict) == ("12x", "8.6x", "unexplained")  # 60 M / 6,998,552 = 8.57


@pytest.mark.parametrize("where", ["3a params", "linear params"])  # 159.86 K is printed 159K, 1000.98 K is printed 1000K
def test_a_truncated_cell_says_so(where):
    finding = findings("googlenet")[where]
    assert finding.verdict == "reproduced"
    assert "truncated" in finding.note


@pytest.mark.parametrize("name", READINGS)
def test_every_verdict_is_known_and_errata_are_explained(name):
    for finding in audit(name):
        assert finding.verdict in ("reproduced", "erratum", "unexplained")
        assert finding.note or finding.verdict != "erratum", finding
        assert finding.printed == finding.computed or finding.verdict != "reproduced" or finding.note, finding


@pytest.mark.parametrize(("name", "other"), READINGS.items())
def test_an_erratum_is_what_the_other_reading_reproduces(name, other):
    theirs = findings(other)
    for where, finding in findings(name).items():
        if finding.verdict != "reproduced":
            assert (finding.verdict == "erratum") == (theirs[where].verdict == "reproduced"), finding


@pytest.mark.parametrize(
    ("row", "cell", "where"),
    [
        ("3a", {"n5x5": 33}, "3a n5x5"),
        ("conv2", {"n3x3": 193}, "conv2 n3x3"),
        ("4e", {"output": (831, 14, 14)}, "4e output"),
        ("pool2", {"stride": 1}, "pool2 patch/stride"),
        ("5b", {"depth": 3}, "5b depth"),
        ("conv2", {"params": "113K"}, "conv2 params"),
        ("3a", {"params": "161K"}, "3a params"),
        ("4b", {"ops": "89M"}, "4b ops"),
    ],
)
def test_the_audit_can_fail(monkeypatch, row, cell, where):
    assert findings("googlenet")[where].verdict == "reproduced"
    altered = tuple(replace(fact, **cell) if fact.stage == row else fact for fact in facts.GOOGLENET_TABLE_1)
    monkeypatch.setattr(facts, "GOOGLENET_TABLE_1", altered)
    found = findings("googlenet")
    assert found[where].verdict == "unexplained"


def test_the_audit_can_fail_in_a_claim(monkeypatch):
    monkeypatch.setattr(facts, "GOOGLENET_LAYERS", 23)
    finding = findings("googlenet")["layers with parameters"]
    assert (finding.printed, finding.computed, finding.verdict) == ("23", "22", "unexplained")


@pytest.mark.parametrize(
    ("name", "says"), [("googlenet_bn", "googlenet_bn"), ("googlnet", "did you mean 'googlenet'"), ("", "googlenet")]
)
def test_what_cannot_be_audited_is_refused_in_one_line(name, says):
    with pytest.raises(GodeeperError, match=says) as caught:
        audit(name)
    assert "\n" not in str(caught.value)
