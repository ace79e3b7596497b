"""A table with a row for each of any number of images, written in parts: it can be resumed, and shared by processes."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accelerate import PartialState

from ..data.dataset import stored_size
from ..destinations import check_output
from ..digests import json_digest
from ..errors import GodeeperError
from ..files import atomic_write, read_file
from ..locks import is_gone, locked, present
from ..models.network import Network, best_device
from ..packages import require
from ..tensor_files import digest
from .export_metadata import files_of

CHUNK = 500  # rows a part: at most so many are computed again after an interruption
Row = dict[str, Any]
Join = Callable[[Sequence[Path], Path], None]  # parts, and the table to make of them


@dataclass(frozen=True)
class Columns:
    """How a row of a part becomes one of a flat table: `flat` gives a value for each of `names`; `types` are pyarrow's."""

    names: Sequence[str]
    flat: Callable[[Row], Row]
    types: Callable[[Any], Sequence[Any]]


def check_table(out: Path, formats: Sequence[str]) -> None:
    """GodeeperError, before any work, for a table that cannot be written."""
    check_output(out, "--out", formats, replaces=False)
    if out.suffix.lower() == ".parquet":
        require("pyarrow.parquet", "data")


def _check_new(out: Path) -> None:
    if out.exists():
        raise GodeeperError(f"--out {str(out)!r} exists: remove it or choose another name")


