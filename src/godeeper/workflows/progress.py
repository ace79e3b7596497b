"""How far a workflow is: what every one of them reports, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """`done` of `total` steps of `what`, such as "evaluating"."""

    what: str
    done: int
    total: int


OnProgress = Callable[[Progress], None]


OnMessage = Callable[[str], None]  # a line for people


def counter(what: str, on_progress: OnProgress | None) -> Callable[[int, int], None] | None:
    """What an inner loop calls with (done, total); None where nobody listens."""
    if on_progress is None:
        return None
    return lambda done, total: on_progress(Progress(what, done, total))


def step_counter(on_progress: OnProgress | None) -> Callable[[str, int, int], None] | None:
    """The same for a loop that says itself what it does."""
    if on_progress is None:
        return None
    return lambda what, done, total: on_progress(Progress(what, done, total))
