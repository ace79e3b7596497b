"""The audit: what of the print our tables reproduce, what is a misprint and why, and that it can say no."""

from collections import Counter
from dataclasses import replace

import pytest

from godeeper import GodeeperError, audit, describe
from godeeper.papers import facts
from godeeper.papers import facts_inception_v4 as facts_v4
from godeeper.papers.audit import AUDITED
from godeeper.papers.notation import SAME, VALID, Avg, Cat, Conv, Max, Residual, Separable, times
from godeeper.papers.registry import DEFINITIONS
from godeeper.papers.words import branches, outline, words

READINGS = {"googlenet": "googlenet_counted", "googlenet_counted": "googlenet"}
COUNTED_ROWS = ("conv1", "conv2", "3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b", "linear")  # rows with params and ops

TABLE_3 = "Table 3, 7 x 144 crops, against base"  # 6.67 - 10.07, whatever the network
DETECTION = "Section 8, mAP of 1 x GoogLeNet"  # which Table 5 prints too


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
    # 7 patches, 9 modules of 6 filters and conv2's 2, 12 params, 12 ops, 2 heads, 4 claims, 5 of Table 3, 2 of detection
    assert len(places) == 2 * 18 + 1 + 7 + 9 * 6 + 2 + 2 * 12 + 2 + 4 + 5 + 2


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
        TABLE_3: "-3.40",
        DETECTION: "38.02%",
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
    assert missed == ops | params | {"multiply-adds", "fewer parameters than AlexNet", TABLE_3, DETECTION}


def test_twelve_times_fewer_parameters_is_unexplained():
    claim = findings("googlenet")["fewer parameters than AlexNet"]
    assert (claim.printed, claim.computed, claim.verdict) == ("12x", "8.6x", "unexplained")  # 60 M / 6,998,552 = 8.57


@pytest.mark.parametrize("where", ["3a params", "linear params"])  # 159.86 K is printed 159K, 1000.98 K is printed 1000K
def test_a_truncated_cell_says_so(where):
    finding = findings("googlenet")[where]
    assert finding.verdict == "reproduced"
    assert "truncated" in finding.note


@pytest.mark.parametrize("name", AUDITED)
def test_every_verdict_is_known_and_errata_are_explained(name):
    for finding in audit(name):
        assert finding.verdict in ("reproduced", "erratum", "unexplained")
        assert finding.note or finding.verdict != "erratum", finding
        assert finding.printed == finding.computed or finding.verdict != "reproduced" or finding.note, finding


