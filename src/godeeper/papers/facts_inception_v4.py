"""What arXiv 1602.07261 (Inception-v4, Inception-ResNet) prints, as it prints it. Never computed, never corrected."""

from dataclasses import dataclass

INPUT = "299x299x3"  # Figures 3, 9, 14, 15
# A line is its branches, from left to right and each from the input upwards, and its output. "V" is valid padding.
STEMS: dict[str, tuple[tuple[tuple[str, ...], str], ...]] = {
    "Figure 3": (
        (("3x3 32 /2 V",), "149x149x32"),
        (("3x3 32 V",), "147x147x32"),
        (("3x3 64",), "147x147x64"),
        (("maxpool 3x3 /2 V", "3x3 96 /2 V"), "73x73x160"),
        (("1x1 64, 3x3 96 V", "1x1 64, 7x1 64, 1x7 64, 3x3 96 V"), "71x71x192"),
        (("3x3 192 V", "maxpool /2 V"), "35x35x384"),
    ),
    "Figure 14": (
        (("3x3 32 /2 V",), "149x149x32"),
        (("3x3 32 V",), "147x147x32"),
        (("3x3 64",), "147x147x64"),
        (("maxpool 3x3 /2 V",), "73x73x64"),
        (("1x1 80",), "73x73x80"),
        (("3x3 192 V",), "71x71x192"),
        (("3x3 256 /2 V",), "35x35x256"),
    ),
}


@dataclass(frozen=True)
class Block:
    """A block's figure: the network that its caption names, its branches as in `STEMS`, the width of the linear 1x1."""

    network: str
    branches: tuple[str, ...]
    linear: int | None = None


V4, RESNET_V1, RESNET_V2 = "Inception-v4", "Inception-ResNet-v1", "Inception-ResNet-v2"
# "1x3 256 | 3x1 256" stand side by side; their order is ours.
BLOCKS = {
    "Figure 4": Block(V4, ("avgpool, 1x1 96", "1x1 96", "1x1 64, 3x3 96", "1x1 64, 3x3 96, 3x3 96")),
    "Figure 5": Block(V4, ("avgpool, 1x1 128", "1x1 384", "1x1 192, 1x7 224, 1x7 256",
                           "1x1 192, 1x7 192, 7x1 224, 1x7 224, 7x1 256")),
    "Figure 6": Block(V4, ("avgpool, 1x1 256", "1x1 256", "1x1 384, 1x3 256 | 3x1 256",
                           "1x1 384, 1x3 448, 3x1 512, 1x3 256 | 3x1 256")),
    "Figure 8": Block(V4, ("maxpool 3x3 /2 V", "1x1 192, 3x3 192 /2 V", "1x1 256, 1x7 256, 7x1 320, 3x3 320 /2 V")),
    "Figure 10": Block(RESNET_V1, ("1x1 32", "1x1 32, 3x3 32", "1x1 32, 3x3 32, 3x3 32"), 256),
    "Figure 11": Block(RESNET_V1, ("1x1 128", "1x1 128, 1x7 128, 7x1 128"), 896),
    "Figure 12": Block(RESNET_V1, ("maxpool 3x3 /2 V", "1x1 256, 3x3 384 /2 V", "1x1 256, 3x3 256 /2 V",
                                   "1x1 256, 3x3 256, 3x3 256 /2 V")),
    "Figure 13": Block(RESNET_V1, ("1x1 192", "1x1 192, 1x3 192, 3x1 192"), 1792),
    "Figure 16": Block(RESNET_V2, ("1x1 32", "1x1 32, 3x3 32", "1x1 32, 3x3 48, 3x3 64"), 384),
    "Figure 17": Block(RESNET_V2, ("1x1 192", "1x1 128, 1x7 160, 7x1 192"), 1154),
    "Figure 18": Block(RESNET_V1, ("maxpool 3x3 /2 V", "1x1 256, 3x3 384 /2 V", "1x1 256, 3x3 288 /2 V",
                                   "1x1 256, 3x3 288, 3x3 320 /2 V")),
    "Figure 19": Block(RESNET_V2, ("1x1 192", "1x1 192, 1x3 224, 3x1 256"), 2048),
}  # fmt: skip
REDUCTION_A = ("maxpool 3x3 /2 V", "3x3 n /2 V", "1x1 k, 3x3 l, 3x3 m /2 V")  # Figure 7
REDUCTION_A_FILTERS = {  # Table 1
    V4: {"k": 192, "l": 224, "m": 256, "n": 384},
    RESNET_V1: {"k": 192, "l": 192, "m": 256, "n": 384},
    RESNET_V2: {"k": 256, "l": 256, "m": 384, "n": 384},
}
SCHEMAS = {  # part, blocks, output; the caption of Figure 15 says that its outputs are Inception-ResNet-v1's
    "Figure 9": (
        ("stem", None, "35x35x384"), ("A", 4, "35x35x384"), ("reduction_a", None, "17x17x1024"), ("B", 7, "17x17x1024"),
        ("reduction_b", None, "8x8x1536"), ("C", 3, "8x8x1536"), ("avgpool", None, "1536"), ("dropout", None, "1536"),
        ("softmax", None, "1000"),
    ),
    "Figure 15": (
        ("stem", None, "35x35x256"), ("A", 5, "35x35x256"), ("reduction_a", None, "17x17x896"), ("B", 10, "17x17x896"),
        ("reduction_b", None, "8x8x1792"), ("C", 5, "8x8x1792"), ("avgpool", None, "1792"), ("dropout", None, "1792"),
        ("softmax", None, "1000"),
    ),
}  # fmt: skip
DROPOUT_KEEP = 0.8  # Figures 9 and 15
RESIDUAL_SCALES = (0.1, 0.3)  # Section 3.3: from, to
SIMILAR_COST = ((RESNET_V1, "Inception-v3"), (RESNET_V2, V4))  # Section 3.2
MORE_LAYERS = (V4, RESNET_V2)  # Section 3.2: the first has more, and is slower per step for it
CURVES = {  # the pure network: as the caption has it, as the legend has it
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
