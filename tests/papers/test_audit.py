"""The audit: what of the print our tables reproduce, what is a misprint and why, and that it can say no."""

import re
from collections import Counter
from dataclasses import replace

import pytest

from godeeper import GodeeperError, audit, describe
from godeeper.papers import errata
from godeeper.papers import facts_inception_v4 as facts_v4
from godeeper.papers.audit import AUDITED, compare
from godeeper.papers.facts_bn_inception import BN_INCEPTION_FIGURE_5
from godeeper.papers.figure_text import figure_branches, figure_text, outline_text
from godeeper.papers.notation import SAME, VALID, Avg, Cat, Conv, Max, Residual, Separable, times
from godeeper.papers.quantities import QUANTITIES
from godeeper.papers.readings import READINGS
from godeeper.papers.registry import definition

OTHER_READING = {"googlenet": "googlenet_counted", "googlenet_counted": "googlenet"}
COUNTED_ROWS = ("conv1", "conv2", "3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b", "linear")  # rows with params and ops

TABLE_3 = "Table 3, 7 x 144 crops, against base"  # 6.67 - 10.07, whatever the network
DETECTION = "Section 8, mAP of 1 x GoogLeNet, against Table 5"


def findings(name):
    return {finding.where: finding for finding in audit(name)}


def verdicts(name, column):
    """The rows of a column that are not reproduced, by verdict."""
    found = findings(name)
    judged = {row: found[f"Table 1, {row} {column}"].verdict for row in COUNTED_ROWS}
    return {verdict: [row for row in judged if judged[row] == verdict] for verdict in ("erratum", "unexplained")}


def test_every_printed_number_is_judged_once():
    places = [finding.where for finding in audit("googlenet")]
    assert len(set(places)) == len(places)
    # outputs and depths of 18 rows, softmax's output,
    # 7 patches, 9 modules of 6 filters and conv2's 2, 12 params, 12 ops, 2 heads, 4 claims, 5 of Table 3, 2 of detection
    assert len(places) == 2 * 18 + 1 + 7 + 9 * 6 + 2 + 2 * 12 + 2 + 4 + 5 + 2


def test_the_counted_network_reproduces_every_ops_cell_and_the_total():
    assert verdicts("googlenet_counted", "ops") == {"erratum": [], "unexplained": []}
    assert describe("googlenet_counted").multiply_adds == 1_500_878_720
    total = findings("googlenet_counted")["Section 1, multiply-adds"]
    assert (total.printed, total.computed, total.verdict, total.note.en) == ("1.5G", "1.5G", "reproduced", "1.50 G")


def test_the_counted_network_departs_from_the_filter_columns_in_two_cells_only():
    departed = {where: f.computed for where, f in findings("googlenet_counted").items() if f.verdict == "erratum"}
    assert departed == {
        "Table 1, 4a 3x3": "204",
        "Table 1, 5a 5x5 reduce": "48",
        "Table 1, 4a output": "14x14x508",  # 192 + 204 + 48 + 64
        "Section 5, aux1 pool output": "4x4x508",
        TABLE_3: "-3.40",
        DETECTION: "38.02%",
    }


def test_the_printed_network_misses_three_ops_cells():
    assert verdicts("googlenet", "ops") == {"erratum": ["conv1", "4a", "5a"], "unexplained": []}
    found = findings("googlenet")
    assert [found[f"Table 1, {row} ops"].computed for row in ("conv1", "4a", "5a")] == ["118M", "74M", "51M"]


def test_the_printed_network_misses_eight_params_cells():
    assert verdicts("googlenet", "params") == {"erratum": ["conv1", "4a", "4b"], "unexplained": ["4c", "4d", "4e", "5a", "5b"]}


def test_the_printed_network_reproduces_everything_else():
    missed = {where for where, finding in findings("googlenet").items() if finding.verdict != "reproduced"}
    ops = {f"Table 1, {row} ops" for row in ("conv1", "4a", "5a")}
    params = {f"Table 1, {row} params" for row in ("conv1", "4a", "4b", "4c", "4d", "4e", "5a", "5b")}
    assert missed == ops | params | {"Section 1, multiply-adds", "Section 1, fewer parameters than AlexNet", TABLE_3, DETECTION}


