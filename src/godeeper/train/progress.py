"""Progress on stderr: a bar a run, with loss, error, images a second and time left."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from ..errors import GodeeperError
from .step import StepResult


@dataclass
class Totals:
    """Sums over the images of an epoch, kept on the device until they are asked for."""

    figures: dict[str, Tensor | float] = field(default_factory=dict)
    images: int = 0
    bad: list[str] = field(default_factory=list)
    bad_steps: int = 0
    seconds: float = 0.0  # before `started`: of the epoch's part before an interruption
    started: float = field(default_factory=time.monotonic)

    def add(self, learnt: StepResult) -> None:
        """Takes in a step."""
        if not learnt.good:
            self.bad_steps += 1
            return
        for name, value in learnt.figures.items():
            self.figures[name] = self.figures.get(name, 0.0) + value
        self.images += learnt.images

    def over_processes(self, accelerator: Accelerator) -> dict[str, Any]:
        """The sums over all processes, in plain numbers, from which `Totals(**sums)` goes on."""
        bad_steps = self.bad_steps if accelerator.is_main_process else 0  # all see the same
        device = accelerator.device if accelerator.num_processes > 1 else "cpu"
        names = sorted({name for found in gather_object([sorted(self.figures)]) for name in found})
        figures = [float(self.figures.get(name, 0.0)) for name in names]
        here = torch.tensor([self.images, bad_steps, *figures], dtype=torch.float64, device=device)
        images, bad_steps, *figures = accelerator.reduce(here, reduction="sum").tolist()
        return {
            "figures": dict(zip(names, figures, strict=True)), "images": int(images), "bad": gather_object(self.bad),
            "bad_steps": int(bad_steps), "seconds": self.seconds + time.monotonic() - self.started,
        }  # fmt: skip


def epoch_record(sums: Mapping[str, Any]) -> dict[str, float]:
    """An epoch's sums as a record of `metrics.jsonl`: its figures as means over images, speed.

    GodeeperError if not one image could be decoded, or no step was good.
    """
    images, seconds = sums["images"], sums["seconds"]
    if not images and sums["bad_steps"]:
        raise GodeeperError("no step of the epoch had a finite loss and gradient: begin again with a lower lr, or clip_norm=1")
    if not images:
        raise GodeeperError(f"none of the training images can be decoded, the first: {sums['bad'][0]}")
    return {
        **{name: total / images for name, total in sums["figures"].items()},
        "images": images,
        "skipped": len(sums["bad"]),
        "bad_steps": sums["bad_steps"],
        "seconds": round(seconds, 2),
        "images_per_second": round(images / seconds, 1),
    }


WORDS = {  # what a record's figures are called, in percent
    "train_error": "error", "top1_error": "test error", "map": "mAP", "coverage": "coverage",
}  # fmt: skip


def epoch_line(record: Mapping[str, Any], epochs: int) -> str:
    """An epoch's record in words."""
    figures = "".join(f", {word} {record[name]:.2f} %" for name, word in WORDS.items() if name in record)
    if record.get("test_skipped"):
        figures += f" ({record['test_skipped']} test images cannot be decoded: `evaluate --skip-bad` names them)"
    speed = f"{record['seconds']:.1f} s, {record['images_per_second']:.0f} images/s"
    return f"epoch {record['epoch']}/{epochs}: loss {record['loss']:.4f}{figures}, {speed}"


class Bar:
    """The bar of a run of `epochs` x `steps`, on a terminal; nothing where stderr is a file."""

    def __init__(self, epochs: int, steps: int, done_steps: int, show: bool) -> None:
        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[state]}"))
        self.bar = Progress(
            *columns, TimeRemainingColumn(), console=console, disable=not (show and console.is_terminal), transient=True
        )
        self.epochs = epochs
        self.task = self.bar.add_task("", total=epochs * steps, completed=done_steps, state="")

    @contextmanager
    def epoch(self, epoch: int) -> Iterator[Bar]:
        """Shows the bar while an epoch runs."""
        self.bar.update(self.task, description=f"epoch {epoch + 1}/{self.epochs}")
        with self.bar:
            yield self

    def step(self, totals: Totals) -> None:
        """Shows the epoch's figures so far."""
        if self.bar.disable or not totals.images:
            return
        speed = totals.images / (totals.seconds + time.monotonic() - totals.started)
        means = {name: float(total) / totals.images for name, total in totals.figures.items()}
        error = f"  error {means['train_error']:.1f} %" if "train_error" in means else ""
        self.bar.update(self.task, advance=1, state=f"loss {means['loss']:.3f}{error}  {speed:.0f} images/s")
