"""`open_data`: labelled images by the name of where they come from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import GodeeperError, unknown
from .dataset import DataSplits
from .digits import open_digits
from .folders import open_folder
from .hub import open_hub
from .ilsvrc import open_ilsvrc
from .shards import open_shards
from .torchvision_datasets import TORCHVISION_DATASETS, open_torchvision


def open_data(data: str | Path, classes: Sequence[str] | None = None, *, download: bool = False) -> DataSplits:
    """Opens labelled images by name.

    `digits`; a class folder: `train/` beside `val/` or `test/`, or one folder a class, of each of which a fifth is held out for
    testing; a torchvision dataset such as `cifar10`, downloaded first with `download`; `hf:OWNER/NAME`, of Hugging Face;
    `wds:SHARDS`, WebDataset shards; `ilsvrc:IMAGES,KIT`, the validation set of ILSVRC 2012 as released. `classes` is the label
    order of a trained network; by default the data's own. GodeeperError, with the remedy, for data that is missing, has no
    classes or only one, or has a class not among `classes`.
    """
    name = str(data)
    known = None if classes is None else tuple(classes)
    if name == "digits":
        return open_digits(known)
    if name.startswith("hf:"):
        return open_hub(name, known)
    if name.startswith("wds:"):
        return open_shards(name, known)
    if name.startswith("ilsvrc:"):
        return open_ilsvrc(name, known)
    if name in TORCHVISION_DATASETS:
        return open_torchvision(name, known, download)
    return open_folder(existing_folder(name), known)


def existing_folder(name: str) -> Path:
    """The folder of that name; GodeeperError, with the nearest name, where there is none."""
    if not name:
        raise GodeeperError("the data's name is empty: give `digits` or a class folder")
    folder = Path(name)
    if folder.is_dir():
        return folder
    if folder.exists():
        raise GodeeperError(f"data {name!r} is a file: give the folder that holds one folder a class")
    if "/" in name or "\\" in name:
        raise GodeeperError(f"there is no folder {name!r}")
    folders = [entry.name for entry in Path().iterdir() if entry.is_dir() and not entry.name.startswith(".")]
    raise unknown("data source or folder", name, ["digits", *TORCHVISION_DATASETS, *folders])
