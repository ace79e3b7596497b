"""The figures, Table 1 and the claims of arXiv 1602.07261, held against Inception-v4 and the Inception-ResNets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from . import facts_inception_v4 as facts
from .describe import Description, describe
from .findings import Cell, Finding, judged, size
from .notation import Cat, Conv, Definition, Dropout, Residual, Row, Stage, rows
from .registry import definition
from .words import branches, pool_first, words


@dataclass(frozen=True)
class Figures:
    """Which figures print which stages of a table; a line of the stem, or a part of the whole, may be several stages."""

    network: str  # as the paper calls it
    rival: str  # our table of the network that the paper sets beside it
    schema: str
    stem_figure: str
    stem: tuple[tuple[str, ...], ...]
    blocks: Mapping[str, str]
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


STEM_14 = (("conv1",), ("conv2",), ("conv3",), ("pool1",), ("conv4",), ("conv5",), ("conv6",))
STEM_3 = (("conv1",), ("conv2",), ("conv3",), ("concat1",), ("concat2",), ("concat3",))
STEM_3_RELEASED = (("conv1",), ("conv2",), ("conv3",), ("pool1",), ("conv4", "conv5"), ("pool2",))
BLOCKS_V4 = {"Figure 4": "A", "Figure 5": "B", "Figure 8": "reduction_b", "Figure 6": "C"}
BLOCKS_V1 = {"Figure 10": "A", "Figure 11": "B", "Figure 12": "reduction_b", "Figure 13": "C"}
BLOCKS_V2 = {"Figure 16": "A", "Figure 17": "B", "Figure 18": "reduction_b", "Figure 19": "C"}
FIGURES = {  # the printed networks are compared with the printed, the released with the released
    "inception_v4_printed": Figures(facts.V4, "inception_resnet_v2_printed", "Figure 9", "Figure 3", STEM_3, BLOCKS_V4),
    "inception_v4": Figures(facts.V4, "inception_resnet_v2", "Figure 9", "Figure 3", STEM_3, BLOCKS_V4),
    "inception_resnet_v1": Figures(facts.RESNET_V1, "inception_v3", "Figure 15", "Figure 14", STEM_14, BLOCKS_V1),
    "inception_resnet_v2_printed": Figures(
        facts.RESNET_V2, "inception_v4_printed", "Figure 15", "Figure 3", STEM_3, BLOCKS_V2
    ),
    "inception_resnet_v2": Figures(
        facts.RESNET_V2, "inception_v4", "Figure 15", "Figure 3", STEM_3_RELEASED, BLOCKS_V2, {"C": ("C", "C_last")}
    ),
}  # fmt: skip
PRINTED = ("inception_v4_printed", "inception_resnet_v1", "inception_resnet_v2_printed")


ORDER = "the released network runs the long filters in the reverse order"
STEM = "the released network has Inception-v3's stem, and after it one of its modules, to 320 channels"
WIDTHS = "released sums are 320, 1088 and 2080 wide, for the released stem gives 320 channels"
NO_SIZE = "no size is printed: 3x3, as the other pool of the figure; 2x2 would fit too"
LAYERS = "3 + 8 + 36 + 3 blocks of three layers, and two more"
ERRATA = {
    ("Figure 3 row 6 branch 1", "3x3 192 V", "3x3 192 /2 V"): "no stride is printed; the printed 71x71 becomes 35x35 by 2",
    ("Figure 5 branch 3", "1x1 192, 1x7 224, 1x7 256", "1x1 192, 1x7 224, 7x1 256"): "1x7 twice: every other"
    " pair of the figures is a 1x7 and a 7x1, which make a 7x7",
    ("Figure 17 linear", "1154", "1152"): "the sum has 384 + 384 + 384 channels, by Figure 7 and Table 1",
    ("Figure 19 linear", "2048", "2144"): "the sum has 1152 + 384 + 288 + 320 channels, by Figure 18; Figure 12 would give 2048",
    ("Figure 18 caption", "Inception-ResNet-v1", "Inception-ResNet-v2"): "-v1's is Figure 12; Figure 15 gives this one to -v2",
    ("Figure 23 caption", "inception-v3", "inception-v4"): "the legend, and the end of the caption, have Inception-v4",
    ("Table 3, He et al.'s network", "ResNet-151", "ResNet-152"): LAYERS,
    ("Table 4, He et al.'s network", "ResNet-151", "ResNet-152"): LAYERS,
    ("Table 5, He et al.'s network", "ResNet-151", "ResNet-152"): LAYERS,
    ("Section 3.2, cost of Inception-ResNet-v2 over Inception-v4's", "similar", "0.76x"): "by the figures it is a quarter"
    " cheaper; only the released Inception-ResNet-v2 has the cost",
}
REMARKS = {
    "Figure 3 row 5 branch 2": ORDER,
    "Figure 5 branch 4": ORDER,
    "Figure 6 branch 4": ORDER,
    "Figure 3 row 6 branch 2": NO_SIZE,
    "Figure 3": STEM,
    "Figure 15": "the released network has twice the blocks; the last C is another, without ReLU and scale",
    "Figure 16 linear": WIDTHS,
    "Figure 17 linear": f"{WIDTHS}; the printed network's would be 1152",
    "Figure 19 linear": f"{WIDTHS}; the printed network's would be 2144",
    "Section 3.3, scale of C_last": "the released network's last block is not scaled",
    "Section 3.2, layers": "of the released networks, the residual one has more",
}


def findings(name: str) -> Iterator[Finding]:
    """Every number of the network's figures, its columns of Table 1, and what the text says of it."""
    return judged(_cells(definition(name), FIGURES[name]), ERRATA, REMARKS)


