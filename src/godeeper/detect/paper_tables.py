"""Tables 4 and 5 of arXiv 1409.4842, with results of one's own beneath."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import nan
from pathlib import Path

from ..errors import GodeeperError
from ..files import read_file
from ..papers.facts_googlenet import GOOGLENET_TABLE_4, GOOGLENET_TABLE_5
from .detection_report import percent

HEAD = ("table", "who", "mAP", "models", "data")


def paper_rows(results: Sequence[Path]) -> list[tuple[str, ...]]:
    """The rows of both tables, then a row for each result that `godeeper detect evaluate --json` printed, with its data.

    mAP at an IoU of 0.5, by ILSVRC's rule. GodeeperError for a file that is something else.
    """
    rows = []
    for team, year, _, map_, _, models in GOOGLENET_TABLE_4:
        rows.append(("4", team, f"{map_:g} %", "?" if models is None else str(models), f"ILSVRC {year}, 200 classes"))
    rows += [("5", team, f"{map_:g} %", "1", "ILSVRC 2014, 200 classes") for team, map_, _, _ in GOOGLENET_TABLE_5]
    return rows + [_row(file) for file in results]


def _row(file: Path) -> tuple[str, ...]:
    try:
        result = json.loads(read_file(file))
        models, scores = result["models"], result["ilsvrc"]
        if not isinstance(models, list) or not f"{models}{result['data']}{result['split']}".isprintable():
            raise ValueError("names")
        data = f"{result['data']}, {result['split']}: {int(result['images'])} images, {len(scores['classes'])} classes"
        map_ = percent(nan if scores["map"] is None else float(scores["map"]))  # None: the images had no objects
        return "ours", " + ".join(map(str, models)), map_, str(len(models)), data
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        raise GodeeperError(f"{str(file)!r} is not what `godeeper detect evaluate --json` prints") from None
