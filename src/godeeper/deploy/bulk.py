"""Predictions of millions of images into one table: in parts, so that it can be broken off and shared by processes."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ..errors import GodeeperError
from ..files import atomic_write
from ..labels import Lang
from ..models.load import load
from ..packages import require
from ..tensor_files import digest
from .card import is_exported
from .names import Names
from .predictor import Prediction, Predictor

FORMATS = (".parquet", ".csv", ".jsonl")
CHUNK = 500  # images a part: what is computed again after a break, at most
Row = dict[str, Any]


def check_table(out: Path) -> None:
    """GodeeperError, before any work, for a table that cannot be written."""
    if out.suffix.lower() not in FORMATS:
        raise GodeeperError(f"--out {str(out)!r}: the name's ending decides the format; give one of {', '.join(FORMATS)}")
    if out.exists():
        raise GodeeperError(f"--out {str(out)!r} exists: remove it or choose another name")
    if not out.parent.is_dir():
        raise GodeeperError(f"--out {str(out)!r}: there is no folder {str(out.parent)!r}")
    if out.suffix.lower() == ".parquet":
        require("pyarrow.parquet", "data")


def predict_into(
    out: Path,
    files: Sequence[Path],
    predictor: Predictor,
    about: dict[str, Any],
    *,
    top: int = 5,
    crops: int = 1,
    lang: Lang = "en",
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> None:
    """Writes a row for every file, in order: its likeliest classes and their probabilities, or why it cannot be decoded.

    Rows come in parts of `CHUNK` into the folder OUT.parts, each whole or not at all; the same call later goes on where it was
    broken off. Under torchrun each process takes every n-th part, and the first one joins them. `about` is what makes two calls
    the same, beside files, `top`, `crops` and `lang`. GodeeperError where the parts there are of another call.
    """
    check_table(out)
    rank, ranks = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    folder = out.with_name(f"{out.name}.parts")
    _plan(folder, files, {**about, "top": top, "crops": crops, "lang": lang})
    parts = [folder / f"{number:07}.jsonl" for number in range(-(-len(files) // CHUNK))]
    mine = range(rank, len(parts), ranks)
    names = Names(predictor.classes, lang)
    total, done = sum(_length(files, number) for number in mine), 0
    for number in mine:
        chunk = files[number * CHUNK : (number + 1) * CHUNK]
        if not parts[number].is_file():
            _write(parts[number], _lines(chunk, predictor, names, top, crops))
        done += len(chunk)
        progress(done, total)
    if rank:
        return
    while not all(part.is_file() for part in parts):  # of other processes; where one fails, torchrun ends all
        time.sleep(0.1)
    kinds = ("label", "label_zh", "probability") if lang == "both" else ("label", "probability")
    places = range(1, min(top, len(predictor.classes)) + 1)
    _join(parts, out, [f"{kind}_{place}" for place in places for kind in kinds])
    shutil.rmtree(folder)


def fingerprint(model: str | Path) -> str:
    """What tells one model's answers from another's: SHA-256 of its weights, or of an exported file."""
    if not is_exported(model):
        return digest(load(model).state_dict())
    result = hashlib.sha256(Path(model).read_bytes())
    if Path(model).suffix.lower() == ".xml":
        result.update(Path(model).with_suffix(".bin").read_bytes())
    return result.hexdigest()


def _plan(folder: Path, files: Sequence[Path], about: dict[str, Any]) -> None:
    """Makes the folder for these files, or finds it made for the same."""
    listed = hashlib.sha256("\0".join(map(str, files)).encode("utf-8", "surrogateescape")).hexdigest()
    plan = json.dumps({**about, "files": len(files), "listed": listed}, sort_keys=True)
    folder.mkdir(exist_ok=True)
    file = folder / "plan.json"
    if not file.is_file():
        _write(file, iter([plan]))
    elif file.read_text("utf-8", "replace").strip() != plan:
        raise GodeeperError(
            f"{str(folder)!r} is of other images, another model or other options: remove it, or choose another --out"
        )


def _length(files: Sequence[Path], number: int) -> int:
    return min(CHUNK, len(files) - number * CHUNK)


def _lines(files: Sequence[Path], predictor: Predictor, names: Names, top: int, crops: int) -> Iterator[str]:
    for file, outcome in zip(files, predictor.outcomes(files, top=top, crops=crops), strict=True):
        yield json.dumps(document(file, outcome, names), ensure_ascii=False)


def document(file: Path, outcome: Prediction | Exception, names: Names) -> Row:
    """What JSON says of one image, its classes called by `names`."""
    image = str(file).encode("utf-8", "backslashreplace").decode()  # names of files need not be text
    if not isinstance(outcome, Prediction):
        return {"image": image, "error": str(outcome)}
    return {"image": image, "predictions": names.entries(outcome)}


def _write(file: Path, lines: Iterator[str]) -> None:
    """Writes lines as a file, whole or not at all."""
    with atomic_write(file) as partial, partial.open("w", encoding="utf-8") as opened:
        opened.writelines(f"{line}\n" for line in lines)


def _rows(part: Path) -> Iterator[Row]:
    with part.open(encoding="utf-8") as opened:
        yield from map(json.loads, opened)


def _flat(row: Row, columns: Sequence[str]) -> Row:
    """A row of a table: `image`, `error`, and the columns, such as `label_1`, `probability_1`, `label_2` ..."""
    best = enumerate(row.get("predictions", []), 1)
    found = {f"{kind}_{place}": value for place, one in best for kind, value in one.items()}
    return {"image": row["image"], "error": row.get("error")} | {name: found.get(name) for name in columns}


def _join(parts: Sequence[Path], out: Path, columns: Sequence[str]) -> None:
    """Makes one table of the parts, a part at a time."""
    join = {".jsonl": _join_jsonl, ".csv": _join_csv, ".parquet": _join_parquet}[out.suffix.lower()]
    with atomic_write(out) as partial:
        join(parts, partial, columns)


def _join_jsonl(parts: Sequence[Path], out: Path, columns: Sequence[str]) -> None:
    with out.open("wb") as opened:
        for part in parts:
            opened.write(part.read_bytes())


def _join_csv(parts: Sequence[Path], out: Path, columns: Sequence[str]) -> None:
    with out.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.DictWriter(opened, list(_flat({"image": ""}, columns)))
        writer.writeheader()
        for part in parts:
            writer.writerows(_flat(row, columns) for row in _rows(part))


def _join_parquet(parts: Sequence[Path], out: Path, columns: Sequence[str]) -> None:
    arrow, parquet = require("pyarrow", "data"), require("pyarrow.parquet", "data")
    names = list(_flat({"image": ""}, columns))
    schema = arrow.schema([(name, arrow.float32() if name.startswith("probability") else arrow.string()) for name in names])
    with parquet.ParquetWriter(out, schema) as writer:
        for part in parts:
            writer.write_table(arrow.Table.from_pylist([_flat(row, columns) for row in _rows(part)], schema))
