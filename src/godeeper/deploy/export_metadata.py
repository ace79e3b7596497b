"""What an exported file says of itself, under one key of its format's own metadata, as JSON."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from ..digests import BLANK, check_checksum, warn_unchecked
from ..errors import BadCheckpoint, GodeeperError, is_out_of_memory, message_lines
from ..files import could_exist
from ..models.spec import ModelSpec
from ..packages import require
from ..version import __version__
from .engines import Precision
from .openvino_core import openvino_core

KEY = "godeeper"  # of the metadata, in every format
UNREADABLE = "its metadata is damaged, or of another version: make it with `godeeper export`"
CHECKSUM = "checksum"  # of that JSON
COMPANIONS = {".xml": ".bin", ".pte": ".json"}  # the weights; the metadata
NET = re.compile(rb'<net [^<]*version="1[01]"')  # of the versions that OpenVINO's reader of .xml takes
READABLE = (".onnx", ".xml")  # by `Predictor`; torch's own files may hold pickles, which are never opened here


@dataclass(frozen=True)
class ExportMetadata:
    """The metadata of an exported network: its spec, and how the file was made.

    `source` is the weights' name and SHA-256, `check` what `export` measured.
    """

    spec: ModelSpec
    precision: Precision
    source: dict[str, Any]
    with_preprocessing: bool = False
    check: dict[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; `from_dict` is the reverse."""
        return {
            "spec": self.spec.as_dict(),
            "precision": self.precision,
            "source": self.source,
            "with_preprocessing": self.with_preprocessing,
            "check": self.check,
            "version": __version__,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ExportMetadata:
        """The reverse of `as_dict`; GodeeperError for missing or wrong values."""
        try:
            precision, source, with_preprocessing = (values[name] for name in ("precision", "source", "with_preprocessing"))
            spec = ModelSpec.from_dict(values["spec"])
        except KeyError as error:
            raise GodeeperError(f"the metadata has no {error}") from None
        if precision not in ("fp32", "int8"):
            raise GodeeperError(f"the metadata's precision is {precision!r}")
        return cls(spec, precision, source, bool(with_preprocessing), values.get("check"))


def is_exported(model: object) -> TypeGuard[str | Path]:
    """Whether `model` is no network but a file, named like one that `export` writes and `Predictor` reads."""
    return isinstance(model, str | Path) and Path(model).suffix.lower() in READABLE


def read_metadata(file: Path) -> ExportMetadata:
    """The metadata of a .onnx or .xml file of `export`. BadCheckpoint where it is missing, damaged, or of something else."""
    values = read_json(file)
    if "detector" in values:
        raise BadCheckpoint(f"{str(file)!r} holds a detector: use it with `godeeper detect`")
    try:
        return ExportMetadata.from_dict(values)
    except GodeeperError:
        raise BadCheckpoint(f"{str(file)!r}: {UNREADABLE}") from None


def files_of(file: Path) -> list[Path]:
    """The files that belong to an exported file: itself, and its companion where the format has one."""
    companion = COMPANIONS.get(file.suffix.lower())
    return [file, *([file.with_suffix(companion)] if companion else [])]


def checksummed_files(file: Path) -> list[Path]:
    """The files that the checksum of an exported one is of: first that which carries it, and the metadata."""
    return files_of(file)[::-1] if file.suffix.lower() == ".pte" else files_of(file)


def check_exported(file: str | Path) -> bool:
    """Whether a file of `export`, of any format, carries a checksum; BadCheckpoint where it is not as it was written.

    `Predictor` does this by itself; it is for those who run a .pt2 or .pte elsewhere, and want to know that it arrived whole.
    """
    files = checksummed_files(Path(file))
    for each in files:
        if not could_exist(each) or not each.is_file():
            raise BadCheckpoint(f"there is no file {str(each)!r}")
    try:
        return check_checksum(*files)
    except OSError as error:
        raise BadCheckpoint(f"{str(file)!r} cannot be read: {error.strerror}") from None


def metadata_text(metadata: dict[str, Any]) -> str:
    """Metadata as the JSON text that goes into a file, with a place for the file's checksum."""
    return json.dumps({CHECKSUM: BLANK, **metadata}, ensure_ascii=False)


def read_json(file: Path) -> dict[str, Any]:
    """The JSON object that godeeper wrote into a .onnx or .xml file.

    BadCheckpoint for any other file, and where the file is not as it was written; a warning where it carries no checksum.
    """
    if not could_exist(file) or not file.is_file():
        raise BadCheckpoint(f"there is no file {str(file)!r}")
    is_onnx = file.suffix.lower() == ".onnx"
    try:
        if not is_onnx:
            _check_openvino(file)
        is_checked = check_exported(file)
        text = _onnx_text(file) if is_onnx else _openvino_text(file)
    except GodeeperError:
        raise
    except Exception as error:  # protobuf's and OpenVINO's own kinds
        if is_out_of_memory(error):
            raise
        reason = message_lines(error)[-1]
        raise BadCheckpoint(f"{str(file)!r} is damaged, or not {file.suffix}: {reason}; export it again") from None
    if text is None:
        raise BadCheckpoint(f"{str(file)!r} says nothing of classes and preprocessing: make it with `godeeper export`")
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise BadCheckpoint(f"{str(file)!r}: {UNREADABLE}")
    if not is_checked:
        warn_unchecked(file)
    return values


def set_onnx_metadata(model: Any, text: str) -> None:
    """Writes the metadata into an ONNX model, in the place of what it has."""
    others = [entry for entry in model.metadata_props if entry.key != KEY]
    del model.metadata_props[:]
    model.metadata_props.extend(others)
    model.metadata_props.add(key=KEY, value=text)


def _onnx_text(file: Path) -> str | None:
    model = require("onnx", "deploy").load(str(file), load_external_data=False)
    return next((entry.value for entry in model.metadata_props if entry.key == KEY), None)


def _check_openvino(file: Path) -> None:
    """BadCheckpoint for a file that is no OpenVINO model at all, or is alone."""
    with file.open("rb") as opened:
        if not NET.search(opened.read(10_000)):  # OpenVINO would try every kind of file that it knows, and say so at length
            raise BadCheckpoint(f"{str(file)!r} is not an OpenVINO model: make it with `godeeper export`")
    weights = file.with_suffix(".bin")
    if not weights.is_file():
        raise BadCheckpoint(f"{str(file)!r} is without its weights: {weights.name!r} belongs beside it")


def _openvino_text(file: Path) -> str | None:
    model = openvino_core().read_model(str(file))
    return str(model.get_rt_info([KEY]).astype(str)) if model.has_rt_info([KEY]) else None
