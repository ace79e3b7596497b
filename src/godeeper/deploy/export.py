"""A network as a file that another engine runs, checked after it is written."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..data.pixels import normalise, take_crops
from ..errors import GodeeperError
from ..models.load import open_network
from ..models.network import Network, count_parameters
from ..papers.describe import describe
from ..tensor_files import digest
from .checked_export import Samples, check_target, photographs, write_checked
from .export_formats import ExecuTorchExporter, Exporter, ONNXExporter, OpenVINOExporter, Run, TorchExporter
from .export_metadata import ExportMetadata
from .fuse import fuse
from .onnx_graph import to_onnx
from .onnx_preprocess import with_preprocessing as add_preprocessing
from .quantise import MOST_IMAGES as CALIBRATION_IMAGES
from .quantise import quantised

TOLERANCE = 1e-3  # of probabilities, in fp32
LARGEST_SHIFT = 0.1  # of a probability: in int8 and with preprocessing, an image beyond it counts as one whose top-1 differs
CHECK_BATCH = 8


@dataclass(frozen=True)
class ExportReport:
    """What was exported: the file, what its check measured, and its costs.

    `check` has the counts `images`, `same_top1` and `moved` (the same top-1, but a probability by more than 0.1), `largest_shift`
    and `mean_shift_of_top1` of probabilities (0..1), and the `engine`. `size` is in bytes. `memory` is what a .pte file needs
    when it runs, in bytes, and its `slow_operators`.
    """

    file: Path
    check: dict[str, Any]
    size: int
    parameters: int
    multiply_adds: int
    memory: dict[str, Any] | None


def export(
    model: Network | str | Path,
    out: str | Path,
    *,
    precision: Literal["fp32", "int8"] = "fp32",
    images: str | Path | None = None,
    with_preprocessing: bool = False,
    max_drop: float = 1.0,
    overwrite: bool = False,
) -> ExportReport:
    """Writes a network as `out`: .onnx, .xml (OpenVINO), .pt2 (torch.export) or .pte (ExecuTorch), with its spec inside.

    Then runs the file, with its engine, against the network on the photographs of a folder, `images`, or on pieces of the two
    that scikit-learn has. In fp32, top-1 must be equal on all and probabilities within 1e-3. In int8, which is calibrated on
    every second image of the folder, and with preprocessing, top-1 may differ, or a probability move by more than 0.1, on
    `max_drop` percent of the images. Otherwise nothing is left behind. GodeeperError for that, and for options that do not go
    together.
    """
    out = Path(out)
    _check_options(out, precision, images, with_preprocessing)
    check_target(out, overwrite=overwrite)
    network = copy.deepcopy(open_network(model)).eval().cpu()
    samples = photographs(None if images is None else Path(images))
    metadata = _metadata(network, model, precision, with_preprocessing)
    exporter, held_out = _exporter(out.suffix.lower(), network, metadata, samples)

    def check(run: Run) -> dict[str, Any]:
        measured = _measure(run, exporter.engine, network, held_out, with_preprocessing)
        _check_measured(measured, metadata, max_drop)
        return measured

    measured, size = write_checked(exporter, out, metadata.as_dict(), check, overwrite=overwrite)
    costs = describe(network, network.preprocess.image_size)
    return ExportReport(out, measured, size, count_parameters(network), costs.multiply_adds, _memory(exporter))


def _check_options(out: Path, precision: str, images: str | Path | None, with_preprocessing: bool) -> None:
    """GodeeperError, before anything is loaded, for options that do not go together."""
    suffix = out.suffix.lower()
    if precision not in ("fp32", "int8"):
        raise GodeeperError(f"precision {precision!r}: a file is in fp32 or int8; bf16 is chosen where it runs")
    if precision == "int8" and suffix in (".pt2", ".pte"):
        raise GodeeperError(f"int8 is written as .onnx or .xml, not {suffix}")
    if with_preprocessing and suffix != ".onnx":
        raise GodeeperError(f"preprocessing is written into .onnx files only, not {suffix}")
    if precision == "int8" and images is None:
        raise GodeeperError("int8 is calibrated on images like those to come: name a folder of them with --images")


def _metadata(
    network: Network, model: Network | str | Path, precision: Literal["fp32", "int8"], with_preprocessing: bool
) -> ExportMetadata:
    name = Path(model).name if isinstance(model, str | Path) else network.definition.name
    source = {"weights": name, "sha256": digest(network.state_dict())}
    return ExportMetadata(replace(network.spec, aux=False), precision, source, with_preprocessing)


def _exporter(suffix: str, network: Network, metadata: ExportMetadata, samples: Samples) -> tuple[Exporter, Samples]:
    """The exporter of a network, and the samples to check its file with: in int8 those that it was not calibrated on."""
    fused = fuse(network)
    if suffix == ".pt2":
        return TorchExporter(fused), samples
    if suffix == ".pte":
        return ExecuTorchExporter(fused), samples
    model = to_onnx(fused)
    if metadata.precision == "int8":
        model = quantised(model, _calibration_crops(Samples(samples.images[::2]), network), network.preprocess)
        samples = Samples(samples.images[1::2])
    if metadata.with_preprocessing:
        model = add_preprocessing(model, network.preprocess)
    return ONNXExporter(model) if suffix == ".onnx" else OpenVINOExporter(model), samples


def _calibration_crops(samples: Samples, network: Network) -> list[Tensor]:
    """The centre crops of evenly chosen samples, uint8 (1, 3, S, S) each: 80 MB at 299 pixels, whatever the samples' size."""
    crops = [take_crops(image, network.preprocess) for image in samples.evenly(CALIBRATION_IMAGES)]
    if not crops:
        raise GodeeperError("none of the images to calibrate on can be decoded")
    return crops


