"""What the interactive pieces of the site show, as data: from the tables, the drawings, and what docs/measurements.py stored."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from statistics import fmean
from typing import Any, cast

from godeeper import draw
from godeeper.claims.residual_scaling import RATES, SCALES, WIDTHS, arm
from godeeper.claims.result_file import published_results
from godeeper.data.photos import photographs
from godeeper.papers.registry import definition
from godeeper.text import Lang, Text

from .costs import filters_of, modules
from .detection import measured

Data = dict[str, Any]


def data(name: str, lang: str) -> Data:
    """The data of a piece, its words in "en" or "zh"; KeyError for an unknown one."""
    return PIECES[name](lang)


def _words(lang: str, **words: Text) -> dict[str, str]:
    return {name: text.get(lang) for name, text in words.items()}


def reduction(lang: str) -> Data:
    """GoogLeNet's modules by the columns of Table 1, with their inputs."""
    columns = ("c1", "r3", "c3", "r5", "c5", "proj")
    rows = [
        {
            "name": name,
            "inputs": shape.channels,
            "places": shape.height * shape.width,
            **dict(zip(columns, filters_of(module), strict=True)),
        }
        for name, module, shape in modules()
    ]
    words = _words(
        lang,
        title=Text("Try it: how much the 1x1 before the 5x5 saves", "动手试：5x5 之前的 1x1 省多少"),
        which=Text("Module", "模块"),
        channels=Text("Channels r that the 1x1 leaves:", "1x1 留下的通道数 r："),
        printed=Text("As printed", "论文的取值"),
        branch=Text("5x5 branch", "5x5 分支"),
        branch_direct=Text("without the 1x1", "不加 1x1"),
        module=Text("whole module", "整个模块"),
        module_direct=Text("without the 1x1", "不加 1x1"),
        saves=Text("The 1x1 saves {percent} % of the branch's multiply-adds.", "1x1 省下这个分支 {percent} % 的乘加次数。"),
        costs=Text("The 1x1 makes the branch {percent} % dearer.", "这时 1x1 反而让这个分支贵了 {percent} %。"),
    )
    return {"modules": rows, "words": words}


def crops(lang: str) -> Data:
    """The stored predictions for the 144 crops of the photograph."""
    votes = measured("votes")
    photo = next(photo for photo in photographs() if photo.file.name == "cat.jpg")
    network = Text(
        "Network: {network}; {top1_error:.2f} % top-1 error on {data}. Photograph: {author}, {licence}.",
        "网络：{network}；{data} 上的 top-1 错误率 {top1_error:.2f} %。摄影：{author}，{licence}。",
    ).format(author=photo.author, licence=photo.licence, **{key: votes[key] for key in ("network", "data", "top1_error")})
    words = _words(
        lang,
        title=Text("Try it: 144 crops, one by one", "动手试：逐个看 144 个裁剪"),
        photograph=Text("A cat's face, with the frame of the crop", "一张猫脸，框出了当前的裁剪"),
        crop=Text("Crop", "裁剪"),
        before=Text("Previous", "上一个"),
        next=Text("Next", "下一个"),
        all=Text("All", "全部"),
        flipped=Text(", mirrored", "，左右翻转"),
        says=Text(
            "Crop {number} (shorter side {side}{flipped}): {label}, {percent} %",
            "第 {number} 个（短边 {side}{flipped}）：{label}，{percent} %",
        ),
        votes=Text("{count} crops", "{count} 个"),
        answer=Text("Mean over all 144: {label}, {percent} %.", "144 个的概率取平均：{label}，{percent} %。"),
        network=network,
    )
    image = "data:image/jpeg;base64," + base64.b64encode(photo.file.read_bytes()).decode()
    return {
        "image": image, "size": votes["photograph"], "crops": votes["crops"], "classes": votes["classes"][lang],
        "mean": votes["mean"], "words": words,
    }  # fmt: skip


def scaling(lang: str) -> Data:
    """The measured last layer of the claim's stacks: means over the seeds, for every width, scale and rate, step by step."""
    result = published_results("residual-scaling")["cpu"]
    runs = [
        {"filters": filters, "scale": scale, "rate": rate, **_means(result["measurements"][arm(filters, scale, rate)])}
        for filters, scale, rate in product(WIDTHS, sorted(SCALES), RATES)
    ]
    note = Text(
        "Measured by `godeeper reproduce residual-scaling`: five blocks of Figure 13, part of CIFAR-10, means of {seeds} seeds.",
        "由 `godeeper reproduce residual-scaling` 测得：五个图 13 的块，CIFAR-10 的一部分，{seeds} 个种子的均值。",
    ).format(seeds=result["seeds"])
    words = _words(
        lang,
        title=Text("Try it: the scale s and the spread of the activations", "动手试：系数 s 与激活值的分散程度"),
        scale=Text("Scale s:", "系数 s："),
        filters=Text("Filters", "卷积核"),
        rate=Text("Learning rate", "学习率"),
        deviation=Text("Standard deviation of the last layer", "最后一层的标准差"),
        dead=Text("Dead channels of the last layer", "最后一层死掉的通道"),
        step=Text("step {step}", "第 {step} 步"),
        says=Text(
            "s = {scale}: the deviation is {first} at first and {last} at the end; {dead} % of the channels are dead.",
            "s = {scale}：标准差从 {first} 变到 {last}，{dead} % 的通道死掉。",
        ),
        note=note,
    )
    return {"runs": runs, "words": words}


def _means(seeds: Sequence[Mapping[str, Sequence[float]]]) -> dict[str, list[float]]:
    """Means over the seeds, at each step that was measured."""
    means = {
        name: [round(fmean(values), 3) for values in zip(*(run[name] for run in seeds), strict=True)]
        for name in ("deviation", "dead")
    }
    return {"step": list(seeds[0]["step"]), **means}


def inception_v4(lang: str) -> Data:
    """The drawing of Inception-v4 and those of its stages."""
    name, language = "inception_v4_printed", cast(Lang, lang)
    words = _words(
        lang,
        title=Text("Try it: open a block of Inception-v4", "动手试：展开 Inception-v4 的一块"),
        hint=Text(
            "Choose a block: click it, or reach it by Tab and press Enter.", "选一块：点击它，或用 Tab 移到它上面再按回车。"
        ),
    )
    return {
        "whole": draw(name, lang=language),
        "drawings": {stage: draw(name, stage, lang=language) for stage in definition(name).stages},
        "words": words,
    }


PIECES: dict[str, Callable[[str], Data]] = {
    "reduction": reduction, "crops": crops, "scaling": scaling, "inception-v4": inception_v4,
}  # fmt: skip
