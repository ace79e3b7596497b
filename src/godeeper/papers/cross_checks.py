"""Printed values that other printed values determine: tables against themselves, the text against tables, paper against paper."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from . import facts_inception_v4 as v4
from .facts import Fact
from .facts_bn_inception import BN_INCEPTION_ERRORS
from .facts_googlenet import GOOGLENET_DETECTION, GOOGLENET_TABLE_3, GOOGLENET_TABLE_4, GOOGLENET_TABLE_5
from .facts_inception_v3 import (
    INCEPTION_V3_CUTS,
    INCEPTION_V3_ENSEMBLE,
    INCEPTION_V3_SECTION_6,
    INCEPTION_V3_TABLE_1,
    INCEPTION_V3_TABLE_3,
    INCEPTION_V3_TABLE_4,
    INCEPTION_V3_TABLE_4_HEAD,
)
from .notation import SAME, VALID, Conv, Max, Row
from .shape import FeatureShape, row_output


class CrossCheck(NamedTuple):
    """A printed value, and what other printed values say that it should be."""

    fact: Fact
    expected: str


def googlenet() -> Iterator[CrossCheck]:
    """Table 3's differences from the best single crop; the mAP of Section 8 against Tables 4 and 5."""
    base = GOOGLENET_TABLE_3[0].top5_error
    for row in GOOGLENET_TABLE_3[1:]:
        fact = Fact("Table 3", "", f"{row.models} x {row.crops} crops, against base", f"{row.against_base:.2f}")
        yield CrossCheck(fact, f"{row.top5_error - base:.2f}")
    single = next(value for team, value, *_ in GOOGLENET_TABLE_5 if team == "GoogLeNet")
    several = next(value for team, _, _, value, *_ in GOOGLENET_TABLE_4 if team == "GoogLeNet")
    for models, table, value in ((1, "Table 5", single), (6, "Table 4", several)):
        fact = Fact("Section 8", "", f"mAP of {models} x GoogLeNet, against {table}", f"{GOOGLENET_DETECTION[models]:g}%")
        yield CrossCheck(fact, f"{value:g}%")


V3_TABLE_1 = {(fact.stage, fact.quantity): str(fact.printed) for fact in INCEPTION_V3_TABLE_1}


def inception_v3() -> Iterator[CrossCheck]:
    """Table 1 row by row, the figures that the text names, and the errors."""
    inputs = [fact for fact in INCEPTION_V3_TABLE_1 if fact.quantity == "input"]
    for fact, following in pairwise(inputs[:8]):
        printed = str(following.printed).rpartition("x")[0]
        yield CrossCheck(Fact(fact.source, fact.stage, "grid after it", printed), _grid_after(fact.stage))
    for stage, grid in (("B", "17x17"), ("C", "8x8")):
        fact = Fact("Section 6", stage, f"figure of the {grid} modules", INCEPTION_V3_SECTION_6[grid])
        yield CrossCheck(fact, V3_TABLE_1[stage, "figure"])
    yield from _inception_v3_errors()


def _grid_after(stage: str) -> str:
    """The grid that a printed row makes of its printed input."""
    kind, (height, width, channels) = V3_TABLE_1[stage, "type"], map(int, V3_TABLE_1[stage, "input"].split("x"))
    stride = int(kind.rpartition("/")[2])
    row: Row = Max(3, stride, VALID) if "pool" in kind else Conv(1, 3, stride, SAME if "padded" in kind else VALID)
    shape, _ = row_output(row, FeatureShape(channels, height, width), None)
    return f"{shape.height}x{shape.width}"


def _inception_v3_errors() -> Iterator[CrossCheck]:
    quoted = INCEPTION_V3_TABLE_3
    googlenet_top5 = Fact("Table 3", "", "top-5 error of GoogLeNet", str(quoted["GoogLeNet"][1]))
    yield CrossCheck(googlenet_top5, str(GOOGLENET_TABLE_3[0].top5_error))
    top1, top5 = BN_INCEPTION_ERRORS
    bn_inception = Fact("Table 3", "", "errors of BN-Inception", "{}, {}".format(*quoted["BN-Inception"]))
    yield CrossCheck(bn_inception, f"{top1}, {top5:.1f}")
    both = {key: (first, second) for key, (first, second) in INCEPTION_V3_TABLE_4.items() if first is not None}
    top1_first = all(first > second for first, second in both.values())
    columns = ("Top-1", "Top-5") if top1_first else ("Top-5", "Top-1")
    yield CrossCheck(Fact("Table 4", "", "columns", ", ".join(INCEPTION_V3_TABLE_4_HEAD)), ", ".join(columns))
    abstract, table_5 = INCEPTION_V3_ENSEMBLE.values()
    yield CrossCheck(Fact("Abstract", "", "top-1 error of the ensemble", str(abstract)), str(table_5))
    before, after = both["PReLU", None], both["Inception-v3", 144]
    for position, error in enumerate(("top-1", "top-5")):
        cut = Fact("Section 11", "", f"cut of the {error} error", f"{INCEPTION_V3_CUTS[position]}%")
        yield CrossCheck(cut, f"{100 * (1 - after[position] / before[position]):.0f}%")


def curves(*figures: str) -> Iterator[CrossCheck]:
    """The captions of arXiv 1602.07261's curves against their legends."""
    for figure in figures:
        caption, legend = v4.CURVES[figure]
        yield CrossCheck(Fact(figure, "", "caption", caption.lower()), legend)


def resnet_quotes() -> Iterator[CrossCheck]:
    """How arXiv 1602.07261's error tables call the deepest network of He et al., against its number of layers."""
    layers = 1 + 3 * sum(v4.RESNET_BLOCKS) + 1
    for source, errors in (("Table 3", v4.TABLE_3), ("Table 4", v4.TABLE_4), ("Table 5", v4.TABLE_5)):
        (quoted,) = (name for name in errors if name.startswith("ResNet"))
        yield CrossCheck(Fact(source, "", "He et al.'s network", quoted), f"ResNet-{layers}")
