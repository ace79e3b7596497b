"""Figures of a result: curves with the intervals of their seeds, as in the paper where it has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from ..evaluate.charts import chart, png
from .jobs import ArmRun
from .stats import mean

COLOURS = {  # of networks, the same in every figure
    "inception_v3": "C2", "inception_resnet_v1": "C3", "inception_v4_printed": "C0", "inception_resnet_v2_printed": "C1",
}  # fmt: skip
METRICS = {"top1_error": "Error (top-1) %", "top5_error": "Error (top-5) %"}


@dataclass(frozen=True)
class Curve:
    """A curve of a figure: its points, the lower and upper ends of their intervals, and whether it is dashed."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None
    dashed: bool = False


@dataclass(frozen=True)
class Figure:
    """A chart: the labels of its axes and its curves. Its title is among the claim's texts."""

    x: str
    y: str
    lines: Sequence[Curve]
    logarithmic: bool = False  # the x axis


def band(name: str, x: Sequence[float], runs: Sequence[Sequence[float]]) -> Curve:
    """The mean of several runs at each x, with its interval."""
    means = [mean(values) for values in zip(*runs, strict=True)]
    return Curve(name, x, [point.value for point in means], [point.low for point in means], [point.high for point in means])


def error_curves(runs: Mapping[str, Sequence[ArmRun]], metric: str = "top1_error", against: str = "Epoch") -> Figure:
    """An error of every arm against "Epoch" or "Minutes of training", with the seeds' intervals, as in Figures 21 to 26."""
    curves = []
    for arm, arm_runs in runs.items():
        x = [float(epoch) for epoch in range(1, len(arm_runs[0].records) + 1)]
        if against != "Epoch":
            seconds = zip(*(run.curve("seconds") for run in arm_runs), strict=True)
            x = list(accumulate(mean(values).value / 60 for values in seconds))
        curves.append(band(arm, x, [run.curve(metric) for run in arm_runs]))
    return Figure(against, METRICS[metric], curves)


def dashed(figure: Figure, names: Iterable[str]) -> Figure:
    """The figure with the curves of those names dashed."""
    return replace(figure, lines=[replace(curve, dashed=curve.name in names) for curve in figure.lines])


def figure_png(figure: Figure) -> bytes:
    """A PNG of a figure: a curve an arm, its intervals as a band."""
    canvas, axis = chart(figure.x, figure.y)
    canvas.set_size_inches(8, 4)
    for number, curve in enumerate(figure.lines):
        colour, style = COLOURS.get(curve.name, f"C{number}"), "--" if curve.dashed else "-"
        axis.plot(curve.x, curve.y, style, marker=".", color=colour, label=curve.name)
        if curve.low is not None and curve.high is not None:
            axis.fill_between(curve.x, curve.low, curve.high, color=colour, alpha=0.12)
    if figure.logarithmic:
        axis.set_xscale("log")
        axis.set_xticks(figure.lines[0].x, [f"{x:g}" for x in figure.lines[0].x])
        axis.minorticks_off()
    elif figure.x == "Epoch":
        axis.xaxis.get_major_locator().set_params(integer=True)
    canvas.legend(fontsize="small", loc="outside right upper")
    lowest, highest = min(min(curve.y) for curve in figure.lines), max(max(curve.y) for curve in figure.lines)
    margin = 0.1 * (highest - lowest) or 1.0
    axis.set_ylim(lowest - margin, highest + margin)  # bands of few seeds reach far
    return png(canvas)
