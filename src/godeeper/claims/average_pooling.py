"""Average pooling before the classifier instead of fully connected layers, and dropout (arXiv 1409.4842, Section 5)."""

from __future__ import annotations

from dataclasses import replace

from ..papers.notation import AvgTo, Dropout, FullyConnected, Linear, Stage
from ..papers.registry import definition
from .claim import Claim, Outcome, Part, Words
from .jobs import Arm
from .lab import Lab
from .sizes import cpu, gpu, imagenet
from .stats import is_above, paired
from .words import curves, errors, measured

HEADS: dict[str, dict[str, Stage]] = {  # AlexNet's way: two layers of units on the whole grid; here one, as wide as the features
    "average": {"avgpool": AvgTo(1), "dropout": Dropout(0.4), "linear": Linear(1000)},
    "average, no dropout": {"avgpool": AvgTo(1), "linear": Linear(1000)},
    "connected": {"fc": FullyConnected(1024), "dropout": Dropout(0.4), "linear": Linear(1000)},
    "connected, no dropout": {"fc": FullyConnected(1024), "linear": Linear(1000)},
}


def test(lab: Lab) -> Outcome:
    """GoogLeNet with batch norm and four heads."""
    recipe = lab.recipe()
    table = replace(definition("googlenet_bn"), auxiliary={})
    runs = lab.train([Arm(name, lab.variant(replace(table, head=head)), recipe) for name, head in HEADS.items()])
    error = {name: [run.error for run in of_name] for name, of_name in runs.items()}
    pooling = paired(error["connected"], error["average"])
    dropout = paired(error["average, no dropout"], error["average"])
    parts = [
        Part(
            Words(
                "average pooling instead of fully connected layers lowers the error (the paper: by about 0.6 points)",
                "用平均池化代替全连接层，错误率更低（论文：约 0.6 个百分点）",
            ),
            is_above(pooling),
            measured(
                Words("error with a connected layer minus with average pooling, points", "全连接的错误率减去平均池化的，百分点"),
                pooling,
            ),
        ),
        Part(
            Words("dropout remains essential with average pooling", "用了平均池化，dropout 仍然少不得"),
            is_above(dropout),
            measured(
                Words(
                    "error without dropout minus with it, average pooling, points",
                    "平均池化时，不用 dropout 的错误率减去用的，百分点",
                ),
                dropout,
            ),
        ),
    ]
    return Outcome(
        parts,
        {"top-1 error (%)": errors(runs)},
        {"curves": curves(runs, Words("Top-1 error by head and dropout", "不同的头、有无 dropout 的 top-1 错误率"))},
    )


CLAIM = Claim(
    name="average-pooling",
    title=Words("Average pooling instead of fully connected layers; dropout", "用平均池化代替全连接层；dropout"),
    source="arXiv 1409.4842, Section 5",
    says=Words(
        (
            "moving from fully connected layers to average pooling improved "
            "top-1 accuracy by about 0.6 %; dropout remained essential"
        ),
        "从全连接层换成平均池化，top-1 准确率提高约 0.6 %；dropout 仍然少不得",
    ),
    limits=Words(
        (
            "Few images are learnt from often, so that a network can overfit, as ImageNet's "
            "1.2 million let a large one; how much it does there, this cannot say."
        ),
        "少量图片反复学，让网络有机会过拟合，就像大网络在 ImageNet 的 120 万张图上那样；在那里究竟过拟合多少，这里说不了。",
    ),
    scales={
        "cpu": cpu(14, train=2000, test=2500, epochs=20),
        "gpu": gpu(12),
        "imagenet": imagenet(12, epochs=60, hours=12),
    },
    test=test,
)
