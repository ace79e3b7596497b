"""Other libraries' weights: fetched, read without running anything in them, and given our names."""

from __future__ import annotations

import hashlib
import logging
import os
import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ...errors import BadCheckpoint, GodeeperError, is_out_of_memory, message_lines
from ...packages import ignore_warnings
from ...tensor_files import MOST_TENSORS
from .layouts import LAYOUTS, Layout
from .published import BACKGROUND, FACENET_RELEASES, KERAS_APPLICATIONS, LOOKALIKES, PUBLISHED, Published

logger = logging.getLogger("godeeper")

WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "state_dict_ema", "ema_state_dict", "model_ema")
PREFIXES = ("model.", "module.", "_orig_mod.", "module.")  # Lightning's, DataParallel's, torch.compile's, in either order
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
HASH = re.compile(r"-([0-9a-f]{8,})\.")  # within a file's name: how its SHA-256 begins


def fetch(weights: Published) -> Path:
    """The file of published weights: from a cache, else downloaded into it, with a progress bar.

    What is known of a file's SHA-256 is checked each time: its beginning, from torchvision's, Cadene's and FID's names; all of
    it, from Hugging Face's cache; nothing of facenet's and Keras'. GodeeperError, saying what to fetch and where to put it, where
    fetching fails, BadCheckpoint for a file that is not what was published.
    """
    file = cached_file(weights)
    if file is not None:
        check_published(weights, file)
        return file
    file = cache_file(weights)
    logger.warning("fetching %s", weights.url)
    try:
        return from_hub(weights.repository, weights.file) if weights.repository else _from_web(weights, file)
    except Exception as error:  # of many kinds: no network, no such host, a wrong hash, a full disk
        reason = message_lines(error.__cause__ or error)[0]
        url = f"{weights.url}/resolve/main/{weights.file}" if weights.repository else weights.url
        raise GodeeperError(f"cannot fetch {weights.name!r} ({reason}): download {url} and put it at {str(file)!r}") from None


def cached_file(weights: Published) -> Path | None:
    """The file where it is in a cache, torch.hub's or the like, or Hugging Face's."""
    file = cache_file(weights)
    if file.is_file():
        return file
    if weights.repository is None:
        return None
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(weights.repository, weights.file)
    return Path(cached) if isinstance(cached, str) else None


def check_published(weights: Published, file: Path) -> None:
    """BadCheckpoint where a file has another SHA-256 than its publisher's name for it, or the hub's cache, says."""
    _check_digest(file, _known_beginning(weights))


def _check_digest(file: Path, beginning: str = "") -> None:
    blob = file.resolve()  # whose name in the hub's cache is the SHA-256 that the hub announced
    expected = blob.name if re.fullmatch("[0-9a-f]{64}", blob.name) else beginning
    try:
        with blob.open("rb") as opened:
            known = not expected or hashlib.file_digest(opened, "sha256").hexdigest().startswith(expected)
    except OSError as error:
        raise BadCheckpoint(f"{str(file)!r} cannot be read: {error.strerror}") from None
    if not known:
        raise BadCheckpoint(
            f"{str(file)!r} is not the file that was published, or is damaged: its SHA-256 does not begin with {expected[:16]}:"
            " remove it, and it is fetched again"
        )


def _known_beginning(weights: Published) -> str:
    """How the SHA-256 of the publisher's file begins, where its name says so."""
    beginning = HASH.search(weights.file)
    return beginning[1] if beginning else ""


