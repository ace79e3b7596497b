"""Progress on stderr: a bar a run, with loss, error, pictures a second and time left."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from ..errors import GodeeperError


@dataclass
class Totals:
    """Sums over the pictures of an epoch, kept on the device until they are asked for."""

    loss: Tensor | float = 0.0
    errors: Tensor | float = 0.0
    pictures: int = 0
    bad: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Takes in a step: its mean loss, logits (N, classes) and labels (N,)."""
        self.loss = self.loss + loss * len(labels)
        self.errors = self.errors + (logits.argmax(1) != labels).sum()
        self.pictures += len(labels)

    def result(self, accelerator: Accelerator) -> dict[str, float]:
        """Mean loss, top-1 error in percent, and speed over all processes, whose undecodable pictures are gathered here.

        GodeeperError if not one picture could be decoded.
        """
        self.bad = gather_object(self.bad)
        here = torch.tensor([float(self.loss), float(self.errors), self.pictures], device=accelerator.device)
        loss, errors, pictures = accelerator.reduce(here, reduction="sum").tolist()
        if not pictures:
            raise GodeeperError(f"none of the training pictures can be decoded, the first: {self.bad[0]}")
        seconds = time.monotonic() - self.started
        return {
            "loss": loss / pictures,
            "train_error": 100 * errors / pictures,
            "pictures": int(pictures),
            "skipped": len(self.bad),
            "seconds": round(seconds, 2),
            "pictures_per_second": round(pictures / seconds, 1),
        }


class Bar:
    """The bar of a run of `epochs` x `steps`, on a terminal; nothing where stderr is a file."""

    def __init__(self, epochs: int, steps: int, done_epochs: int, show: bool) -> None:
        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[state]}"))
        self.bar = Progress(
            *columns, TimeRemainingColumn(), console=console, disable=not (show and console.is_terminal), transient=True
        )
        self.epochs = epochs
        self.task = self.bar.add_task("", total=epochs * steps, completed=done_epochs * steps, state="")

    @contextmanager
    def epoch(self, epoch: int) -> Iterator[Bar]:
        """Shows the bar while an epoch runs."""
        self.bar.update(self.task, description=f"epoch {epoch + 1}/{self.epochs}")
        with self.bar:
            yield self

    def step(self, totals: Totals) -> None:
        """Shows the epoch's figures so far."""
        if self.bar.disable or not totals.pictures:
            return
        speed = totals.pictures / (time.monotonic() - totals.started)
        loss, error = float(totals.loss) / totals.pictures, 100 * float(totals.errors) / totals.pictures
        self.bar.update(self.task, advance=1, state=f"loss {loss:.3f}  error {error:.1f} %  {speed:.0f} pictures/s")
