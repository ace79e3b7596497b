"""What is known about the printed values that disagree with the tables: misprints, and differences that have a reason.

An erratum is a print that disagrees with other prints of the same paper. Of arXiv 1409.4842's Table 1 there are two readings
(`googlenet`, `googlenet_counted`): a cell that only one of them reproduces is an erratum, a cell that neither does is not.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..text import Text


@dataclass(frozen=True)
class Note:
    """A reason, and the findings that it is about: those that have every value given here.

    With `printed` and `computed` the note is an erratum: the known misprint, and what it should be.
    """

    why: Text
    source: str | None = None
    stage: str | None = None
    quantity: str | None = None
    printed: str | None = None
    computed: str | None = None

    @property
    def is_erratum(self) -> bool:
        return self.printed is not None and self.computed is not None


_204 = Text("with 204 3x3 filters instead of 208 it is {count}", "3x3 取 204 而不是 208，就是 {count}")
_TABLE_1 = "Table 1"
GOOGLENET = (
    Note(Text("a plain 7x7 has 9.2 K; 7x7 depthwise (8 a channel) then 1x1 has 2.7 K",
              "普通 7x7 是 9.2 K；先 7x7 逐通道卷积（每个通道 8 个），再接 1x1，是 2.7 K"),
         _TABLE_1, "conv1", "params", "2.7K", "9.2K"),
    Note(Text("a plain 7x7 takes 118 M; 7x7 depthwise (8 a channel) then 1x1 takes 34 M",
              "普通 7x7 要 118 M；先 7x7 逐通道卷积（每个通道 8 个），再接 1x1，要 34 M"),
         _TABLE_1, "conv1", "ops", "34M", "118M"),
    Note(Text("the ops and params columns give 508 channels", "按 ops 和 params 两列，是 508 个通道"),
         _TABLE_1, "4a", "output", "14x14x512", "14x14x508"),
    Note(Text("the ops and params columns need 204", "按 ops 和 params 两列，要取 204"), _TABLE_1, "4a", "3x3", "208", "204"),
    Note(_204.format(count="364 K"), _TABLE_1, "4a", "params", "364K", "367K"),
    Note(_204.format(count="73 M"), _TABLE_1, "4a", "ops", "73M", "74M"),
    Note(Text("with the 508 input channels of the counted 4a it is 437 K", "输入取按 ops 计数的 4a 的 508 个通道，就是 437 K"),
         _TABLE_1, "4b", "params", "437K", "439K"),
    Note(Text("the ops column needs 48", "按 ops 一列，要取 48"), _TABLE_1, "5a", "5x5 reduce", "32", "48"),
    Note(Text("with 48 5x5-reduce filters instead of 32 it is 54 M", "5x5 降维取 48 而不是 32，就是 54 M"),
         _TABLE_1, "5a", "ops", "54M", "51M"),
    Note(Text("the sum over the printed filters; the ops column sums to 1.50 G", "按印出的卷积核数求和；ops 一列的和是 1.50 G"),
         "Section 1", "", "multiply-adds", "1.5G", "1.6G"),
    Note(Text("4a has 508 channels, see there", "4a 是 508 个通道，见该处"),
         "Section 5", "aux1", "pool output", "4x4x512", "4x4x508"),
    Note(Text("of AlexNet's 60 M; arXiv 1512.00567 repeats the 12x, with 5 M for GoogLeNet",
              "按 AlexNet 的 60 M；arXiv 1512.00567 重复了 12 倍的说法，把 GoogLeNet 算作 5 M"),
         "Section 1", "", "fewer parameters than AlexNet"),
    Note(Text("the table's own 6.67 - 10.07", "按表里的两个错误率，6.67 - 10.07"),
         "Table 3", "", "7 x 144 crops, against base", "-3.45", "-3.40"),
    Note(Text("Table 5 prints 38.02", "表 5 印的是 38.02"), "Section 8", "", None, "40%", "38.02%"),
)  # fmt: skip

_STRIDE_3C = Text(
    "with the stride of 2 that the figure prints, 28x28 becomes the 14x14 of 4a", "图上印的步幅是 2，28x28 变成 4a 的 14x14"
)
_STRIDE_4E = Text(
    "with the stride of 2 that the figure prints, 14x14 becomes the 7x7 of 5a", "图上印的步幅是 2，14x14 变成 5a 的 7x7"
)
_POOL_4E = Text(
    "{stride}; its pool passes on the 608 channels of 4d, so 192 + 256 + 608",
    "{stride}；池化原样传下 4d 的 608 个通道，所以是 192 + 256 + 608",
).format(stride=_STRIDE_4E)
_PROJECTION = Text(
    "with 128 the module gives 608 channels, where the figure prints 576; the released code has 96",
    "取 128，模块就输出 608 个通道，而图上印的是 576；发布的代码取 96",
)
_CHANNELS = Text(
    "the figure's own columns, its projection of 128 among them, sum to 608", "图里的各列，连同 128 的池化投影，加起来是 608"
)
_DEPTH = Text(
    "a 1x1 to 64 and a 3x3 to 192 are two layers, which Table 1 of GoogLeNet counts so",
    "1x1 到 64、3x3 到 192 是两层，GoogLeNet 的表 1 就这样数",
)
_DOUBLE = Text("the double 3x3 column of Figure 5 goes up to 256, in 4e", "图 5 里两个 3x3 一列最多到 256，在 4e")
BN_INCEPTION = (
    Note(_DEPTH, "Figure 5", "conv2", "depth", "1", "2"),
    Note(_STRIDE_3C, "Figure 5", "3c", "output", "28x28x576", "14x14x576"),
    Note(_STRIDE_4E, "Figure 5", "4e", "output", "14x14x1024", "7x7x1024"),
    Note(_POOL_4E, "Figure 5", "4e", "output", "14x14x1024", "7x7x1056"),
    Note(_PROJECTION, "Figure 5", None, "pool proj", "avg + 128", "avg + 96"),
    Note(_CHANNELS, "Figure 5", None, "output", "14x14x576", "14x14x608"),
    Note(_DOUBLE, "Section 4.2", "", "filters of a double 3x3 at most", "128", "256"),
    Note(Text("the Caffe network has a plain 7x7", "Caffe 的网络用普通 7x7"), "Appendix", "conv1", "multiplier"),
    Note(Text("nothing in the figure gives 25 %, nor does the 13.6 M of Section 4.2",
              "按图怎么算都得不出 25 %，按第 4.2 节的 13.6 M 也不行"),
         "Appendix", "", "parameters more than GoogLeNet"),
    Note(Text("the figure has fewer, whichever way it is read; GoogLeNet with its heads has 13.4 M",
              "无论怎么读，图里都更少；GoogLeNet 连辅助分类器是 13.4 M"),
         "Section 4.2", "", "parameters"),
    Note(Text("2.0 G is the plain 7x7's cost; the separable first layer saves 0.08 G",
              "2.0 G 是首层用普通 7x7 的计算量；可分离的首层省 0.08 G"),
         "arXiv 1512.00567, Table 3"),
)  # fmt: skip

_STEM = Text(
    "the released stem is another: a 1x1 to 80, a 3x3 to 192, a pool",
    "发布的 stem 与此不同：1x1 到 80，3x3 到 192，再接一个池化",
)
_COST = Text(
    "Table 3 prints 4.8 and 1.5, so 3.2x; its 2.5x is 3.8 before the factorized 7x7, or 4.8 against BN-Inception's 2.0",
    "表 3 是 4.8 比 1.5，即 3.2 倍；2.5 倍对应的，是 7x7 还没拆开时的 3.8，或者 4.8 比 BN-Inception 的 2.0",
)
_LAYERS_42 = Text(
    "42 would be 6 convolutions of Table 1, 3 x 3, 4 x 5 and 2 x 3 of modules, the classifier, and no reductions",
    "要得到 42：表 1 的 6 个卷积，加上模块的 3 x 3、4 x 5、2 x 3 层和分类层，不算降采样模块",
)
INCEPTION_V3 = (
    Note(Text("not marked as padded, so 35x35 becomes 33x33; row 8 prints 35x35",
              "没标填充，35x35 应变成 33x33；第 8 行印的却是 35x35"),
         None, "pool2", "grid after it", "35x35", "33x33"),
    *(Note(_STEM, f"Table 1 row {row}") for row in (5, 6, 7)),
    Note(Text("released modules take 192, 256, 288 channels and give 256, 288, 288",
              "发布的模块输入 192、256、288 个通道，输出 256、288、288 个"),
         "Table 1 row 8", "A", "input"),
    Note(Text("the released network has four, and a reduction before and after them",
              "发布的网络有四个，前后各有一个降采样模块"),
         "Table 1 row 9", "B", "type"),
    Note(Text("the released module keeps one 5x5", "发布的模块保留了一个 5x5"), "Figure 5", "A", "branch 2"),
    Note(Text("the released module runs 7x1 before 1x7 here", "发布的模块在这里先 7x1 后 1x7"), "Figure 6", "B", "branch 1"),
    Note(Text("a variation, as the caption of Table 1 allows: 1x7 and 7x1 for the inner 3x3",
              "表 1 的说明允许的一种变化：里面的 3x3 换成 1x7 和 7x1"),
         "Figure 10", "reduction_b", "branch 1"),
    Note(Text("the released head has a 5x5 convolution to 768 here", "发布的辅助分类器在这里是 5x5 卷积，到 768 个通道"),
         "Figure 8", "aux", "fully connected output"),
    Note(Text("Table 1 says Figure 6, whose caption names the 17x17 grid", "表 1 说的是图 6，图注写明是 17x17 的模块"),
         "Section 6", "B", None, "Figure 5", "Figure 6"),
    Note(Text("Table 1 says Figure 7, whose caption names the 8x8 grid", "表 1 说的是图 7，图注写明是 8x8 的模块"),
         "Section 6", "C", None, "Figure 6", "Figure 7"),
    Note(_LAYERS_42, "Section 6", "", "layers with parameters"),
    Note(Text("of the released filters; Table 3 prints 4.8 G, and what it leaves out is not known",
              "按发布的卷积核数；表 3 印的是 4.8 G，少算了什么并不清楚"),
         "Abstract", "", "multiply-adds"),
    Note(_COST, "Section 6", "", "multiply-adds over GoogLeNet's", "2.5x", "3.8x"),
    Note(Text("Table 3's own 4.8 and 2.0 make 2.4x", "按表 3 的 4.8 和 2.0，是 2.4 倍"),
         "Section 11", "", "multiply-adds over BN-Inception's"),
    Note(Text("Table 1 of arXiv 1409.4842 has 7.0 M", "按 arXiv 1409.4842 的表 1，是 7.0 M"),
         "Section 1", "", "parameters of GoogLeNet"),
    Note(Text("138 M against 61 M", "138 M 对 61 M"), "Section 1", "", "parameters of VGG over AlexNet's"),
    Note(Text("9.2 is the error of ten crops, which Table 4 prints as 9.15", "9.2 是十裁剪的错误率，表 4 印作 9.15"),
         "Table 3", "", None, "9.2", "10.07"),
    Note(Text("the heads are swapped: a top-5 error is never the greater", "两个列名写反了：top-5 错误率不可能更大"),
         "Table 4", "", "columns", "Top-5, Top-1", "Top-1, Top-5"),
    Note(Text("Table 5 prints 17.2", "表 5 印的是 17.2"), "Abstract", "", "top-1 error of the ensemble", "17.3", "17.2"),
    Note(Text("from Table 4's 21.59 to 18.77", "用表 4 的数字算，从 21.59 到 18.77"),
         "Section 11", "", "cut of the top-1 error", "14%", "13%"),
    Note(Text("from Table 4's 5.71 to 4.2", "用表 4 的数字算，从 5.71 到 4.2"),
         "Section 11", "", "cut of the top-5 error", "25%", "26%"),
)  # fmt: skip

_ORDER = Text("the released network runs the long filters in the reverse order", "发布的网络里，长条卷积的先后与图上相反")
_V4_STEM = Text(
    "the released network has Inception-v3's stem, and after it one of its modules, to 320 channels",
    "发布的网络用 Inception-v3 的 stem，再加它的一个模块，到 320 个通道",
)
_SUMS = Text(
    "released sums are 320, 1088 and 2080 wide, for the released stem gives 320 channels",
    "发布的网络相加处是 320、1088、2080 个通道，因为发布的 stem 输出 320 个通道",
)
_SUMS_BUT = Text("{sums}; the printed network's would be {channels}", "{sums}；论文印的网络应是 {channels}")
_BLOCKS = Text(
    "the released network has twice the blocks; the last C is another, without ReLU and scale",
    "发布的网络块数多一倍；最后一个 C 不同，没有 ReLU，也不做残差缩放",
)
_1X7_TWICE = Text(
    "1x7 twice: every other pair of the figures is a 1x7 and a 7x1, which make a 7x7",
    "连着两个 1x7：图里别处都是一个 1x7 配一个 7x1，合起来感受野是 7x7",
)
_BRANCH_3 = ("1x1 192, 1x7 224, 1x7 256", "1x1 192, 1x7 224, 7x1 256")
_NO_SIZE = Text(
    "no size is printed: 3x3, as the other pool of the figure; 2x2 would fit too",
    "没印窗口大小：取 3x3，与图里另一个池化一样；2x2 也说得通",
)
_LINEAR_19 = Text(
    "the sum has 1152 + 384 + 288 + 320 channels, by Figure 18; Figure 12 would give 2048",
    "要与 1152 + 384 + 288 + 320 个通道相加，见图 18；若按图 12，2048 才对",
)
_CAPTION_18 = Text("-v1's is Figure 12; Figure 15 gives this one to -v2", "v1 用的是图 12；图 15 写明这个属于 v2")
_CHEAPER = Text(
    "by the figures it is a quarter cheaper; only the released Inception-ResNet-v2 has the cost",
    "按图算，计算量少四分之一；只有发布的 Inception-ResNet-v2 才相当",
)
INCEPTION_V4 = (
    Note(Text("no stride is printed; the printed 71x71 becomes 35x35 by 2", "没印步幅；印的 71x71 变成 35x35，步幅只能是 2"),
         "Figure 3 row 6", None, None, "3x3 192 V", "3x3 192 /2 V"),
    Note(_NO_SIZE, "Figure 3 row 6", "concat3", "branch 2"),
    Note(_ORDER, "Figure 3 row 5", "concat2", "branch 2"),
    *(Note(_V4_STEM, f"Figure 3 row {row}") for row in (4, 5, 6)),
    Note(_1X7_TWICE, "Figure 5", "B", "branch 3", *_BRANCH_3),
    Note(_ORDER, "Figure 5", "B", "branch 4"),
    Note(_ORDER, "Figure 6", "C", "branch 4"),
    Note(_BLOCKS, "Figure 15", None, "blocks"),
    Note(_SUMS, "Figure 16", "A", "linear"),
    Note(Text("the sum has 384 + 384 + 384 channels, by Figure 7 and Table 1", "要与 384 + 384 + 384 个通道相加，见图 7 和表 1"),
         "Figure 17", "B", "linear", "1154", "1152"),
    Note(_SUMS_BUT.format(sums=_SUMS, channels=1152), "Figure 17", "B", "linear"),
    Note(_LINEAR_19, "Figure 19", "C", "linear", "2048", "2144"),
    Note(_SUMS_BUT.format(sums=_SUMS, channels=2144), "Figure 19", "C", "linear"),
    Note(_CAPTION_18, "Figure 18", "reduction_b", "caption", "Inception-ResNet-v1", "Inception-ResNet-v2"),
    Note(Text("the released network's last block is not scaled", "发布的网络最后一块不做残差缩放"),
         "Section 3.3", "C_last", "scale"),
    Note(_CHEAPER, "Section 3.2", "", "cost of Inception-ResNet-v2 over Inception-v4's", "similar", "0.76x"),
    Note(Text("of the released networks, the residual one has more", "发布的那一对里，残差网络的更多"),
         "Section 3.2", "", "layers of Inception-v4 over Inception-ResNet-v2's"),
    Note(Text("the legend, and the end of the caption, have Inception-v4", "图例和图注的末尾都是 Inception-v4"),
         "Figure 23", "", None, "inception-v3", "inception-v4"),
    Note(Text("3 + 8 + 36 + 3 blocks of three layers, and two more", "3 + 8 + 36 + 3 个三层的块，另加两层"),
         None, "", "He et al.'s network", "ResNet-151", "ResNet-152"),
)  # fmt: skip