def cache_file(weights: Published) -> Path:
    """Where the file is looked for first: the caches of torch.hub, of Keras and of facenet-pytorch."""
    hub = Path(torch.hub.get_dir())
    if weights.url.startswith(KERAS_APPLICATIONS):
        return Path(os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras")) / "models" / weights.file
    if weights.url.startswith(FACENET_RELEASES):
        return hub.parent / "checkpoints" / weights.file
    return hub / "checkpoints" / (f"{_stem(weights.name)}.safetensors" if weights.repository else weights.file)


def from_hub(repository: str, name: str, revision: str | None = None) -> Path:
    """A file of a repository on Hugging Face's hub, the newest or that of `revision`, held against its SHA-256.

    Where the hub is out of reach it is the one in its cache, if there is one; errors of many kinds if not.
    """
    from huggingface_hub import hf_hub_download

    hub = logging.getLogger("huggingface_hub")
    before = hub.level
    hub.setLevel(logging.ERROR)  # not a line for every try
    try:
        file = Path(hf_hub_download(repository, name, revision=revision))
    finally:
        hub.setLevel(before)
    try:
        _check_digest(file)
    except BadCheckpoint:
        file.resolve().unlink(missing_ok=True)
        file.unlink(missing_ok=True)
        raise GodeeperError("what came has another SHA-256") from None
    return file


def _from_web(weights: Published, file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    beginning = HASH.search(weights.file)
    torch.hub.download_url_to_file(weights.url, str(file), beginning and beginning[1])
    return file


def read_pickled(file: Path) -> dict[str, Tensor]:
    """The tensors of a .pth or .pt file. Nothing in it is run: BadCheckpoint for one that asks for it, or cannot be read.

    Of an archive, no entry is unpacked to more than the file has: torch stores entries uncompressed and apart.
    """
    try:
        _check_archive(file)
        ignore_warnings()
        content = torch.load(file, map_location="cpu", weights_only=True)
    except BadCheckpoint:
        raise
    except pickle.UnpicklingError as error:
        asked = re.search(r"GLOBAL (\S+)", str(error))
        reason = f"it asks to run {asked[1]!r}" if asked else "it is damaged, or of another kind"
        raise BadCheckpoint(
            f"{str(file)!r} is refused: {reason}; only plain tensors are read, as torch.save(model.state_dict(), ...) leaves them"
        ) from None
    except OSError as error:
        raise BadCheckpoint(f"{str(file)!r} cannot be read: {error.strerror}") from None
    except Exception as error:  # torch.load raises many kinds, with advice that is not for here
        if is_out_of_memory(error):
            raise
        reason = "a TorchScript program" if "TorchScript" in str(error) else "damaged, or of another kind"
        raise BadCheckpoint(
            f"{str(file)!r} cannot be read as weights: it is {reason}, not what torch.save(model.state_dict(), ...) leaves"
        ) from None
    wrappers = [name for name in WRAPPERS if isinstance(content, Mapping) and isinstance(content.get(name), Mapping)]
    if wrappers:
        content = content[wrappers[0]]
        if len(wrappers) > 1:
            logger.warning("%s: of %s, the first is taken", file, ", ".join(wrappers))
    if not isinstance(content, Mapping) or not content:
        raise BadCheckpoint(f"{str(file)!r} holds no weights by name, but {type(content).__name__}")
    for name, tensor in content.items():
        if not isinstance(name, str):
            raise BadCheckpoint(f"{str(file)!r} holds something under {name!r}, which is no name of weights")
        if not isinstance(tensor, Tensor):
            raise BadCheckpoint(f"{str(file)!r} holds {name!r}, which is not a tensor")
    return dict(content)


def _check_archive(file: Path) -> None:
    """BadCheckpoint for an archive that unpacks to more than it has; BadZipFile where it is damaged."""
    with file.open("rb") as opened:
        if opened.read(4) != b"PK\3\4":  # as torch tells them apart: the others are of torch before 1.6
            return
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
    if len(entries) > MOST_TENSORS:
        raise BadCheckpoint(f"{str(file)!r} is refused: it has {len(entries):,} entries, and {MOST_TENSORS:,} at most are read")
    compressed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
    if compressed or sum(entry.file_size for entry in entries) > file.stat().st_size:
        reason = "compressed" if compressed else "larger than the file"
        raise BadCheckpoint(
            f"{str(file)!r} is refused: its entries are {reason}, as torch.save does not write them: save it anew"
        )


def plain(tensors: dict[str, Tensor], file: Path) -> dict[str, Tensor]:
    """The tensors without the prefixes of wrapped modules; BadCheckpoint for one that is not an ordinary array of numbers."""
    for name, tensor in tensors.items():
        ordinary = tensor.layout == torch.strided and not (tensor.is_quantized or tensor.is_nested or tensor.is_meta)
        counts = tensor.dtype == torch.int64 and name.endswith("num_batches_tracked")
        if not ordinary or not (counts or tensor.dtype in FLOATS):
            kind = str(tensor.dtype).removeprefix("torch.")
            raise BadCheckpoint(f"{str(file)!r} holds {name!r} as {'' if ordinary else 'special '}{kind}, not as plain floats")
        if tensor.nbytes > tensor.untyped_storage().nbytes():  # expanded: four bytes may be a classifier of a billion classes
            raise BadCheckpoint(f"{str(file)!r} holds {name!r}, which is larger than its bytes in the file: save it contiguous")
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    return tensors


def recognise(tensors: Mapping[str, Tensor], file: Path) -> Layout:
    """The layout whose names the tensors have; BadCheckpoint where no layout shares most of them."""

    def likeness(layout: Layout) -> float:
        names = {name for ours, name in layout.names.items() if not _optional(ours)}
        return len(names & tensors.keys()) / len(names | {name for name in tensors if not name.endswith("num_batches_tracked")})

    best = max(LAYOUTS.values(), key=likeness)
    if likeness(best) < 0.5:
        known = ", ".join(LAYOUTS)
        raise BadCheckpoint(
            f"{str(file)!r} is of no network known here: its first name is {next(iter(tensors), None)!r}; known are {known}"
        )
    return best


def renamed(tensors: Mapping[str, Tensor], layout: Layout, file: Path) -> dict[str, Tensor]:
    """The tensors by our names, for RGB images and ImageNet's 1000 classes where there were 1001 or 1008.

    BadCheckpoint, naming the first, for a key too few or too many, or of another shape. The classifier and auxiliary heads may be
    absent, each as a whole.
    """
    headless = not any(theirs in tensors for ours, theirs in layout.names.items() if ours.startswith("head.linear."))
    heads = {ours.split(".")[1] for ours, theirs in layout.names.items() if ours.startswith("auxiliary.") and theirs in tensors}
    result: dict[str, Tensor] = {}
    for ours, theirs in layout.names.items():
        absent_head = ours.startswith("auxiliary.") and ours.split(".")[1] not in heads
        absent_head |= headless and ours.startswith("head.linear.")
        if theirs in tensors:
            result[ours] = tensors[theirs]
        elif not absent_head and not ours.endswith("num_batches_tracked"):  # which older files do not have
            raise BadCheckpoint(f"{str(file)!r}, {layout.name}, lacks {theirs!r}")
    for extra in sorted(tensors.keys() - set(layout.names.values())):
        raise BadCheckpoint(f"{str(file)!r}, {layout.name}, has {extra!r}, which that network does not")
    for name, tensor in result.items():
        expected, rows = layout.shapes[name], 1 if is_classifier(name) else 0  # any number of classes
        if tensor.ndim != len(expected) or tuple(tensor.shape[rows:]) != expected[rows:]:
            there = f"{layout.names[name]!r} is {tuple(tensor.shape)} there, {expected} in that network"
            raise BadCheckpoint(f"{str(file)!r}, {layout.name}: {there}")
    if layout.bgr:
        first = next(iter(result))
        result[first] = result[first].flip(1)
    for name, tensor in result.items():
        if layout.imagenet and is_classifier(name) and len(tensor) in BACKGROUND:
            result[name] = tensor[BACKGROUND[len(tensor)] :][:1000]
    return result


def is_classifier(key: str) -> bool:
    """Whether one of our names is of a layer with a row a class."""
    return key.endswith((".linear.linear.weight", ".linear.linear.bias"))


def most_likely(layout: Layout, file: Path, classes: int, *, heads: bool) -> Published:
    """The published weights that a file of a layout most likely is: by its name or a folder's, else by what it has.

    They may be of another layout that has the same names, which only the file's name can choose. BadCheckpoint, saying how to
    choose, where they are more than one: prepared for otherwise, or computed otherwise.
    """
    candidates = [weights for weights in PUBLISHED.values() if _same_files(layout, LAYOUTS[weights.layout])]
    by_name = [weights for weights in candidates if _is_named(file, weights)]
    if by_name:
        return by_name[0]
    fitting = [weights for weights in candidates if weights.classes == classes and weights.heads >= heads]
    others = [weights for weights in fitting if weights.layout != layout.name]
    lookalike = None if heads else LOOKALIKES.get((layout.name, classes))
    if others or lookalike or len({weights.preprocess.normalize for weights in fitting}) > 1:
        known = [weights.name for weights in (*fitting, *(candidates[:1] if others or not fitting else ()))]
        raise BadCheckpoint(
            f"{str(file)!r} has the names and shapes of several networks, each with other answers: "
            f"{', '.join([*known, *([f'{lookalike} (not read here)'] if lookalike else [])])}. "
            f"Name the file after the one it is, such as {_stem(known[0])}{file.suffix}"
        )
    return (fitting or candidates)[0]


def _same_files(layout: Layout, other: Layout) -> bool:
    """Whether a file of the one layout may be of the other, by names and shapes, but for auxiliary heads and classes."""
    ours, theirs = _file_shapes(layout).items(), _file_shapes(other).items()
    return ours <= theirs or theirs <= ours


def _file_shapes(layout: Layout) -> dict[str, tuple[int, ...]]:
    """The file's name of every tensor -> its shape, without the classes."""
    return {theirs: layout.shapes[ours][is_classifier(ours) :] for ours, theirs in layout.names.items()}


def _is_named(file: Path, weights: Published) -> bool:
    """Whether a file, or a folder that it lies in, is named after published weights."""
    repository, stem = weights.repository or "/", _stem(weights.name)
    names = {cache_file(weights).name, repository.rpartition("/")[2], f"models--{repository.replace('/', '--')}", stem}
    return any(part in names or part.startswith(f"{stem}.") for part in file.absolute().parts)


def _stem(name: str) -> str:
    """A published name as the name of a file, without its ending."""
    return name.replace("/", "_")


def _optional(ours: str) -> bool:
    return ours.startswith("auxiliary.") or ours.endswith("num_batches_tracked")