def _prepared(image: Image.Image, network: Network) -> Tensor:
    """The centre crop of an image, normalised: float32 (1, 3, S, S)."""
    return normalise(take_crops(image, network.preprocess), network.preprocess)


@torch.inference_mode()
def _probabilities(
    run: Run, network: Network, images: Iterable[Image.Image], with_preprocessing: bool
) -> Iterator[tuple[Tensor, Tensor]]:
    """The network's probabilities and the file's, (N, classes) each, of one batch of images after the other."""
    given = iter(images)

    def look(image: Image.Image) -> tuple[Tensor, Tensor | None]:
        """What the network is to see, and what a file that takes images as they are makes of this one."""
        own = torch.from_numpy(run(np.array(image)[None])[0]) if with_preprocessing else None
        return _prepared(image, network), own

    while batch := [look(image) for image in islice(given, CHECK_BATCH)]:
        x = torch.cat([prepared for prepared, _ in batch])  # (N, 3, S, S)
        own = [of_file for _, of_file in batch if of_file is not None]
        yield network(x).softmax(1), torch.cat(own) if own else torch.from_numpy(run(x.numpy())[0]).softmax(1)


def _measure(run: Run, engine: str, network: Network, samples: Samples, with_preprocessing: bool) -> dict[str, Any]:
    """How the file's probabilities compare with the network's on these images: `ExportReport.check`."""
    pairs = list(_probabilities(run, network, samples, with_preprocessing))
    if not pairs:
        raise GodeeperError("none of the images to check the file with can be decoded")
    expected, actual = (torch.cat(side) for side in zip(*pairs, strict=True))  # (images, classes)
    if not torch.isfinite(expected).all():
        raise GodeeperError("the network's answers are not numbers: its weights are damaged")
    shift = (actual - expected).abs()
    same = actual.argmax(1) == expected.argmax(1)
    return {
        "images": len(expected),
        "same_top1": int(same.sum()),
        "moved": int((same & (shift.amax(1) > LARGEST_SHIFT)).sum()),
        "largest_shift": float(shift.max()),
        "mean_shift_of_top1": float(shift.gather(1, expected.argmax(1, keepdim=True)).mean()),
        "engine": engine,
    }


def _check_measured(measured: dict[str, Any], metadata: ExportMetadata, max_drop: float) -> None:
    """GodeeperError where the file's answers differ more from the network's than they may."""
    images, different = measured["images"], measured["images"] - measured["same_top1"]
    if metadata.precision == "fp32" and not metadata.with_preprocessing:
        if different or not measured["largest_shift"] <= TOLERANCE:
            raise GodeeperError(
                f"not written: {measured['engine']} gives another top-1 on {different} of {images} images, and"
                f" probabilities up to {measured['largest_shift']:.1e} away from the network's"
            )
        return
    drop, moved = 100 * different / images, 100 * measured["moved"] / images
    if drop + moved > max_drop:
        int8 = metadata.precision == "int8"
        raise GodeeperError(
            f"not written: {'in int8' if int8 else 'with preprocessing'}, top-1 differs on {drop:.1f} % of {images}"
            f" {'held-out images' if int8 else 'images'} (probabilities by {measured['mean_shift_of_top1']:.3f} in the mean),"
            f" and on {moved:.1f} % a probability moves by more than {LARGEST_SHIFT:g}, more than --max-drop {max_drop:g}"
            f" together; {'calibrate on more images' if int8 else 'export without it'}"
        )


def _memory(exporter: Exporter) -> dict[str, Any] | None:
    use = exporter.memory
    if use is None:
        return None
    return {
        "weights": use.weights,
        "activations": use.activations,
        "running": use.running,
        "slow_operators": list(use.slow_operators),
    }
