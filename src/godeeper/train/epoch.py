"""The sums of an epoch, and what is told of them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor

from ..errors import GodeeperError
from .step import StepResult


@dataclass
class EpochTotals:
    """Sums over the images of an epoch, kept on the device until they are asked for."""

    metrics: dict[str, Tensor | float] = field(default_factory=dict)
    images: int = 0
    bad: list[str] = field(default_factory=list)
    bad_steps: int = 0
    dropped: int = 0  # batches that bad images made too short
    seconds: float = 0.0  # before `started`: of the epoch's part before an interruption
    started: float = field(default_factory=time.monotonic)

    def add(self, result: StepResult) -> None:
        """Takes in a step."""
        if not result.good:
            self.bad_steps += 1
            return
        for name, value in result.metrics.items():
            self.metrics[name] = self.metrics.get(name, 0.0) + value
        self.images += result.images

    def __post_init__(self) -> None:
        self._before = self.images  # of all processes; from here on, of this one

    def text(self, processes: int = 1) -> str:
        """Loss and error of this process's images so far, and the speed of all processes; empty before the first good step."""
        if not self.images:
            return ""
        speed = (self._before + processes * (self.images - self._before)) / (self.seconds + time.monotonic() - self.started)
        means = {name: float(total) / self.images for name, total in self.metrics.items()}
        errors = "".join(f", {NAMES[name]} {means[name]:.1f} %" for name in TRAIN_ERRORS if name in means)
        return f"loss {means['loss']:.3f}{errors}, {speed:.0f} images/s"

    def over_processes(self, accelerator: Accelerator) -> dict[str, Any]:
        """The sums over all processes, in plain numbers, from which `EpochTotals(**sums)` goes on."""
        bad_steps, dropped = (self.bad_steps, self.dropped) if accelerator.is_main_process else (0, 0)  # all see the same
        device = accelerator.device if accelerator.num_processes > 1 else "cpu"
        names = sorted({name for names in gather_object([sorted(self.metrics)]) for name in names})
        values = [float(self.metrics.get(name, 0.0)) for name in names]
        here = torch.tensor([self.images, bad_steps, dropped, *values], dtype=torch.float64, device=device)
        images, bad_steps, dropped, *values = accelerator.reduce(here, reduction="sum").tolist()
        return {
            "metrics": dict(zip(names, values, strict=True)), "images": int(images), "bad": gather_object(self.bad),
            "bad_steps": int(bad_steps), "dropped": int(dropped), "seconds": self.seconds + time.monotonic() - self.started,
        }  # fmt: skip


def epoch_record(sums: Mapping[str, Any]) -> dict[str, float]:
    """An epoch's sums as a record of `metrics.jsonl`: its metrics as means over images, and its speed.

    GodeeperError if not one image could be decoded, or no step was good.
    """
    images, seconds = sums["images"], sums["seconds"]
    if not images and sums["bad_steps"]:
        raise GodeeperError("no step of the epoch had a finite loss and gradient: begin again with a lower lr, or clip_norm=1")
    if not images:
        raise GodeeperError(f"too few of the training images can be decoded for a single batch, the first: {sums['bad'][0]}")
    return {
        **{name: total / images for name, total in sums["metrics"].items()},
        "images": images,
        "skipped": len(sums["bad"]),
        "bad_steps": sums["bad_steps"],
        "dropped_batches": sums["dropped"],
        "seconds": round(seconds, 2),
        "images_per_second": round(images / seconds, 1),
    }


TRAIN_ERRORS = ("train_error", "mixed_error")
NAMES = {  # what a record's metrics are called, in percent
    "train_error": "error", "mixed_error": "error on mixed images", "top1_error": "test error", "map": "mAP",
    "coverage": "coverage",
}  # fmt: skip


def epoch_line(record: Mapping[str, Any], epochs: int) -> str:
    """An epoch's record in one line."""
    metrics = "".join(f", {name} {record[key]:.2f} %" for key, name in NAMES.items() if key in record)
    if record.get("test_skipped"):
        metrics += f" ({record['test_skipped']} test images cannot be decoded: `evaluate --skip-bad` names them)"
    speed = f"{record['seconds']:.1f} s, {record['images_per_second']:.0f} images/s"
    return f"epoch {record['epoch']}/{epochs}: loss {record['loss']:.4f}{metrics}, {speed}"
