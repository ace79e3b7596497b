"""BN-Inception's Figure 5 (arXiv 1502.03167) and the claims of its text, held against two readings of the figure."""

from __future__ import annotations

from collections.abc import Iterator

from . import facts
from .describe import Description, StageDescription, describe
from .findings import Cell, Finding, judged, size
from .notation import Avg, Cat, Conv, Definition, Max, Row, Separable, Stage, rows
from .registry import definition

# What each is compared with: its first layer is separable in both, or in neither.
GOOGLENETS = {"bn_inception": "googlenet_counted", "bn_inception_caffe": "googlenet"}

STRIDE_3C = "with the stride of 2 that the figure prints, 28x28 becomes the 14x14 of 4a"
STRIDE_4E = "with the stride of 2 that the figure prints, 14x14 becomes the 7x7 of 5a"
PROJECTION = "with 128 the module gives 608 channels, where the figure prints 576; the released code has 96"
CHANNELS = "the figure's own columns, its projection of 128 among them, sum to 608"
ERRATA = {
    ("conv2 depth", "1", "2"): "a 1x1 to 64 and a 3x3 to 192 are two layers, which Table 1 of GoogLeNet counts so",
    ("3c output", "28x28x576", "14x14x576"): STRIDE_3C,
    ("4e output", "14x14x1024", "7x7x1024"): STRIDE_4E,
    ("4e output", "14x14x1024", "7x7x1056"): f"{STRIDE_4E}; its pool passes on the 608 channels of 4d, so 192 + 256 + 608",
    ("4c pool", "avg + 128", "avg + 96"): PROJECTION,
    ("4d pool", "avg + 128", "avg + 96"): PROJECTION,
    ("4c output", "14x14x576", "14x14x608"): CHANNELS,
    ("4d output", "14x14x576", "14x14x608"): CHANNELS,
    ("Section 4.2, filters of a double 3x3 at most", "128", "256"): "the double 3x3 column of Figure 5 goes up to 256, in 4e",
}
REMARKS = {
    "first layer's multiplier": "the Caffe network has a plain 7x7",
    "Appendix, parameters more": "nothing in the figure gives 25 %, nor does the 13.6 M that Section 4.2 prints",
    "Section 4.2, parameters": "the figure has fewer, whichever way it is read; GoogLeNet with its heads has 13.4 M",
    "arXiv 1512.00567, Table 3, cost": "2.0 G is the plain 7x7's cost; the separable first layer saves 0.08 G",
}


def findings(name: str) -> Iterator[Finding]:
    """Every printed number of Figure 5, and the claims."""
    return judged(_cells(definition(name)), ERRATA, REMARKS)


def _cells(table: Definition) -> Iterator[Cell]:
    described = describe(table)
    stages = {**table.stages, **table.head}
    for printed in facts.BN_INCEPTION_FIGURE_5:
        yield from _row(printed, described[printed.stage], stages[printed.stage])
    yield from _structure(table, described)
    yield from _costs(described)


def _row(printed: facts.PrintedBN, line: StageDescription, stage: Stage) -> Iterator[Cell]:
    if printed.patch is not None:
        patch = f"stride {_stride(stage)}" if isinstance(stage, Cat) else line.kind.split()[-1]
        yield Cell(f"{line.name} patch/stride", printed.patch, patch)
    yield Cell(f"{line.name} output", printed.output, size(line.output))
    yield Cell(f"{line.name} depth", str(printed.depth), str(line.depth))
    for column, ours in columns(stage).items():
        yield Cell(f"{line.name} {column}", str(getattr(printed, column)), str(ours))


def _stride(module: Cat) -> int:
    (stride,) = {branch[-1].stride for branch in module.branches if isinstance(branch[-1], Conv | Max)}
    return stride


def columns(stage: Stage) -> dict[str, int | str]:
    """The filter columns of Figure 5 as the stage has them; a double 3x3 of two widths is none."""
    match stage:
        case Cat(((Conv(n1x1),), (Conv(r3), Conv(n3x3)), (Conv(rd), Conv(first), Conv(double)), (pool, Conv(proj)))):
            ours = (n1x1, r3, n3x3, rd, double if first == double else 0, f"{_pool(pool)} + {proj}")
        case Cat(((Conv(r3), Conv(n3x3)), (Conv(rd), Conv(first), Conv(double)), (pool,))):
            ours = (0, r3, n3x3, rd, double if first == double else 0, f"{_pool(pool)} + pass through")
        case (Conv(r3), Conv(n3x3)):
            return {"n3x3_reduce": r3, "n3x3": n3x3}
        case _:
            return {}
    return dict(zip(("n1x1", "n3x3_reduce", "n3x3", "double_reduce", "double", "pool"), ours, strict=True))


def _pool(row: Row) -> str:
    return {Avg: "avg", Max: "max"}[type(row)]


def _structure(table: Definition, described: Description) -> Iterator[Cell]:
    first = rows(table.stages["conv1"])[0]
    multiplier = str(first.multiplier) if isinstance(first, Separable) else "none"
    yield Cell("first layer's multiplier", str(facts.BN_INCEPTION_MULTIPLIER), multiplier)

    modules = [name for name, stage in table.stages.items() if isinstance(stage, Cat)]
    entered = dict(zip(table.stages, [None, *described], strict=False))  # the line before each stage
    at_28 = sum(1 for name in modules if (before := entered[name]) is not None and before.output[1:] == (28, 28))
    yield Cell("Appendix, modules on 28x28", str(facts.BN_INCEPTION_28X28_MODULES), str(at_28))

    older = describe(GOOGLENETS[table.name])
    lines = {line.name: line for line in older}
    deeper = sum(described[name].depth - lines[name].depth for name in modules if name in lines)
    note = f"one in each module that GoogLeNet has too; with 3c and its {described['3c'].depth} the network is"
    whole = f"{note} {described.depth - older.depth} deeper"
    yield Cell("Appendix, layers more", str(facts.BN_INCEPTION_LAYERS_MORE), str(deeper), whole)

    double = max(int(columns(table.stages[name])["double"]) for name in modules)
    yield Cell("Section 4.2, filters of a double 3x3 at most", str(facts.BN_INCEPTION_DOUBLE_AT_MOST), str(double))


def _costs(described: Description) -> Iterator[Cell]:
    older = describe(GOOGLENETS[described.name])
    ours, theirs = described.parameters, older.parameters
    note = f"{ours / 1e6:.2f} M against {theirs / 1e6:.2f} M of {older.name}"
    yield _more("Appendix, parameters more", facts.BN_INCEPTION_PARAMETERS_MORE, ours / theirs, note)
    yield Cell("Section 4.2, parameters", facts.BN_INCEPTION_PARAMETERS, f"{ours / 1e6:.1f}M")
    ours, theirs = described.multiply_adds, older.multiply_adds
    note = f"{ours / 1e9:.2f} G against {theirs / 1e9:.2f} G of {older.name}"
    yield _more("Appendix, multiply-adds more", facts.BN_INCEPTION_COST_MORE, ours / theirs, note)
    _, _, cost = facts.INCEPTION_V3_TABLE_3["BN-Inception"]
    yield Cell("arXiv 1512.00567, Table 3, cost", f"{cost:.1f}G", f"{ours / 1e9:.1f}G")


def _more(where: str, printed: int, ratio: float, note: str) -> Cell:
    """ "About so many percent more": to the nearest five."""
    percent = 100 * (ratio - 1)
    return Cell(where, f"{printed}%", f"{percent:.0f}%", note, agrees=abs(percent - printed) < 2.5)
