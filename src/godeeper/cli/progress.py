"""Progress and messages on stderr."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from ..workflows.progress import OnProgress
from .output import show


def print_message(text: str) -> None:
    """A line of a workflow."""
    show(text, err=True)


@contextmanager
def progress_bar() -> Iterator[OnProgress | None]:
    """A bar of what a workflow reports, with the time left, on a terminal; None elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with RichProgress(*columns, console=console, transient=True) as bars:
        bar = bars.add_task("")
        yield lambda progress: bars.update(
            bar, description=progress.what, completed=progress.done, total=progress.total
        )  # fmt: skip
