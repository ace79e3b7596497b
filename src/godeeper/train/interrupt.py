"""SIGINT and SIGTERM during training: noted, so that the step under way can end and be saved."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any

SAME_SECONDS = 3.0  # a signal so soon after another is the same wish: torchrun passes Ctrl-C on to who has had it already


class Interruption:
    """Within it, `signal` is the number of the signal that arrived, or 0; a second one, later, takes its usual effect at once.

    Signals can be caught in the main thread only; in another, nothing is ever noted. One that the process was started to ignore,
    as shells do with Ctrl-C for what runs in the background, stays ignored.
    """

    def __init__(self) -> None:
        self.signal = 0
        self._since = 0.0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            caught = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) != signal.SIG_IGN]
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
