"""Residual connections speed up training at equal cost; what a network reaches depends on its size (arXiv 1602.07261)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..papers.describe import describe
from .claim import Cell, Claim, Figure, Outcome, Part, Table, Words
from .jobs import Arm, Training
from .lab import Lab
from .sizes import cpu, gpu, imagenet
from .stats import is_above, mean, paired
from .words import curves, dashed, errors, measured

PAIRS = {  # Figures 21 to 24, and 25 and 26 together
    "small": ("inception_v3", "inception_resnet_v1"),
    "large": ("inception_v4_printed", "inception_resnet_v2_printed"),
}
CHINESE = {"small": "小的一对", "large": "大的一对"}


def epochs_to(run: Training, error: float) -> float:
    """Epochs until a run's error is at most that, between epochs in a straight line; its last epoch and one where it never is."""
    curve = run.curve()
    for epoch, value in enumerate(curve):
        if value <= error:
            if epoch == 0:
                return 1.0
            before = curve[epoch - 1]
            return epoch + (before - error) / (before - value)
    return len(curve) + 1.0


def test(lab: Lab) -> Outcome:
    """Inception-v3 and Inception-ResNet-v1, Inception-v4 and Inception-ResNet-v2, each trained alike."""
    recipe = lab.recipe()
    tables = {name: replace(lab.definition(name), auxiliary={}) for pair in PAIRS.values() for name in pair}
    runs = lab.train([Arm(name, table, recipe) for name, table in tables.items()])
    parts = [part for pair in PAIRS for part in _faster(pair, runs)]
    costs: list[list[Cell]] = []
    for name, table in tables.items():
        counted = describe(table)
        costs.append([name, counted.parameters, counted.multiply_adds, round(_seconds(runs[name]), 1)])
    return Outcome(
        [*parts, _size(runs)],
        {
            "top-1 error (%)": errors(runs),
            "top-5 error (%)": errors(runs, "top5_error"),
            "epochs until the plain network's final top-1 error": _needed_table(runs),
            "costs": Table(["network", "parameters", "multiply-adds", "seconds an epoch"], costs),
        },
        _figures(runs),
    )


def _figures(runs: dict[str, list[Training]]) -> dict[str, Figure]:
    """Figures 21 to 26, by their numbers, and the first and third against time."""
    metrics, figures, number = {"top1_error": "top-1", "top5_error": "top-5"}, {}, 21
    for pair, two in PAIRS.items():
        of_pair = {name: runs[name] for name in two}
        for metric, what in metrics.items():
            title = Words(
                f"As Figure {number}: {what} error of the {pair} pair", f"对应图 {number}：{CHINESE[pair]}的 {what} 错误率"
            )
            figures[f"figure-{number}"] = curves(of_pair, title, metric)
            number += 1
        title = Words(f"Top-1 error of the {pair} pair against time", f"{CHINESE[pair]}的 top-1 错误率，横轴是时间")
        figures[f"minutes-{pair}"] = curves(of_pair, title, against="Minutes of training")
    for metric, what in reversed(metrics.items()):
        title = Words(f"As Figure {number}: {what} error of all four", f"对应图 {number}：四个网络的 {what} 错误率")
        figures[f"figure-{number}"] = curves(runs, title, metric)
        number += 1
    plain = [first for first, _ in PAIRS.values()]
    return {name: dashed(figure, plain) for name, figure in figures.items()}


def _seconds(runs: Sequence[Training]) -> float:
    """The mean time of an epoch."""
    return mean([second for run in runs for second in run.curve("seconds")]).value


def _faster(pair: str, runs: dict[str, list[Training]]) -> list[Part]:
    """When the residual network of a pair reaches the other one's final error: in epochs, and in time."""
    plain, residual = (runs[name] for name in PAIRS[pair])
    needed, epochs = _needed(pair, runs), len(plain[0].records)
    saved = mean([epochs - one for one in needed])
    slower = _seconds(residual) / _seconds(plain)
    time = mean([100 * (1 - slower * one / epochs) for one in needed])
    return [
        Part(
            Words(
                f"with residual connections, the plain network's final error is reached in fewer epochs ({pair} pair)",
                f"有残差连接，达到普通网络最终错误率所需的轮数更少（{CHINESE[pair]}）",
            ),
            is_above(saved),
            measured(Words(f"epochs saved of {epochs}", f"{epochs} 轮里省下"), saved),
        ),
        Part(
            Words(f"and it is reached in less time ({pair} pair)", f"达到它所需的时间也更少（{CHINESE[pair]}）"),
            is_above(time),
            measured(Words("time saved, percent", "省下的时间，百分比"), time),
        ),
    ]


def _needed(pair: str, runs: dict[str, list[Training]]) -> list[float]:
    """Epochs until the residual network of a pair has the other one's final error, seed by seed."""
    plain, residual = (runs[name] for name in PAIRS[pair])
    return [epochs_to(run, end.error) for run, end in zip(residual, plain, strict=True)]


def _needed_table(runs: dict[str, list[Training]]) -> Table:
    rows: list[list[Cell]] = []
    for pair, (plain, residual) in PAIRS.items():
        epochs, needed = len(runs[plain][0].records), _needed(pair, runs)
        rows.append([residual, plain, *(round(one, 2) if one <= epochs else "never" for one in needed)])
    return Table(["network", "plain network", *(f"seed {seed}" for seed in range(len(needed)))], rows)


def _size(runs: dict[str, list[Training]]) -> Part:
    """Whether the final error depends on a pair's size more than on residual connections."""
    errors_of = [[run.error for run in runs[name]] for two in PAIRS.values() for name in two]
    by_seed = list(zip(*errors_of, strict=True))  # of each: small plain, small residual, large plain, large residual
    size = [(a + b - c - d) / 2 for a, b, c, d in by_seed]
    connections = [(a - b + c - d) / 2 for a, b, c, d in by_seed]
    more = paired(list(map(abs, size)), list(map(abs, connections)))
    return Part(
        Words("the final error depends on size more than on residual connections", "最终错误率更多地取决于大小，而不是残差连接"),
        is_above(more),
        Words(
            f"points gained by size {mean(size)}, by residual connections {mean(connections)}; the first minus the second, "
            f"signs aside: {more} ({more.count} seeds)",
            f"大小带来 {mean(size)} 个百分点，残差连接带来 {mean(connections)}；"
            f"不计正负，前者减后者：{more}（{more.count} 个种子）",
        ),
    )


CLAIM = Claim(
    name="residual-connections",
    title=Words("Residual connections speed up training at equal cost", "同样的计算量下，残差连接训练得更快"),
    source="arXiv 1602.07261, Section 5, Figures 21 to 26",
    says=Words(
        (
            "training with residual connections accelerates the training of Inception "
            "networks significantly; the final quality depends on the size of the model"
        ),
        "残差连接显著加快 Inception 网络的训练；最终的水平则取决于模型的大小",
    ),
    limits=Words(
        (
            "Six epochs of a fifth of CIFAR-10 end where the paper's curves begin, so of final accuracy this says little; "
            "at an eighth of the width the larger plain network costs more than its rival (the table has it)."
        ),
        "CIFAR-10 五分之一的图片训练六轮，论文的曲线这时才刚刚开始，所以最终准确率几乎无从谈起；"
        "宽度八分之一时，大的一对里普通网络比对手更贵（见表）。",
    ),
    scales={
        "cpu": cpu(21, train=10_000, test=2500, epochs=6, recipe="inception_2016"),
        "gpu": gpu(12, recipe="inception_2016"),
        "imagenet": imagenet(12, epochs=160, hours=173, recipe="inception_2016"),
    },
    test=test,
)
