"""What arXiv 1602.07261 (Inception-v4, Inception-ResNet) prints, as it prints it. Never computed, never corrected.

Branches are written from left to right, each from the input upwards. "V" is valid padding.
"""

from collections.abc import Iterator

from .facts import Fact, read_table

V4, RESNET_V1, RESNET_V2 = "Inception-v4", "Inception-ResNet-v1", "Inception-ResNet-v2"
INPUT = "299x299x3"  # Figures 3, 9, 14, 15
FIGURE_3 = read_table("Figure 3 row {row}", """
stage   | branches                                                   | output
conv1   | 3x3 32 /2 V                                                | 149x149x32
conv2   | 3x3 32 V                                                   | 147x147x32
conv3   | 3x3 64                                                     | 147x147x64
concat1 | maxpool 3x3 /2 V; 3x3 96 /2 V                              | 73x73x160
concat2 | 1x1 64, 3x3 96 V; 1x1 64, 7x1 64, 1x7 64, 3x3 96 V         | 71x71x192
concat3 | 3x3 192 V; maxpool /2 V                                    | 35x35x384
""")  # fmt: skip
FIGURE_14 = read_table("Figure 14 row {row}", """
stage | branches         | output
conv1 | 3x3 32 /2 V      | 149x149x32
conv2 | 3x3 32 V         | 147x147x32
conv3 | 3x3 64           | 147x147x64
pool1 | maxpool 3x3 /2 V | 73x73x64
conv4 | 1x1 80           | 73x73x80
conv5 | 3x3 192 V        | 71x71x192
conv6 | 3x3 256 /2 V     | 35x35x256
""")  # fmt: skip
FIGURE_9 = read_table("Figure 9", """
stage       | blocks | output    | keep
stem        |        | 35x35x384 |
A           | 4      | 35x35x384 |
reduction_a |        | 17x17x1024|
B           | 7      | 17x17x1024|
reduction_b |        | 8x8x1536  |
C           | 3      | 8x8x1536  |
avgpool     |        | 1536      |
dropout     |        | 1536      | 0.8
softmax     |        | 1000      |
""")  # fmt: skip
FIGURE_15 = read_table("Figure 15", """
stage       | blocks | output    | keep
stem        |        | 35x35x256 |
A           | 5      | 35x35x256 |
reduction_a |        | 17x17x896 |
B           | 10     | 17x17x896 |
reduction_b |        | 8x8x1792  |
C           | 5      | 8x8x1792  |
avgpool     |        | 1792      |
dropout     |        | 1792      | 0.8
softmax     |        | 1000      |
""")  # fmt: skip


def block(figure: str, stage: str, network: str, *branches: str, linear: str = "") -> Iterator[Fact]:
    """A block's figure: the network that its caption names, its branches, the filters of the linear 1x1 that ends it."""
    yield Fact(figure, stage, "branches", branches)
    if linear:
        yield Fact(figure, stage, "linear", linear)
    yield Fact(figure, stage, "caption", network)


# "1x3 256 | 3x1 256" are two branches side by side; their order is ours.
V4_BLOCKS = (
    *block("Figure 4", "A", V4, "avgpool, 1x1 96", "1x1 96", "1x1 64, 3x3 96", "1x1 64, 3x3 96, 3x3 96"),
    *block("Figure 5", "B", V4, "avgpool, 1x1 128", "1x1 384", "1x1 192, 1x7 224, 1x7 256",
           "1x1 192, 1x7 192, 7x1 224, 1x7 224, 7x1 256"),
    *block("Figure 8", "reduction_b", V4, "maxpool 3x3 /2 V", "1x1 192, 3x3 192 /2 V", "1x1 256, 1x7 256, 7x1 320, 3x3 320 /2 V"),
    *block("Figure 6", "C", V4, "avgpool, 1x1 256", "1x1 256", "1x1 384, 1x3 256 | 3x1 256",
           "1x1 384, 1x3 448, 3x1 512, 1x3 256 | 3x1 256"),
)  # fmt: skip
RESNET_V1_BLOCKS = (
    *block("Figure 10", "A", RESNET_V1, "1x1 32", "1x1 32, 3x3 32", "1x1 32, 3x3 32, 3x3 32", linear="256"),
    *block("Figure 11", "B", RESNET_V1, "1x1 128", "1x1 128, 1x7 128, 7x1 128", linear="896"),
    *block("Figure 12", "reduction_b", RESNET_V1, "maxpool 3x3 /2 V", "1x1 256, 3x3 384 /2 V", "1x1 256, 3x3 256 /2 V",
           "1x1 256, 3x3 256, 3x3 256 /2 V"),
    *block("Figure 13", "C", RESNET_V1, "1x1 192", "1x1 192, 1x3 192, 3x1 192", linear="1792"),
)  # fmt: skip
RESNET_V2_BLOCKS = (
    *block("Figure 16", "A", RESNET_V2, "1x1 32", "1x1 32, 3x3 32", "1x1 32, 3x3 48, 3x3 64", linear="384"),
    *block("Figure 17", "B", RESNET_V2, "1x1 192", "1x1 128, 1x7 160, 7x1 192", linear="1154"),
    *block("Figure 18", "reduction_b", RESNET_V1, "maxpool 3x3 /2 V", "1x1 256, 3x3 384 /2 V", "1x1 256, 3x3 288 /2 V",
           "1x1 256, 3x3 288, 3x3 320 /2 V"),
    *block("Figure 19", "C", RESNET_V2, "1x1 192", "1x1 192, 1x3 224, 3x1 256", linear="2048"),
)  # fmt: skip
FIGURE_7 = Fact("Figure 7", "reduction_a", "branches in letters", ("maxpool 3x3 /2 V", "3x3 n /2 V", "1x1 k, 3x3 l, 3x3 m /2 V"))
REDUCTION_A_FILTERS = {  # Table 1
    V4: {"k": 192, "l": 224, "m": 256, "n": 384},
    RESNET_V1: {"k": 192, "l": 192, "m": 256, "n": 384},
    RESNET_V2: {"k": 256, "l": 256, "m": 384, "n": 384},
}


