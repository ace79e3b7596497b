"""Processes that tests start: none outlives its test."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

GODEEPER = [sys.executable, "-m", "godeeper"]


def kill(process: subprocess.Popen[str]) -> None:
    """Kills the process, and every process of its group, and waits for it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def start(*command: object, **options: Any) -> subprocess.Popen[str]:
    """A process in a group of its own, its text streams as `options` say, for `kill`."""
    return subprocess.Popen([str(word) for word in command], text=True, start_new_session=True, **options)


@contextlib.contextmanager
def running(*command: object, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """As `start`; the whole group is killed at the end of the block, however that comes."""
    process = start(*command, **options)
    try:
        yield process
    finally:
        kill(process)
