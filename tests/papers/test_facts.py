"""The facts against the print: tables retyped here from the PDFs, cell by cell (arXiv 1409.4842's Table 1: page 6)."""

import pytest

from godeeper.papers import facts_inception_v4 as facts_v4
from godeeper.papers.facts import Fact, read_table
from godeeper.papers.facts_bn_inception import BN_INCEPTION_CLAIMS, BN_INCEPTION_FIGURE_5
from godeeper.papers.facts_googlenet import ALEXNET_PARAMETERS, GOOGLENET_CLAIMS, GOOGLENET_TABLE_1
from godeeper.papers.facts_inception_v3 import (
    INCEPTION_V3_CLAIMS,
    INCEPTION_V3_CUTS,
    INCEPTION_V3_TABLE_1,
    INCEPTION_V3_TABLE_3,
    INCEPTION_V3_TABLE_4,
)
from godeeper.papers.printed_errors import PRINTED_ERRORS
from godeeper.papers.registry import DEFINITIONS

# type | patch/stride | output | depth | 1x1 | 3x3 reduce | 3x3 | 5x5 reduce | 5x5 | pool proj | params | ops
PRINT = """
convolution    | 7x7/2 | 112x112x64 | 1 |     |     |     |    |     |     | 2.7K  | 34M
max pool       | 3x3/2 | 56x56x64   | 0 |     |     |     |    |     |     |       |
convolution    | 3x3/1 | 56x56x192  | 2 |     | 64  | 192 |    |     |     | 112K  | 360M
max pool       | 3x3/2 | 28x28x192  | 0 |     |     |     |    |     |     |       |
inception (3a) |       | 28x28x256  | 2 | 64  | 96  | 128 | 16 | 32  | 32  | 159K  | 128M
inception (3b) |       | 28x28x480  | 2 | 128 | 128 | 192 | 32 | 96  | 64  | 380K  | 304M
max pool       | 3x3/2 | 14x14x480  | 0 |     |     |     |    |     |     |       |
inception (4a) |       | 14x14x512  | 2 | 192 | 96  | 208 | 16 | 48  | 64  | 364K  | 73M
inception (4b) |       | 14x14x512  | 2 | 160 | 112 | 224 | 24 | 64  | 64  | 437K  | 88M
inception (4c) |       | 14x14x512  | 2 | 128 | 128 | 256 | 24 | 64  | 64  | 463K  | 100M
inception (4d) |       | 14x14x528  | 2 | 112 | 144 | 288 | 32 | 64  | 64  | 580K  | 119M
inception (4e) |       | 14x14x832  | 2 | 256 | 160 | 320 | 32 | 128 | 128 | 840K  | 170M
max pool       | 3x3/2 | 7x7x832    | 0 |     |     |     |    |     |     |       |
inception (5a) |       | 7x7x832    | 2 | 256 | 160 | 320 | 32 | 128 | 128 | 1072K | 54M
inception (5b) |       | 7x7x1024   | 2 | 384 | 192 | 384 | 48 | 128 | 128 | 1388K | 71M
avg pool       | 7x7/1 | 1x1x1024   | 0 |     |     |     |    |     |     |       |
dropout (40%)  |       | 1x1x1024   | 0 |     |     |     |    |     |     |       |
linear         |       | 1x1x1000   | 1 |     |     |     |    |     |     | 1000K | 1M
softmax        |       | 1x1x1000   | 0 |     |     |     |    |     |     |       |
"""

STAGES = (
    "conv1", "pool1", "conv2", "pool2", "3a", "3b", "pool3", "4a", "4b", "4c", "4d", "4e", "pool4", "5a", "5b",
    "avgpool", "dropout", "linear", "softmax",
)  # fmt: skip
COLUMNS = (
    "patch/stride", "output", "depth", "1x1", "3x3 reduce", "3x3", "5x5 reduce", "5x5", "pool proj", "params", "ops",
)  # fmt: skip


def cells(facts):
    """The printed cells by stage and column."""
    assert len({(fact.stage, fact.quantity) for fact in facts}) == len(facts)
    return {(fact.stage, fact.quantity): fact.printed for fact in facts}


def retyped(text, stages, columns):
    """The cells of a retyped table, whose first column is the type of the stage; empty cells are left out."""
    table = {}
    for stage, line in zip(stages, text.strip().splitlines(), strict=True):
        kind, *row = (cell.strip() for cell in line.split("|"))
        assert stage in kind or not kind.startswith("inception")
        table |= {(stage, column): cell for column, cell in zip(columns, row, strict=True) if cell}
    return table


def claims(facts):
    """The printed values by quantity."""
    return {fact.quantity: fact.printed for fact in facts}


def test_every_cell_of_googlenets_table():
    assert cells(GOOGLENET_TABLE_1) == retyped(PRINT, STAGES, COLUMNS)
    assert list(dict.fromkeys(fact.stage for fact in GOOGLENET_TABLE_1)) == list(STAGES)


