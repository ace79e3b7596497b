"""The facts against the print: Table 1 of arXiv 1409.4842, retyped here from the PDF (page 6), cell by cell."""

import pytest

from godeeper.papers import facts

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
FILTERS = ("n1x1", "n3x3_reduce", "n3x3", "n5x5_reduce", "n5x5", "pool_proj")
ROWS = dict(zip(STAGES, ([cell.strip() for cell in line.split("|")] for line in PRINT.strip().splitlines()), strict=True))


def cells(fact: facts.Printed) -> list[str]:
    """A fact written as the paper writes it, from the second column on."""
    channels, height, width = fact.output
    patch = "" if fact.patch is None else f"{fact.patch}x{fact.patch}/{fact.stride}"
    filters = [getattr(fact, column) for column in FILTERS]
    return [patch, f"{height}x{width}x{channels}", str(fact.depth), *("" if n is None else str(n) for n in filters),
            fact.params or "", fact.ops or ""]  # fmt: skip


def test_the_table_has_the_prints_rows_in_its_order():
    assert tuple(fact.stage for fact in facts.GOOGLENET_TABLE_1) == STAGES


@pytest.mark.parametrize("fact", facts.GOOGLENET_TABLE_1, ids=lambda fact: fact.stage)
def test_every_cell_is_the_prints(fact):
    kind, *printed = ROWS[fact.stage]
    assert cells(fact) == printed
    assert fact.stage in kind or not kind.startswith("inception")


def test_the_claims_of_the_text():
    assert facts.GOOGLENET_AUXILIARY_POOLS == {"aux1": (512, 4, 4), "aux2": (528, 4, 4)}  # "4x4x512 ... and 4x4x528"
    assert (facts.GOOGLENET_LAYERS, facts.GOOGLENET_LAYERS_WITH_POOLS) == (22, 27)
    assert facts.GOOGLENET_MULTIPLY_ADDS == "1.5G"  # "a computational budget of 1.5 billion multiply-adds"
    assert facts.FEWER_PARAMETERS_THAN_ALEXNET == 12
    assert facts.ALEXNET_PARAMETERS == 60_000_000  # Krizhevsky 2012: "60 million parameters"


def test_a_fact_cannot_be_corrected_by_accident():
    with pytest.raises(AttributeError):
        facts.GOOGLENET_TABLE_1[0].depth = 2  # type: ignore[misc]
