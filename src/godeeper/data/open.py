"""`open_data`: labelled images by the name of where they come from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import GodeeperError, unknown
from .dataset import DataSplits, Split
from .digits import open_digits
from .folders import open_folder
from .hub import open_hub
from .ilsvrc import open_ilsvrc
from .shards import open_shards
from .torchvision_datasets import TORCHVISION_DATASETS, open_torchvision
from .walk import is_folder, visible


def open_data(
    data: str | Path, classes: Sequence[str] | None = None, *, download: bool = False, split: Split = "all"
) -> DataSplits:
    """Opens labelled images by name.

    `digits`; a class folder: `train/` beside `val/` or `test/`, or one folder a class, of each of which a fifth is held out for
    testing; a torchvision dataset such as `cifar10`, downloaded first with `download`; `hf:OWNER/NAME`, of Hugging Face;
    `wds:SHARDS`, WebDataset shards; `ilsvrc:IMAGES,KIT`, the validation set of ILSVRC 2012 as released. `classes` is the label
    order of a trained network; by default the data's own. With `split` "test", training images that lie apart may stay
    unlisted: `train` is empty then. What is left out of folders is logged as a warning. GodeeperError, with the remedy, for data
    that is missing, has no classes or only one, or has a class not among `classes`.
    """
    name = str(data)
    known = None if classes is None else tuple(classes)
    if name == "digits":
        return open_digits(known)
    if name.startswith("hf:"):
        return open_hub(name, known)
    if name.startswith("wds:"):
        return open_shards(name, known, split)
    if name.startswith("ilsvrc:"):
        return open_ilsvrc(name, known)
    if name in TORCHVISION_DATASETS:
        return open_torchvision(name, known, download, split)
    return open_folder(existing_folder(name), known, split)


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
    folders = [entry.name for entry in visible(".") if is_folder(entry)]
    raise unknown("data source or folder", name, ["digits", *TORCHVISION_DATASETS, *folders])
