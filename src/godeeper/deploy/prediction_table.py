"""Predictions of any number of images as one table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ..labels import Lang
from .class_names import ClassNames
from .predictor import Prediction, Predictor
from .table_parts import CHUNK, Columns, Join, Row, check_table, image_name, join_csv, join_jsonl, join_parquet, write_table

FORMATS = (".parquet", ".csv", ".jsonl")


def write_predictions(
    out: Path,
    files: Sequence[Path],
    predictor: Predictor,
    identity: dict[str, Any],
    *,
    top: int = 5,
    crops: int = 1,
    lang: Lang = "en",
    chunk: int = CHUNK,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Writes a row for every file, in order: its most likely classes and their probabilities, or why it cannot be decoded.

    Resumed, and shared by processes, as `write_table` does. Two calls are the same if `identity`, files, `top`, `crops` and
    `lang` are. GodeeperError for a table that cannot be written, and where the parts are of another call.
    """
    check_table(out, FORMATS)
    names = ClassNames(predictor.classes, lang)

    def rows(part: Sequence[Path]) -> Iterator[Row]:
        for file, outcome in zip(part, predictor.outcomes(part, top=top, crops=crops), strict=True):
            yield as_row(file, outcome, names)

    settings = {**identity, "top": top, "crops": crops, "lang": lang}
    write_table(out, files, rows, settings, _join(out, _columns(predictor, top, lang)), chunk=chunk, progress=progress)


def as_row(file: Path, outcome: Prediction | Exception, names: ClassNames) -> Row:
    """One image's predictions, or the `error`, as JSON has them."""
    if not isinstance(outcome, Prediction):
        return {"image": image_name(file), "error": str(outcome)}
    return {"image": image_name(file), "predictions": names.entries(outcome)}


def _columns(predictor: Predictor, top: int, lang: Lang) -> Columns:
    """`image`, `error`, `label_1`, `probability_1`, `label_2` ..."""
    kinds = ("label", "label_zh", "probability") if lang == "both" else ("label", "probability")
    ranked = [f"{kind}_{position}" for position in range(1, min(top, len(predictor.classes)) + 1) for kind in kinds]

    def flat(row: Row) -> Row:
        predictions = enumerate(row.get("predictions", []), 1)
        values = {f"{kind}_{rank}": value for rank, prediction in predictions for kind, value in prediction.items()}
        return {"image": row["image"], "error": row.get("error")} | {name: values.get(name) for name in ranked}

    def types(arrow: Any) -> list[Any]:
        return [arrow.float32() if name.startswith("probability") else arrow.string() for name in ("image", "error", *ranked)]

    return Columns(("image", "error", *ranked), flat, types)


def _join(out: Path, columns: Columns) -> Join:
    """What makes a table of the parts, by its name's ending."""
    flat = {".csv": join_csv, ".parquet": join_parquet}
    return partial(flat[out.suffix.lower()], columns=columns) if out.suffix.lower() in flat else join_jsonl
