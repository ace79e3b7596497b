"""Figures of training: the scale of residuals, RMSProp's epsilon, and the auxiliary heads' gradient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from godeeper import describe
from godeeper.claims.result_file import published_results
from godeeper.papers.describe import StageDescription
from godeeper.text import Text
from godeeper.train.recipe import recipes

from .axes import Axes, Axis, linear
from .style import WIDTH, area, arrow, dot, figure, line, lines_of_text, text

Heads = Mapping[str, Sequence[StageDescription]]
SCALES = {"scale 1.0": "orange", "scale 0.3": "blue", "scale 0.1": "green"}


def residual_scaling(lang: str) -> str:
    """The measured last layer of stacks of 1792 filters, with residuals whole and scaled, step by step."""
    result = published_results("residual-scaling")["cpu"]
    steps = Text("step of training", "训练步数").get(lang)
    deviation = linear(0, 1.2, 0.4, "{:.1f}", Text("standard deviation of the last layer", "最后一层的标准差").get(lang))
    dead = linear(0, 100, 25, "{:.0f}", Text("dead channels of it, %", "其中死掉的通道，%").get(lang))
    elements = _block(40, 34, lang)
    for left, name, y in ((60.0, "deviation", deviation), (390.0, "dead", dead)):
        curves = {curve["name"]: curve for curve in result["figures"][name]["lines"]}
        axes = Axes(left, 194, 260, 200, linear(0, 120, 40, "{:.0f}", steps), y)
        elements += axes.draw()
        for scale, colour in SCALES.items():
            curve = curves[scale]
            elements.append(axes.band(curve["x"], curve["low"], curve["high"], colour))
            elements.append(axes.curve(curve["x"], curve["y"], colour))
    x = 60.0
    for scale, colour in SCALES.items():
        words = Text(f"s = {scale.split()[1]}", f"s = {scale.split()[1]}")
        words = Text("s = 1: not scaled", "s = 1：不缩放") if scale == "scale 1.0" else words
        elements += [dot(x + 5, 150, colour, 5), text(x + 16, 154, words.get(lang), colour, 13, bold=True)]
        x += 150
    note = Text(
        f"Five blocks, 1792 filters, part of CIFAR-10; means of {result['seeds']} seeds, bands their 95 % intervals.",
        f"五个块，1792 个卷积核，CIFAR-10 的一部分；曲线是 {result['seeds']} 个种子的均值，色带是 95 % 区间。",
    )
    elements += lines_of_text(24, 456, note.get(lang), WIDTH - 48)
    title = Text("The last layer with residuals whole and scaled", "残差缩放与不缩放时的最后一层")
    return figure(476, elements, title.get(lang), note.get(lang))


def _block(x: float, y: float, lang: str) -> list[str]:
    """The residual block of Figure 20 as a line: x, branches, times s, plus, ReLU."""
    middle = y + 34
    elements = [text(x, middle + 5, "x", size=16, bold=True), arrow((x + 16, middle), (x + 96, middle))]
    words = (Text("branches", "分支"), Text("linear 1x1", "线性 1x1"))
    at = x + 96
    for part in words:
        elements += [area(at, middle - 17, 108, 34, "blue", 0.18, 5), text(at + 54, middle + 5, part.get(lang), anchor="middle")]
        elements.append(arrow((at + 108, middle), (at + 132, middle)))
        at += 132
    elements += [
        area(at, middle - 17, 52, 34, "orange", 0.25, 5),
        text(at + 26, middle + 5, "× s", "orange", 15, bold=True, anchor="middle"),
    ]
    elements.append(arrow((at + 52, middle), (at + 92, middle)))
    plus = at + 104
    elements += [dot(plus, middle, "grey", 12, hollow=True), text(plus, middle + 5, "+", size=16, anchor="middle")]
    elements += [
        line([(x + 40, middle), (x + 40, middle + 42), (plus, middle + 42), (plus, middle + 20)]),
        arrow((plus, middle + 22), (plus, middle + 12)),
    ]
    elements.append(text(x + 150, middle + 60, Text("shortcut: x as it is", "快捷连接：x 原样通过").get(lang), "grey", 12))
    elements += [arrow((plus + 12, middle), (plus + 44, middle)), text(plus + 50, middle + 5, "ReLU", bold=True)]
    return elements


RATE = recipes["inception_2016"].lr
EPSILONS = ((1e-8, "orange"), (1.0, "blue"))


def step_of(gradient: float, epsilon: float) -> float:
    """The length of RMSProp's step, without momentum, once the mean square has settled on a constant gradient."""
    return float(RATE * gradient / (gradient**2 + epsilon) ** 0.5)


def short(value: float) -> str:
    """A decimal without zeros at its end."""
    return f"{value:f}".rstrip("0").rstrip(".")


