"""Which engine runs a network or a file: as asked for, or the fastest on this machine, measured once and remembered."""

from __future__ import annotations

import contextlib
import json
import logging
import platform
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any, get_args

import torch

from ..digests import json_digest
from ..errors import GodeeperError, is_out_of_memory
from ..files import atomic_write, cache_folder
from ..models.network import Network
from ..models.spec import ModelSpec
from ..papers.serialize import definition_as_dict
from ..version import __version__
from .engines import PRECISIONS, Engine, EngineName, Precision, from_onnx, installed, make_engine
from .export_metadata import ExportMetadata

logger = logging.getLogger("godeeper")

MEASURED_CROPS = 4  # of the batch that the choice of an engine is measured on
SECONDS, FEWEST = 0.5, 3  # of measuring an engine: how long, and how many passes at least


def candidates(precision: Precision) -> tuple[EngineName, ...]:
    """The engines that compute in a precision and are installed."""
    return tuple(name for name in get_args(EngineName) if precision in PRECISIONS[name] and installed(name))


def fastest(
    make: Callable[[EngineName], Engine], names: Sequence[EngineName], subject: dict[str, Any], shape: tuple[int, ...]
) -> Engine:
    """The engine of these that runs a batch of `shape` fastest; the choice is remembered by `subject`.

    Choices are kept in engines.json, in the folder that GODEEPER_CACHE names or ~/.cache/godeeper.
    """
    if len(names) == 1:
        return make(names[0])
    file, key = cache_folder() / "engines.json", _key({**subject, "shape": shape, "engines": names})
    chosen = _read_cache(file).get(key, {}).get("engine")
    if chosen in names:
        return make(chosen)
    engines = _started(make, names)
    seconds = measure(engines, torch.randn(shape))
    best = min(seconds, key=lambda name: median(seconds[name]))
    known = _read_cache(file)  # again: others may have measured meanwhile
    _write_cache(file, {**known, key: {"engine": best, "ms": {name: round(1000 * median(t), 2) for name, t in seconds.items()}}})
    logger.info("engines measured: %s", ", ".join(f"{name} {1000 * median(t):.1f} ms" for name, t in seconds.items()))
    return engines[best]


def _started(make: Callable[[EngineName], Engine], names: Sequence[EngineName]) -> dict[EngineName, Engine]:
    """The engines of these that start; a warning of each that is installed and broken, the last one's error where none starts."""
    engines: dict[EngineName, Engine] = {}
    for name in names:
        try:
            engines[name] = make(name)
        except Exception as error:  # a library that lacks another, a release with other names: of many kinds
            if isinstance(error, GodeeperError) or is_out_of_memory(error) or (name == names[-1] and not engines):
                raise
            logger.warning("%s is installed and does not start (%r): it is left out", name, error)
    return engines


def network_engine(network: Network, engine: str, precision: str, compiled: bool = False) -> Engine:
    """The engine that was asked for, running a fused copy of the network; of auto, the fastest here, on a GPU torch."""
    chosen: Precision = "fp32" if precision == "auto" else precision  # type: ignore[assignment]
    if engine != "auto" or chosen == "int8":
        name: EngineName = "openvino" if engine == "auto" else engine  # type: ignore[assignment]
        return make_engine(network, name, chosen, compiled=compiled)
    if torch.cuda.is_available():  # the other engines compute on the CPU
        return make_engine(network, "torch", chosen)
    subject = {"table": definition_as_dict(network.definition), "precision": chosen}
    return fastest(lambda name: make_engine(network, name, chosen), candidates(chosen), subject, _measured_shape(network.spec))


def exported_engine(file: Path, metadata: ExportMetadata, engine: str, precision: str) -> Engine:
    """The engine for an exported file, which is in one precision; bf16 is fp32 computed in fewer bits."""
    if metadata.with_preprocessing:
        raise GodeeperError(f"{str(file)!r} takes images as they are, for use without godeeper: export without preprocessing")
    possible = {"fp32": ("auto", "fp32", "bf16"), "int8": ("auto", "int8")}[metadata.precision]
    if precision not in possible:
        raise GodeeperError(f"{str(file)!r} is in {metadata.precision}: it does not run in {precision}")
    chosen: Precision = metadata.precision if precision == "auto" else precision  # type: ignore[assignment]
    openvino_only = file.suffix.lower() == ".xml"
    if engine == "torch" or (openvino_only and engine == "onnxruntime"):
        raise GodeeperError(f"{engine} does not read {file.suffix}: choose {'openvino' if openvino_only else 'another engine'}")
    names = tuple(name for name in candidates(chosen) if name != "torch" and not (openvino_only and name != "openvino"))
    if engine != "auto" or not names:
        names = (engine if engine != "auto" else "openvino",)  # type: ignore[assignment]
    subject = {"table": definition_as_dict(metadata.spec.definition), "precision": chosen, "file": file.suffix}
    return fastest(lambda name: from_onnx(str(file), name, chosen), names, subject, _measured_shape(metadata.spec))


def _measured_shape(spec: ModelSpec) -> tuple[int, int, int, int]:
    """(N, channels, S, S) of the batch that engines are measured on."""
    return MEASURED_CROPS, spec.definition.in_channels, spec.preprocess.image_size, spec.preprocess.image_size


def measure(
    engines: dict[Any, Engine], x: torch.Tensor, turns: int = 3, seconds: float = SECONDS, fewest: int = FEWEST
) -> dict[Any, list[float]]:
    """The seconds of each engine's passes over `x`: `turns` turns each, one after the other, the first pass of a turn left out.

    A turn takes at least `fewest` / `turns` passes and `seconds` / `turns`. Threads of some engines wait a while for more work
    and slow the next engine down, hence the pause before a turn.
    """
    times: dict[Any, list[float]] = {name: [] for name in engines}
    for _ in range(turns):
        for name, engine in engines.items():
            time.sleep(0.05)
            inputs = x.to(engine.device)
            engine(inputs)
            begun = time.perf_counter()
            passes = 0
            while passes < max(1, fewest // turns) or time.perf_counter() - begun < seconds / turns:
                start = time.perf_counter()
                engine(inputs).cpu()  # which waits for a GPU
                times[name].append(time.perf_counter() - start)
                passes += 1
    return times


def _key(subject: dict[str, Any]) -> str:
    """A digest of what the choice depends on: the network's table, the machine, the versions of the engines and of godeeper."""
    packages = {"godeeper": __version__, **{name: _version(name) for name in subject["engines"]}}
    here = [platform.machine(), _processor(), torch.get_num_threads(), packages]
    return json_digest([subject, here])[:16]


def _version(package: str) -> str:
    """An engine's version: of what is installed, else of the package itself, which takes a while to import."""
    try:
        return version(package)
    except PackageNotFoundError:  # onnxruntime-gpu and the like
        return str(import_module(package).__version__)


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line
    return platform.processor()


def _read_cache(file: Path) -> dict[str, Any]:
    try:
        known = json.loads(file.read_text())
    except (OSError, ValueError, RecursionError):
        return {}
    return {key: value for key, value in known.items() if isinstance(value, dict)} if isinstance(known, dict) else {}


def _write_cache(file: Path, known: dict[str, Any]) -> None:
    with contextlib.suppress(OSError), atomic_write(file) as partial:  # where it cannot be written, it is measured again
        partial.write_text(json.dumps(known, indent=1))
