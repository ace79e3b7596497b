"""What stands in a box: a row in the words of the papers' figures, in English or in Chinese."""

from __future__ import annotations

from ..papers.figure_text import figure_text
from ..papers.notation import (
    LRN,
    Adaptive,
    Avg,
    AvgTo,
    Cat,
    Conv,
    Dropout,
    FullyConnected,
    Linear,
    LinearNorm,
    Max,
    Residual,
    Row,
    Separable,
    Whitening,
)
from ..papers.shape import FeatureShape
from ..text import Text

CONCAT, IMAGE = Text("concat", "拼接"), Text("image", "图片")
LINEAR_1X1 = Text("1x1 {filters} linear", "1x1 {filters} 线性")
RELU, NO_RELU = Text("ReLU", "ReLU"), Text("no ReLU", "无 ReLU")


def shape_text(shape: FeatureShape) -> str:
    """A shape as the papers write it: height x width x channels."""
    return f"{shape.height}x{shape.width}x{shape.channels}"


def row_text(row: Row, shape: FeatureShape) -> Text:
    """A row with input `shape` in the words of the papers' figures, or, for rows that no figure shows, in similar ones."""
    match row:
        case Conv() | Max() | Avg():
            words = figure_text(row)
            return Text(words, words.replace("maxpool", "最大池化").replace("avgpool", "平均池化"))
        case Whitening():
            words = f"{row.size} {row.filters(shape.channels)}"
            return Text(f"whitening {words}", f"白化 {words}")
        case Separable(filters, _, stride):
            words = f"{row.size} {filters}" + (f" /{stride}" if stride > 1 else "")
            return Text(f"separable {words}", f"可分离 {words}")
        case AvgTo(grid):
            kernel, stride = row.window(shape.height)
            words = f"{kernel}x{kernel}" + (f" /{stride}" if grid > 1 and stride > 1 else "")
            return Text(f"avgpool {words}", f"平均池化 {words}")
        case Adaptive(grid):
            return Text(f"avgpool to {grid}x{grid}", f"平均池化到 {grid}x{grid}")
        case LRN():
            return Text("local response norm", "局部响应归一化")
        case Dropout(ratio):
            return Text(f"dropout {ratio:.0%}", f"dropout {ratio:.0%}")
        case FullyConnected(units):
            return Text(f"fully connected {units}", f"全连接 {units}")
        case LinearNorm(units):
            return Text(f"linear and norm {units}", f"线性、归一化 {units}")
        case Linear(classes):
            return Text(f"linear {classes}", f"线性 {classes}")
        case Cat():
            return Text("Inception", "Inception")
        case Residual():
            return Text("Inception-ResNet", "Inception-ResNet")
