"""What an exported file says of itself: classes, preprocessing, source, and how it was checked."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import BadCheckpoint, GodeeperError
from ..packages import require
from ..preprocess import Preprocess
from .engines import Precision
from .openvino_core import openvino_core

KEY = "godeeper"  # of the metadata, in every format
UNREADABLE = "its metadata is damaged, or of another version: make it with `godeeper export`"
LOADED = (".onnx", ".xml")  # by `Predictor`; torch's own files may hold pickles, which are never opened here


@dataclass(frozen=True)
class Card:
    """`model` is what `create_model` was given, `source` the weights' file and SHA-256, `check` what `export` measured."""

    model: dict[str, Any]
    classes: tuple[str, ...]
    preprocess: Preprocess
    precision: Precision
    source: dict[str, Any]
    with_preprocessing: bool = False
    check: dict[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        from .. import __version__

        return {**asdict(self), "preprocess": self.preprocess.as_dict(), "godeeper": __version__}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Card:
        """The reverse of `as_dict`; GodeeperError for missing or wrong values."""
        try:
            classes, precision = values["classes"], values["precision"]
            if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
                raise ValueError("classes")
            if precision not in ("fp32", "int8"):
                raise ValueError("precision")
            preprocess = Preprocess.from_dict(values["preprocess"])
            image_in = bool(values.get("with_preprocessing"))
            return cls(values["model"], tuple(classes), preprocess, precision, values["source"], image_in, values.get("check"))
        except (KeyError, TypeError, ValueError, AttributeError):
            raise GodeeperError(UNREADABLE) from None


def is_exported(file: str | Path) -> bool:
    """Whether `file` is named like one that `export` writes and `Predictor` reads."""
    return Path(file).suffix.lower() in LOADED


def read_card(file: Path) -> Card:
    """What a .onnx or .xml file says of itself. BadCheckpoint where it is missing, damaged, or not of `export`."""
    try:
        document = json.loads(read_text(file))
        if "detector" in document:
            raise BadCheckpoint(f"{str(file)!r} holds a detector: use it with `godeeper detect`")
        return Card.from_dict(document)
    except BadCheckpoint:
        raise
    except (ValueError, TypeError, GodeeperError, RecursionError):
        raise BadCheckpoint(f"{str(file)!r}: {UNREADABLE}") from None


def read_text(file: Path) -> str:
    """The metadata of a .onnx or .xml file that godeeper wrote; BadCheckpoint for any other."""
    if not file.is_file():
        raise BadCheckpoint(f"there is no file {str(file)!r}")
    try:
        text = _onnx_text(file) if file.suffix.lower() == ".onnx" else _openvino_text(file)
    except GodeeperError:
        raise
    except Exception as error:  # protobuf's and OpenVINO's own kinds
        reason = str(error).strip().splitlines()[-1]
        raise BadCheckpoint(f"{str(file)!r} is damaged, or not {file.suffix}: {reason}; export it again") from None
    if text is None:
        raise BadCheckpoint(f"{str(file)!r} says nothing of classes and preprocessing: make it with `godeeper export`")
    return text


def put_card(model: Any, card: Card) -> None:
    """Writes the card into an ONNX model, in the place of the one it has."""
    kept = [entry for entry in model.metadata_props if entry.key != KEY]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    model.metadata_props.add(key=KEY, value=json.dumps(card.as_dict(), ensure_ascii=False))


def _onnx_text(file: Path) -> str | None:
    model = require("onnx", "deploy").load(str(file), load_external_data=False)
    return next((entry.value for entry in model.metadata_props if entry.key == KEY), None)


def _openvino_text(file: Path) -> str | None:
    with file.open("rb") as opened:
        if b"<net" not in opened.read(1000):  # OpenVINO would try every kind of file that it knows, and say so at length
            raise BadCheckpoint(f"{str(file)!r} is not an OpenVINO model: make it with `godeeper export`")
    weights = file.with_suffix(".bin")
    if not weights.is_file():
        raise BadCheckpoint(f"{str(file)!r} is without its weights: {weights.name!r} belongs beside it")
    model = openvino_core().read_model(str(file))
    return str(model.get_rt_info([KEY]).astype(str)) if model.has_rt_info([KEY]) else None
