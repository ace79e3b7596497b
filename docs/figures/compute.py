"""Error on CIFAR-10 against compute and against time: the runs that benchmarks/cifar10.py read, beside what others publish."""

from __future__ import annotations

from statistics import mean

from godeeper.text import Text

from .axes import Axes, Axis
from .detection import measured
from .style import WIDTH, dot, figure, line, text

COLOURS = {
    "googlenet_cifar": "blue",
    "plain": "green",
    "googlenet_bn": "grey",
    "inception_v4": "pink",
    "inception_resnet_v2": "orange",
}
PLAIN = Text("airbench's 3x3 convolutions, here", "airbench 的 3x3 卷积，在这里训练")
# PFLOP and top-1 error, %, as printed, and what we had before; how far the name is from the middle one, in pixels.
OTHERS = {
    Text("airbench, original pixels", "airbench，原始像素"): ([(0.29, 5.99), (1.4, 4.99), (3.1, 4.0)], (-20, -14)),
    Text("ResNet-18", "ResNet-18"): ([(32.3, 4.0)], (-50, -10)),
    Text("recipe claims", "配方 claims"): ([(0.30, 14.39)], (8, 4)),
}
ERROR = Text("top-1 error, %", "top-1 错误率，%")
MINUTES = Text("minutes of one thread", "单线程分钟数")
TOP, HEIGHT, KEY = 44.0, 230.0, 20.0  # KEY: pixels of a line of the key


def compute(lang: str) -> str:
    """Two panels with one y axis, all logarithmic: a dot a run, a line through the means of each network."""
    error = Axis(3.5, 60, [(value, f"{value}") for value in (4, 6, 8, 10, 15, 20, 30, 40)], ERROR.get(lang), logarithmic=True)
    pflop = Axis(0.04, 50, [(value, f"{value:g}") for value in (0.05, 0.2, 1, 5, 30)], "PFLOP", logarithmic=True)
    minutes = Axis(5, 200, [(value, f"{value}") for value in (5, 10, 20, 50, 100, 200)], MINUTES.get(lang), logarithmic=True)
    left = Axes(44, TOP, WIDTH * 0.52 - 44, HEIGHT, pflop, error)
    right = Axes(WIDTH * 0.52 + 44, TOP, WIDTH * 0.48 - 60, HEIGHT, minutes, error)
    elements = [*left.draw(), *right.draw()]
    keys = []
    for name, runs in sorted(measured("compute").items(), key=lambda item: list(COLOURS).index(item[0])):
        colour = COLOURS[name]
        for axes, column in ((left, 0), (right, 1)):
            elements += [dot(*axes.at(run[column], run[2]), colour, 3) for run in runs]
            means = sorted(tuple(map(mean, zip(*same, strict=True))) for same in _alike(runs))
            if len(means) > 1:
                elements.append(axes.curve([at[column] for at in means], [at[2] for at in means], colour))
        keys.append((PLAIN.get(lang) if name == "plain" else name, colour))
    for words, (points, (right_by, below_by)) in OTHERS.items():
        elements += [dot(*left.at(*point), "ink", 3.5, hollow=True) for point in points]
        elements.append(left.curve([point[0] for point in points], [point[1] for point in points], "ink", dashed=True))
        x, y = left.at(*points[len(points) // 2])
        elements.append(text(x + right_by, y + below_by, words.get(lang), "ink", 12))
    below = TOP + HEIGHT + 62
    for place, (words, colour) in enumerate(keys):
        x, y = 44 + place % 2 * WIDTH / 2, below + place // 2 * KEY
        elements += [line([(x, y - 4), (x + 20, y - 4)], colour, 2.2), text(x + 28, y, words, "ink", 12)]
    title = Text("CIFAR-10 in little compute", "用很少的算力训练 CIFAR-10").get(lang)
    return figure(below + -(-len(keys) // 2) * KEY + 4, elements, title, title)


def _alike(runs: list[list[float]]) -> list[list[list[float]]]:
    """Runs of equal compute together: other seeds of one."""
    return [[run for run in runs if run[0] == pflop] for pflop in dict.fromkeys(run[0] for run in runs)]
