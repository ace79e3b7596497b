"""A network as a file that another engine runs, checked after it is written."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..data.augment import normalise
from ..data.decode import decode
from ..data.folders import image_files
from ..data.views import take_views
from ..errors import BadImage, GodeeperError
from ..models.load import load
from ..models.network import Network, count_parameters
from ..packages import require
from ..papers.describe import describe
from ..tensor_files import digest
from .card import Card
from .formats import FORMATS, Artefact, make_artefact
from .fuse import fuse

TOLERANCE = 1e-3  # of probabilities, in fp32
FEWEST, MOST = 20, 1300  # images of a folder: to calibrate and check eight bits with, and that are looked at
CHECK_BATCH = 8


@dataclass(frozen=True)
class Report:
    """What an export wrote and what its check found; `check` travels in the file's metadata."""

    file: Path
    check: dict[str, Any]
    size: int  # bytes
    parameters: int
    multiply_adds: int
    memory: dict[str, Any] | None  # bytes that a phone needs; of .pte files


def export(
    model: Network | str | Path,
    out: str | Path,
    *,
    precision: Literal["fp32", "int8"] = "fp32",
    images: str | Path | None = None,
    with_preprocessing: bool = False,
    max_drop: float = 1.0,
    replacing: bool = False,
) -> Report:
    """Writes a network as `out`: .onnx, .xml (OpenVINO), .pt2 (torch.export) or .pte (ExecuTorch), with its classes inside.

    Then runs the file, with its engine, against the network on the photographs of a folder, `images`, or on pieces of the two
    that scikit-learn has. In fp32, top-1 must be equal on all and probabilities within 1e-3; in int8, which is calibrated on
    every second image of the folder, top-1 may differ on `max_drop` percent of the others. Otherwise nothing is left behind.
    GodeeperError for that, and for what does not go together.
    """
    out = Path(out)
    _check_wanted(out, precision, images, with_preprocessing, replacing)
    network = (model if isinstance(model, Network) else load(model)).eval().cpu()
    shown = photographs(None if images is None else Path(images))
    calibration, held_out = (shown[::2], shown[1::2]) if precision == "int8" else ([], shown)
    card = _card(network, model, precision, with_preprocessing)
    artefact = make_artefact(out.suffix.lower(), fuse(network), card, [_prepared(one, network) for one in calibration])
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out.parent, prefix=".export-") as folder:  # beside it: what is whole is moved, not copied
        file = Path(folder) / out.name
        artefact.write(file, card)
        check = _checked(artefact, file, network, held_out, card)
        _check_loss(check, card, max_drop)
        artefact.write(file, replace(card, check=check))
        for part in sorted(Path(folder).iterdir()):  # OpenVINO's .bin before its .xml
            shutil.move(part, out.parent / part.name)
        size = sum((out.parent / name).stat().st_size for name in artefact.names(out))
    costs = describe(network, network.preprocess.image_size)
    return Report(out, check, size, count_parameters(network), costs.multiply_adds, artefact.memory)


def _check_wanted(out: Path, precision: str, images: str | Path | None, with_preprocessing: bool, replacing: bool) -> None:
    """GodeeperError, before anything is loaded, for what cannot be exported."""
    suffix = out.suffix.lower()
    if suffix not in FORMATS:
        kinds = ", ".join(f"{suffix} ({what})" for suffix, what in FORMATS.items())
        raise GodeeperError(f"{str(out)!r}: the name's ending decides the format; give one of {kinds}")
    if precision not in ("fp32", "int8"):
        raise GodeeperError(f"precision {precision!r}: a file is in fp32 or int8; bf16 is chosen where it runs")
    if precision == "int8" and suffix not in (".onnx", ".xml"):
        raise GodeeperError(f"int8 is written as .onnx or .xml, not {suffix}")
    if with_preprocessing and suffix != ".onnx":
        raise GodeeperError(f"preprocessing is written into .onnx files only, not {suffix}")
    if precision == "int8" and images is None:
        raise GodeeperError("int8 is calibrated on images like those to come: name a folder of them with --images")
    for part in (out, *([out.with_suffix(".bin")] if suffix == ".xml" else [])):
        if part.is_dir() or (part.exists() and not replacing):
            raise GodeeperError(f"{str(part)!r} exists: remove it or choose another name")