def test_twelve_times_fewer_parameters_is_unexplained():
    claim = findings("googlenet")["Section 1, fewer parameters than AlexNet"]
    assert (claim.printed, claim.computed, claim.verdict) == ("12x", "8.6x", "unexplained")  # 60 M / 6,998,552 = 8.57


@pytest.mark.parametrize(
    "where", ["Table 1, 3a params", "Table 1, linear params"]
)  # 159.86 K is printed 159K, 1000.98 K is printed 1000K
def test_a_truncated_cell_says_so(where):
    finding = findings("googlenet")[where]
    assert finding.verdict == "reproduced"
    assert "truncated" in finding.note.en


@pytest.mark.parametrize("name", AUDITED)
def test_every_verdict_is_known_and_errata_are_explained(name):
    for finding in audit(name):
        assert finding.verdict in ("reproduced", "erratum", "unexplained")
        assert finding.note.en or finding.verdict != "erratum", finding
        assert finding.printed == finding.computed or finding.verdict != "reproduced" or finding.note.en, finding


@pytest.mark.parametrize(("name", "other"), OTHER_READING.items())
def test_an_erratum_is_what_the_other_reading_reproduces(name, other):
    theirs = findings(other)
    for where, finding in findings(name).items():
        if finding.verdict != "reproduced" and where not in (TABLE_3, DETECTION):
            assert (finding.verdict == "erratum") == (theirs[where].verdict == "reproduced"), finding


def changed(printed):
    """Another print: its first number is greater, or a letter longer where it has none."""
    if isinstance(printed, tuple):
        return tuple(map(changed, printed))
    number = re.search(r"\d+", printed)
    return printed.replace(number[0], str(int(number[0]) + 97), 1) if number else f"{printed}s"


COMPARISONS = ("similar", "more", "< 25M")  # not equal to anything that is computed


@pytest.mark.parametrize("name", AUDITED)
def test_no_other_print_would_be_reproduced_and_none_would_be_a_known_erratum(name):
    reading = READINGS[name]
    facts = tuple(replace(fact, printed=changed(fact.printed)) for fact in reading.facts if fact.printed not in COMPARISONS)
    checks = tuple(check._replace(fact=replace(check.fact, printed=changed(check.fact.printed))) for check in reading.checks)
    found = list(compare(replace(reading, facts=facts, checks=checks), definition(name)))
    assert len(found) >= len(facts) + len(checks)
    assert [finding for finding in found if finding.verdict != "unexplained"] == []


def test_a_bound_can_be_too_low():
    facts = tuple(replace(fact, printed="< 23M") for fact in READINGS["inception_v3"].facts if fact.printed == "< 25M")
    (finding,) = compare(replace(READINGS["inception_v3"], facts=facts, checks=()), definition("inception_v3"))
    assert (finding.printed, finding.computed, finding.verdict) == ("< 23M", "23.8M", "unexplained")


@pytest.mark.parametrize("notes", ["GOOGLENET", "BN_INCEPTION", "INCEPTION_V3", "INCEPTION_V4"])
def test_every_note_is_about_a_finding(notes):
    notes = getattr(errata, notes)
    found = [finding for name in AUDITED if READINGS[name].notes is notes for finding in audit(name)]
    assert [note for note in notes if not any(finding.note.en.startswith(note.why.en) for finding in found)] == []


def test_every_quantity_is_printed_somewhere():
    assert {fact.quantity for reading in READINGS.values() for fact in reading.facts} == set(QUANTITIES)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("googlenet_bn", "googlenet_bn.*inception_resnet_v2"),
        ("inception_resnet_v1_facenet", "no paper prints"),
        ("vgg16", "no paper prints"),
        ("googlnet", "did you mean 'googlenet'"),
        ("", "googlenet"),
    ],
)
def test_what_cannot_be_audited_is_refused_in_one_line(name, says):
    with pytest.raises(GodeeperError, match=says) as caught:
        audit(name)
    assert "\n" not in str(caught.value)


