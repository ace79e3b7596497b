"""Inception-v3's Table 1 and Figures 5-10 (arXiv 1512.00567) and the claims of its text, held against the released network."""

from __future__ import annotations

from collections.abc import Iterator

from . import facts
from .describe import Description, StageDescription, describe
from .findings import Cell, Finding, judged, size
from .notation import SAME, VALID, Conv, Definition, Max, Row, Stage, rows
from .registry import definition
from .shape import FeatureShape, row_output
from .words import branches, outline

# The stage of ours that stands where the row of Table 1 does; the print names a third convolution where ours has a pool.
STAGES = ("conv1", "conv2", "conv3", "pool1", "conv4", "conv5", "pool2", "A", "B", "C", "avgpool", "linear")
FIGURES = {"Figure 5": "A", "Figure 6": "B", "Figure 7": "C", "Figure 10": "reduction_b"}
DRAWN = {4: (2, 1, 3, 0), 3: (1, 0, 2)}  # our branches, from left to right as the figures draw them

ERRATA = {
    ("Table 1 row 7 output", "35x35", "33x33"): "not marked as padded, so 35x35 becomes 33x33; row 8 prints 35x35",
    ("Section 6, 17x17 modules", "Figure 5", "Figure 6"): "Table 1 says Figure 6, whose caption names the 17x17 grid",
    ("Section 6, 8x8 modules", "Figure 6", "Figure 7"): "Table 1 says Figure 7, whose caption names the 8x8 grid",
    ("Section 6, cost of GoogLeNet's", "2.5x", "3.8x"): "Table 3 prints 4.8 and 1.5, so 3.2x; its 2.5x is 3.8 before the"
    " factorized 7x7, or 4.8 against BN-Inception's 2.0",
    ("Table 3, GoogLeNet top-5", "9.2", "10.07"): "9.2 is the error of ten crops, which Table 4 prints as 9.15",
    ("Table 4, columns", "Top-5, Top-1", "Top-1, Top-5"): "the heads are swapped: a top-5 error cannot be the greater one",
    ("Abstract, ensemble top-1", "17.3", "17.2"): "Table 5 prints 17.2",
    ("Section 11, top-1 error cut", "14%", "13%"): "from Table 4's 21.59 to 18.77",
    ("Section 11, top-5 error cut", "25%", "26%"): "from Table 4's 5.71 to 4.2",
}
REMARKS = {
    "Table 1 row": "the released stem is another: a 1x1 to 80, a 3x3 to 192, a pool",
    "Table 1 A input": "released modules take 192, 256, 288 channels and give 256, 288, 288",
    "Table 1 B": "the released network has four, and a reduction before and after them",
    "Figure 5 branch 2": "the released module keeps one 5x5",
    "Figure 6 branch 1": "the released module runs 7x1 before 1x7 here",
    "Figure 10 branch 1": "a variation, as the caption of Table 1 allows: 1x7 and 7x1 for the inner 3x3",
    "Figure 8 fully connected": "the released head has a 5x5 convolution to 768 here",
    "layers": "42 would be 6 convolutions of Table 1, 3 x 3, 4 x 5 and 2 x 3 of modules, the classifier, and no reductions",
    "multiply-adds": "of the released filters; Table 3 prints 4.8 G, and what it leaves out is not known",
    "Section 11, cost of BN-Inception's": "Table 3's own 4.8 and 2.0 make 2.4x",
    "Section 1, parameters of GoogLeNet": "Table 1 of arXiv 1409.4842 has 7.0 M",
    "Section 1, parameters of VGG": "138 M against 61 M",
}


def findings(name: str) -> Iterator[Finding]:
    """Every number of Table 1, the modules' outlines, the claims, and the error tables against each other."""
    table = definition(name)
    return judged(_cells(table, describe(table)), ERRATA, REMARKS)


def _cells(table: Definition, described: Description) -> Iterator[Cell]:
    yield from _table_1(table, described)
    yield from _table_1_against_itself()
    yield from _figures(table, described)
    yield from _claims(described)
    yield from _errors()


def _table_1(table: Definition, described: Description) -> Iterator[Cell]:
    stages = {**table.stages, **table.head}
    entering = dict(zip(stages, [(table.in_channels, table.image_size, table.image_size)] + [line.output for line in described],
                        strict=False))  # fmt: skip
    for number, (stage, (kind, printed)) in enumerate(zip(STAGES, facts.INCEPTION_V3_TABLE_1, strict=False), 1):
        where = f"Table 1 {stage if stage in FIGURES.values() else f'row {number}'}"
        yield Cell(f"{where} type", kind.split(",")[0], _kind(stages[stage], described[stage]))
        yield Cell(f"{where} input", printed, size(entering[stage]))
    yield Cell("Table 1 softmax input", facts.INCEPTION_V3_TABLE_1[-1][1], size(described["linear"].output))


