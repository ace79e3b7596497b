"""The processes that decode images for a loader: how many, what signals do to them, and what their death means."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from ..errors import GodeeperError


def default_workers(data: str) -> int:
    """How many processes decode the images on this machine: none for the digits, which lie in memory."""
    return 0 if data == "digits" else max(1, min(8, (os.cpu_count() or 1) - 1))


def leave_signals_to_main_process(worker: int) -> None:
    """Ctrl-C reaches every process of a terminal, SIGTERM often every one of a job: the main one decides when all may go."""

    def obey_next(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)  # the next one is of the main process, which ends its workers

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, obey_next)


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
