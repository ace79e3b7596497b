"""Embeddings of any number of images as one table, or as arrays in one .npz file."""

from __future__ import annotations

import base64
import zipfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadImage
from .embedder import Embedder
from .table_parts import Columns, Row, check_table, image_name, join_csv, join_parquet, rows_of, write_table

FORMATS = (".parquet", ".npz", ".csv")
Vector = NDArray[np.float32]


def write_embeddings(
    out: Path,
    files: Sequence[Path],
    embedder: Embedder,
    identity: dict[str, Any],
    *,
    normalize: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Writes a row for every file, in order: its embedding, or why it cannot be decoded.

    .parquet has the columns `image`, `error` and `embedding`, a list; .csv has `image`, `error`, `embedding_0` and so on; .npz
    the arrays `images` and `errors` (N,) and `embeddings` (N, units) float32, of NaN where there is an error. Resumed, and shared
    by processes, as `write_table` does. Two calls are the same if `identity`, files and `normalize` are. GodeeperError for a
    table that cannot be written, and where the parts are of another call.
    """
    check_table(out, FORMATS)

    def rows(part: Sequence[Path]) -> Iterator[Row]:
        for file, outcome in zip(part, embedder.outcomes(part, normalize=normalize), strict=True):
            if isinstance(outcome, BadImage):
                yield {"image": image_name(file), "error": str(outcome)}
            else:
                yield {"image": image_name(file), "embedding": base64.b64encode(outcome.numpy().astype("<f4").tobytes()).decode()}

    join = {".parquet": _join_parquet, ".npz": _join_npz, ".csv": _join_csv}[out.suffix.lower()]
    settings = {**identity, "what": "embeddings", "normalize": normalize}
    write_table(out, files, rows, settings, partial(join, units=embedder.units), progress=progress)


def _vector(row: Row) -> Vector | None:
    """The embedding of a part's row, float32 (units,)."""
    return np.frombuffer(base64.b64decode(row["embedding"]), "<f4") if "embedding" in row else None


def _join_csv(parts: Sequence[Path], out: Path, units: int) -> None:
    names = [f"embedding_{unit}" for unit in range(units)]

    def flat(row: Row) -> Row:
        vector = _vector(row)
        numbers = [""] * units if vector is None else map(str, vector)  # as few digits as give the same float32 again
        return {"image": row["image"], "error": row.get("error")} | dict(zip(names, numbers, strict=True))

    join_csv(parts, out, Columns(("image", "error", *names), flat, lambda arrow: ()))


def _join_parquet(parts: Sequence[Path], out: Path, units: int) -> None:
    def flat(row: Row) -> Row:
        return {"image": row["image"], "error": row.get("error"), "embedding": _vector(row)}

    def types(arrow: Any) -> list[Any]:
        return [arrow.string(), arrow.string(), arrow.list_(arrow.float32())]

    join_parquet(parts, out, Columns(("image", "error", "embedding"), flat, types))


def _join_npz(parts: Sequence[Path], out: Path, units: int) -> None:
    """The embeddings go from the parts to the file a part at a time: of a million images they would fill the memory."""
    rows = [(row["image"], row.get("error") or "") for part in parts for row in rows_of(part)]
    missing = np.full(units, np.nan, "<f4")
    with zipfile.ZipFile(out, "w") as archive:
        for column, name in enumerate(("images", "errors")):
            with archive.open(f"{name}.npy", "w", force_zip64=True) as opened:
                np.lib.format.write_array(opened, np.array([row[column] for row in rows], dtype=str), allow_pickle=False)
        with archive.open("embeddings.npy", "w", force_zip64=True) as opened:
            header = {"descr": "<f4", "fortran_order": False, "shape": (len(rows), units)}
            np.lib.format.write_array_header_1_0(opened, header)
            for part in parts:
                for row in rows_of(part):
                    vector = _vector(row)
                    opened.write((missing if vector is None else vector).tobytes())