def test_the_claims_of_the_text():
    pools = {fact.stage: fact.printed for fact in GOOGLENET_CLAIMS if fact.stage}
    assert pools == {"aux1": "4x4x512", "aux2": "4x4x528"}  # "4x4x512 ... and 4x4x528"
    printed = claims(GOOGLENET_CLAIMS)
    assert (printed["layers with parameters"], printed["layers with pools"]) == ("22", "27")
    assert printed["multiply-adds"] == "1.5G"  # "a computational budget of 1.5 billion multiply-adds"
    assert printed["fewer parameters than AlexNet"] == "12x"
    assert ALEXNET_PARAMETERS == 60_000_000  # Krizhevsky 2012: "60 million parameters"


def test_a_fact_cannot_be_corrected_by_accident():
    with pytest.raises(AttributeError):
        GOOGLENET_TABLE_1[0].printed = "2"  # type: ignore[misc]


def test_a_table_is_read_row_by_row_without_its_empty_cells():
    facts = read_table("Table {row}", "stage | output | branches\n a | | 3x3; 1x1, 3x3\n b | 1x1x2 |")
    assert facts == (Fact("Table 1", "a", "branches", ("3x3", "1x1, 3x3")), Fact("Table 2", "b", "output", "1x1x2"))


# --- the later papers, from their PDFs: arXiv 1502.03167 page 11; 1512.00567 pages 6 and 8; 1602.07261 pages 3-10 ---

# type | patch | output | depth | 1x1 | 3x3 reduce | 3x3 | double reduce | double | pool
FIGURE_5 = """
convolution*   | 7x7/2    | 112x112x64 | 1 |     |     |     |     |     |
max pool       | 3x3/2    | 56x56x64   | 0 |     |     |     |     |     |
convolution    | 3x3/1    | 56x56x192  | 1 |     | 64  | 192 |     |     |
max pool       | 3x3/2    | 28x28x192  | 0 |     |     |     |     |     |
inception (3a) |          | 28x28x256  | 3 | 64  | 64  | 64  | 64  | 96  | avg + 32
inception (3b) |          | 28x28x320  | 3 | 64  | 64  | 96  | 64  | 96  | avg + 64
inception (3c) | stride 2 | 28x28x576  | 3 | 0   | 128 | 160 | 64  | 96  | max + pass through
inception (4a) |          | 14x14x576  | 3 | 224 | 64  | 96  | 96  | 128 | avg + 128
inception (4b) |          | 14x14x576  | 3 | 192 | 96  | 128 | 96  | 128 | avg + 128
inception (4c) |          | 14x14x576  | 3 | 160 | 128 | 160 | 128 | 160 | avg + 128
inception (4d) |          | 14x14x576  | 3 | 96  | 128 | 192 | 160 | 192 | avg + 128
inception (4e) | stride 2 | 14x14x1024 | 3 | 0   | 128 | 192 | 192 | 256 | max + pass through
inception (5a) |          | 7x7x1024   | 3 | 352 | 192 | 320 | 160 | 224 | avg + 128
inception (5b) |          | 7x7x1024   | 3 | 352 | 192 | 320 | 192 | 224 | max + 128
avg pool       | 7x7/1    | 1x1x1024   | 0 |     |     |     |     |     |
"""


BN_STAGES = ("conv1", "pool1", "conv2", "pool2", "3a", "3b", "3c", "4a", "4b", "4c", "4d", "4e", "5a", "5b", "avgpool")
BN_COLUMNS = ("patch/stride", "output", "depth", "1x1", "3x3 reduce", "3x3", "double 3x3 reduce", "double 3x3", "pool proj")


def test_every_cell_of_bn_inceptions_figure():
    assert cells(BN_INCEPTION_FIGURE_5) == retyped(FIGURE_5, BN_STAGES, BN_COLUMNS)


def test_the_claims_about_bn_inception():
    printed = claims(BN_INCEPTION_CLAIMS)
    assert printed["parameters more than GoogLeNet"] == "25%"
    assert printed["multiply-adds more than GoogLeNet"] == "30%"
    assert printed["layers more than GoogLeNet"] == "9"
    assert (printed["multiplier"], printed["modules on 28x28"]) == ("8", "3")
    assert (printed["parameters"], printed["filters of a double 3x3 at most"]) == ("13.6M", "128")


def test_table_1_of_inception_v3():
    inputs = (
        "299x299x3 149x149x32 147x147x32 147x147x64 73x73x64 71x71x80 35x35x192 35x35x288 17x17x768 8x8x1280 8x8x2048 1x1x2048"
    )
    assert [fact.printed for fact in INCEPTION_V3_TABLE_1 if fact.quantity == "input"] == [*inputs.split(), "1x1x1000"]
    kinds = [fact.printed for fact in INCEPTION_V3_TABLE_1 if fact.quantity == "type"]
    assert [kind.rpartition(" ")[2] for kind in kinds[:7]] == ["3x3/2", "3x3/1", "3x3/1", "3x3/2", "3x3/1", "3x3/2", "3x3/1"]
    assert [kind for kind in kinds if "padded" in kind or "pool" in kind] == [kinds[2], kinds[3], kinds[10]]
    assert kinds[7:10] == ["3 x Inception", "5 x Inception", "2 x Inception"]
    figures = {fact.stage: fact.printed for fact in INCEPTION_V3_TABLE_1 if fact.quantity == "figure"}
    assert figures == {"A": "Figure 5", "B": "Figure 6", "C": "Figure 7"}


