"""Predictions of any number of images as one table, written in parts: a run can be resumed, and shared by processes."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from accelerate import PartialState

from ..data.dataset import stored_size
from ..errors import GodeeperError
from ..files import atomic_write
from ..labels import Lang
from ..models.network import Network, best_device
from ..packages import require
from ..tensor_files import digest
from .class_names import ClassNames
from .predictor import Prediction, Predictor

FORMATS = (".parquet", ".csv", ".jsonl")
CHUNK = 500  # rows a part: at most so many are computed again after an interruption
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

    Parts of `chunk` rows are written atomically into the folder OUT.parts; the same call later resumes an interrupted one. Two
    calls are the same if `identity`, files, `top`, `crops` and `lang` are. Under torchrun each process writes every n-th part,
    and the first one joins them. GodeeperError where the parts are of another call.
    """
    check_table(out)
    processes = PartialState(cpu=best_device().type == "cpu")
    rank, ranks = processes.process_index, processes.num_processes
    folder = out.with_name(f"{out.name}.parts")
    _check_plan(folder, files, {**identity, "top": top, "crops": crops, "lang": lang})
    parts = [folder / f"{number:07}.jsonl" for number in range(-(-len(files) // chunk))]
    mine = range(rank, len(parts), ranks)
    names = ClassNames(predictor.classes, lang)
    chunks = {number: files[number * chunk : (number + 1) * chunk] for number in mine}
    total, done = sum(map(len, chunks.values())), 0
    missing = {number for number in mine if not parts[number].is_file()}
    processes.wait_for_everyone()  # all know what is left to them, before one may find the table complete and remove the parts
    for number, part_files in chunks.items():
        if number in missing:
            _write(parts[number], _lines(part_files, predictor, names, top, crops))
        done += len(part_files)
        if progress is not None:
            progress(done, total)
    if rank:
        return
    while not all(part.is_file() for part in parts):  # of other processes; where one fails, torchrun ends all
        time.sleep(0.1)
    kinds = ("label", "label_zh", "probability") if lang == "both" else ("label", "probability")
    columns = [f"{kind}_{position}" for position in range(1, min(top, len(predictor.classes)) + 1) for kind in kinds]
    _join(parts, out, columns)
    shutil.rmtree(folder)


def fingerprint(model: Network | str | Path) -> str:
    """What decides a network's predictions, its weights and its spec, or an exported file's bytes, as digests."""
    if isinstance(model, Network):
        return f"{digest(model.state_dict())} {model.spec.digest}"
    result = hashlib.sha256(Path(model).read_bytes())
    if Path(model).suffix.lower() == ".xml":
        result.update(Path(model).with_suffix(".bin").read_bytes())
    return result.hexdigest()


def _check_plan(folder: Path, files: Sequence[Path], settings: dict[str, Any]) -> None:
    """Makes the folder for these files and settings; GodeeperError where it was made for others."""
    listed = hashlib.sha256("\0".join(map(str, files)).encode("utf-8", "surrogateescape")).hexdigest()
    sizes = hashlib.sha256(" ".join(str(stored_size(file)) for file in files).encode()).hexdigest()
    plan = json.loads(json.dumps({**settings, "files": len(files), "listed": listed, "sizes": sizes}))
    folder.mkdir(exist_ok=True)
    file = folder / "plan.json"
    if not file.is_file():
        _write(file, iter([json.dumps(plan, sort_keys=True)]))
    elif plan != _plan_of(file, plan):
        raise GodeeperError(
            f"{str(folder)!r} is of other images, another model or other options: remove it, or choose another --out"
        )


def _plan_of(file: Path, now: dict[str, Any]) -> dict[str, Any] | None:
    """What parts were made for; None where that is damaged. Older ones do not say how large the files were: as they are now."""
    try:
        return {"sizes": now["sizes"], **json.loads(file.read_text("utf-8", "replace"))}
    except (ValueError, TypeError):
        return None


def _lines(files: Sequence[Path], predictor: Predictor, names: ClassNames, top: int, crops: int) -> Iterator[str]:
    for file, outcome in zip(files, predictor.outcomes(files, top=top, crops=crops), strict=True):
        yield json.dumps(as_row(file, outcome, names), ensure_ascii=False)


def as_row(file: Path, outcome: Prediction | Exception, names: ClassNames) -> Row:
    """One image's predictions, or the `error`, as JSON has them."""
    image = str(file).encode("utf-8", "backslashreplace").decode()  # names of files need not be text
    if not isinstance(outcome, Prediction):
        return {"image": image, "error": str(outcome)}
    return {"image": image, "predictions": names.entries(outcome)}


def _write(file: Path, lines: Iterator[str]) -> None:
    """Writes lines as a file, atomically."""
    with atomic_write(file) as partial, partial.open("w", encoding="utf-8") as opened:
        opened.writelines(f"{line}\n" for line in lines)


def _rows(part: Path) -> Iterator[Row]:
    with part.open(encoding="utf-8") as opened:
        yield from map(json.loads, opened)


def _flat(row: Row, columns: Sequence[str]) -> Row:
    """A row of a table: `image`, `error`, and the columns, such as `label_1`, `probability_1`, `label_2` ..."""
    ranked = enumerate(row.get("predictions", []), 1)
    values = {f"{kind}_{rank}": value for rank, prediction in ranked for kind, value in prediction.items()}
    return {"image": row["image"], "error": row.get("error")} | {name: values.get(name) for name in columns}


def _join(parts: Sequence[Path], out: Path, columns: Sequence[str]) -> None:
    """Joins the parts into one table, a part at a time."""
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
