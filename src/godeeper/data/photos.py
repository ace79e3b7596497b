"""The photographs that come with godeeper, to have something to begin with: each free to publish, with its source."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "photos"


@dataclass(frozen=True)
class Photograph:
    """A photograph's file, what it shows as CIFAR-10 calls it, and whose it is."""

    file: Path
    label: str
    author: str
    licence: str
    source: str


def photographs() -> list[Photograph]:
    """The photographs, by name; none has been in any training."""
    listed = json.loads((FOLDER / "photos.json").read_text(encoding="utf-8"))
    return [Photograph(FOLDER / photograph.pop("file"), **photograph) for photograph in listed]
