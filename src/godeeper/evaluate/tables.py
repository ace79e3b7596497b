"""The papers' tables of errors, ours beside theirs: filled where it was run by the table's own rule, empty elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..data.ilsvrc import BLACKLISTED
from ..data.ilsvrc_kit import VALIDATION_IMAGES
from ..fields import number, whole
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
class IlsvrcResult:
    """Errors on ILSVRC 2012 (percent): of which architectures together, on how many crops and images."""

    architectures: tuple[str, ...]
    crops: int
    images: int
    blacklisted: int  # left out
    top1_error: float
    top5_error: float


@dataclass(frozen=True)
class TableRow:
    """A row of a paper's table: the models (the paper's names, as often as they take part), crops, errors in percent."""

    label: str
    models: tuple[str, ...]
    crops: int
    top1_error: float | None
    top5_error: float | None


@dataclass(frozen=True)
class PaperTable:
    """A table of a paper; `blacklisted` says how many images its rule leaves out."""

    title: str
    blacklisted: int
    rows: tuple[TableRow, ...]


def _one_model(printed: dict[str, tuple[float, float]], crops: int, resnet: int) -> tuple[TableRow, ...]:
    return tuple(TableRow(name, (name,), resnet if name == RESNET else crops, *errors) for name, errors in printed.items())


_TOGETHER = {RESNET: (RESNET,) * 6, V3: (V3,) * 4, "Inception-v4 + 3 x Inception-ResNet-v2": (V4, *(RESNET_V2,) * 3)}
TABLES = (
    PaperTable(
        "arXiv 1409.4842, Table 3", 0,
        tuple(
            TableRow(f"{row.models} x GoogLeNet", ("GoogLeNet",) * row.models, row.crops, None, row.top5_error)
            for row in GOOGLENET_TABLE_3
        ),
    ),
    PaperTable("arXiv 1602.07261, Table 2", BLACKLISTED, _one_model(TABLE_2, 1, 1)),
    PaperTable("arXiv 1602.07261, Table 3", 0, _one_model(TABLE_3, 12, 10)),
    PaperTable("arXiv 1602.07261, Table 4", 0, _one_model(TABLE_4, 144, DENSE)),
    PaperTable(
        "arXiv 1602.07261, Table 5", 0,
        tuple(TableRow(name, _TOGETHER[name], DENSE if name == RESNET else 144, *errors) for name, errors in TABLE_5.items()),
    ),
)  # fmt: skip
MOST = 10**9  # images, or crops of one
HEAD = ("table", "row", "crops", "printed top-1", "ours", "printed top-5", "ours", "difference in top-5, 95 %")


def paper_name(architecture: str) -> str:
    """What the papers call it; its own name where they do not."""
    return next((name for name, ours in STANDS_FOR.items() if architecture in ours), architecture)


def ilsvrc_results(result: dict[str, Any]) -> list[IlsvrcResult]:
    """Of `godeeper evaluate --json`: all models together, and each alone; nothing where the images are not ILSVRC 2012's.

    GodeeperError, KeyError, TypeError or ValueError for something else.
    """
    average, names = result["average"], result["architectures"]
    if not result["ilsvrc"] or average != "softmax":  # which the papers average
        return []
    crops, blacklisted = (whole(name, result[name], 0, MOST) for name in ("crops", "blacklisted"))

    def parse(architectures: Sequence[str], errors: dict[str, Any]) -> IlsvrcResult:
        top1, top5 = (number(name, errors[name], 0, 100) for name in ("top1_error", "top5_error"))
        images = whole("images", errors["images"], 1, MOST)
        if not all(isinstance(name, str) for name in architectures):
            raise ValueError("architectures without names")
        return IlsvrcResult(tuple(architectures), crops, images, blacklisted, top1, top5)

    members = [parse([name], errors) for name, errors in zip(names, result["members"], strict=True)]
    return [parse(names, result), *members] if len(names) > 1 else members


def table_rows(results: Sequence[IlsvrcResult]) -> list[tuple[str, ...]]:
    """All tables, in columns as `HEAD` names them: the first result that keeps to a table's rule fills the cells of a row."""
    cells: list[tuple[str, ...]] = []
    for table in TABLES:
        for row in table.rows:
            result = next((result for result in results if _fits(result, table, row)), None)
            crops = "dense" if row.crops == DENSE else str(row.crops)
            printed = [_number(row.top1_error), _number(row.top5_error)]
            ours = ["", "", ""]
            if result is not None:
                ours = [f"{result.top1_error:.2f}", f"{result.top5_error:.2f}", _top5_difference(result, row)]
            cells.append((table.title, row.label, crops, printed[0], ours[0], printed[1], ours[1], ours[2]))
    return cells


def difference(errors: int, images: int, printed: float) -> str:
    """Ours less the printed error, in points, and its interval: Wilson's around ours, the print taken as exact."""
    low, high = wilson(errors, images)
    return f"{100 * errors / images - printed:+.2f} ({low - printed:+.2f} to {high - printed:+.2f})"


def _fits(result: IlsvrcResult, table: PaperTable, row: TableRow) -> bool:
    models = Counter(paper_name(name) for name in result.architectures)
    whole = result.images == VALIDATION_IMAGES - table.blacklisted and result.blacklisted == table.blacklisted
    return models == Counter(row.models) and result.crops == row.crops and whole


def _top5_difference(result: IlsvrcResult, row: TableRow) -> str:
    errors = round(result.top5_error * result.images / 100)
    return "" if row.top5_error is None else difference(errors, result.images, row.top5_error)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def printed_errors(result: IlsvrcResult) -> tuple[float | None, float | None]:
    """The top-1 and top-5 errors that a paper prints for such an evaluation; None where none does."""
    for table in reversed(TABLES):  # the Inception-v4 paper prints both
        for row in table.rows:
            if _fits(result, table, row):
                return row.top1_error, row.top5_error
    return None, None
