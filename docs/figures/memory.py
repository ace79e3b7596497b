"""The memory of an hour of training and of an hour of serving, as benchmarks/long_run.py recorded it."""

from __future__ import annotations

from godeeper.text import Text

from .axes import Axes, linear
from .detection import measured
from .style import WIDTH, figure, text

PANELS = {
    "train": (Text("godeeper train", "godeeper train"), "blue"),
    "serve": (Text("godeeper serve, good and bad images", "godeeper serve，好图片与坏图片"), "orange"),
}


def memory(lang: str) -> str:
    """Resident memory against minutes, all processes of each together; both axes of both panels begin at zero."""
    recordings = measured("memory")
    most = max(max(recording["mb"]) for recording in recordings.values())
    step = 250 if most < 1250 else 1000
    top, minutes = step * -(-most // step), Text("minutes", "分钟").get(lang)
    elements = []
    for place, (name, recording) in enumerate(recordings.items()):
        title, colour = PANELS[name]
        x = linear(0, 60, 15, "{:.0f}", minutes)
        y = linear(0, top, step, "{:,.0f}", Text("resident memory, MB", "常驻内存，MB").get(lang))
        axes = Axes(64 + place * (WIDTH / 2 - 4), 74, WIDTH / 2 - 88, 180, x, y)
        elements += [text(axes.left, 36, title.get(lang), colour, 14, bold=True), *axes.draw()]
        elements.append(axes.curve(recording["minutes"], recording["mb"], colour))
    title = Text("Memory of an hour of training and of an hour of serving", "训练一小时与服务一小时的内存")
    return figure(310, elements, title.get(lang), title.get(lang))
