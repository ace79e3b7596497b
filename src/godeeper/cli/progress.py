"""A progress bar on stderr, where that is a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from ..workflows.progress import OnProgress, Progress


@contextmanager
def progress_bar() -> Iterator[OnProgress]:
    """Shows what a workflow reports: a bar for everything that it counts."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with RichProgress(*columns, console=console, disable=not console.is_terminal, transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def show(progress: Progress) -> None:
            if progress.what not in tasks:
                tasks[progress.what] = bars.add_task(progress.what)
            bars.update(tasks[progress.what], completed=progress.done, total=progress.total)

        yield show


@contextmanager
def counting(what: str, total: int, show: bool = True) -> Iterator[Callable[[int, int], None]]:
    """A bar of `total` images; the function it gives takes how many are done, and of how many; nothing without `show`."""
    with progress_bar() as bar:
        yield lambda done, of: bar(Progress(what, done, of)) if show else None
