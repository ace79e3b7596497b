"""GoogLeNet's Table 1 and the counting claims of its text (arXiv 1409.4842), held against two readings; Table 3; detection."""

from __future__ import annotations

from collections.abc import Iterator

from . import facts
from .describe import Description, StageDescription, describe
from .findings import Finding, Verdict, size
from .notation import Cat, Conv, Definition, Max, Stage
from .registry import definition

# Table 1's ops column belongs to a network with slightly other filters than its filter columns. A cell that one of these two
# networks does not reproduce and the other does is an erratum of the print; a cell that neither does is unexplained.
OTHER_READING = {"googlenet": "googlenet_counted", "googlenet_counted": "googlenet"}

NOTES = {
    "conv1 params": "a plain 7x7 has 9.2 K; 7x7 depthwise (8 a channel) then 1x1 has 2.7 K",
    "conv1 ops": "a plain 7x7 takes 118 M; 7x7 depthwise (8 a channel) then 1x1 takes 34 M",
    "4a output": "the ops and params columns give 508 channels",
    "4a n3x3": "the ops and params columns need 204",
    "4a params": "with 204 3x3 filters instead of 208 it is 364 K",
    "4a ops": "with 204 3x3 filters instead of 208 it is 73 M",
    "4b params": "with the 508 input channels of the counted 4a it is 437 K",
    "5a n5x5_reduce": "the ops column needs 48",
    "5a ops": "with 48 5x5-reduce filters instead of 32 it is 54 M",
    "multiply-adds": "the sum over the printed filters; the ops column itself sums to 1.50 G",
    "aux1 avgpool output": "4a has 508 channels, see there",
    "fewer parameters than AlexNet": "of AlexNet's 60 M; arXiv 1512.00567 repeats the 12x and prints 5 million for GoogLeNet",
}


def findings(name: str) -> Iterator[Finding]:
    """Every printed number, judged by what this reading gives and what the other one gives."""
    for ours, theirs in zip(_cells(definition(name)), _cells(definition(OTHER_READING[name])), strict=True):
        where, printed, computed, exact = ours
        yield _judge(where, printed, computed, theirs[2], exact)
    yield from _table_3()
    yield from _detection()


def _table_3() -> Iterator[Finding]:
    """The errors printed beside the best single crop, and their printed distance from it."""
    base = facts.GOOGLENET_TABLE_3[0].top5_error
    for row in facts.GOOGLENET_TABLE_3[1:]:
        where = f"Table 3, {row.models} x {row.crops} crops, against base"
        printed, computed = f"{row.against_base:.2f}", f"{row.top5_error - base:.2f}"
        right = printed == computed
        note = "" if right else f"the table's own {row.top5_error:.2f} - {base:.2f}"
        yield Finding(where, printed, computed, "reproduced" if right else "erratum", note)


def _detection() -> Iterator[Finding]:
    """The mAP that the text prints, against Table 5's of one network and Table 4's of several."""
    alone = next(value for team, value, *_ in facts.GOOGLENET_TABLE_5 if team == "GoogLeNet")
    together = next(value for team, _, _, value, *_ in facts.GOOGLENET_TABLE_4 if team == "GoogLeNet")
    for models, table, value in ((1, "Table 5", alone), (6, "Table 4", together)):
        said = facts.GOOGLENET_DETECTION[models]
        verdict: Verdict = "reproduced" if said == value else "erratum"
        yield Finding(f"Section 8, mAP of {models} x GoogLeNet", f"{said:g}%", f"{value:g}%", verdict, table)


Entry = tuple[str, str, str, float | None]  # where, printed, computed, computed in the print's unit


def _judge(where: str, printed: str, ours: str, other: str, exact: float | None) -> Finding:
    if ours == printed:
        return Finding(where, printed, ours, "reproduced", f"{exact:.2f} G" if where == "multiply-adds" else "")
    if exact is not None and where.endswith("params") and printed == f"{int(exact)}K":
        return Finding(where, printed, ours, "reproduced", f"{exact:.2f} K, truncated; the column's other cells round")
    verdict: Verdict = "erratum" if other == printed else "unexplained"
    return Finding(where, printed, ours, verdict, NOTES.get(where, ""))


def _cells(table: Definition) -> Iterator[Entry]:
    """(where, printed, computed, exact) for every printed number, in the paper's order."""
    described = describe(table)
    stages = {**table.stages, **table.head}
    for printed in facts.GOOGLENET_TABLE_1:
        if printed.stage == "softmax":  # no row of ours: networks give logits, and softmax keeps their shape
            yield "softmax output", size(printed.output), size(described["linear"].output), None
        else:
            yield from _table_1_cells(printed, described[printed.stage], stages[printed.stage])
    for name, output in facts.GOOGLENET_AUXILIARY_POOLS.items():
        yield f"{name} avgpool output", size(output), size(described.auxiliary[name][0].output), None
    yield from _claims(described)


def _table_1_cells(printed: facts.Printed, line: StageDescription, stage: Stage) -> Iterator[Entry]:
    name = printed.stage
    if printed.patch is not None:
        yield f"{name} patch/stride", f"{printed.patch}x{printed.patch}/{printed.stride}", line.kind.split()[-1], None
    yield f"{name} output", size(printed.output), size(line.output), None
    yield f"{name} depth", str(printed.depth), str(line.depth), None
    for column, filters in columns(stage).items():
        yield f"{name} {column}", str(getattr(printed, column)), str(filters), None
    if printed.params is not None:
        thousands = line.parameters / 1024  # the column's K: "112K" is 114,944
        yield f"{name} params", printed.params, f"{thousands:.{_decimals(printed.params)}f}K", thousands
    if printed.ops is not None:
        yield f"{name} ops", printed.ops, f"{line.multiply_adds / 1e6:.0f}M", None


def _claims(described: Description) -> Iterator[Entry]:
    yield "layers with parameters", str(facts.GOOGLENET_LAYERS), str(described.depth), None
    yield "layers with pools", str(facts.GOOGLENET_LAYERS_WITH_POOLS), str(described.depth_with_pools), None
    yield "multiply-adds", facts.GOOGLENET_MULTIPLY_ADDS, f"{described.multiply_adds / 1e9:.1f}G", described.multiply_adds / 1e9
    ratio = facts.ALEXNET_PARAMETERS / described.parameters
    yield "fewer parameters than AlexNet", f"{facts.FEWER_PARAMETERS_THAN_ALEXNET}x", f"{ratio:.1f}x", None


def columns(stage: Stage) -> dict[str, int]:
    """The filter columns of Table 1 as the stage has them."""
    match stage:
        case Cat(((Conv(n1x1),), (Conv(reduce3), Conv(n3x3)), (Conv(reduce5), Conv(n5x5)), (Max(), Conv(proj)))):
            named = zip(("n1x1", "n3x3_reduce", "n3x3", "n5x5_reduce", "n5x5", "pool_proj"),
                        (n1x1, reduce3, n3x3, reduce5, n5x5, proj), strict=True)  # fmt: skip
            return dict(named)
        case (Conv(reduce3), Conv(n3x3)):
            return {"n3x3_reduce": reduce3, "n3x3": n3x3}
        case _:
            return {}


def _decimals(printed: str) -> int:
    return len(printed[:-1].partition(".")[2])