def _cells(table: Definition, figures: Figures) -> Iterator[Cell]:
    described = describe(table)
    yield from _stem(table, figures, described)
    yield from _schema(table, figures, described)
    for figure, stage in figures.blocks.items():
        yield from _block(figure, table.stages[stage], described[stage].output)
    yield from _reduction_a(table.stages["reduction_a"], figures)
    if figures.schema == "Figure 15":
        yield from _scales(table)
    yield from _against_rival(figures, described)
    if figures.network == facts.RESNET_V2:
        yield from _quotes()


def _stem(table: Definition, figures: Figures, described: Description) -> Iterator[Cell]:
    figure = figures.stem_figure
    yield Cell(f"{figure} input", facts.INPUT, size((table.in_channels, table.image_size, table.image_size)))
    for number, ((printed, output), names) in enumerate(zip(facts.STEMS[figure], figures.stem, strict=True), 1):
        ours = branches(tuple(row for name in names for row in rows(table.stages[name])), words)
        yield from _branches(f"{figure} row {number}", printed, ours)
        yield Cell(f"{figure} row {number} output", output, size(described[names[-1]].output))


def _branches(where: str, printed: tuple[str, ...], ours: tuple[str, ...]) -> Iterator[Cell]:
    """A cell for each branch where there are as many, otherwise one for all."""
    if len(printed) == len(ours) > 1:
        for number, pair in enumerate(zip(printed, ours, strict=True), 1):
            yield Cell(f"{where} branch {number}", *pair)
    else:
        yield Cell(where, " | ".join(printed), " | ".join(ours))


def _schema(table: Definition, figures: Figures, described: Description) -> Iterator[Cell]:
    last_of_stem = figures.stem[-1][-1]
    for part, count, output in facts.SCHEMAS[figures.schema]:
        names = figures.parts.get(part, ({"stem": last_of_stem, "softmax": "linear"}.get(part, part),))
        if count is not None:
            ours = sum(len(rows(table.stages[name])) for name in names)
            yield Cell(f"{figures.schema} {part} blocks", str(count), str(ours))
        if figures.network != facts.RESNET_V2:  # of which Figure 15 prints no outputs
            yield Cell(f"{figures.schema} {part} output", output, size(described[names[-1]].output).removeprefix("1x1x"))
    (dropout,) = (stage for stage in table.head.values() if isinstance(stage, Dropout))
    yield Cell(f"{figures.schema} dropout keep", str(facts.DROPOUT_KEEP), f"{1 - dropout.ratio:.1f}")


def _block(figure: str, stage: Stage, output: tuple[int, int, int]) -> Iterator[Cell]:
    printed = facts.BLOCKS[figure]
    yield from _branches(figure, printed.branches, pool_first(branches(stage, words)))
    if printed.linear is not None:
        yield Cell(f"{figure} linear", str(printed.linear), str(output[0]))
    yield Cell(f"{figure} caption", printed.network, _whose(printed.branches))