def _card(network: Network, model: Network | str | Path, precision: Literal["fp32", "int8"], with_preprocessing: bool) -> Card:
    name = network.definition.name if isinstance(model, Network) else Path(model).name
    source = {"weights": name, "sha256": digest(network.state_dict())}
    classes = network.classes or tuple(str(index) for index in range(network.num_classes))
    return Card(network.spec.as_dict(), classes, network.preprocess, precision, source, with_preprocessing)


def photographs(folder: Path | None) -> list[Image.Image]:
    """The images of a folder, at most `MOST` of them, evenly; or pieces of scikit-learn's two photographs."""
    if folder is None:
        return _pieces()
    if not folder.is_dir():
        raise GodeeperError(f"there is no folder of images {str(folder)!r}")
    files = image_files(folder)
    if len(files) > MOST:
        files = [files[int(index)] for index in np.linspace(0, len(files) - 1, MOST)]
    found = []
    for file in files:
        try:
            found.append(decode(file))
        except BadImage:
            continue
    if len(found) < FEWEST:
        raise GodeeperError(f"{str(folder)!r} holds {len(found)} images that can be decoded: at least {FEWEST} are needed")
    return found


def _pieces() -> list[Image.Image]:
    """Two real photographs, whole and in twelve overlapping pieces each."""
    sets = require("sklearn.datasets", "demo")
    photographs = [Image.fromarray(sets.load_sample_image(name)) for name in ("china.jpg", "flower.jpg")]
    pieces = []
    for photograph in photographs:
        width, height = photograph.size
        side = height // 2
        pieces.append(photograph)
        for left in range(0, width - side + 1, (width - side) // 3):
            pieces += [photograph.crop((left, top, left + side, top + side)) for top in (0, side // 2, height - side)]
    return pieces


def _prepared(image: Image.Image, network: Network) -> Tensor:
    return normalise(take_views(image, network.preprocess), network.preprocess)


@torch.inference_mode()
def _answers(run: Callable[[Tensor], Tensor], images: Sequence[Image.Image], network: Network) -> Tensor:
    """Probabilities (images, classes)."""
    batches = [images[start : start + CHECK_BATCH] for start in range(0, len(images), CHECK_BATCH)]
    return torch.cat([run(torch.cat([_prepared(one, network) for one in batch])).softmax(1) for batch in batches])


def _checked(artefact: Artefact, file: Path, network: Network, images: Sequence[Image.Image], card: Card) -> dict[str, Any]:
    """What the file gives on these images, against the network."""
    expected = _answers(network, images, network)
    if card.with_preprocessing:
        found = torch.cat([artefact.run(file)(torch.from_numpy(np.array(image))[None]) for image in images])
    else:
        found = _answers(artefact.run(file), images, network)
    if not torch.isfinite(expected).all():
        raise GodeeperError("the network's answers are not numbers: its weights are damaged")
    shift = (found - expected).abs()
    return {
        "images": len(images),
        "same_top1": int((found.argmax(1) == expected.argmax(1)).sum()),
        "largest_shift": float(shift.max()),
        "mean_shift_of_top1": float(shift.gather(1, expected.argmax(1, keepdim=True)).mean()),
        "engine": artefact.engine,
    }


def _check_loss(check: dict[str, Any], card: Card, max_drop: float) -> None:
    """GodeeperError where the file gives other answers than may be."""
    different = check["images"] - check["same_top1"]
    drop = 100 * different / check["images"]
    if card.precision == "fp32" and (different or not check["largest_shift"] <= TOLERANCE):
        raise GodeeperError(
            f"not written: {check['engine']} gives another top-1 on {different} of {check['images']} images, and"
            f" probabilities up to {check['largest_shift']:.1e} away from the network's"
        )
    if drop > max_drop:
        raise GodeeperError(
            f"not written: in int8, top-1 differs on {drop:.1f} % of {check['images']} held-out images (probabilities by"
            f" {check['mean_shift_of_top1']:.3f} in the mean), more than --max-drop {max_drop:g}; calibrate on more images"
        )
