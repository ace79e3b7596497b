"""Charts of evaluations: confidence against accuracy, and error against the number of crops."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import GodeeperError
from ..packages import ignore_warnings, install_command


def calibration_chart(bins: Sequence[tuple[int, int, int]]) -> bytes:
    """A PNG of `Outcomes.calibration`: accuracy against confidence."""
    figure, axis = chart("confidence (%)", "accuracy (%)")
    step = 100 / len(bins)
    bars = [(step * (number + 0.5), 100 * right / n) for number, (n, _, right) in enumerate(bins) if n]
    axis.bar([x for x, _ in bars], [y for _, y in bars], width=0.9 * step, color="C0", alpha=0.6)
    axis.plot([0, 100], [0, 100], "--", color="grey", label="perfectly calibrated")
    axis.set(xlim=(0, 100), ylim=(0, 100))
    axis.legend(loc="upper left")
    return png(figure)


def crops_chart(errors: Sequence[tuple[str, Mapping[int, float]]]) -> bytes:
    """A PNG of top-1 errors (%) by the number of crops, a line per model."""
    figure, axis = chart("crops", "top-1 error (%)")
    for name, by_crops in errors:
        label = f" {name}".replace("$", r"\$")  # matplotlib reads $ as mathematics, and hides labels with a leading _
        axis.plot(list(by_crops), list(by_crops.values()), marker="o", markersize=4, label=label)
    axis.set_xscale("log")
    ticks = list(errors[0][1])
    axis.set_xticks(ticks, [str(tick) for tick in ticks])
    axis.minorticks_off()
    axis.legend(fontsize="small")
    return png(figure)


def chart(x: str, y: str) -> tuple[Any, Any]:
    """An empty figure and its axes with labels; GodeeperError without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise GodeeperError(f"charts need matplotlib: {install_command('demo')}") from None
    figure = Figure(figsize=(6, 4), layout="constrained")
    axis = figure.subplots()
    axis.set(xlabel=x, ylabel=y)
    axis.grid(alpha=0.3)
    return figure, axis


def png(figure: Any) -> bytes:
    """The figure as the bytes of a PNG."""
    buffer = io.BytesIO()
    ignore_warnings()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