def _whose(printed: tuple[str, ...]) -> str:
    """The network of which a block has the most of these branches."""

    def most(name: str) -> int:
        drawn = (pool_first(branches(stage, words)) for stage in map(_first, definition(name).stages.values()) if stage)
        return max(sum(a == b for a, b in zip(printed, ours, strict=False)) for ours in drawn)

    return FIGURES[max(PRINTED, key=most)].network


def _first(stage: Stage) -> Row | None:
    """The block that a stage repeats, if it is one."""
    row = rows(stage)[0]
    return row if isinstance(row, Cat | Residual) else None


def _reduction_a(stage: Stage, figures: Figures) -> Iterator[Cell]:
    """Figure 7 with its letters, which stand in our branches in the order n, k, l, m; then what Table 1 says they are."""
    letters = iter("nklm")
    ours = pool_first(branches(stage, lambda row: words(row, lambda _: next(letters))))
    yield from _branches("Figure 7", facts.REDUCTION_A, ours)
    assert isinstance(stage, Cat)
    filters = [row.filters for branch in stage.branches for row in branch if isinstance(row, Conv)]
    for letter, count in sorted(zip("nklm", filters, strict=True)):
        yield Cell(f"Table 1 {letter}", str(facts.REDUCTION_A_FILTERS[figures.network][letter]), str(count))


def _scales(table: Definition) -> Iterator[Cell]:
    least, most = facts.RESIDUAL_SCALES
    for name, stage in table.stages.items():
        if isinstance(block := rows(stage)[0], Residual):
            inside, ours = least <= block.scale <= most, f"{block.scale:.2f}"
            yield Cell(f"Section 3.3, scale of {name}", f"{least} to {most}", ours, "the released scale" * inside, agrees=inside)


def _against_rival(figures: Figures, described: Description) -> Iterator[Cell]:
    """The claims about the two networks of a pair."""
    rival = describe(figures.rival)
    theirs = FIGURES[figures.rival].network if figures.rival in FIGURES else "Inception-v3"
    pair = {figures.network: described, theirs: rival}
    (ours, other), *_ = (named for named in facts.SIMILAR_COST if set(named) == set(pair))
    ratio = pair[ours].multiply_adds / pair[other].multiply_adds
    note = f"{pair[ours].multiply_adds / 1e9:.2f} G against {pair[other].multiply_adds / 1e9:.2f} G"
    yield Cell(f"Section 3.2, cost of {ours} over {other}'s", "similar", f"{ratio:.2f}x", note, agrees=1 / 1.15 < ratio < 1.15)
    if set(pair) == set(facts.MORE_LAYERS):
        more, fewer = (convolutions(definition(pair[network].name)) for network in facts.MORE_LAYERS)
        deeper = "; on the longest path {} against {}".format(*(pair[network].depth for network in facts.MORE_LAYERS))
        yield Cell("Section 3.2, layers of {} and {}".format(*facts.MORE_LAYERS), "more", f"{more} and {fewer}",
                   f"convolutions{deeper}", agrees=more > fewer)  # fmt: skip
    for figure, (caption, legend) in facts.CURVES.items():
        if legend in (name.lower() for name in pair):
            yield Cell(f"{figure} caption", caption.lower(), legend)


def _quotes() -> Iterator[Cell]:
    """The name under which the error tables quote the deepest network of He et al."""
    layers = 1 + 3 * sum(facts.RESNET_BLOCKS) + 1
    tables: tuple[Iterable[str], ...] = (facts.TABLE_3, facts.TABLE_4, facts.TABLE_5)
    for number, errors in enumerate(tables, 3):
        (quoted,) = (name for name in errors if name.startswith("ResNet"))
        yield Cell(f"Table {number}, He et al.'s network", quoted, f"ResNet-{layers}")


def convolutions(table: Definition) -> int:
    """All the convolutions of a network, in all branches, heads left out."""

    def inside(row: Row) -> int:
        match row:
            case Conv():
                return 1
            case Residual(body):
                return inside(body) + 1
            case Cat(sides):
                return sum(inside(one) for side in sides for one in side)
            case _:
                return 0

    return sum(inside(row) for stage in table.stages.values() for row in rows(stage))