# --- the later papers ---

COUNTS = {  # reproduced, erratum, unexplained
    "googlenet": (122, 9, 6),
    "googlenet_counted": (125, 6, 6),
    "bn_inception": (98, 6, 3),
    "bn_inception_caffe": (98, 6, 3),
    "inception_v3": (40, 9, 16),
    "inception_v4_printed": (55, 4, 1),
    "inception_v4": (52, 3, 5),
    "inception_resnet_v1": (60, 0, 0),
    "inception_resnet_v2_printed": (45, 9, 1),
    "inception_resnet_v2": (36, 5, 13),
}
OTHERS = {"Table 3, He et al.'s network", "Table 4, He et al.'s network", "Table 5, He et al.'s network", "Figure 23, caption"}
COST = "Section 3.2, cost of Inception-ResNet-v2 over Inception-v4's"
LAYERS = "Section 3.2, layers of Inception-v4 over Inception-ResNet-v2's"
FIGURE_5_EITHER_WAY = {
    "Figure 5, conv2 depth", "Figure 5, 3c output", "Figure 5, 4e output", "Section 4.2, filters of a double 3x3 at most",
}  # fmt: skip
STRIDE, ORDER = "Figure 3 row 6, concat3 branch 1", "Figure 5, B branch 3"
ERRATA = {
    "bn_inception": {*FIGURE_5_EITHER_WAY, "Figure 5, 4c pool proj", "Figure 5, 4d pool proj"},
    "bn_inception_caffe": {*FIGURE_5_EITHER_WAY, "Figure 5, 4c output", "Figure 5, 4d output"},
    "inception_v3": {
        "Table 1 row 7, pool2 grid after it", "Section 6, B figure of the 17x17 modules",
        "Section 6, C figure of the 8x8 modules", "Section 6, multiply-adds over GoogLeNet's",
        "Table 3, top-5 error of GoogLeNet", "Table 4, columns",
        "Abstract, top-1 error of the ensemble", "Section 11, cut of the top-1 error", "Section 11, cut of the top-5 error",
    },
    "inception_v4_printed": {STRIDE, ORDER, "Figure 23, caption", COST},
    "inception_v4": {STRIDE, ORDER, "Figure 23, caption"},
    "inception_resnet_v1": set(),
    "inception_resnet_v2_printed": {
        STRIDE, "Figure 17, B linear", "Figure 18, reduction_b caption", "Figure 19, C linear", COST, *OTHERS,
    },
    "inception_resnet_v2": {"Figure 18, reduction_b caption", *OTHERS},
}  # fmt: skip


def places(name, verdict):
    return {where for where, finding in findings(name).items() if finding.verdict == verdict}


@pytest.mark.parametrize("name", AUDITED)
def test_the_verdicts_of_each_model(name):
    found = audit(name)
    assert len({finding.where for finding in found}) == len(found)
    counts = Counter(finding.verdict for finding in found)
    assert tuple(counts[verdict] for verdict in ("reproduced", "erratum", "unexplained")) == COUNTS[name]


@pytest.mark.parametrize("name", ERRATA)
def test_the_errata_of_each_model(name):
    assert places(name, "erratum") == ERRATA[name]


@pytest.mark.parametrize("name", ERRATA)
def test_what_nothing_explains_has_a_remark(name):
    assert all(finding.note.en for finding in audit(name) if finding.verdict == "unexplained")


