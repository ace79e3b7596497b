"""The curves of runs: loss, what was tested, and learning rate against epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import GodeeperError
from ..files import atomic_write
from ..packages import ignore_warnings, install_command
from ..text import printable

# What may have been tested after each epoch; runs are drawn by the first that any of them has.
TESTED = {"top1_error": "top-1 error (%)", "map": "mAP (%)", "coverage": "coverage (%)"}

MOST_POINTS = 2000  # of a curve, evenly chosen of more epochs: it is some hundred pixels wide


def draw_curves(runs: Mapping[str, Sequence[dict[str, Any]]], path: Path) -> None:
    """Draws the metrics of runs, by name, into `path`: solid what was tested, dashed what was trained on.

    GodeeperError, naming the extra, where matplotlib is missing, and for a file that cannot be written.
    """
    try:
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator
    except ImportError:
        raise GodeeperError(f"{path.name} needs matplotlib: {install_command('demo')}") from None
    figure = Figure(figsize=(11, 3.8), layout="constrained")
    loss, result, rate = figure.subplots(1, 3)
    known = {name for records in runs.values() for record in records for name in record}
    tested = next((name for name in TESTED if name in known), "top1_error")
    for number, (name, records) in enumerate(runs.items()):
        for axis, field, style, what in (
            (loss, "loss", "--", "training"),
            (result, "train_error", "--", "training, augmented"),
            (result, "mixed_error", "--", "training, mixed images"),
            (result, tested, "-", "test, averaged weights"),
            (rate, "lr", "-", "at the epoch's end"),
        ):
            label = what if len(runs) == 1 else f" {_shown(name)}" if axis is not result or style == "-" else None
            points = [(record["epoch"], record[field]) for record in records if isinstance(record.get(field), float | int)]
            points = points[:: len(points) // MOST_POINTS + 1]
            if points:
                axis.plot(*zip(*points, strict=True), style, marker=".", markersize=4, color=f"C{number % 10}", label=label)
    for axis, label in ((loss, "loss"), (result, TESTED[tested]), (rate, "learning rate")):
        axis.set(xlabel="epoch", ylabel=label, ylim=(0, None))
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.grid(alpha=0.3)
        if axis.get_legend_handles_labels()[0]:
            axis.legend()
    figure.suptitle(_shown(next(iter(runs))) if len(runs) == 1 else "solid: tested; dashed: training")
    try:
        ignore_warnings()  # of letters that its font lacks
        with atomic_write(path) as partial:
            figure.savefig(partial, format=path.suffix[1:], dpi=110)
    except (OSError, ValueError) as error_:
        reason = getattr(error_, "strerror", None) or error_
        raise GodeeperError(f"cannot draw {str(path)!r}: {reason}") from None


def _shown(name: str) -> str:
    """A run's name as matplotlib shows it: it reads $ as mathematics (and hides labels with a leading _)."""
    return printable(name).replace("$", r"\$")
