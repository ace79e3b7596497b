"""Where a run is followed from outside: TensorBoard, Weights & Biases, through Accelerate's trackers."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from accelerate.tracking import GeneralTracker, TensorBoardTracker, WandBTracker

from ..errors import GodeeperError, message_lines, unknown
from ..packages import install_command

TRACKERS = ("tensorboard", "wandb")


def default_trackers() -> tuple[str, ...]:
    """TensorBoard where it is installed."""
    return ("tensorboard",) if find_spec("tensorboard") else ()


def check_trackers(names: Iterable[str]) -> None:
    """GodeeperError for a name that is none, and for a tracker that is not installed."""
    for name in names:
        if name not in TRACKERS:
            raise unknown("tracker", name, TRACKERS)
        if not find_spec(name):
            remedy = install_command("demo") if name == "tensorboard" else f"pip install {name}"
            raise GodeeperError(f"the tracker {name!r} is not installed: {remedy}")


class Trackers:
    """The trackers of a run, in its first process; they never stop it."""

    def __init__(self, names: Sequence[str], folder: Path, description: Mapping[str, Any], step: int) -> None:
        """`step` is where the run goes on: what TensorBoard was told of later ones, before an interruption, gives way."""
        self.trackers: list[GeneralTracker] = []
        for name in names:
            if name == "tensorboard":
                self._start(TensorBoardTracker("tensorboard", folder, purge_step=step))
            else:
                about = {"id": description.get("id"), "resume": "allow", "name": folder.name, "dir": folder}
                self._start(WandBTracker("godeeper", config=dict(description), **about))

    def _start(self, tracker: GeneralTracker) -> None:
        with _warning(tracker):
            tracker.start()
            self.trackers.append(tracker)

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Adds numbers to each tracker's curves; `step` counts over the whole run."""
        for tracker in self.trackers:
            with _warning(tracker):
                tracker.log({name: float(value) for name, value in values.items()}, step=step)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Sends what is left, however the run has ended: Weights & Biases shows one that failed as failed."""
        for tracker in self.trackers:
            with _warning(tracker):
                if error is not None and isinstance(tracker, WandBTracker):
                    tracker.run.finish(exit_code=1)
                else:
                    tracker.finish()


@contextmanager
def _warning(tracker: GeneralTracker) -> Iterator[None]:
    """An error of a tracker becomes a warning: a full disk, nobody who is logged in."""
    try:
        yield
    except Exception as error:  # each library has kinds of its own
        warnings.warn(f"{tracker.name}: {message_lines(error)[0]}", stacklevel=3)
