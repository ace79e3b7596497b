"""The processes that decode images for a loader: how many, what signals do to them, and what their death means."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

import torch
from torch.utils.data import DataLoader, Dataset

from ..errors import GodeeperError

KILL_SECONDS = 5.0  # that the end of a killed process is waited for


def default_workers(data: str) -> int:
    """How many processes decode the images on this machine: none for the digits, which lie in memory."""
    return 0 if data == "digits" else max(1, min(8, (os.cpu_count() or 1) - 1))


def leave_signals_to_main_process(worker: int) -> None:
    """Ctrl-C reaches every process of a terminal, SIGTERM often every one of a job: the main one decides when all may go."""

    def obey_next(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)  # the next one is of the main process, which ends its workers

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, obey_next)


class WorkerLoader(DataLoader[Any]):
    """A `DataLoader` whose `workers` processes end when it is closed, or with the `with` block around it.

    Left to garbage collection, they may still live when Python exits, which then waits for them: they ignore the one SIGTERM it
    sends. A closed loader can be used again, by new processes. `options` are `DataLoader`'s.
    """

    def __init__(self, dataset: Dataset[Any], workers: int, **options: Any) -> None:
        super().__init__(
            dataset, num_workers=workers, persistent_workers=workers > 0, worker_init_fn=leave_signals_to_main_process,
            pin_memory=torch.cuda.is_available(), **options,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Ends the processes, and returns when they are gone."""
        iterator: Any = self._iterator
        self._iterator = None
        if iterator is None:
            return
        iterator._shutdown_workers()  # torch has no public way
        for process in iterator._workers:
            if process.is_alive():  # a disk holds it, and it ignores torch's SIGTERM
                process.kill()
                process.join(KILL_SECONDS)


@contextmanager
def worker_deaths() -> Iterator[None]:
    """Turns the death of a process that decodes, which torch notices within seconds, into a GodeeperError."""
    try:
        yield
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        reason = " ".join(str(error).split())
        raise GodeeperError(
            f"a process that decodes images died, often for want of memory: try fewer --workers ({reason})"
        ) from None