def write_table(
    out: Path,
    files: Sequence[Path],
    rows: Callable[[Sequence[Path]], Iterable[Row]],
    settings: dict[str, Any],
    join: Join,
    *,
    chunk: int = CHUNK,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Writes a row for every file, in order, as `rows` computes them and `join` makes a table of them.

    Parts of `chunk` rows are written atomically into the folder OUT.parts; the same call later resumes an interrupted one. Two
    calls are the same if files and `settings` are. Under torchrun each process writes every n-th part, and the first one joins
    them. GodeeperError where the parts are of another call or damaged, the folder holds something else, or another call
    is writing them.
    """
    processes = PartialState(cpu=best_device().type == "cpu")
    folder = out.with_name(f"{out.name}.parts")
    with locked(folder, lambda: _check_new(out)), present(folder, processes.process_index):
        _check_plan(folder, files, settings)
        parts = [folder / f"{number:07}.jsonl" for number in range(-(-len(files) // chunk))]
        _write_parts(parts, files, rows, processes, chunk, progress)
        if processes.process_index == 0:
            _wait_for_others(parts, folder, processes.num_processes)
            with atomic_write(out) as partial:
                join(parts, partial)
            shutil.rmtree(folder)


def _wait_for_others(parts: Sequence[Path], folder: Path, processes: int) -> None:
    """Waits until other processes have written their parts. GodeeperError where one has ended without that."""
    while True:
        gone = [rank for rank in range(1, processes) if is_gone(folder, rank)]  # before its parts are looked for
        missing = [number for number, part in enumerate(parts) if not part.is_file()]
        if not missing:
            return
        if lost := [rank for rank in gone if any(number % processes == rank for number in missing)]:
            raise GodeeperError(f"process {lost[0]} of {processes} is gone: start all again, they go on with what is missing")
        time.sleep(0.1)


def _write_parts(
    parts: Sequence[Path],
    files: Sequence[Path],
    rows: Callable[[Sequence[Path]], Iterable[Row]],
    processes: PartialState,
    chunk: int,
    progress: Callable[[int, int], None] | None,
) -> None:
    """Writes those parts of this process that are missing."""
    mine = range(processes.process_index, len(parts), processes.num_processes)
    chunks = {number: files[number * chunk : (number + 1) * chunk] for number in mine}
    total, done = sum(map(len, chunks.values())), 0
    missing = {number for number in mine if not parts[number].is_file()}
    processes.wait_for_everyone()  # all know what is left to them, before one may find the table complete and remove the parts
    for number, part_files in chunks.items():
        if number in missing:
            _write_rows(parts[number], rows(part_files))
        done += len(part_files)
        if progress is not None:
            progress(done, total)


def image_name(file: Path) -> str:
    """What a row calls a file, whose name need not be text."""
    return str(file).encode("utf-8", "backslashreplace").decode()


def fingerprint(model: Network | str | Path) -> str:
    """What decides a network's answers, its weights and its spec, or an exported file's bytes, as digests."""
    if isinstance(model, Network):
        return f"{digest(model.state_dict())} {model.spec.digest}"
    result = hashlib.sha256()
    for file in files_of(Path(model)):
        result.update(file.read_bytes())
    return result.hexdigest()


def _check_plan(folder: Path, files: Sequence[Path], settings: dict[str, Any]) -> None:
    """Makes the folder for these files and settings; GodeeperError where it was made for others."""
    listed = hashlib.sha256("\0".join(map(str, files)).encode("utf-8", "surrogateescape")).hexdigest()
    sizes = hashlib.sha256(" ".join(str(stored_size(file)) for file in files).encode()).hexdigest()
    plan = json.loads(json.dumps({**settings, "files": len(files), "listed": listed, "sizes": sizes}))
    folder.mkdir(exist_ok=True)
    file = folder / "plan.json"
    if not file.is_file():
        if others := [entry.name for entry in folder.iterdir() if not entry.name.startswith(".")]:
            raise GodeeperError(f"{str(folder)!r} holds {others[0]!r}, which is no part of a table: choose another --out")
        _write(file, json.dumps(plan, sort_keys=True) + "\n")
    elif plan != _plan_of(file, plan):
        raise GodeeperError(
            f"{str(folder)!r} is of other images, another model or other options: remove it, or choose another --out"
        )


def _plan_of(file: Path, now: dict[str, Any]) -> dict[str, Any] | None:
    """What parts were made for; None where that is damaged. Older ones do not say how large the files were: as they are now."""
    try:
        return {"sizes": now["sizes"], **json.loads(read_file(file).decode("utf-8", "replace"))}
    except (ValueError, TypeError):
        return None


def _write(file: Path, text: str) -> None:
    """Writes text as a file, atomically."""
    with atomic_write(file) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def _write_rows(part: Path, rows: Iterable[Row]) -> None:
    """Writes rows, each a line, and their digest as the last one."""
    lines = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
    _write(part, lines + json_digest(lines) + "\n")


def _lines_of(part: Path) -> str:
    """The rows of a part as they were written; GodeeperError where they were changed since."""
    lines, _, written = part.read_bytes().decode("utf-8", "replace").removesuffix("\n").rpartition("\n")
    if json_digest(f"{lines}\n") != written:
        raise GodeeperError(f"{str(part)!r} is damaged: remove it, and the same command makes it again")
    return f"{lines}\n"


def rows_of(part: Path) -> Iterator[Row]:
    """The rows of a part; GodeeperError for one that is damaged."""
    yield from map(json.loads, _lines_of(part).split("\n")[:-1])  # splitlines would split within names, too


def join_jsonl(parts: Sequence[Path], out: Path) -> None:
    """The parts one after the other, a row a line."""
    with out.open("w", encoding="utf-8", newline="\n") as opened:
        opened.writelines(map(_lines_of, parts))


def join_csv(parts: Sequence[Path], out: Path, columns: Columns) -> None:
    """The parts as one .csv file, a part at a time."""
    with out.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.DictWriter(opened, list(columns.names))
        writer.writeheader()
        for part in parts:
            writer.writerows(map(columns.flat, rows_of(part)))


def join_parquet(parts: Sequence[Path], out: Path, columns: Columns) -> None:
    """The parts as one .parquet file, a part at a time."""
    arrow, parquet = require("pyarrow", "data"), require("pyarrow.parquet", "data")
    schema = arrow.schema(list(zip(columns.names, columns.types(arrow), strict=True)))
    with parquet.ParquetWriter(out, schema) as writer:
        for part in parts:
            writer.write_table(arrow.Table.from_pylist(list(map(columns.flat, rows_of(part))), schema))
