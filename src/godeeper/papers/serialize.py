"""A definition as JSON and back: how a saved network says what it is, so that no registry is needed to build it again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from ..errors import GodeeperError
from ..fields import only, quoted
from .notation import (
    CEIL,
    LRN,
    SAME,
    VALID,
    Adaptive,
    Auxiliary,
    Avg,
    AvgTo,
    BatchNorm,
    Cat,
    Conv,
    Definition,
    Dropout,
    FullyConnected,
    Linear,
    LinearNorm,
    Max,
    Residual,
    Row,
    Separable,
    Stage,
    Whitening,
)

TAGS: dict[str, type] = {  # never renamed: files carry them
    "conv": Conv, "separable_conv": Separable, "max_pool": Max, "avg_pool": Avg, "avg_pool_to": AvgTo,
    "adaptive_avg_pool": Adaptive, "lrn": LRN, "dropout": Dropout, "fully_connected": FullyConnected,
    "linear_norm": LinearNorm, "linear": Linear, "whitening": Whitening,
}  # fmt: skip
TAG_OF = {row: tag for tag, row in TAGS.items()}
PADDINGS = (SAME, VALID, CEIL)
NAME = re.compile(r"[A-Za-z0-9_]{1,64}")  # of a stage, which is a key of the weights too
# What an untrusted file may ask for, checked before anything is built.
MOST_ROWS, DEEPEST, LARGEST_IMAGE, MOST_TEXT = 3000, 8, 10_000, 500
LARGEST = {"filters": 100_000, "units": 1_000_000, "classes": 1_000_000, "grid": 1_000}
LARGEST_ELSE = 10_000  # of kernels, strides, dilations
NUMBERS = {  # ranges; other numbers are any within 1e9
    "eps": (0, 1), "momentum": (0, 1), "ratio": (0, 1), "alpha": (0, 1e3), "beta": (0, 100), "k": (1e-6, 1e6),
    "scale": (-1e3, 1e3),
}  # fmt: skip
PARTS = ("name", "variant", "source", "image_size", "in_channels", "stem", "batch_norm", "stages", "head", "auxiliary")


def definition_as_dict(definition: Definition) -> dict[str, Any]:
    """JSON-ready; `definition_from_dict` is the reverse."""
    return {
        "name": definition.name,
        "variant": definition.variant,
        "source": definition.source,
        "image_size": definition.image_size,
        "in_channels": definition.in_channels,
        "stem": list(definition.stem),
        "batch_norm": None if definition.batch_norm is None else _plain(definition.batch_norm),
        "stages": _stages_as_dict(definition.stages),
        "head": _stages_as_dict(definition.head),
        "auxiliary": {
            name: {"on": head.on, "stages": _stages_as_dict(head.stages)} for name, head in definition.auxiliary.items()
        },
    }


def _stages_as_dict(stages: Mapping[str, Stage]) -> dict[str, Any]:
    return {
        name: [_row_as_dict(row) for row in stage] if isinstance(stage, tuple) else _row_as_dict(stage)
        for name, stage in stages.items()
    }


def _row_as_dict(row: Row) -> dict[str, Any]:
    if isinstance(row, Cat):
        return {"row": "cat", "branches": [[_row_as_dict(inner) for inner in branch] for branch in row.branches]}
    if isinstance(row, Residual):
        return {"row": "residual", "body": _row_as_dict(row.body), "scale": float(row.scale), "relu": row.relu}
    return {"row": TAG_OF[type(row)], **_plain(row)}


def _plain(row: Any) -> dict[str, Any]:
    result = {}
    for field in fields(row):
        value: Any = getattr(row, field.name)
        value = list(value) if isinstance(value, tuple) else value
        result[field.name] = float(value) if field.type == "float" else value  # 1 and 1.0 are the same table
    return result


def definition_from_dict(values: Any) -> Definition:
    """The reverse of `definition_as_dict`, of an untrusted table: GodeeperError, naming the place, for what is no sound one."""
    reader = _Reader()
    try:
        return reader.definition(values)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        reason = str(error) if isinstance(error, ValueError) else repr(error)
        raise GodeeperError(f"the table cannot be read: {reader.where or 'definition'}: {reason}") from None


class _Reader:
    """Reads one table, and counts its rows."""

    def __init__(self) -> None:
        self.rows = 0
        self.where = ""

    def definition(self, values: Mapping[str, Any]) -> Definition:
        only("the table", values, PARTS)
        batch_norm = values["batch_norm"]
        name, source, variant = (_text(values[part]) for part in ("name", "source", "variant"))
        image_size = _whole("image_size", values["image_size"], LARGEST_IMAGE)
        in_channels = _whole("in_channels", values["in_channels"], LARGEST_ELSE)
        stages = self.stages(values["stages"], "stages")
        auxiliary = {_name(name): self.auxiliary(head, stages, name) for name, head in values["auxiliary"].items()}
        stem = tuple(_list("stem", values["stem"], least=0))
        if not set(stem) <= set(stages):
            raise GodeeperError(f"the table cannot be read: its stem {stem} is not among its stages")
        return Definition(
            name=name,
            source=source,
            stages=stages,
            head=self.stages(values["head"], "head"),
            auxiliary=auxiliary,
            batch_norm=None if batch_norm is None else _made(BatchNorm, batch_norm),
            stem=stem,
            image_size=image_size,
            in_channels=in_channels,
            variant=variant,
        )

    def auxiliary(self, values: Mapping[str, Any], stages: Mapping[str, Stage], name: str) -> Auxiliary:
        only(f"auxiliary head {name!r}", values, ("on", "stages"))
        if values["on"] not in stages:
            raise GodeeperError(f"the table cannot be read: auxiliary head {name!r} is on {values['on']!r}, which is no stage")
        return Auxiliary(values["on"], self.stages(values["stages"], f"auxiliary {name}"))

    def stages(self, values: Mapping[str, Any], part: str) -> dict[str, Stage]:
        if not values:
            raise GodeeperError(f"the table cannot be read: it has no {part}")
        result: dict[str, Stage] = {}
        for name, stage in values.items():
            self.where = f"{part}, {name}"
            several = isinstance(stage, list)
            result[_name(name)] = tuple(self.row(row) for row in _list("a stage", stage)) if several else self.row(stage)
        return result

    def row(self, values: Mapping[str, Any], depth: int = 0) -> Row:
        self.rows += 1
        if self.rows > MOST_ROWS or depth > DEEPEST:
            raise GodeeperError(f"the table is too large: more than {MOST_ROWS} rows, or more than {DEEPEST} within each other")
        tag = values["row"]
        if tag == "cat":
            only("a cat", values, ("row", "branches"))
            given = [_list("a branch", branch) for branch in _list("branches", values["branches"])]
            branches = [[self.row(inner, depth + 1) for inner in branch] for branch in given]
            return Cat(*branches)
        if tag == "residual":
            only("a residual", values, ("row", "body", "scale", "relu"))
            body = self.row(values["body"], depth + 1)
            if not isinstance(body, Cat):
                raise ValueError("a residual body that is no cat")
            return Residual(body, _number("scale", values["scale"]), _flag("relu", values["relu"]))
        made: Row = _made(TAGS[tag], {name: value for name, value in values.items() if name != "row"})
        return made


def _made(kind: type, values: Mapping[str, Any]) -> Any:
    """A row or batch norm of these fields, every one of them checked by what it is called and what its default is."""
    known = {field.name: field for field in fields(kind)}
    if values.keys() != known.keys():
        raise ValueError(f"{kind.__name__} has the fields {', '.join(known)}, not {', '.join(values)}")
    return kind(**{name: _checked(name, str(known[name].type), value) for name, value in values.items()})


def _checked(name: str, kind: str, value: Any) -> Any:
    if name == "padding":
        return value if value in PADDINGS else _whole(name, value, LARGEST_ELSE, 0)
    if name == "kernel" and isinstance(value, list):
        height, width = value
        return _whole(name, height, LARGEST_ELSE), _whole(name, width, LARGEST_ELSE)
    if kind == "bool":
        return _flag(name, value)
    if kind == "float":
        return _number(name, value)
    return _whole(name, value, LARGEST.get(name, LARGEST_ELSE))


def _whole(name: str, value: Any, most: int, least: int = 1) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{name} is {quoted(value)}: it must be a whole number from {least} to {most:,}")
    return value


def _number(name: str, value: Any) -> float:
    low, high = NUMBERS.get(name, (-1e9, 1e9))
    if type(value) not in (int, float) or not low <= value <= high:
        raise ValueError(f"{name} is {quoted(value)}: it must be a number from {low:g} to {high:g}")
    return float(value)


def _list(name: str, value: Any, least: int = 1) -> list[Any]:
    if not isinstance(value, list) or len(value) < least:
        raise ValueError(f"{name} is {quoted(value)}: it must be a list{' of something' * least}")
    return value


def _flag(name: str, value: Any) -> bool:
    if type(value) is not bool:
        raise ValueError(f"{name} is {quoted(value)}: it must be true or false")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > MOST_TEXT:
        raise ValueError(f"a text of at most {MOST_TEXT} letters is asked for, not {quoted(value)}")
    return value


def _name(value: Any) -> str:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise ValueError(f"{quoted(value)} is no name of a stage: letters, digits and _ only")
    return value