def reduction_a(network: str) -> Iterator[Fact]:
    """Figure 7, and the network's column of Table 1."""
    yield FIGURE_7
    for letter, filters in REDUCTION_A_FILTERS[network].items():
        yield Fact("Table 1", "reduction_a", letter, str(filters))


RESIDUAL_SCALES = tuple(Fact("Section 3.3", stage, "scale", "0.1 to 0.3") for stage in "ABC")
V4_AGAINST_RESNET_V2 = (
    Fact("Section 3.2", "", "cost of Inception-ResNet-v2 over Inception-v4's", "similar"),
    Fact("Section 3.2", "", "layers of Inception-v4 over Inception-ResNet-v2's", "more"),  # and slower per step for it
)
# Figure 15 prints the outputs of Inception-ResNet-v1 only, as its caption says.
FIGURE_15_OF_V2 = tuple(fact for fact in FIGURE_15 if fact.quantity != "output")
V4_FACTS = (
    Fact("Figure 3", "", "input", INPUT), *FIGURE_3, *FIGURE_9, *V4_BLOCKS, *reduction_a(V4), *V4_AGAINST_RESNET_V2,
)  # fmt: skip
RESNET_V1_FACTS = (
    Fact("Figure 14", "", "input", INPUT), *FIGURE_14, *FIGURE_15, *RESNET_V1_BLOCKS, *reduction_a(RESNET_V1), *RESIDUAL_SCALES,
    Fact("Section 3.2", "", "cost of Inception-ResNet-v1 over Inception-v3's", "similar"),
)  # fmt: skip
RESNET_V2_FACTS = (
    Fact("Figure 3", "", "input", INPUT), *FIGURE_3, *FIGURE_15_OF_V2, *RESNET_V2_BLOCKS, *reduction_a(RESNET_V2),
    *RESIDUAL_SCALES, *V4_AGAINST_RESNET_V2,
)  # fmt: skip

CURVES = {  # the network without residual connections: as the caption names it, as the legend does
    "Figure 21": ("Inception-v3", "inception-v3"),
    "Figure 22": ("Inception-v3", "inception-v3"),
    "Figure 23": ("Inception-v3", "inception-v4"),
    "Figure 24": ("Inception-v4", "inception-v4"),
}
# Top-1 and top-5 errors. Table 2: one crop, about 1700 "blacklisted" images left out; the others: all 50,000.
TABLE_2 = {
    "BN-Inception": (25.2, 7.8), "Inception-v3": (21.2, 5.6), RESNET_V1: (21.3, 5.5), V4: (20.0, 5.0), RESNET_V2: (19.9, 4.9),
}  # fmt: skip
TABLE_3 = {  # 12 crops; ResNet: 10
    "ResNet-151": (21.4, 5.7), "Inception-v3": (19.8, 4.6), RESNET_V1: (19.8, 4.6), V4: (18.7, 4.2), RESNET_V2: (18.7, 4.1),
}  # fmt: skip
TABLE_4 = {  # 144 crops; ResNet: dense
    "ResNet-151": (19.4, 4.5), "Inception-v3": (18.9, 4.3), RESNET_V1: (18.8, 4.3), V4: (17.7, 3.8), RESNET_V2: (17.8, 3.7),
}  # fmt: skip
TABLE_5 = {"ResNet-151": (None, 3.6), "Inception-v3": (17.3, 3.6), "Inception-v4 + 3 x Inception-ResNet-v2": (16.5, 3.1)}
RESNET_BLOCKS = (3, 8, 36, 3)  # arXiv 1512.03385, Table 1, its deepest: three layers each, one before them, one after
