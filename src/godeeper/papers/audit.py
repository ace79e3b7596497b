"""Holds the tables against the facts: every printed number beside what the table gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ..errors import GodeeperError
from . import facts
from .describe import Description, Line, describe
from .notation import Cat, Conv, Definition, Max, Stage
from .registry import definition

Verdict = Literal["reproduced", "erratum", "unexplained"]


@dataclass(frozen=True)
class Finding:
    """One printed number and ours. An `erratum` is a print that disagrees with other prints of the same paper."""

    where: str
    printed: str
    computed: str
    verdict: Verdict
    note: str = ""


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


def audit(name: str) -> list[Finding]:
    """Every printed number of the network's paper, as findings: Table 1 and the counting claims of the text.

    GodeeperError for an unknown name, and for a network of which no paper prints numbers.
    """
    table = definition(name)
    if name not in OTHER_READING:
        raise GodeeperError(f"no paper prints numbers of {name!r} itself: audit one of {', '.join(OTHER_READING)}")
    other = definition(OTHER_READING[name])
    return [
        _judge(where, printed, ours, theirs, exact)
        for (where, printed, ours, exact), (_, _, theirs, _) in zip(_cells(table), _cells(other), strict=True)
    ]


Cell = tuple[str, str, str, float | None]  # where, printed, computed, computed in the print's unit


def _judge(where: str, printed: str, ours: str, other: str, exact: float | None) -> Finding:
    if ours == printed:
        return Finding(where, printed, ours, "reproduced", f"{exact:.2f} G" if where == "multiply-adds" else "")
    if exact is not None and where.endswith("params") and printed == f"{int(exact)}K":
        return Finding(where, printed, ours, "reproduced", f"{exact:.2f} K, truncated; the column's other cells round")
    verdict: Verdict = "erratum" if other == printed else "unexplained"
    return Finding(where, printed, ours, verdict, NOTES.get(where, ""))


def _cells(table: Definition) -> Iterator[Cell]:
    """(where, printed, computed, exact) for every printed number, in the paper's order."""
    described = describe(table)
    stages = {**table.stages, **table.head}
    for printed in facts.GOOGLENET_TABLE_1:
        if printed.stage == "softmax":  # no row of ours: networks give logits, and softmax keeps their shape
            yield "softmax output", _size(printed.output), _size(described["linear"].output), None
        else:
            yield from _table_1_cells(printed, described[printed.stage], stages[printed.stage])
    for name, output in facts.GOOGLENET_AUXILIARY_POOLS.items():
        yield f"{name} avgpool output", _size(output), _size(described.auxiliary[name][0].output), None
    yield from _claims(described)


def _table_1_cells(printed: facts.Printed, line: Line, stage: Stage) -> Iterator[Cell]:
    name = printed.stage
    if printed.patch is not None:
        yield f"{name} patch/stride", f"{printed.patch}x{printed.patch}/{printed.stride}", line.kind.split()[-1], None
    yield f"{name} output", _size(printed.output), _size(line.output), None
    yield f"{name} depth", str(printed.depth), str(line.depth), None
    for column, filters in columns(stage).items():
        yield f"{name} {column}", str(getattr(printed, column)), str(filters), None
    if printed.params is not None:
        thousands = line.parameters / 1024  # the column's K: "112K" is 114,944
        yield f"{name} params", printed.params, f"{thousands:.{_decimals(printed.params)}f}K", thousands
    if printed.ops is not None:
        yield f"{name} ops", printed.ops, f"{line.multiply_adds / 1e6:.0f}M", None


def _claims(described: Description) -> Iterator[Cell]:
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


def _size(output: tuple[int, int, int]) -> str:
    channels, height, width = output
    return f"{height}x{width}x{channels}"


def _decimals(printed: str) -> int:
    return len(printed[:-1].partition(".")[2])
