"""What later versions changed: a separable first layer, and two 3x3 for a 5x5 (arXiv 1502.03167, Appendix; 1512.00567, 3.1)."""

from __future__ import annotations

from dataclasses import replace

from ..papers.describe import describe
from ..papers.notation import Cat, Conv, Separable, Stage
from ..papers.registry import definition
from .claim import Claim, Outcome, Part, Table, Words
from .jobs import Arm
from .lab import Lab
from .sizes import cpu, gpu, imagenet
from .stats import is_above, is_within, paired
from .words import curves, errors, measured


def two_for_five(stage: Stage) -> Stage:
    """A module with two 3x3 in place of its 5x5, each of as many filters."""
    if not isinstance(stage, Cat):
        return stage
    one, three, (reduce, five), pool = stage.branches
    assert isinstance(five, Conv)
    return Cat(one, three, (reduce, Conv(five.filters, 3), Conv(five.filters, 3)), pool)


def test(lab: Lab) -> Outcome:
    """GoogLeNet with batch norm, as printed and with one or both of the changes."""
    printed = replace(definition("googlenet_bn"), auxiliary={})
    separable = Separable(64, 7, stride=2, multiplier=8)
    factorised = {name: two_for_five(stage) for name, stage in printed.stages.items()}
    tables = {
        "as printed": printed,
        "separable first layer": replace(printed, stages={**printed.stages, "conv1": separable}),
        "two 3x3 for a 5x5": replace(printed, stages=factorised),
        "both": replace(printed, stages={**factorised, "conv1": separable}),
    }
    arms = {name: lab.variant(table) for name, table in tables.items()}
    recipe = lab.recipe()
    runs = lab.train([Arm(name, table, recipe) for name, table in arms.items()])
    error = {name: [run.error for run in of_name] for name, of_name in runs.items()}
    cheaper, better = (
        paired(error["separable first layer"], error["as printed"]),
        paired(error["as printed"], error["two 3x3 for a 5x5"]),
    )
    parts = [
        Part(
            Words(
                "a separable first layer loses nothing (within half a point)",
                "换成可分离的第一层，不损失什么（半个百分点以内）",
            ),
            is_within(cheaper, 0.5),
            measured(Words("its error minus the plain layer's, points", "它的错误率减去普通卷积的，百分点"), cheaper),
        ),
        Part(
            Words("two 3x3 instead of a 5x5 lower the error", "两个 3x3 代替 5x5，错误率更低"),
            is_above(better),
            measured(Words("error with 5x5 minus with two 3x3, points", "5x5 的错误率减去两个 3x3 的，百分点"), better),
        ),
    ]
    costs = Table(
        ["arm", "parameters", "multiply-adds", "at full width, 224 pixels"],
        [
            [name, describe(table).parameters, describe(table).multiply_adds, describe(tables[name]).multiply_adds]
            for name, table in arms.items()
        ],
    )
    return Outcome(
        parts,
        {"top-1 error (%)": errors(runs), "costs": costs},
        {"curves": curves(runs, Words("Top-1 error by filters", "不同卷积核的 top-1 错误率"))},
    )


CLAIM = Claim(
    name="factorised-filters",
    title=Words("A separable first layer; two 3x3 for a 5x5", "可分离的第一层；两个 3x3 代替 5x5"),
    source="arXiv 1502.03167, Appendix; arXiv 1512.00567, Section 3.1",
    says=Words(
        (
            "a 7x7 filter for each channel and then a 1x1 reduce the cost; two 3x3 in place "
            "of a 5x5 are cheaper at equal width and do not lose expressiveness"
        ),
        "每个通道各自做 7x7 再接 1x1，可以降低计算量；用两个 3x3 代替 5x5，同样宽度下更便宜，表达力也不损失",
    ),
    limits=Words(
        (
            "Of 32 pixels the first layer is seen at stride 1, and a 5x5 on a small grid "
            "mostly sees its edges; what they are worth on photographs this cannot say."
        ),
        "32 像素的图，第一层步幅为 1；小网格上的 5x5 多半看到的是边缘。放到照片上值多少，这里说不了。",
    ),
    scales={
        "cpu": cpu(10, train=10_000, test=2500, epochs=3, seeds=4),
        "gpu": gpu(12),
        "imagenet": imagenet(12, epochs=60, hours=12),
    },
    test=test,
)