def rmsprop_epsilon(lang: str) -> str:
    """The step against the gradient: RMSProp with epsilon 1e-8 and 1, and SGD, at the paper's rate."""
    gradients = [10 ** (exponent / 8) for exponent in range(-24, 9)]
    x = Axis(1e-3, 10, [(10.0**e, short(10.0**e)) for e in range(-3, 2)], Text("gradient", "梯度").get(lang), logarithmic=True)
    name = Text("step at last, at the rate {rate}", "稳定后的步长，学习率 {rate}").format(rate=RATE)
    y = Axis(1e-5, 1, [(10.0**e, short(10.0**e)) for e in range(-5, 1)], name.get(lang), logarithmic=True)
    axes = Axes(76, 48, WIDTH - 260, 290, x, y)
    elements = [*axes.draw(), axes.curve(gradients, [RATE * g for g in gradients], "grey", dashed=True)]
    for epsilon, colour in EPSILONS:
        elements.append(axes.curve(gradients, [step_of(g, epsilon) for g in gradients], colour))
    right, left = axes.left + axes.width + 12, axes.left + 10
    sgd = Text("SGD: the step grows with the gradient without end", "SGD：步长随梯度一直增大")
    large = Text("epsilon 1: as SGD below a gradient of 1, held above it", "epsilon = 1：梯度小于 1 时像 SGD，大于 1 时被限制")
    tiny = Text("epsilon 1e-8: every gradient steps alike", "epsilon = 1e-8：无论梯度大小，步长都一样")
    elements += lines_of_text(right, axes.at(10, RATE * 10)[1] - 2, sgd.get(lang), WIDTH - right - 16, "grey", 12.5)
    elements += lines_of_text(right, axes.at(10, RATE)[1] + 4, large.get(lang), WIDTH - right - 16, "blue", 12.5)
    elements.append(text(left, axes.at(1, RATE)[1] - 8, tiny.get(lang), "orange", 12.5))
    title = Text("RMSProp's step against the gradient", "RMSProp 的步长与梯度")
    return figure(axes.top + axes.height + 56, elements, title.get(lang), title.get(lang))


def auxiliary_heads(lang: str) -> str:
    """Where the heads sit, how far each loss is from 3a in layers, and how much larger they make the gradient there."""
    network = describe("googlenet")
    depth, at, layers = 0, {}, []
    for stage in network.stages:
        depth += stage.depth
        at[stage.name] = depth
        if stage.depth:
            layers.append(stage)
    elements, left, step = [], 40.0, (WIDTH - 80) / network.depth
    x_of = {name: left + where * step for name, where in at.items()}
    top, before = 118.0, left
    for stage in layers:
        end, colour = x_of[stage.name], "blue" if stage.name[0].isdigit() else "grey"
        elements += [
            area(before + 1, top, end - before - 2, 34, colour, 0.22, 4),
            text((before + end) / 2, top + 22, stage.name if end - before > 34 else "", "ink", 11, anchor="middle"),
        ]
        before = end
    elements += _losses(x_of, at, network.auxiliary, top, lang)
    elements += _ratios(24, 262, lang)
    title = Text("The auxiliary heads: their place and the gradient at 3a", "辅助分类器：位置，以及它们给 3a 带来的梯度")
    return figure(380, elements, title.get(lang), title.get(lang))


def _losses(x_of: dict[str, float], at: dict[str, int], auxiliary: Heads, top: float, lang: str) -> list[str]:
    """The losses above the row of layers, and below it the way of each one's gradient to 3a, with its number of layers."""
    x, y, words = x_of["linear"], top + 102, _layers(at["linear"] - at["3a"])
    elements = [
        text(x, top - 10, Text("main loss", "主损失").get(lang), "orange", 12, True, "end"),
        arrow((x - 4, y), (x_of["3a"], y), "orange"),
        text((x + x_of["3a"]) / 2, y - 6, words.get(lang), "orange", 12, anchor="middle"),
    ]
    weight = recipes["googlenet_2014"].auxiliary_weight
    for index, (stage, head) in enumerate((("4a", "aux1"), ("4d", "aux2"))):
        x, y = x_of[stage] - 4, top + 54 + 24 * index
        loss = Text("loss of {head}, × {weight}", "{head} 的损失，× {weight}").format(head=head, weight=weight)
        words = _layers(at[stage] - at["3a"] + sum(layer.depth for layer in auxiliary[head]))
        elements += [
            text(x, top - 86, loss.get(lang), "orange", 12, True, "middle"),
            area(x - 46, top - 78, 92, 26, "orange", 0.2, 4),
            text(x, top - 60, Text("head", "辅助分类器").get(lang), size=12, anchor="middle"),
            arrow((x, top), (x, top - 52)),
            arrow((x, y), (x_of["3a"], y), "orange"),
            text(x + 8, y + 4, words.get(lang), "orange", 12),
        ]
    return elements


def _layers(count: int) -> Text:
    return Text(f"{count} layers", f"{count} 层")


def _ratios(x: float, y: float, lang: str) -> list[str]:
    """The measured gradient at 3a with heads over that without, a point a seed."""
    rows = published_results("auxiliary-heads")["cpu"]["tables"]["gradients at 3a"]["rows"]
    name = Text(
        "measured gradient at 3a, with heads over without (a point a seed)",
        "3a 处实测的梯度：有辅助分类器与没有之比（每点一个种子）",
    )
    axes = Axes(x + 130, y, WIDTH - x - 170, 66, linear(0.9, 1.6, 0.1, "{:.1f}", name.get(lang)), Axis(0, 1, ()))
    elements = axes.draw()
    one, _ = axes.at(1, 0)
    elements.append(line([(one, y), (one, y + 66)], "grey", 1, dashed=True))
    labels = {"plain": Text("no batch norm", "没有批归一化"), "batch norm": Text("batch norm", "有批归一化")}
    for index, (network, words) in enumerate(labels.items()):
        middle = y + 20 + 28 * index
        elements.append(text(x + 118, middle + 4, words.get(lang), size=12, anchor="end"))
        elements += [
            dot(axes.at(ratio, 0)[0], middle, "orange" if index == 0 else "blue", 5)
            for net, _, ratio, *_ in rows
            if net == network
        ]
    return elements
