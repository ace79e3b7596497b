"""The curves of a run: loss, errors and learning rate against epochs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import GodeeperError


def draw_curves(records: Sequence[dict[str, Any]], path: Path, title: str) -> None:
    """Draws a run's metrics into `path`; GodeeperError, naming the extra, where matplotlib is missing."""
    try:
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator
    except ImportError:
        raise GodeeperError(f"{path.name} needs matplotlib: pip install 'godeeper[demo]'") from None
    tested = [record for record in records if "top1_error" in record]
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    loss, error, rate = figure.subplots(1, 3)
    for axis, chosen, name, label in (
        (loss, records, "loss", "training, with the auxiliary heads'"),
        (error, records, "train_error", "training, augmented"),
        (error, tested, "top1_error", "test, averaged weights"),
        (rate, records, "lr", "at the epoch's end"),
    ):
        if chosen:
            axis.plot([record["epoch"] for record in chosen], [record[name] for record in chosen], marker=".", label=label)
    for axis, label in ((loss, "loss"), (error, "top-1 error (%)"), (rate, "learning rate")):
        axis.set(xlabel="epoch", ylabel=label, ylim=(0, None))
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.grid(alpha=0.3)
        axis.legend()
    figure.suptitle(title)
    figure.savefig(path, dpi=110)
