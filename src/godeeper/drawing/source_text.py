"""What a table is made after, in both languages: the registered tables say it in English, and so does a table of one's own."""

from __future__ import annotations

from ..papers.notation import Definition
from ..text import Text

# After the registered tables' own sentences.
SOURCES = {
    "arXiv 1409.4842, Table 1 and Figure 3, as printed": "按 arXiv 1409.4842 的表 1 和图 3，与论文所印一致",
    "arXiv 1409.4842, the network that the ops column of Table 1 implies": "按 arXiv 1409.4842 表 1 的 ops 一列反推",
    "arXiv 1409.4842, Table 1, with the batch norm of arXiv 1502.03167": (
        "按 arXiv 1409.4842 的表 1，加上 arXiv 1502.03167 的批归一化"
    ),
    "torchvision's googlenet": "与 torchvision 的 googlenet 相同",
    "ours: Inception modules for 32x32 images, in airbench's layout (arXiv 2404.00498)": (
        "本项目自己的网络：给 32x32 图片用的 Inception 模块，布局取自 airbench（arXiv 2404.00498）"
    ),
    "arXiv 1502.03167, Figure 5, with the released projections of 4c and 4d": (
        "按 arXiv 1502.03167 的图 5，4c 和 4d 的池化投影取发布的网络"
    ),
    "the Caffe network, as Cadene's bninception has it": "Caffe 网络，与 Cadene 的 bninception 相同",
    "arXiv 1602.07261, Figures 7 and 10-15, as printed": "按 arXiv 1602.07261 的图 7、图 10 至图 15，与论文所印一致",
    "facenet's network on the Inception-ResNet-v1 trunk": "facenet 的网络，主干是 Inception-ResNet-v1",
    "arXiv 1602.07261, Figures 3, 7 and 15-19, as printed": "按 arXiv 1602.07261 的图 3、图 7、图 15 至图 19，与论文所印一致",
    "the network released with arXiv 1602.07261, which is not the printed one": (
        "随 arXiv 1602.07261 发布的网络，与论文所印的不同"
    ),
    "arXiv 1512.00567, Table 1, with the released filter counts": "按 arXiv 1512.00567 的表 1，卷积核数取发布的网络",
    "the released network as TensorFlow and Keras compute it: average pools leave the padding out": (
        "发布的网络，与 TensorFlow 和 Keras 的算法一致：平均池化不计填充"
    ),
    "TensorFlow's graph inception-2015-12-05, as pytorch-fid and torch-fidelity have it": (
        "TensorFlow 的计算图 inception-2015-12-05，与 pytorch-fid 和 torch-fidelity 相同"
    ),
    "arXiv 1602.07261, Figures 3-9, as printed": "按 arXiv 1602.07261 的图 3 至图 9，与论文所印一致",
    "arXiv 1602.07261, Figures 3-9, with the convolutions in the released order": (
        "按 arXiv 1602.07261 的图 3 至图 9，卷积的次序取发布的网络"
    ),
    "arXiv 1404.5997, one column: AlexNet as torchvision has it": "按 arXiv 1404.5997，单列：与 torchvision 的 AlexNet 相同",
    "arXiv 1311.2901, Figure 3, with local response norm for its contrast norm": (
        "按 arXiv 1311.2901 的图 3，对比度归一化换成局部响应归一化"
    ),
    "arXiv 1409.1556, Table 1, column D": "按 arXiv 1409.1556 表 1 的 D 列",
    "arXiv 1409.1556, Table 1, column E": "按 arXiv 1409.1556 表 1 的 E 列",
}


def source_text(source: str) -> Text:
    """A table's `source`; as it is in both languages where the table is not one of ours."""
    return Text(source, SOURCES.get(source, source))


def title_text(definition: Definition) -> Text:
    """A network's name with what was changed: "googlenet_bn (width 0.25, small)"."""
    changes = definition.variant.replace("width", "宽度").replace("small", "小图片").replace(", ", "，")
    return Text(definition.title, f"{definition.name}（{changes}）" if changes else definition.name)
