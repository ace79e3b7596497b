"""The networks that come with godeeper: weights in the package, and beside each file what is known of it, as JSON.

`docs/shipped.py` puts them there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

PREFIX = "godeeper/"
FOLDER = Path(__file__).parent.parent / "shipped"
LARGEST = 4_000_000  # bytes of a weights file


@dataclass(frozen=True)
class Shipped:
    """What is known of a network that comes with godeeper; the weights themselves are in `file`, in half precision.

    `classes` has their names by language, "en" and "zh", in the network's order. Errors are in percent, of the file's own weights
    over `crops` crops of each of `images` images of `data` that no training has seen, each with its 95 % interval (Wilson).
    `commands` are those that trained and evaluated it, `recipe` and `curve` (a record an epoch, as in metrics.jsonl) those of the
    run; `sha256` is the weights file's.
    """

    name: str
    architecture: str  # the table's name
    title: str  # the same, with what was changed
    parameters: int
    multiply_adds: int  # of one image of `image_size` pixels
    image_size: int
    classes: Mapping[str, Sequence[str]]
    data: str
    images: int
    crops: int
    top1_error: float
    top1_interval: Sequence[float]
    top5_error: float
    top5_interval: Sequence[float]
    commands: Mapping[str, str]
    recipe: Mapping[str, Any]
    curve: Sequence[Mapping[str, Any]]
    versions: Mapping[str, str]
    sha256: str

    @property
    def file(self) -> Path:
        """The weights, with the network's spec as metadata."""
        return FOLDER / f"{self.name.removeprefix(PREFIX)}.safetensors"


@cache
def shipped() -> Mapping[str, Shipped]:
    """The networks of the package, by name: "godeeper/digits" ..."""
    records = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(FOLDER.glob("*.json"))]
    return {record["name"]: Shipped(**record) for record in records}


def default_network() -> str:
    """The name of the network to begin with where none is named: the first one."""
    return next(iter(shipped()))


def shipped_of(architecture: str) -> list[Shipped]:
    """Those of an architecture, such as "googlenet_bn"."""
    return [network for network in shipped().values() if network.architecture == architecture]
