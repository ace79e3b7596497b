"""Axes: where values lie on a figure, with ticks, grid and names; linear or logarithmic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .style import Point, area, line, polygon, text


@dataclass(frozen=True)
class Axis:
    """From `low` to `high` in values; `ticks` are those that are named, each with its words."""

    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    name: str = ""
    logarithmic: bool = False

    def share(self, value: float) -> float:
        """Where a value lies between the ends, 0 to 1."""
        scale = math.log if self.logarithmic else float
        return (scale(value) - scale(self.low)) / (scale(self.high) - scale(self.low))


@dataclass(frozen=True)
class Axes:
    """A field of `width` x `height` pixels at (`left`, `top`)."""

    left: float
    top: float
    width: float
    height: float
    x: Axis
    y: Axis

    def at(self, x: float, y: float) -> Point:
        """The pixel of a pair of values."""
        return self.left + self.width * self.x.share(x), self.top + self.height * (1 - self.y.share(y))

    def draw(self) -> list[str]:
        """Grid, ticks and the axes' names: y's above the field, x's below."""
        bottom, right = self.top + self.height, self.left + self.width
        elements = [text(self.left, self.top - 12, self.y.name, "grey", 12)]
        for value, words in self.y.ticks:
            _, y = self.at(self.x.low, value)
            elements += [
                line([(self.left, y), (right, y)], "faint", 1),
                text(self.left - 8, y + 4, words, "grey", 12, anchor="end"),
            ]
        elements.append(line([(self.left, bottom), (right, bottom)], "grey", 1))
        for value, words in self.x.ticks:
            x, _ = self.at(value, self.y.low)
            elements.append(line([(x, bottom), (x, bottom + 4)], "grey", 1))
            elements.append(text(x, bottom + 18, words, "grey", 12, anchor="middle"))
        elements.append(text(self.left + self.width / 2, bottom + 36, self.x.name, "grey", 12, anchor="middle"))
        return elements

    def curve(self, xs: Sequence[float], ys: Sequence[float], colour: str, dashed: bool = False) -> str:
        """A line through pairs of values."""
        return line([self.at(x, y) for x, y in zip(xs, ys, strict=True)], colour, 2.2, dashed)

    def band(self, xs: Sequence[float], low: Sequence[float], high: Sequence[float], colour: str) -> str:
        """The area between two curves, cut off at the field's edges."""

        def held(value: float) -> float:
            return min(max(value, self.y.low), self.y.high)

        forth = [self.at(x, held(y)) for x, y in zip(xs, high, strict=True)]
        back = [self.at(x, held(y)) for x, y in zip(xs, low, strict=True)]
        return polygon([*forth, *reversed(back)], colour, 0.15)

    def bar(self, value: float, y: float, thick: float, colour: str, opacity: float = 1.0) -> str:
        """A bar from the left edge to a value of x, `y` being its top."""
        return area(self.left, y, max(self.width * self.x.share(value), 1), thick, colour, opacity, 1.5)


def linear(low: float, high: float, step: float, form: str, name: str) -> Axis:
    """A linear axis with a tick each `step`."""
    count = round((high - low) / step)
    return Axis(low, high, [(low + i * step, form.format(low + i * step)) for i in range(count + 1)], name)
