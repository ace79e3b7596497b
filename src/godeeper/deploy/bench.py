"""How fast engines and precisions run a network on this machine, and what the lower precisions change."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, get_args

import torch
from torch import Tensor

from ..data.pixels import normalise, take_crops
from ..models.network import Network, best_device, to_device
from .checked_export import photograph_pieces
from .engine_choice import measure
from .engines import PRECISIONS, Engine, EngineName, from_onnx, installed, make_engine
from .fuse import fuse
from .onnx_graph import to_onnx
from .quantise import quantised

CALIBRATION_IMAGES = 8  # few: eight bits are timed here, their accuracy is not measured
TURNS, SECONDS = 5, 2.0  # of measuring an engine


@dataclass(frozen=True)
class BenchResult:
    """One engine in one precision: milliseconds of a pass (median), and its largest shift of a probability against eager fp32."""

    engine: str
    precision: str
    batch: int
    milliseconds: float
    largest_shift: float | None


class Eager:
    """A network in plain eager torch, which it takes over; every other result is compared with it."""

    name: EngineName = "torch"
    precision: Any = "fp32"

    def __init__(self, network: torch.nn.Module, device: torch.device) -> None:
        self.network, self.device = network.eval(), device

    @torch.inference_mode()
    def __call__(self, x: Tensor) -> Tensor:
        logits: Tensor = self.network(x)
        return logits


def engines_for(network: Network, peers: dict[str, torch.nn.Module] | None = None) -> dict[tuple[str, str], Engine]:
    """Every engine and precision that this machine has, by those names; first "eager" and the peers, unfused, in fp32."""
    device = best_device()
    engines: dict[tuple[str, str], Engine] = {("eager", "fp32"): Eager(to_device(copy.deepcopy(network), device), device)}
    for name, peer in (peers or {}).items():
        engines[name, "fp32"] = Eager(copy.deepcopy(peer).to(device), device)
    names = [name for name in get_args(EngineName) if installed(name)]
    for name in names:
        for precision in PRECISIONS[name]:
            if precision != "int8":
                engines[name, precision] = make_engine(network, name, precision)
    if installed("nncf") and len(names) > 1:
        crops = list(crops_of(network, CALIBRATION_IMAGES).split(1))
        data = quantised(to_onnx(fuse(network)), crops, network.preprocess).SerializeToString()
        engines |= {(name, "int8"): from_onnx(data, name, "int8") for name in names if "int8" in PRECISIONS[name]}
    return engines


def bench(
    network: Network, batches: Sequence[int] = (1, 8), *, peers: dict[str, torch.nn.Module] | None = None
) -> list[BenchResult]:
    """Times every engine and precision in turns, on pieces of real photographs; `peers` are other libraries' networks."""
    engines = engines_for(network, peers)
    results = []
    for batch in batches:
        x = images(network, batch)
        expected = engines["eager", "fp32"](x.to(engines["eager", "fp32"].device)).cpu().softmax(1)
        times = measure(engines, x, turns=TURNS, seconds=SECONDS, fewest=2 * TURNS)
        for (name, precision), seconds in times.items():
            actual = engines[name, precision](x.to(engines[name, precision].device)).cpu().softmax(1)
            ours = name == "eager" or name in get_args(EngineName)
            shift = float((actual - expected).abs().max()) if ours else None
            results.append(BenchResult(name, precision, batch, 1000 * median(seconds), shift))
    return results


def images(network: Network, count: int) -> Tensor:
    """Normalised pieces of real photographs (count, 3, S, S)."""
    return normalise(crops_of(network, count), network.preprocess).contiguous()


def crops_of(network: Network, count: int) -> Tensor:
    """Crops of pieces of real photographs: uint8 (count, 3, S, S)."""
    pieces = photograph_pieces()
    return torch.cat([take_crops(pieces[i % len(pieces)], network.preprocess) for i in range(count)])
