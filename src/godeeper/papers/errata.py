"""What is known about the printed values that disagree with the tables: misprints, and differences that have a reason.

An erratum is a print that disagrees with other prints of the same paper. Of arXiv 1409.4842's Table 1 there are two readings
(`googlenet`, `googlenet_counted`): a cell that only one of them reproduces is an erratum, a cell that neither does is not.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Note:
    """A reason, and the findings that it is about: those that have every value given here.

    With `printed` and `computed` the note is an erratum: the known misprint, and what it should be.
    """

    why: str
    source: str | None = None
    stage: str | None = None
    quantity: str | None = None
    printed: str | None = None
    computed: str | None = None

    @property
    def is_erratum(self) -> bool:
        return self.printed is not None and self.computed is not None


_204 = "with 204 3x3 filters instead of 208 it is"
_TABLE_1 = "Table 1"
GOOGLENET = (
    Note("a plain 7x7 has 9.2 K; 7x7 depthwise (8 a channel) then 1x1 has 2.7 K", _TABLE_1, "conv1", "params", "2.7K", "9.2K"),
    Note("a plain 7x7 takes 118 M; 7x7 depthwise (8 a channel) then 1x1 takes 34 M", _TABLE_1, "conv1", "ops", "34M", "118M"),
    Note("the ops and params columns give 508 channels", _TABLE_1, "4a", "output", "14x14x512", "14x14x508"),
    Note("the ops and params columns need 204", _TABLE_1, "4a", "3x3", "208", "204"),
    Note(f"{_204} 364 K", _TABLE_1, "4a", "params", "364K", "367K"),
    Note(f"{_204} 73 M", _TABLE_1, "4a", "ops", "73M", "74M"),
    Note("with the 508 input channels of the counted 4a it is 437 K", _TABLE_1, "4b", "params", "437K", "439K"),
    Note("the ops column needs 48", _TABLE_1, "5a", "5x5 reduce", "32", "48"),
    Note("with 48 5x5-reduce filters instead of 32 it is 54 M", _TABLE_1, "5a", "ops", "54M", "51M"),
    Note("the sum over the printed filters; the ops column sums to 1.50 G", "Section 1", "", "multiply-adds", "1.5G", "1.6G"),
    Note("4a has 508 channels, see there", "Section 5", "aux1", "pool output", "4x4x512", "4x4x508"),
    Note(
        "of AlexNet's 60 M; arXiv 1512.00567 repeats the 12x, with 5 M for GoogLeNet",
        "Section 1",
        "",
        "fewer parameters than AlexNet",
    ),
    Note("the table's own 6.67 - 10.07", "Table 3", "", "7 x 144 crops, against base", "-3.45", "-3.40"),
    Note("Table 5 prints 38.02", "Section 8", "", None, "40%", "38.02%"),
)

_STRIDE_3C = "with the stride of 2 that the figure prints, 28x28 becomes the 14x14 of 4a"
_STRIDE_4E = "with the stride of 2 that the figure prints, 14x14 becomes the 7x7 of 5a"
_POOL_4E = f"{_STRIDE_4E}; its pool passes on the 608 channels of 4d, so 192 + 256 + 608"
_PROJECTION = "with 128 the module gives 608 channels, where the figure prints 576; the released code has 96"
_CHANNELS = "the figure's own columns, its projection of 128 among them, sum to 608"
_DEPTH = "a 1x1 to 64 and a 3x3 to 192 are two layers, which Table 1 of GoogLeNet counts so"
_DOUBLE = "the double 3x3 column of Figure 5 goes up to 256, in 4e"
BN_INCEPTION = (
    Note(_DEPTH, "Figure 5", "conv2", "depth", "1", "2"),
    Note(_STRIDE_3C, "Figure 5", "3c", "output", "28x28x576", "14x14x576"),
    Note(_STRIDE_4E, "Figure 5", "4e", "output", "14x14x1024", "7x7x1024"),
    Note(_POOL_4E, "Figure 5", "4e", "output", "14x14x1024", "7x7x1056"),
    Note(_PROJECTION, "Figure 5", None, "pool proj", "avg + 128", "avg + 96"),
    Note(_CHANNELS, "Figure 5", None, "output", "14x14x576", "14x14x608"),
    Note(_DOUBLE, "Section 4.2", "", "filters of a double 3x3 at most", "128", "256"),
    Note("the Caffe network has a plain 7x7", "Appendix", "conv1", "multiplier"),
    Note(
        "nothing in the figure gives 25 %, nor does the 13.6 M of Section 4.2", "Appendix", "", "parameters more than GoogLeNet"
    ),
    Note("the figure has fewer, whichever way it is read; GoogLeNet with its heads has 13.4 M", "Section 4.2", "", "parameters"),
    Note("2.0 G is the plain 7x7's cost; the separable first layer saves 0.08 G", "arXiv 1512.00567, Table 3"),
)

_STEM = "the released stem is another: a 1x1 to 80, a 3x3 to 192, a pool"
_COST = "Table 3 prints 4.8 and 1.5, so 3.2x; its 2.5x is 3.8 before the factorized 7x7, or 4.8 against BN-Inception's 2.0"
_LAYERS_42 = "42 would be 6 convolutions of Table 1, 3 x 3, 4 x 5 and 2 x 3 of modules, the classifier, and no reductions"
INCEPTION_V3 = (
    Note("not marked as padded, so 35x35 becomes 33x33; row 8 prints 35x35", None, "pool2", "grid after it", "35x35", "33x33"),
    *(Note(_STEM, f"Table 1 row {row}") for row in (5, 6, 7)),
    Note("released modules take 192, 256, 288 channels and give 256, 288, 288", "Table 1 row 8", "A", "input"),
    Note("the released network has four, and a reduction before and after them", "Table 1 row 9", "B", "type"),
    Note("the released module keeps one 5x5", "Figure 5", "A", "branch 2"),
    Note("the released module runs 7x1 before 1x7 here", "Figure 6", "B", "branch 1"),
    Note("a variation, as the caption of Table 1 allows: 1x7 and 7x1 for the inner 3x3", "Figure 10", "reduction_b", "branch 1"),
    Note("the released head has a 5x5 convolution to 768 here", "Figure 8", "aux", "fully connected output"),
    Note("Table 1 says Figure 6, whose caption names the 17x17 grid", "Section 6", "B", None, "Figure 5", "Figure 6"),
    Note("Table 1 says Figure 7, whose caption names the 8x8 grid", "Section 6", "C", None, "Figure 6", "Figure 7"),
    Note(_LAYERS_42, "Section 6", "", "layers with parameters"),
    Note("of the released filters; Table 3 prints 4.8 G, and what it leaves out is not known", "Abstract", "", "multiply-adds"),
    Note(_COST, "Section 6", "", "multiply-adds over GoogLeNet's", "2.5x", "3.8x"),
    Note("Table 3's own 4.8 and 2.0 make 2.4x", "Section 11", "", "multiply-adds over BN-Inception's"),
    Note("Table 1 of arXiv 1409.4842 has 7.0 M", "Section 1", "", "parameters of GoogLeNet"),
    Note("138 M against 61 M", "Section 1", "", "parameters of VGG over AlexNet's"),
    Note("9.2 is the error of ten crops, which Table 4 prints as 9.15", "Table 3", "", None, "9.2", "10.07"),
    Note("the heads are swapped: a top-5 error is never the greater", "Table 4", "", "columns", "Top-5, Top-1", "Top-1, Top-5"),
    Note("Table 5 prints 17.2", "Abstract", "", "top-1 error of the ensemble", "17.3", "17.2"),
    Note("from Table 4's 21.59 to 18.77", "Section 11", "", "cut of the top-1 error", "14%", "13%"),
    Note("from Table 4's 5.71 to 4.2", "Section 11", "", "cut of the top-5 error", "25%", "26%"),
)

_ORDER = "the released network runs the long filters in the reverse order"
_V4_STEM = "the released network has Inception-v3's stem, and after it one of its modules, to 320 channels"
_SUMS = "released sums are 320, 1088 and 2080 wide, for the released stem gives 320 channels"
_BLOCKS = "the released network has twice the blocks; the last C is another, without ReLU and scale"
_1X7_TWICE = "1x7 twice: every other pair of the figures is a 1x7 and a 7x1, which make a 7x7"
_BRANCH_3 = ("1x1 192, 1x7 224, 1x7 256", "1x1 192, 1x7 224, 7x1 256")
_NO_SIZE = "no size is printed: 3x3, as the other pool of the figure; 2x2 would fit too"
_LINEAR_19 = "the sum has 1152 + 384 + 288 + 320 channels, by Figure 18; Figure 12 would give 2048"
_CAPTION_18 = "-v1's is Figure 12; Figure 15 gives this one to -v2"
_CHEAPER = "by the figures it is a quarter cheaper; only the released Inception-ResNet-v2 has the cost"
INCEPTION_V4 = (
    Note("no stride is printed; the printed 71x71 becomes 35x35 by 2", "Figure 3 row 6", None, None, "3x3 192 V", "3x3 192 /2 V"),
    Note(_NO_SIZE, "Figure 3 row 6", "concat3", "branch 2"),
    Note(_ORDER, "Figure 3 row 5", "concat2", "branch 2"),
    *(Note(_V4_STEM, f"Figure 3 row {row}") for row in (4, 5, 6)),
    Note(_1X7_TWICE, "Figure 5", "B", "branch 3", *_BRANCH_3),
    Note(_ORDER, "Figure 5", "B", "branch 4"),
    Note(_ORDER, "Figure 6", "C", "branch 4"),
    Note(_BLOCKS, "Figure 15", None, "blocks"),
    Note(_SUMS, "Figure 16", "A", "linear"),
    Note("the sum has 384 + 384 + 384 channels, by Figure 7 and Table 1", "Figure 17", "B", "linear", "1154", "1152"),
    Note(f"{_SUMS}; the printed network's would be 1152", "Figure 17", "B", "linear"),
    Note(_LINEAR_19, "Figure 19", "C", "linear", "2048", "2144"),
    Note(f"{_SUMS}; the printed network's would be 2144", "Figure 19", "C", "linear"),
    Note(_CAPTION_18, "Figure 18", "reduction_b", "caption", "Inception-ResNet-v1", "Inception-ResNet-v2"),
    Note("the released network's last block is not scaled", "Section 3.3", "C_last", "scale"),
    Note(_CHEAPER, "Section 3.2", "", "cost of Inception-ResNet-v2 over Inception-v4's", "similar", "0.76x"),
    Note(
        "of the released networks, the residual one has more",
        "Section 3.2",
        "",
        "layers of Inception-v4 over Inception-ResNet-v2's",
    ),
    Note("the legend, and the end of the caption, have Inception-v4", "Figure 23", "", None, "inception-v3", "inception-v4"),
    Note("3 + 8 + 36 + 3 blocks of three layers, and two more", None, "", "He et al.'s network", "ResNet-151", "ResNet-152"),
)
