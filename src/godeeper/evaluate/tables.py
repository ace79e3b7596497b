"""The papers' tables of errors, ours beside theirs: filled where it was run by the table's own rule, empty elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..data.ilsvrc import BLACKLISTED
from ..data.ilsvrc_kit import VALIDATION_IMAGES
from ..papers.facts_googlenet import GOOGLENET_TABLE_3
from ..papers.facts_inception_v4 import RESNET_V1, RESNET_V2, TABLE_2, TABLE_3, TABLE_4, TABLE_5, V4
from .outcome import wilson

V3, RESNET = "Inception-v3", "ResNet-151"  # as printed; it has 152 layers

# The paper's name -> what of ours, or of other libraries, it stands for.
STANDS_FOR: dict[str, tuple[str, ...]] = {
    "GoogLeNet": ("googlenet", "googlenet_counted", "googlenet_torchvision"),
    "BN-Inception": ("bn_inception", "bn_inception_caffe"),
    V3: ("inception_v3",),
    V4: ("inception_v4", "inception_v4_printed"),
    RESNET_V1: ("inception_resnet_v1",),
    RESNET_V2: ("inception_resnet_v2", "inception_resnet_v2_printed"),
    RESNET: ("resnet152",),
}
DENSE = 0  # not a number of crops: the network slid over the whole image, which is not run here


@dataclass(frozen=True)
class Run:
    """An evaluation on ILSVRC 2012: the architectures evaluated together, their crops and errors, and on which images."""

    architectures: tuple[str, ...]
    crops: int
    images: int
    blacklisted: int  # left out
    top1_error: float
    top5_error: float


@dataclass(frozen=True)
class Line:
    """A row of a paper's table: the models (the paper's names, as often as they take part), crops, errors in percent."""

    label: str
    models: tuple[str, ...]
    crops: int
    top1_error: float | None
    top5_error: float | None


@dataclass(frozen=True)
class Table:
    """A table of a paper; `blacklisted` says how many images its rule leaves out."""

    title: str
    blacklisted: int
    lines: tuple[Line, ...]


def _one_model(printed: dict[str, tuple[float, float]], crops: int, resnet: int) -> tuple[Line, ...]:
    return tuple(Line(name, (name,), resnet if name == RESNET else crops, *errors) for name, errors in printed.items())


_TOGETHER = {RESNET: (RESNET,) * 6, V3: (V3,) * 4, "Inception-v4 + 3 x Inception-ResNet-v2": (V4, *(RESNET_V2,) * 3)}
TABLES = (
    Table(
        "arXiv 1409.4842, Table 3", 0,
        tuple(
            Line(f"{row.models} x GoogLeNet", ("GoogLeNet",) * row.models, row.crops, None, row.top5_error)
            for row in GOOGLENET_TABLE_3
        ),
    ),
    Table("arXiv 1602.07261, Table 2", BLACKLISTED, _one_model(TABLE_2, 1, 1)),
    Table("arXiv 1602.07261, Table 3", 0, _one_model(TABLE_3, 12, 10)),
    Table("arXiv 1602.07261, Table 4", 0, _one_model(TABLE_4, 144, DENSE)),
    Table(
        "arXiv 1602.07261, Table 5", 0,
        tuple(Line(name, _TOGETHER[name], DENSE if name == RESNET else 144, *errors) for name, errors in TABLE_5.items()),
    ),
)  # fmt: skip
HEAD = ("table", "row", "crops", "printed top-1", "ours", "printed top-5", "ours", "difference in top-5, 95 %")


def paper_name(architecture: str) -> str:
    """What the papers call it; its own name where they do not."""
    return next((name for name, ours in STANDS_FOR.items() if architecture in ours), architecture)


def runs_of(result: dict[str, Any]) -> list[Run]:
    """The runs that `godeeper evaluate --json` tells of; none where the images are not ILSVRC 2012's.

    KeyError, TypeError or ValueError for something else.
    """
    average, names = result["average"], result["architectures"]
    if not result["ilsvrc"] or average != "softmax":  # which the papers average
        return []
    crops, blacklisted = int(result["crops"]), int(result["blacklisted"])

    def run(who: Sequence[str], errors: dict[str, Any]) -> Run:
        top1, top5, images = float(errors["top1_error"]), float(errors["top5_error"]), int(errors["images"])
        if not (0 <= top1 <= 100 and 0 <= top5 <= 100 and images > 0 and all(isinstance(name, str) for name in who)):
            raise ValueError("errors out of range")
        return Run(tuple(who), crops, images, blacklisted, top1, top5)

    members = [run([name], errors) for name, errors in zip(names, result["members"], strict=True)]
    return [run(names, result), *members] if len(names) > 1 else members


def rows(runs: Sequence[Run]) -> list[tuple[str, ...]]:
    """All tables, a row a line: the first run that keeps to a table's rule fills its cells."""
    result: list[tuple[str, ...]] = []
    for table in TABLES:
        for line in table.lines:
            run = next((run for run in runs if _fits(run, table, line)), None)
            crops = "dense" if line.crops == DENSE else str(line.crops)
            printed = [_number(line.top1_error), _number(line.top5_error)]
            ours = ["", "", ""] if run is None else [f"{run.top1_error:.2f}", f"{run.top5_error:.2f}", _apart(run, line)]
            result.append((table.title, line.label, crops, printed[0], ours[0], printed[1], ours[1], ours[2]))
    return result


def difference(errors: int, images: int, printed: float) -> str:
    """Ours less the printed error, in points, and its interval: Wilson's around ours, the print taken as exact."""
    low, high = wilson(errors, images)
    return f"{100 * errors / images - printed:+.2f} ({low - printed:+.2f} to {high - printed:+.2f})"


def _fits(run: Run, table: Table, line: Line) -> bool:
    models = Counter(paper_name(name) for name in run.architectures)
    whole = run.images == VALIDATION_IMAGES - table.blacklisted and run.blacklisted == table.blacklisted
    return models == Counter(line.models) and run.crops == line.crops and whole


def _apart(run: Run, line: Line) -> str:
    errors = round(run.top5_error * run.images / 100)
    return "" if line.top5_error is None else difference(errors, run.images, line.top5_error)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def printed_for(run: Run) -> tuple[float | None, float | None]:
    """The top-1 and top-5 errors that a paper prints for such a run; None where none does."""
    for table in reversed(TABLES):  # the 2016 paper prints both
        for line in table.lines:
            if _fits(run, table, line):
                return line.top1_error, line.top5_error
    return None, None