@pytest.mark.parametrize(
    ("name", "where", "printed", "computed"),
    [
        ("inception_resnet_v2_printed", "Figure 17, B linear", "1154", "1152"),  # 384 + 384 + 384
        ("inception_resnet_v2_printed", "Figure 19, C linear", "2048", "2144"),  # 1152 + 384 + 288 + 320
        ("inception_resnet_v2_printed", "Figure 18, reduction_b caption", "Inception-ResNet-v1", "Inception-ResNet-v2"),
        ("inception_resnet_v2_printed", "Table 4, He et al.'s network", "ResNet-151", "ResNet-152"),
        ("inception_v4_printed", STRIDE, "3x3 192 V", "3x3 192 /2 V"),
        ("inception_v4_printed", ORDER, "1x1 192, 1x7 224, 1x7 256", "1x1 192, 1x7 224, 7x1 256"),
        ("inception_v4_printed", "Figure 23, caption", "inception-v3", "inception-v4"),
        ("inception_v3", "Table 1 row 7, pool2 grid after it", "35x35", "33x33"),  # 35 - 3 + 1
        ("inception_v3", "Section 6, multiply-adds over GoogLeNet's", "2.5x", "3.8x"),  # 5.71 / 1.50
        ("bn_inception", "Figure 5, 3c output", "28x28x576", "14x14x576"),
        ("bn_inception", "Figure 5, 4d pool proj", "avg + 128", "avg + 96"),
        ("bn_inception_caffe", "Figure 5, 4c output", "14x14x576", "14x14x608"),  # 160 + 160 + 160 + 128
        ("bn_inception_caffe", "Figure 5, 4e output", "14x14x1024", "7x7x1056"),  # 192 + 256 + 608
    ],
)
def test_what_an_erratum_says(name, where, printed, computed):
    finding = findings(name)[where]
    assert (finding.printed, finding.computed, finding.verdict) == (printed, computed, "erratum")


def test_the_reasons_of_the_errata_are_in_the_facts():
    filters = facts_v4.REDUCTION_A_FILTERS[facts_v4.RESNET_V2]
    (linear,) = (fact.printed for fact in facts_v4.RESNET_V2_BLOCKS if (fact.source, fact.quantity) == ("Figure 16", "linear"))
    after_a = int(linear) + filters["m"] + filters["n"]
    assert after_a == 1152
    assert (after_a + 384 + 288 + 320, after_a + 384 + 256 + 256) == (2144, 2048)  # Figures 18 and 12
    for stage in ("4c", "4d"):
        cells = {fact.quantity: fact.printed for fact in BN_INCEPTION_FIGURE_5 if fact.stage == stage}
        branches = sum(int(cells[column]) for column in ("1x1", "3x3", "double 3x3"))
        assert (branches + 128, branches + 96) == (608, 576)
    assert {(layers - 2) % 3 for layers in (151, 152)} == {0, 2}  # only 152 is two more than threes


def test_the_pair_that_costs_the_same_and_the_pair_that_does_not():
    first, printed, released = (findings(f"inception_resnet_{v}") for v in ("v1", "v2_printed", "v2"))
    v1 = first["Section 3.2, cost of Inception-ResNet-v1 over Inception-v3's"]
    assert (v1.computed, v1.verdict, v1.note.en) == ("1.09x", "reproduced", "6.21 G against 5.71 G")
    assert (printed[COST].computed, printed[COST].verdict) == ("0.76x", "erratum")
    assert "9.26 G against 12.25 G" in printed[COST].note.en
    assert (released[COST].computed, released[COST].verdict) == ("1.07x", "reproduced")


def test_inception_v4_has_more_convolutions_than_the_printed_rival_only():
    # stem 11; modules 7 x 4, 10 x 7, 10 x 3; reductions 4, 6 -- and 11; 7 x 5, 5 x 10, 5 x 5; 4, 7
    assert 11 + 28 + 70 + 30 + 10 == 149
    assert 11 + 35 + 50 + 25 + 11 == 132
    finding = findings("inception_v4_printed")[LAYERS]
    assert (finding.printed, finding.computed, finding.verdict) == ("more", "149 and 132", "reproduced")
    assert findings("inception_v4")[LAYERS].verdict == "unexplained"


def test_the_released_order_is_told_from_the_printed_one():
    departed = places("inception_v4", "unexplained") - places("inception_v4_printed", "unexplained")
    assert departed == {"Figure 3 row 5, concat2 branch 2", "Figure 5, B branch 4", "Figure 6, C branch 4", LAYERS}
    finding = findings("inception_v4")["Figure 5, B branch 4"]
    assert finding.printed == "1x1 192, 1x7 192, 7x1 224, 1x7 224, 7x1 256"
    assert finding.computed == "1x1 192, 7x1 192, 1x7 224, 7x1 224, 1x7 256"


