"""How fast engines and precisions run a network on this machine, and what the lower precisions change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, get_args

import torch
from torch import Tensor

from ..data.augment import normalise
from ..data.views import take_views
from ..models.network import Network, best_device, to_device
from .choose import measure
from .engines import PRECISIONS, Engine, EngineName, from_onnx, installed, make_engine
from .export import photographs
from .fuse import fuse
from .graph import to_onnx
from .quantise import quantised

CALIBRATED = 8  # images: eight bits are timed here, not judged
TURNS, SECONDS = 5, 2.0  # of measuring an engine


@dataclass(frozen=True)
class Line:
    """One engine in one precision: milliseconds of a pass (median), and how far its probabilities are from fp32's."""

    engine: str
    precision: str
    batch: int
    milliseconds: float
    largest_shift: float | None


class Eager:
    """A network as a user runs it who knows of no engine: what every other line is compared with."""

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
    found: dict[tuple[str, str], Engine] = {("eager", "fp32"): Eager(to_device(network, device), device)}
    for name, peer in (peers or {}).items():
        found[name, "fp32"] = Eager(peer.to(device), device)
    names = [name for name in get_args(EngineName) if installed(name)]
    for name in names:
        for precision in PRECISIONS[name]:
            if precision != "int8":
                found[name, precision] = make_engine(network, name, precision)
    if installed("nncf") and len(names) > 1:
        data = quantised(to_onnx(fuse(network)), [one[None] for one in images(network, CALIBRATED)]).SerializeToString()
        found |= {(name, "int8"): from_onnx(data, name, "int8") for name in names if "int8" in PRECISIONS[name]}
    return found


def bench(network: Network, batches: Sequence[int] = (1, 8), *, peers: dict[str, torch.nn.Module] | None = None) -> list[Line]:
    """Times every engine and precision in turns; pieces of real photographs as images."""
    engines = engines_for(network, peers)
    lines = []
    for batch in batches:
        x = images(network, batch)
        expected = engines["eager", "fp32"](x.to(engines["eager", "fp32"].device)).cpu().softmax(1)
        times = measure(engines, x, turns=TURNS, seconds=SECONDS, fewest=2 * TURNS)
        for (name, precision), seconds in times.items():
            found = engines[name, precision](x.to(engines[name, precision].device)).cpu().softmax(1)
            ours = name == "eager" or name in get_args(EngineName)
            shift = float((found - expected).abs().max()) if ours else None
            lines.append(Line(name, precision, batch, 1000 * median(seconds), shift))
    return lines


def images(network: Network, count: int) -> Tensor:
    """Normalised pieces of real photographs (count, 3, S, S)."""
    pieces = photographs(None)
    prepared = torch.cat(
        [normalise(take_views(pieces[i % len(pieces)], network.preprocess), network.preprocess) for i in range(count)]
    )
    return prepared.contiguous()
