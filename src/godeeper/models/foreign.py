"""Other libraries' weights: fetched, read without running anything in them, and given our names."""

from __future__ import annotations

import logging
import os
import pickle
import re
import warnings
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from ..errors import BadCheckpoint, GodeeperError
from .layouts import LAYOUTS, Layout
from .published import PUBLISHED, Published

logger = logging.getLogger("godeeper")

BACKGROUND = {1001: 1, 1008: 1}  # classes of a file -> where ImageNet's 1000 begin in it
HASH = re.compile(r"-([0-9a-f]{8,})\.")  # within a file's name: how its SHA-256 begins


def fetch(weights: Published) -> Path:
    """The file of published weights: from a cache, else downloaded into it, with a progress bar and its hash checked.

    GodeeperError, saying what to fetch and where to put it, where that fails.
    """
    place = _place(weights)
    if place.is_file():
        return place
    try:
        return _from_hugging_face(weights) if weights.repository else _from_web(weights, place)
    except Exception as error:  # of many kinds: no network, no such host, a wrong hash, a full disk
        reason = _first_line(error.__cause__ or error)
        url = f"{weights.url}/resolve/main/{weights.file}" if weights.repository else weights.url
        raise GodeeperError(f"cannot fetch {weights.name!r} ({reason}): download {url} and put it at {str(place)!r}") from None


def _place(weights: Published) -> Path:
    """Where the file is looked for first: the cache of torch.hub."""
    name = f"{weights.name.replace('/', '_')}.safetensors" if weights.repository else weights.file
    return Path(torch.hub.get_dir()) / "checkpoints" / name


def _from_hugging_face(weights: Published) -> Path:
    from huggingface_hub import hf_hub_download, try_to_load_from_cache

    assert weights.repository is not None
    cached = try_to_load_from_cache(weights.repository, weights.file)
    if isinstance(cached, str):
        return Path(cached)
    logger.warning("fetching %s", weights.url)
    hub = logging.getLogger("huggingface_hub")
    before = hub.level
    hub.setLevel(logging.ERROR)  # not a line for every try
    try:
        return Path(hf_hub_download(weights.repository, weights.file))
    finally:
        hub.setLevel(before)


def _from_web(weights: Published, place: Path) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    logger.warning("fetching %s", weights.url)
    beginning = HASH.search(weights.file)
    torch.hub.download_url_to_file(weights.url, str(place), beginning and beginning[1])
    return place


def read_pickled(file: Path) -> dict[str, Tensor]:
    """The tensors of a .pth or .pt file. Nothing in it is run: BadCheckpoint for one that asks for it, or cannot be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old pickle protocols
            content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        wanted = re.search(r"GLOBAL (\S+)", str(error))
        reason = f"it asks to run {wanted[1]!r}" if wanted else "it is damaged, or of another kind"
        raise BadCheckpoint(f"{str(file)!r} is refused: {reason}; only plain tensors are read") from None
    except Exception as error:  # torch.load raises many kinds
        raise BadCheckpoint(f"{str(file)!r} cannot be read as weights: {_first_line(error)}") from None
    for wrapper in ("state_dict", "model"):  # as training scripts save them
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not content:
        raise BadCheckpoint(f"{str(file)!r} holds no weights by name, but {type(content).__name__}")
    for name, tensor in content.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise BadCheckpoint(f"{str(file)!r} holds {name!r}, which is not a tensor")
    return {name.removeprefix("module."): tensor for name, tensor in content.items()}


def recognise(tensors: Mapping[str, Tensor], file: Path) -> Layout:
    """The layout whose names the tensors have; BadCheckpoint where no layout shares most of them."""

    def likeness(layout: Layout) -> float:
        names = {name for ours, name in layout.names.items() if not _optional(ours)}
        return len(names & tensors.keys()) / len(names | {name for name in tensors if not name.endswith("num_batches_tracked")})

    if any(name.startswith("stages.") for name in tensors):
        raise BadCheckpoint(f"{str(file)!r} does not say which model it holds: the metadata that godeeper writes is missing")
    best = max(LAYOUTS.values(), key=likeness)
    if likeness(best) < 0.5:
        known = ", ".join(sorted({layout.name.partition(" ")[0] for layout in LAYOUTS.values()}))
        raise BadCheckpoint(f"{str(file)!r} names its weights as no library known here does ({known})")
    return best


def renamed(tensors: Mapping[str, Tensor], layout: Layout, file: Path) -> dict[str, Tensor]:
    """The tensors by our names, for RGB pictures and ImageNet's 1000 classes where there were 1001 or 1008.

    BadCheckpoint, naming the first, for a key too few or too many. Auxiliary heads may be absent, each as a whole.
    """
    heads = {ours.split(".")[1] for ours, theirs in layout.names.items() if ours.startswith("auxiliary.") and theirs in tensors}
    result = {}
    for ours, theirs in layout.names.items():
        absent_head = ours.startswith("auxiliary.") and ours.split(".")[1] not in heads
        if theirs in tensors:
            result[ours] = tensors[theirs]
        elif not absent_head and not ours.endswith("num_batches_tracked"):  # which older files do not have
            raise BadCheckpoint(f"{str(file)!r}, {layout.name}, lacks {theirs!r}")
    for extra in sorted(tensors.keys() - set(layout.names.values())):
        raise BadCheckpoint(f"{str(file)!r}, {layout.name}, has {extra!r}, which that network does not")
    if layout.bgr:
        first = next(iter(result))
        result[first] = result[first].flip(1)
    for name, tensor in result.items():
        if ".linear.linear." in f".{name}." and tensor.ndim and len(tensor) in BACKGROUND:
            start = BACKGROUND[len(tensor)]
            result[name] = tensor[start : start + 1000]
    return result


def preprocessing_of(layout: Layout) -> Published:
    """The published weights that stand for a layout where a file does not say which it is."""
    return next(weights for weights in PUBLISHED.values() if weights.layout == layout.name)


@lru_cache(maxsize=1)
def imagenet_classes() -> tuple[str, ...]:
    """The English names of ImageNet's 1000 classes, in the usual order."""
    from torchvision.models import GoogLeNet_Weights  # type: ignore[import-untyped]

    return tuple(GoogLeNet_Weights.IMAGENET1K_V1.meta["categories"])


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _optional(ours: str) -> bool:
    return ours.startswith("auxiliary.") or ours.endswith("num_batches_tracked")


def is_safetensors(file: Path) -> bool:
    """Whether the content, not the name, is of that format: eight bytes of length, then JSON."""
    with file.open("rb") as opened:
        return opened.read(9)[8:] == b"{" and os.path.getsize(file) > 8
