"""The process's own stdout and stderr, whose reader may go away, as `godeeper models | head -1` does."""

from __future__ import annotations

import io
import os
import sys
from typing import Any


class OutputClosed(BaseException):
    """Who reads stdout or stderr has gone, so there is nobody to work for; sockets and other pipes raise BrokenPipeError."""


class _Descriptor(io.FileIO):
    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            raise OutputClosed from None
        except OSError as error:  # a full disk
            if self.fileno() == 2:  # messages: no run ends for a line of them
                return len(data)
            error.filename = "the output"
            raise


def watch_streams() -> None:
    """From here on, stdout and stderr raise OutputClosed where nobody reads them, and escape letters that the terminal lacks."""
    _open_closed()
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper) and isinstance(stream.buffer, io.BufferedWriter | io.FileIO):
            stream.flush()
            descriptor = _Descriptor(stream.fileno(), "w", closefd=False)
            unbuffered = isinstance(stream.buffer, io.FileIO)  # by PYTHONUNBUFFERED
            watched = io.TextIOWrapper(
                descriptor if unbuffered else io.BufferedWriter(descriptor),
                stream.encoding,
                "backslashreplace",
                line_buffering=stream.line_buffering or descriptor.isatty(),
                write_through=unbuffered,
            )
            setattr(sys, name, watched)


def _open_closed() -> None:
    """Opens what was closed before the start (`>&-`) as nowhere: the next file that is opened would be where printing goes."""
    while (nowhere := os.open(os.devnull, os.O_RDWR)) <= 2:  # the lowest that is free
        pass
    os.close(nowhere)
    for descriptor, name in enumerate(("stdout", "stderr"), 1):
        if getattr(sys, name) is None:  # and `print` would take stdout for stderr
            setattr(sys, name, open(descriptor, "w", encoding="utf-8", closefd=False))  # noqa: SIM115


def silence_streams() -> None:
    """Nothing more is written; what is still buffered goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