@pytest.mark.parametrize(("name", "other"), READINGS.items())
def test_an_erratum_is_what_the_other_reading_reproduces(name, other):
    theirs = findings(other)
    for where, finding in findings(name).items():
        if finding.verdict != "reproduced" and where not in (TABLE_3, DETECTION):
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
OTHERS = {"Table 3, He et al.'s network", "Table 4, He et al.'s network", "Table 5, He et al.'s network", "Figure 23 caption"}
COST = "Section 3.2, cost of Inception-ResNet-v2 over Inception-v4's"
LAYERS = "Section 3.2, layers of Inception-v4 and Inception-ResNet-v2"
FIGURE_5_EITHER_WAY = {"conv2 depth", "3c output", "4e output", "Section 4.2, filters of a double 3x3 at most"}
ERRATA = {
    "bn_inception": {*FIGURE_5_EITHER_WAY, "4c pool", "4d pool"},
    "bn_inception_caffe": {*FIGURE_5_EITHER_WAY, "4c output", "4d output"},
    "inception_v3": {
        "Table 1 row 7 output", "Section 6, 17x17 modules", "Section 6, 8x8 modules", "Section 6, cost of GoogLeNet's",
        "Table 3, GoogLeNet top-5", "Table 4, columns", "Abstract, ensemble top-1", "Section 11, top-1 error cut",
        "Section 11, top-5 error cut",
    },
    "inception_v4_printed": {"Figure 3 row 6 branch 1", "Figure 5 branch 3", "Figure 23 caption", COST},
    "inception_v4": {"Figure 3 row 6 branch 1", "Figure 5 branch 3", "Figure 23 caption"},
    "inception_resnet_v1": set(),
    "inception_resnet_v2_printed": {
        "Figure 3 row 6 branch 1", "Figure 17 linear", "Figure 18 caption", "Figure 19 linear", COST, *OTHERS,
    },
    "inception_resnet_v2": {"Figure 18 caption", *OTHERS},
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
    assert all(finding.note for finding in audit(name) if finding.verdict == "unexplained")


@pytest.mark.parametrize(
    ("name", "where", "printed", "computed"),
    [
        ("inception_resnet_v2_printed", "Figure 17 linear", "1154", "1152"),  # 384 + 384 + 384
        ("inception_resnet_v2_printed", "Figure 19 linear", "2048", "2144"),  # 1152 + 384 + 288 + 320
        ("inception_resnet_v2_printed", "Figure 18 caption", "Inception-ResNet-v1", "Inception-ResNet-v2"),
        ("inception_resnet_v2_printed", "Table 4, He et al.'s network", "ResNet-151", "ResNet-152"),
        ("inception_v4_printed", "Figure 3 row 6 branch 1", "3x3 192 V", "3x3 192 /2 V"),
        ("inception_v4_printed", "Figure 5 branch 3", "1x1 192, 1x7 224, 1x7 256", "1x1 192, 1x7 224, 7x1 256"),
        ("inception_v4_printed", "Figure 23 caption", "inception-v3", "inception-v4"),
        ("inception_v3", "Table 1 row 7 output", "35x35", "33x33"),  # 35 - 3 + 1
        ("inception_v3", "Section 6, cost of GoogLeNet's", "2.5x", "3.8x"),  # 5.71 / 1.50
        ("bn_inception", "3c output", "28x28x576", "14x14x576"),
        ("bn_inception", "4d pool", "avg + 128", "avg + 96"),
        ("bn_inception_caffe", "4c output", "14x14x576", "14x14x608"),  # 160 + 160 + 160 + 128
        ("bn_inception_caffe", "4e output", "14x14x1024", "7x7x1056"),  # 192 + 256 + 608
    ],
)
def test_what_an_erratum_says(name, where, printed, computed):
    finding = findings(name)[where]
    assert (finding.printed, finding.computed, finding.verdict) == (printed, computed, "erratum")


def test_the_reasons_of_the_errata_are_in_the_facts():
    filters = facts_v4.REDUCTION_A_FILTERS[facts_v4.RESNET_V2]
    after_a = facts_v4.BLOCKS["Figure 16"].linear + filters["m"] + filters["n"]
    assert after_a == 1152
    assert (after_a + 384 + 288 + 320, after_a + 384 + 256 + 256) == (2144, 2048)  # Figures 18 and 12
    by_stage = {row.stage: row for row in facts.BN_INCEPTION_FIGURE_5}
    for stage in ("4c", "4d"):
        row = by_stage[stage]
        assert row.n1x1 + row.n3x3 + row.double + 128 == 608
        assert row.n1x1 + row.n3x3 + row.double + 96 == 576
    assert {(layers - 2) % 3 for layers in (151, 152)} == {0, 2}  # only 152 is two more than threes


def test_the_pair_that_costs_the_same_and_the_pair_that_does_not():
    first, printed, released = (findings(f"inception_resnet_{v}") for v in ("v1", "v2_printed", "v2"))
    v1 = first["Section 3.2, cost of Inception-ResNet-v1 over Inception-v3's"]
    assert (v1.computed, v1.verdict, v1.note) == ("1.09x", "reproduced", "6.21 G against 5.71 G")
    assert (printed[COST].computed, printed[COST].verdict) == ("0.76x", "erratum")
    assert "9.26 G against 12.25 G" in printed[COST].note
    assert (released[COST].computed, released[COST].verdict) == ("1.07x", "reproduced")


def test_inception_v4_has_more_convolutions_than_the_printed_rival_only():
    # stem 11; modules 7 x 4, 10 x 7, 10 x 3; reductions 4, 6 -- and 11; 7 x 5, 5 x 10, 5 x 5; 4, 7
    assert 11 + 28 + 70 + 30 + 10 == 149
    assert 11 + 35 + 50 + 25 + 11 == 132
    finding = findings("inception_v4_printed")[LAYERS]
    assert (finding.printed, finding.computed, finding.verdict) == ("more", "149 and 132", "reproduced")
    assert findings("inception_v4")[LAYERS].verdict == "unexplained"


def test_the_released_order_is_told_from_the_printed_one():
    changed = places("inception_v4", "unexplained") - places("inception_v4_printed", "unexplained")
    assert changed == {"Figure 3 row 5 branch 2", "Figure 5 branch 4", "Figure 6 branch 4", LAYERS}
    finding = findings("inception_v4")["Figure 5 branch 4"]
    assert finding.printed == "1x1 192, 1x7 192, 7x1 224, 1x7 224, 7x1 256"
    assert finding.computed == "1x1 192, 7x1 192, 1x7 224, 7x1 224, 1x7 256"


def test_how_the_released_inception_resnet_v2_departs_from_the_print():
    found = findings("inception_resnet_v2")
    assert {where: found[where].computed for where in places("inception_resnet_v2", "unexplained")} == {
        "Figure 3 row 4": "maxpool 3x3 /2 V",
        "Figure 3 row 4 output": "73x73x64",
        "Figure 3 row 5": "1x1 80, 3x3 192 V",
        "Figure 3 row 6": "maxpool 3x3 /2 V",
        "Figure 3 row 6 output": "35x35x192",
        "Figure 15 A blocks": "10",
        "Figure 15 B blocks": "20",
        "Figure 15 C blocks": "10",
        "Figure 16 linear": "320",
        "Figure 17 linear": "1088",
        "Figure 19 linear": "2080",
        "Section 3.3, scale of C_last": "1.00",
        LAYERS: "149 and 244",
    }


def altered(table, key, value):
    return {**table, key: value}


def bn_row(stage, **cells):
    return tuple(replace(fact, **cells) if fact.stage == stage else fact for fact in facts.BN_INCEPTION_FIGURE_5)


def v3_row(number, kind, entering):
    rows = list(facts.INCEPTION_V3_TABLE_1)
    rows[number - 1] = kind, entering
    return tuple(rows)


def linear(figure, width):
    return altered(facts_v4.BLOCKS, figure, replace(facts_v4.BLOCKS[figure], linear=width))


def drawn(figure, *printed):
    return altered(facts_v4.BLOCKS, figure, replace(facts_v4.BLOCKS[figure], branches=printed))


def schema(figure, at, *part):
    parts = facts_v4.SCHEMAS[figure]
    return altered(facts_v4.SCHEMAS, figure, (*parts[:at], part, *parts[at + 1 :]))


def stem(at, *line):
    lines = facts_v4.STEMS["Figure 14"]
    return altered(facts_v4.STEMS, "Figure 14", (*lines[:at], line, *lines[at + 1 :]))


@pytest.mark.parametrize(
    ("name", "module", "fact", "value", "where"),
    [
        ("bn_inception", facts, "BN_INCEPTION_FIGURE_5", bn_row("4a", double=129), "4a double"),
        ("bn_inception", facts, "BN_INCEPTION_FIGURE_5", bn_row("5b", pool="avg + 128"), "5b pool"),
        ("bn_inception", facts, "BN_INCEPTION_FIGURE_5", bn_row("4e", patch="stride 1"), "4e patch/stride"),
        ("bn_inception", facts, "BN_INCEPTION_FIGURE_5", bn_row("4c", pool="avg + 64"), "4c pool"),  # an erratum no more
        ("bn_inception", facts, "BN_INCEPTION_MULTIPLIER", 1, "first layer's multiplier"),
        ("bn_inception_caffe", facts, "BN_INCEPTION_28X28_MODULES", 2, "Appendix, modules on 28x28"),
        ("bn_inception_caffe", facts, "BN_INCEPTION_LAYERS_MORE", 12, "Appendix, layers more"),
        ("bn_inception", facts, "BN_INCEPTION_COST_MORE", 40, "Appendix, multiply-adds more"),
        ("inception_v3", facts, "INCEPTION_V3_TABLE_1", v3_row(2, "conv 3x3/2", "149x149x32"), "Table 1 row 2 type"),
        ("inception_v3", facts, "INCEPTION_V3_TABLE_1", v3_row(9, "5 x Inception, Figure 6", "17x17x769"), "Table 1 B input"),
        ("inception_v3", facts, "INCEPTION_V3_TABLE_1", v3_row(3, "conv 3x3/1", "147x147x32"), "Table 1 row 3 output"),
        ("inception_v3", facts, "INCEPTION_V3_PARAMETERS_BELOW", 23_000_000, "parameters"),
        ("inception_v3", facts, "INCEPTION_V3_TABLE_4_HEAD", ("Top-5",), "Table 4, columns"),
        ("inception_v4_printed", facts_v4, "BLOCKS", drawn("Figure 4", "avgpool, 1x1 97", "1x1 96", "1x1 64", "1x1 64"),
         "Figure 4 branch 1"),
        ("inception_v4_printed", facts_v4, "SCHEMAS", schema("Figure 9", 3, "B", 8, "17x17x1024"), "Figure 9 B blocks"),
        ("inception_v4", facts_v4, "SCHEMAS", schema("Figure 9", 6, "avgpool", None, "1537"), "Figure 9 avgpool output"),
        ("inception_v4", facts_v4, "DROPOUT_KEEP", 0.5, "Figure 9 dropout keep"),
        ("inception_v4", facts_v4, "INPUT", "224x224x3", "Figure 3 input"),
        ("inception_v4", facts, "UNPRINTED_PARAMETERS", {"inception_v4": (1, "nobody")}, "parameters"),
        ("inception_resnet_v1", facts_v4, "STEMS", stem(5, ("3x3 192",), "71x71x192"), "Figure 14 row 6"),
        ("inception_resnet_v1", facts_v4, "STEMS", stem(5, ("3x3 192 V",), "73x73x192"), "Figure 14 row 6 output"),
        ("inception_resnet_v1", facts_v4, "BLOCKS", linear("Figure 13", 1793), "Figure 13 linear"),
        ("inception_resnet_v1", facts_v4, "RESIDUAL_SCALES", (0.2, 0.3), "Section 3.3, scale of B"),
        ("inception_resnet_v2_printed", facts_v4, "BLOCKS", linear("Figure 17", 1155), "Figure 17 linear"),
        ("inception_resnet_v2_printed", facts_v4, "REDUCTION_A", ("maxpool 3x3 /2 V", "3x3 m /2 V", "1x1 k"),
         "Figure 7 branch 2"),
        ("inception_resnet_v2_printed", facts_v4, "REDUCTION_A_FILTERS",
         {facts_v4.RESNET_V2: {"k": 256, "l": 256, "m": 383, "n": 384}}, "Table 1 m"),
        ("inception_resnet_v2_printed", facts_v4, "MORE_LAYERS", (facts_v4.RESNET_V2, facts_v4.V4),
         "Section 3.2, layers of Inception-ResNet-v2 and Inception-v4"),
        ("inception_resnet_v2", facts_v4, "RESNET_BLOCKS", (3, 4, 23, 3), "Table 3, He et al.'s network"),
    ],
)  # fmt: skip
def test_each_audit_can_fail(monkeypatch, name, module, fact, value, where):
    assert where not in places(name, "unexplained")
    monkeypatch.setattr(module, fact, value)
    assert where in places(name, "unexplained")


def test_each_caption_is_held_against_the_tables(monkeypatch):
    swapped = replace(facts_v4.BLOCKS["Figure 10"], network=facts_v4.RESNET_V2)
    monkeypatch.setattr(facts_v4, "BLOCKS", altered(facts_v4.BLOCKS, "Figure 10", swapped))
    finding = findings("inception_resnet_v1")["Figure 10 caption"]
    assert (finding.computed, finding.verdict) == ("Inception-ResNet-v1", "unexplained")


@pytest.mark.parametrize(
    ("name", "stage", "block", "departed"),
    [
        ("inception_v4_printed", "A", times(4, Cat([Conv(96)], [Conv(64), Conv(96, 5)], [Conv(64), Conv(96, 3), Conv(96, 3)],
                                                   [Avg(3), Conv(96)])), {"Figure 4 branch 3"}),
        ("inception_resnet_v1", "C", times(5, Residual(Cat([Conv(192)], [Conv(192), Conv(192, (3, 1)), Conv(192, (1, 3))]),
                                                       scale=0.20)), {"Figure 13 branch 2"}),
        ("bn_inception", "5b", Cat([Conv(352)], [Conv(192), Conv(320, 3)], [Conv(192), Conv(224, 3), Conv(224, 3)],
                                   [Avg(3), Conv(128)]), {"5b pool"}),
    ],
)  # fmt: skip
def test_a_wrong_table_is_found_out(monkeypatch, name, stage, block, departed):
    before = places(name, "unexplained")
    table = DEFINITIONS[name]
    monkeypatch.setitem(DEFINITIONS, name, replace(table, stages={**table.stages, stage: block}))
    assert departed <= places(name, "unexplained") - before


def test_the_figures_words():
    assert words(Conv(96, 3, 2, VALID)) == "3x3 96 /2 V"
    assert words(Conv(224, (1, 7))) == "1x7 224"
    assert words(Max(3, 2, VALID)) == "maxpool 3x3 /2 V"
    assert words(Avg(3)) == "avgpool"
    assert words(Cat([Conv(256, (1, 3))], [Conv(256, (3, 1))])) == "1x3 256 | 3x1 256"
    assert outline(Conv(96, 3, 2, VALID)) == "3x3 /2"
    assert outline(Max(3, 2, SAME)) == "pool /2"
    block = Cat([Conv(64), Conv(96, 3)], [Max(3)])
    assert branches(block, words) == branches(times(4, block), words) == ("1x1 64, 3x3 96", "maxpool 3x3")
    assert branches(Residual(block), words) == branches(block, words)
    assert branches((Conv(64), Conv(96, 3)), words) == ("1x1 64, 3x3 96",)
    with pytest.raises(ValueError, match="no figure draws"):
        words(Separable(64, 7))
