"""The figure of batch norm: how large signals are behind each of eighteen layers, with and without it."""

from __future__ import annotations

import torch
from torch import nn

from godeeper.text import Text

from .axes import Axes, Axis, linear
from .style import WIDTH, figure, lines_of_text

LAYERS, CHANNELS, WEIGHTS = 18, 32, 0.03  # as on the page; WEIGHTS: the deviation of the first weights, too small


@torch.no_grad()
def sizes(norm: bool) -> list[float]:
    """The deviation of the input and of each layer's output."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(4, CHANNELS, 16, 16, generator=generator)
    deviations = [x.std().item()]
    for _ in range(LAYERS):
        weight = WEIGHTS * torch.randn(CHANNELS, CHANNELS, 3, 3, generator=generator)
        x = nn.functional.conv2d(x, weight, padding=1)
        if norm:
            x = nn.functional.batch_norm(x, None, None, training=True)
        x = x.relu()
        deviations.append(x.std().item())
    return deviations


def batch_norm(lang: str) -> str:
    """Deviations on a logarithmic axis, layer by layer."""
    with_norm, without = sizes(True), sizes(False)
    exponents = range(-10, 1, 2)
    name = Text("standard deviation of the layer's output", "该层输出的标准差")
    y = Axis(1e-10, 10, [(10.0**e, "1" if e == 0 else f"1e{e}") for e in exponents], name.get(lang), logarithmic=True)
    x = linear(0, LAYERS, 3, "{:.0f}", Text("layer (3x3 convolution, ReLU)", "层（3x3 卷积、ReLU）").get(lang))
    axes = Axes(60, 46, WIDTH - 220, 240, x, y)
    layers = list(range(LAYERS + 1))
    elements = [*axes.draw(), axes.curve(layers, without, "orange"), axes.curve(layers, with_norm, "blue")]
    right = axes.left + axes.width + 12
    words = (
        (with_norm[-1], "blue", Text("with batch norm: stays at {value:.1f}", "有批归一化：保持在 {value:.1f}")),
        (without[-1], "orange", Text("without: gone after a dozen layers", "没有：十几层之后就消失了")),
    )
    for value, colour, sentence in words:
        _, place = axes.at(LAYERS, value)
        elements += lines_of_text(right, place, sentence.format(value=value).get(lang), WIDTH - right - 12, colour, 13)
    title = Text(
        "The size of signals through eighteen layers, with and without batch norm", "信号经过十八层的大小：有、无批归一化"
    )
    return figure(axes.top + axes.height + 54, elements, title.get(lang), title.get(lang))
