"""What an exported file says of itself: classes, preprocessing, source, and how it was checked."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import BadCheckpoint, GodeeperError
from ..preprocess import Preprocess
from .engines import Precision
from .optional import openvino_core, wanted

KEY = "godeeper"  # of the metadata, in every format
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
            classes, precision = tuple(values["classes"]), values["precision"]
            if (
                isinstance(values["classes"], str)
                or not all(isinstance(name, str) for name in classes)
                or precision not in ("fp32", "int8")
            ):
                raise ValueError("classes or precision")
            preprocess = Preprocess.from_dict(values["preprocess"])
            picture_in = bool(values.get("with_preprocessing"))
            return cls(values["model"], classes, preprocess, precision, values["source"], picture_in, values.get("check"))
        except (KeyError, TypeError, ValueError) as error:
            raise GodeeperError(f"its metadata cannot be read: {error!r}") from None


def is_exported(file: str | Path) -> bool:
    """Whether `file` is named like one that `export` writes and `Predictor` reads."""
    return Path(file).suffix.lower() in LOADED


def read_card(file: Path) -> Card:
    """What a .onnx or .xml file says of itself. BadCheckpoint where it is missing, damaged, or not of `export`."""
    if not file.is_file():
        raise BadCheckpoint(f"there is no file {str(file)!r}")
    try:
        text = _onnx_text(file) if file.suffix.lower() == ".onnx" else _openvino_text(file)
    except GodeeperError:
        raise
    except Exception as error:  # protobuf's and OpenVINO's own kinds
        raise BadCheckpoint(f"{str(file)!r} is damaged, or not {file.suffix}: {str(error).strip().splitlines()[-1]}") from None
    if text is None:
        raise BadCheckpoint(f"{str(file)!r} says nothing of classes and preprocessing: make it with `godeeper export`")
    try:
        return Card.from_dict(json.loads(text))
    except (ValueError, GodeeperError, AttributeError, RecursionError) as error:
        raise BadCheckpoint(f"{str(file)!r}: {error}") from None


def put_card(model: Any, card: Card) -> None:
    """Writes the card into an ONNX model, in the place of the one it has."""
    kept = [entry for entry in model.metadata_props if entry.key != KEY]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    model.metadata_props.add(key=KEY, value=json.dumps(card.as_dict(), ensure_ascii=False))


def _onnx_text(file: Path) -> str | None:
    model = wanted("onnx", "deploy").load(str(file), load_external_data=False)
    return next((entry.value for entry in model.metadata_props if entry.key == KEY), None)


def _openvino_text(file: Path) -> str | None:
    model = openvino_core().read_model(str(file))
    return str(model.get_rt_info([KEY]).astype(str)) if model.has_rt_info([KEY]) else None