def _kind(stage: Stage, line: StageDescription) -> str:
    """A stage as the first two columns of Table 1 write it."""
    row = rows(stage)[0]
    if isinstance(row, Conv):
        return f"conv {'padded ' if row.padding == SAME and row.size != '1x1' else ''}{row.size}/{row.stride}"
    if isinstance(row, Max):
        return f"pool {row.size}/{row.stride}"
    if line.kind.startswith("avg pool"):
        return f"pool {line.kind.split()[-1].partition('/')[0]}"
    return f"{len(rows(stage))} x Inception" if line.kind.endswith("inception") else line.kind


def _table_1_against_itself() -> Iterator[Cell]:
    """What a printed row makes of its printed input, beside the printed input of the next row."""
    for number, ((kind, given), (_, after)) in enumerate(
        zip(facts.INCEPTION_V3_TABLE_1[:7], facts.INCEPTION_V3_TABLE_1[1:8], strict=True), 1
    ):
        stride = int(kind.rpartition("/")[2])
        row: Row = Max(3, stride, VALID) if "pool" in kind else Conv(1, 3, stride, SAME if "padded" in kind else VALID)
        height, width, channels = map(int, given.split("x"))
        shape, _ = row_output(row, FeatureShape(channels, height, width), None)
        yield Cell(f"Table 1 row {number} output", after.rpartition("x")[0], f"{shape.height}x{shape.width}")


def _figures(table: Definition, described: Description) -> Iterator[Cell]:
    for figure, stage in FIGURES.items():
        printed, ours = facts.INCEPTION_V3_FIGURES[figure], branches(rows(table.stages[stage])[:1], outline)
        for number, (text, at) in enumerate(zip(printed, DRAWN[len(printed)], strict=True), 1):
            yield Cell(f"{figure} branch {number}", text, ours[at])
    for layer, output, line in zip(("average pool", "1x1", "fully connected"), facts.INCEPTION_V3_AUXILIARY,
                                   described.auxiliary["aux"], strict=False):  # fmt: skip
        yield Cell(f"Figure 8 {layer} output", output, size(line.output))
    remarks = {kind.rpartition(", ")[2]: given for kind, given in facts.INCEPTION_V3_TABLE_1 if "Figure" in kind}
    for grid, figure in facts.INCEPTION_V3_SECTION_6.items():
        meant = next(name for name, given in remarks.items() if given.startswith(grid))
        yield Cell(f"Section 6, {grid} modules", figure, meant)


def _claims(described: Description) -> Iterator[Cell]:
    yield Cell("layers", str(facts.INCEPTION_V3_LAYERS), str(described.depth))
    most, ours = facts.INCEPTION_V3_PARAMETERS_BELOW, described.parameters
    yield Cell("parameters", f"< {most / 1e6:.0f}M", f"{ours / 1e6:.1f}M", f"{ours:,}", agrees=ours < most)
    cost = described.multiply_adds
    yield Cell("multiply-adds", facts.INCEPTION_V3_MULTIPLY_ADDS, f"{cost / 1e9:.1f}G")
    for (network, ratio), section, model in zip(facts.INCEPTION_V3_COST.items(), (6, 11), ("googlenet_counted", "bn_inception"),
                                                strict=True):  # fmt: skip
        yield Cell(f"Section {section}, cost of {network}'s", f"{ratio}x", f"{cost / describe(model).multiply_adds:.1f}x")
    vgg, alexnet, googlenet = (describe(model).parameters for model in ("vgg16", "alexnet", "googlenet"))
    yield Cell("Section 1, parameters of GoogLeNet", facts.GOOGLENET_PARAMETERS_IN_V3, f"{googlenet / 1e6:.1f}M")
    yield Cell("Section 1, parameters of VGG over AlexNet's", f"{facts.VGG_OVER_ALEXNET_IN_V3}x", f"{vgg / alexnet:.1f}x")


def _errors() -> Iterator[Cell]:
    """The error tables against each other and against the papers that they quote."""
    quoted = facts.INCEPTION_V3_TABLE_3
    yield Cell("Table 3, GoogLeNet top-5", str(quoted["GoogLeNet"][1]), str(facts.GOOGLENET_TABLE_3[0].top5_error))
    top1, top5 = facts.BN_INCEPTION_ERRORS
    yield Cell("Table 3, BN-Inception", "{}, {}".format(*quoted["BN-Inception"]), f"{top1}, {top5:.1f}")
    both = {key: (first, second) for key, (first, second) in facts.INCEPTION_V3_TABLE_4.items() if first is not None}
    top1_first = all(first > second for first, second in both.values())
    head = ("Top-1", "Top-5") if top1_first else ("Top-5", "Top-1")
    yield Cell("Table 4, columns", ", ".join(facts.INCEPTION_V3_TABLE_4_HEAD), ", ".join(head))
    abstract, table_5 = facts.INCEPTION_V3_ENSEMBLE.values()
    yield Cell("Abstract, ensemble top-1", str(abstract), str(table_5))
    theirs, ours = both["PReLU", None], both["Inception-v3", 144]
    for name, printed, before, after in zip(("top-1", "top-5"), facts.INCEPTION_V3_CUTS, theirs, ours, strict=True):
        yield Cell(f"Section 11, {name} error cut", f"{printed}%", f"{100 * (1 - after / before):.0f}%")
