"""What arXiv 1512.00567 (Inception-v3) prints, as it prints it. Never computed, never corrected."""

from .facts import Fact, read_table

# Each row has the name of our stage in the same position; where the released network has `pool2`, the paper prints a third
# convolution. "Padded" is the paper's word for same padding.
INCEPTION_V3_TABLE_1 = read_table("Table 1 row {row}", """
stage   | type               | figure   | input
conv1   | conv 3x3/2         |          | 299x299x3
conv2   | conv 3x3/1         |          | 149x149x32
conv3   | conv padded 3x3/1  |          | 147x147x32
pool1   | pool 3x3/2         |          | 147x147x64
conv4   | conv 3x3/1         |          | 73x73x64
conv5   | conv 3x3/2         |          | 71x71x80
pool2   | conv 3x3/1         |          | 35x35x192
A       | 3 x Inception      | Figure 5 | 35x35x288
B       | 5 x Inception      | Figure 6 | 17x17x768
C       | 2 x Inception      | Figure 7 | 8x8x1280
avgpool | pool 8x8           |          | 8x8x2048
linear  | linear             |          | 1x1x2048
softmax |                    |          | 1x1x1000
""")  # fmt: skip
INCEPTION_V3_SECTION_6 = {"17x17": "Figure 5", "8x8": "Figure 6"}  # the figures that the text names for these modules
# Branches from left to right, each from the input upwards; no filter counts are printed; n = 7.
INCEPTION_V3_FIGURES = (
    Fact("Figure 5", "A", "branches", ("1x1, 3x3, 3x3", "1x1, 3x3", "pool, 1x1", "1x1")),
    Fact("Figure 6", "B", "branches", ("1x1, 1x7, 7x1, 1x7, 7x1", "1x1, 1x7, 7x1", "pool, 1x1", "1x1")),
    Fact("Figure 7", "C", "branches", ("1x1, 3x3, 1x3 | 3x1", "1x1, 1x3 | 3x1", "pool, 1x1", "1x1")),
    Fact("Figure 10", "reduction_b", "branches", ("1x1, 3x3, 3x3 /2", "1x1, 3x3 /2", "pool /2")),
    Fact("Figure 8", "aux", "pool output", "5x5x768"),
    Fact("Figure 8", "aux", "1x1 output", "5x5x128"),
    Fact("Figure 8", "aux", "fully connected output", "1x1x1024"),
)
INCEPTION_V3_CLAIMS = (
    Fact("Section 6", "", "layers with parameters", "42"),
    Fact("Abstract", "", "parameters", "< 25M"),
    Fact("Abstract", "", "multiply-adds", "5G"),
    Fact("Section 6", "", "multiply-adds over GoogLeNet's", "2.5x"),
    Fact("Section 11", "", "multiply-adds over BN-Inception's", "2.5x"),
    Fact("Section 1", "", "parameters of GoogLeNet", "5M"),
    Fact("Section 1", "", "parameters of VGG over AlexNet's", "3x"),  # "about"
)
INCEPTION_V3_ERRORS = (21.2, 5.6)  # abstract and Table 3: top-1 and top-5, one crop, one model
INCEPTION_V3_TABLE_3 = {  # one crop, one model: top-1 and top-5 error, cost in 1e9 multiply-adds; changes add up downwards
    "GoogLeNet": (29.0, 9.2, 1.5),
    "BN-GoogLeNet": (26.8, None, 1.5),
    "BN-Inception": (25.2, 7.8, 2.0),
    "Inception-v2": (23.4, None, 3.8),
    "Inception-v2 RMSProp": (23.1, 6.3, 3.8),
    "Inception-v2 Label Smoothing": (22.8, 6.1, 3.8),
    "Inception-v2 Factorized 7x7": (21.6, 5.8, 4.8),
    "Inception-v2 BN-auxiliary": (*INCEPTION_V3_ERRORS, 4.8),  # this one is Inception-v3
}
INCEPTION_V3_TABLE_4_HEAD = ("Top-5", "Top-1")
# One model: network and crops, and the two columns of errors.
INCEPTION_V3_TABLE_4: dict[tuple[str, int | None], tuple[float | None, float]] = {
    ("GoogLeNet", 10): (None, 9.15),
    ("GoogLeNet", 144): (None, 7.89),
    ("VGG", None): (24.4, 6.8),
    ("BN-Inception", 144): (22.0, 5.82),
    ("PReLU", 10): (24.27, 7.38),
    ("PReLU", None): (21.59, 5.71),
    ("Inception-v3", 12): (19.47, 4.48),
    ("Inception-v3", 144): (18.77, 4.2),
}
INCEPTION_V3_CUTS = (14, 25)  # Section 11: percent of PReLU's top-1 and top-5 error
INCEPTION_V3_ENSEMBLE = {"Abstract": 17.3, "Table 5": 17.2}  # top-1 error of four models