def test_how_the_released_inception_resnet_v2_departs_from_the_print():
    found = findings("inception_resnet_v2")
    assert {where: found[where].computed for where in places("inception_resnet_v2", "unexplained")} == {
        "Figure 3 row 4, concat1 branches": "maxpool 3x3 /2 V",
        "Figure 3 row 4, concat1 output": "73x73x64",
        "Figure 3 row 5, concat2 branches": "1x1 80, 3x3 192 V",
        "Figure 3 row 6, concat3 branches": "maxpool 3x3 /2 V",
        "Figure 3 row 6, concat3 output": "35x35x192",
        "Figure 15, A blocks": "10",
        "Figure 15, B blocks": "20",
        "Figure 15, C blocks": "10",
        "Figure 16, A linear": "320",
        "Figure 17, B linear": "1088",
        "Figure 19, C linear": "2080",
        "Section 3.3, C_last scale": "1.00",
        LAYERS: "149 and 244",
    }


@pytest.mark.parametrize(
    ("name", "stage", "block", "departed"),
    [
        ("inception_v4_printed", "A", times(4, Cat([Conv(96)], [Conv(64), Conv(96, 5)], [Conv(64), Conv(96, 3), Conv(96, 3)],
                                                   [Avg(3), Conv(96)])), {"Figure 4, A branch 3"}),
        ("inception_resnet_v1", "C", times(5, Residual(Cat([Conv(192)], [Conv(192), Conv(192, (3, 1)), Conv(192, (1, 3))]),
                                                       scale=0.20)), {"Figure 13, C branch 2"}),
        ("bn_inception", "5b", Cat([Conv(352)], [Conv(192), Conv(320, 3)], [Conv(192), Conv(224, 3), Conv(224, 3)],
                                   [Avg(3), Conv(128)]), {"Figure 5, 5b pool proj"}),
    ],
)  # fmt: skip
def test_a_wrong_table_is_found_out(name, stage, block, departed):
    table = definition(name)
    wrong = compare(READINGS[name], replace(table, stages={**table.stages, stage: block}))
    assert departed <= {finding.where for finding in wrong if finding.verdict == "unexplained"} - places(name, "unexplained")


def test_the_stages_of_a_finding_are_ours():
    found = {finding.where: finding.stages for finding in audit("inception_resnet_v2")}
    assert found["Figure 3 row 5, concat2 branches"] == ("conv4", "conv5")
    assert found["Figure 15, C blocks"] == ("C", "C_last")
    assert found["Figure 7, reduction_a branch 1"] == ("reduction_a",)
    assert found[LAYERS] == ()


def test_rows_as_the_figures_label_them():
    assert figure_text(Conv(96, 3, 2, VALID)) == "3x3 96 /2 V"
    assert figure_text(Conv(224, (1, 7))) == "1x7 224"
    assert figure_text(Max(3, 2, VALID)) == "maxpool 3x3 /2 V"
    assert figure_text(Avg(3)) == "avgpool"
    assert figure_text(Cat([Conv(256, (1, 3))], [Conv(256, (3, 1))])) == "1x3 256 | 3x1 256"
    assert outline_text(Conv(96, 3, 2, VALID)) == "3x3 /2"
    assert outline_text(Max(3, 2, SAME)) == "pool /2"
    block = Cat([Conv(64), Conv(96, 3)], [Max(3)])
    for same in ((block,), times(4, block), (Residual(block),)):
        assert figure_branches(same, figure_text) == ("1x1 64, 3x3 96", "maxpool 3x3")
    assert figure_branches((Conv(64), Conv(96, 3)), figure_text) == ("1x1 64, 3x3 96",)
    with pytest.raises(ValueError, match="no figure draws"):
        figure_text(Separable(64, 7))
