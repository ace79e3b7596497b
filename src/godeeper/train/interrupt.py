"""SIGINT and SIGTERM during training: noted, so that the step under way can end and be saved."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

SAME_SECONDS = 3.0  # a signal so soon after another is the same wish: torchrun passes Ctrl-C on to who has had it already


class Interruption:
    """Within it, `signal` is the number of the signal that arrived, or 0; a second one, later, takes its usual effect at once.

    Signals can be caught in the main thread only; in another, nothing is ever noted. One that the process was started to ignore,
    as shells do with Ctrl-C for what runs in the background, stays ignored; one whose handler is not Python's keeps it.
    """

    def __init__(self) -> None:
        self.signal = 0
        self._since = 0.0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            left_alone = (signal.SIG_IGN, None)  # ignored, or set outside Python
            caught = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) not in left_alone]
            self._before = {number: signal.signal(number, self._note) for number in caught}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.signal and time.monotonic() - self._since > SAME_SECONDS:
            self.__exit__(None, None, None)
            signal.raise_signal(number)
        elif not self.signal:
            self.signal, self._since = number, time.monotonic()


def take_effect(number: int, in_any: Callable[[bool], bool]) -> None:
    """Gives a signal that some process of a run has noted to the handler that this process had before; all of them call this.

    Returns where the run is to go on, as no handler ends its process: a host's that only sets a flag. Where one does, all end:
    also a process that ignores the signal, or whose own handler returns. `in_any` says whether a flag is set in any process.
    """
    ended: BaseException | None = None
    kills = signal.getsignal(number) == signal.SIG_DFL  # at once: the others must know before
    if not kills:
        try:
            signal.raise_signal(number)
        except BaseException as error:  # whatever it raises, KeyboardInterrupt first of all: raised again below
            ended = error
    if not in_any(kills or ended is not None):
        return
    if kills:
        signal.raise_signal(number)
    raise ended or (KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number))