def test_the_claims_about_inception_v3():
    printed = claims(INCEPTION_V3_CLAIMS)
    assert (printed["layers with parameters"], printed["parameters"], printed["multiply-adds"]) == ("42", "< 25M", "5G")
    assert printed["multiply-adds over GoogLeNet's"] == printed["multiply-adds over BN-Inception's"] == "2.5x"
    assert INCEPTION_V3_CUTS == (14, 25)  # "the top-5 (top-1) error by 25% (14%)"
    assert [cost for _, _, cost in INCEPTION_V3_TABLE_3.values()] == [1.5, 1.5, 2.0, 3.8, 3.8, 3.8, 4.8, 4.8]
    assert [second for _, second in INCEPTION_V3_TABLE_4.values()] == [9.15, 7.89, 6.8, 5.82, 7.38, 5.71, 4.48, 4.2]


BLOCKS = {
    (fact.source, fact.quantity): fact.printed
    for fact in (*facts_v4.V4_BLOCKS, *facts_v4.RESNET_V1_BLOCKS, *facts_v4.RESNET_V2_BLOCKS)
}


def filters(branch):
    """What a printed branch gives: the filters at its end, of both sides where it ends in two; None for a pool."""
    last = branch.split(", ")[-1]
    return None if "pool" in last else sum(int(side.split()[1]) for side in last.split(" | "))


@pytest.mark.parametrize(("figure", "channels"), [("Figure 4", 384), ("Figure 5", 1024), ("Figure 6", 1536)])
def test_the_printed_branches_of_inception_v4_add_up_to_the_printed_outputs(figure, channels):
    assert sum(filters(branch) for branch in BLOCKS[figure, "branches"]) == channels
    assert channels in {int(fact.printed.split("x")[-1]) for fact in facts_v4.FIGURE_9 if fact.quantity == "output"}


@pytest.mark.parametrize(
    ("figure", "enter", "leave"), [("Figure 8", 1024, 1536), ("Figure 12", 896, 1792), ("Figure 18", 1152, 2144)]
)
def test_the_printed_reductions_add_up(figure, enter, leave):
    assert enter + sum(filters(branch) or 0 for branch in BLOCKS[figure, "branches"]) == leave


def test_table_1_of_inception_v4_adds_up_to_the_printed_outputs():
    enters = {facts_v4.V4: 384, facts_v4.RESNET_V1: 256}
    leaves = {name: enters[name] + row["m"] + row["n"] for name, row in facts_v4.REDUCTION_A_FILTERS.items() if name in enters}
    assert leaves == {facts_v4.V4: 1024, facts_v4.RESNET_V1: 896}
    assert list(facts_v4.REDUCTION_A_FILTERS[facts_v4.RESNET_V2].values()) == [256, 256, 384, 384]


def test_the_linear_widths_and_block_counts():
    widths = {figure: printed for (figure, quantity), printed in BLOCKS.items() if quantity == "linear"}
    assert widths == {
        "Figure 10": "256", "Figure 11": "896", "Figure 13": "1792", "Figure 16": "384", "Figure 17": "1154", "Figure 19": "2048",
    }  # fmt: skip
    for figure, blocks in ((facts_v4.FIGURE_9, ["4", "7", "3"]), (facts_v4.FIGURE_15, ["5", "10", "5"])):
        assert [fact.printed for fact in figure if fact.quantity == "blocks"] == blocks
        assert [fact.printed for fact in figure if fact.quantity == "keep"] == ["0.8"]


def test_the_error_tables():
    assert list(facts_v4.TABLE_2.values()) == [(25.2, 7.8), (21.2, 5.6), (21.3, 5.5), (20.0, 5.0), (19.9, 4.9)]
    assert list(facts_v4.TABLE_3.values()) == [(21.4, 5.7), (19.8, 4.6), (19.8, 4.6), (18.7, 4.2), (18.7, 4.1)]
    assert list(facts_v4.TABLE_4.values()) == [(19.4, 4.5), (18.9, 4.3), (18.8, 4.3), (17.7, 3.8), (17.8, 3.7)]
    assert list(facts_v4.TABLE_5.values()) == [(None, 3.6), (17.3, 3.6), (16.5, 3.1)]


def test_the_printed_errors_are_of_known_models():
    assert set(PRINTED_ERRORS) <= set(DEFINITIONS)
    assert PRINTED_ERRORS["googlenet"] == (None, 10.07, "arXiv 1409.4842, Table 3")
    assert PRINTED_ERRORS["inception_v3"][:2] == facts_v4.TABLE_2["Inception-v3"]  # both papers print it
    assert all(top1 is None or top1 > top5 for top1, top5, _ in PRINTED_ERRORS.values())
