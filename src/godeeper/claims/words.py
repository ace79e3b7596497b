"""Phrases that several claims share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate

from .claim import Cell, Figure, Line, Table, Verdict, Words
from .jobs import Training
from .stats import Mean, mean

VERDICTS: dict[Verdict, dict[str, str]] = {
    "supported": {"en": "supported", "zh": "得到支持"},
    "not supported": {"en": "not supported", "zh": "未得到支持"},
    "inconclusive": {"en": "inconclusive at this scale", "zh": "这一规模下无法判定"},
}
SEEDS = Words("seeds", "个种子")
IMAGES = Words("images", "张图片")


def measured(what: Words, difference: Mean, of: Words = SEEDS) -> Words:
    """What was measured: a difference with its interval, and how many it is the mean of."""
    return Words(
        f"{what.en}: {difference} ({difference.count} {of.en})", f"{what.zh}：{difference}（{difference.count} {of.zh}）"
    )


def errors(runs: Mapping[str, Sequence[Training]], metric: str = "top1_error") -> Table:
    """An error (%) of every arm and seed after the last epoch, and the mean with its interval."""
    rows: list[list[Cell]] = []
    for name, of_name in runs.items():
        found = [run.curve(metric)[-1] for run in of_name]
        rows.append([name, *(round(error, 2) for error in found), str(mean(found))])
    seeds = len(next(iter(runs.values())))
    return Table(["arm", *(f"seed {seed}" for seed in range(seeds)), "mean"], rows)


def curves(runs: Mapping[str, Sequence[Training]], title: Words, metric: str = "top1_error", against: str = "Epoch") -> Figure:
    """An error of every arm against "Epoch" or "Minutes of training", with the seeds' intervals, as Figures 21 to 26 have it."""
    lines = []
    for name, of_name in runs.items():
        x = [float(epoch) for epoch in range(1, len(of_name[0].records) + 1)]
        if against != "Epoch":
            seconds = zip(*(run.curve("seconds") for run in of_name), strict=True)
            x = list(accumulate(mean(values).value / 60 for values in seconds))
        lines.append(band(name, x, [run.curve(metric) for run in of_name]))
    return Figure(title, against, {"top1_error": "Error (top-1) %", "top5_error": "Error (top-5) %"}[metric], lines)


def dashed(figure: Figure, names: Iterable[str]) -> Figure:
    """The figure with the lines of those names dashed."""
    return replace(figure, lines=[replace(line, dashed=line.name in names) for line in figure.lines])


def band(name: str, x: Sequence[float], runs: Sequence[Sequence[float]]) -> Line:
    """The mean of several runs at each x, with its interval."""
    means = [mean(values) for values in zip(*runs, strict=True)]
    return Line(name, x, [one.value for one in means], [one.low for one in means], [one.high for one in means])


TERMS = {  # of tables, for readers of Chinese
    "arm": "对照组",
    "network": "网络",
    "plain network": "普通网络",
    "seed": "种子",
    "mean": "均值",
    "together": "集成",
    "models": "模型数",
    "crops": "裁剪数",
    "cost": "代价",
    "compared to base": "与基准相比",
    "base": "基准",
    "parameters": "参数",
    "multiply-adds": "乘加次数",
    "seconds an epoch": "每轮的秒数",
    "at full width, 224 pixels": "全宽度、224 像素时的乘加",
    "of": "计时对象",
    "an image": "推理，每张图片",
    "an image of a step": "训练一步，每张图片",
    "loss": "损失",
    "greatest loss": "最大损失",
    "deviation at first": "起初的标准差",
    "at the end": "最后的标准差",
    "dead channels, %": "死掉的通道，%",
    "top-1 error, %": "top-1 错误率，%",
    "top-1 error (%)": "top-1 错误率（%）",
    "top-5 error (%)": "top-5 错误率（%）",
    "ratio": "比值",
    "classifier's, first step": "主分类器的，第一步",
    "last": "最后一步",
    "averaged weights": "平均权重",
    "last weights": "最后的权重",
    "maximum of 10 crops": "10 个裁剪取最大",
    "costs": "代价",
    "stacks": "各个网络",
    "gradients at 3a": "3a 处的梯度",
    "as Table 3, top-1 error": "对应表 3，top-1 错误率",
    "top-1 error (%), means over all subsets": "top-1 错误率（%），各子集的均值",
    "each network, top-1 error (%)": "各个网络的 top-1 错误率（%）",
    "after training, one crop, top-1 error (%)": "训练结束时、一个裁剪的 top-1 错误率（%）",
    "top-1 error (%), one crop": "一个裁剪的 top-1 错误率（%）",
    "averaged and last weights, top-1 error (%)": "平均权重与最后的权重，top-1 错误率（%）",
    "epochs until the plain network's final top-1 error": "达到普通网络最终 top-1 错误率所需的轮数",
    "seconds": "秒",
}
NUMBERED = re.compile(r"(seed|round) (\d+)|(\d+) crops?")


def term(english: str, lang: str) -> str:
    """A title or a head of a table in "en" or "zh"."""
    if lang == "en":
        return english
    numbered = NUMBERED.fullmatch(english)
    if numbered is None:
        return TERMS[english]
    what, number, crops = numbered.groups()
    return f"{crops} 个裁剪" if crops else f"种子 {number}" if what == "seed" else f"第 {number} 轮"
