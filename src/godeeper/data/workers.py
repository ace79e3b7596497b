"""The processes that decode images for a loader: how many, what signals do to them, and what their death means."""

from __future__ import annotations

import os
import signal
from multiprocessing.queues import Queue
from types import FrameType, TracebackType
from typing import Any, Self

import torch
from torch.utils.data import DataLoader, Dataset

from ..errors import GodeeperError

SIGNS_OF_DEATH = ("DataLoader worker (pid", "items of ancdata", "</torch_")  # the last: a file of shared memory
ENDING_SECONDS = 0.5  # between the end of a process' connection and its own
KILL_SECONDS = 5.0  # that the end of a killed process is waited for


def default_workers(data: str) -> int:
    """How many processes decode the images on this machine: none for the digits, which lie in memory."""
    return 0 if data == "digits" else max(1, min(8, (os.cpu_count() or 1) - 1))


def begin_worker(worker: int) -> None:
    """What a loader's process does first: it leaves signals to the main one, and ends where it cannot hand a batch over."""
    _leave_signals_to_main_process()
    # Else the batch is lost after a traceback, and the main process waits for it for ever.
    Queue._on_queue_feeder_error = staticmethod(_end_process)  # type: ignore[attr-defined]


def _end_process(error: Exception, batch: object) -> None:
    """Called in the thread that hands batches over: shared memory is full, or too many files are open."""
    os._exit(1)


def _leave_signals_to_main_process() -> None:
    """Ctrl-C reaches every process of a terminal, SIGTERM often every one of a job: the main one decides when all may go."""

    def obey_next(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)  # the next one is of the main process, which ends its workers

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, obey_next)


class WorkerLoader(DataLoader[Any]):
    """A `DataLoader` whose `workers` processes end when it is closed, or with the `with` block around it.

    Left to garbage collection, they may still live when Python exits, which then waits for them: they ignore the one SIGTERM it
    sends. A closed loader can be used again, by new processes. `options` are `DataLoader`'s. GodeeperError, at the
    end of the block, for a process that died within it.
    """

    def __init__(self, dataset: Dataset[Any], workers: int, **options: Any) -> None:
        super().__init__(
            dataset, num_workers=workers, persistent_workers=workers > 0, worker_init_fn=begin_worker,
            pin_memory=torch.cuda.is_available(), **options,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        died = _is_death(error) or (isinstance(error, EOFError | OSError) and self._has_died())
        try:
            self.close()
        except RuntimeError as late:  # torch's handler of signals raises wherever the main process is
            if not _is_death(late):
                raise
        if died:
            reason = str(error).strip().rpartition("\n")[2]
            raise GodeeperError(
                "a process that decodes images died, often for want of memory, of shared memory (df -h /dev/shm) or of files that"
                f" may be open (ulimit -n): try fewer --workers{f' ({reason})' * bool(reason)}"
            ) from None

    def _has_died(self) -> bool:
        """Whether one of the processes is gone: its connection, of which an error may tell, ends a little before."""
        processes = self._iterator._workers if self._iterator is not None and self.num_workers else []  # type: ignore[attr-defined]
        try:
            for process in processes:
                process.join(ENDING_SECONDS / len(processes))
        except RuntimeError as error:  # torch's handler of signals raises wherever the main process is
            if not _is_death(error):
                raise
        return any(not process.is_alive() for process in processes)

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


def _is_death(error: BaseException | None) -> bool:
    """Whether an error is torch's of a dead process, or of a batch that could not be handed over."""
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in SIGNS_OF_DEATH)
