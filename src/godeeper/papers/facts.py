"""The numbers that the papers print, as they print them. Never computed, never corrected.

Those of arXiv 1602.07261 fill a file of their own, `facts_inception_v4.py`.
"""

from dataclasses import dataclass

from .facts_inception_v4 import RESNET_V1, RESNET_V2, TABLE_2, V4

# --- arXiv 1409.4842: GoogLeNet -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Printed:
    """One row of Table 1 of arXiv 1409.4842; empty cells are None. `params` and `ops` are kept as printed."""

    stage: str
    patch: int | None
    stride: int | None
    output: tuple[int, int, int]  # channels, height, width; the paper prints height x width x channels
    depth: int
    n1x1: int | None = None
    n3x3_reduce: int | None = None
    n3x3: int | None = None
    n5x5_reduce: int | None = None
    n5x5: int | None = None
    pool_proj: int | None = None
    params: str | None = None
    ops: str | None = None


GOOGLENET_TABLE_1 = (
    Printed("conv1", 7, 2, (64, 112, 112), 1, params="2.7K", ops="34M"),
    Printed("pool1", 3, 2, (64, 56, 56), 0),
    Printed("conv2", 3, 1, (192, 56, 56), 2, n3x3_reduce=64, n3x3=192, params="112K", ops="360M"),
    Printed("pool2", 3, 2, (192, 28, 28), 0),
    Printed("3a", None, None, (256, 28, 28), 2, 64, 96, 128, 16, 32, 32, "159K", "128M"),
    Printed("3b", None, None, (480, 28, 28), 2, 128, 128, 192, 32, 96, 64, "380K", "304M"),
    Printed("pool3", 3, 2, (480, 14, 14), 0),
    Printed("4a", None, None, (512, 14, 14), 2, 192, 96, 208, 16, 48, 64, "364K", "73M"),
    Printed("4b", None, None, (512, 14, 14), 2, 160, 112, 224, 24, 64, 64, "437K", "88M"),
    Printed("4c", None, None, (512, 14, 14), 2, 128, 128, 256, 24, 64, 64, "463K", "100M"),
    Printed("4d", None, None, (528, 14, 14), 2, 112, 144, 288, 32, 64, 64, "580K", "119M"),
    Printed("4e", None, None, (832, 14, 14), 2, 256, 160, 320, 32, 128, 128, "840K", "170M"),
    Printed("pool4", 3, 2, (832, 7, 7), 0),
    Printed("5a", None, None, (832, 7, 7), 2, 256, 160, 320, 32, 128, 128, "1072K", "54M"),
    Printed("5b", None, None, (1024, 7, 7), 2, 384, 192, 384, 48, 128, 128, "1388K", "71M"),
    Printed("avgpool", 7, 1, (1024, 1, 1), 0),
    Printed("dropout", None, None, (1024, 1, 1), 0),
    Printed("linear", None, None, (1000, 1, 1), 1, params="1000K", ops="1M"),
    Printed("softmax", None, None, (1000, 1, 1), 0),
)

# Section 5: average pool 5x5, stride 3, on the outputs of 4a and 4d.
GOOGLENET_AUXILIARY_POOLS = {"aux1": (512, 4, 4), "aux2": (528, 4, 4)}

GOOGLENET_LAYERS = 22  # Section 5, layers with parameters
GOOGLENET_LAYERS_WITH_POOLS = 27
GOOGLENET_MULTIPLY_ADDS = "1.5G"  # Section 1, the budget "at inference time"
FEWER_PARAMETERS_THAN_ALEXNET = 12  # Section 1

ALEXNET_PARAMETERS = 60_000_000  # Krizhevsky, Sutskever, Hinton 2012, abstract


@dataclass(frozen=True)
class Ensemble:
    """One row of Table 3 of arXiv 1409.4842: top-5 error in percent, and the printed difference from the first row's."""

    models: int
    crops: int
    top5_error: float
    against_base: float = 0.0


GOOGLENET_TABLE_3 = (
    Ensemble(1, 1, 10.07),
    Ensemble(1, 10, 9.15, -0.92),
    Ensemble(1, 144, 7.89, -2.18),
    Ensemble(7, 1, 8.09, -1.98),
    Ensemble(7, 10, 7.62, -2.45),
    Ensemble(7, 144, 6.67, -3.45),
)

GOOGLENET_TABLE_4 = (  # detection: team, year, place, mAP in percent, external data, networks in the ensemble
    ("UvA-Euvision", 2013, 1, 22.6, "none", None),
    ("Deep Insight", 2014, 3, 40.5, "ImageNet 1k", 3),
    ("CUHK DeepID-Net", 2014, 2, 40.7, "ImageNet 1k", None),
    ("GoogLeNet", 2014, 1, 43.9, "ImageNet 1k", 6),
)
GOOGLENET_TABLE_5 = (  # one model: team, mAP in percent, contextual model, bounding box regression; "?" as printed
    ("Trimps-Soushen", 31.6, "no", "?"),
    ("Berkeley Vision", 34.5, "no", "yes"),
    ("UvA-Euvision", 35.4, "?", "?"),
    ("CUHK DeepID-Net2", 37.7, "no", "?"),
    ("GoogLeNet", 38.02, "no", "no"),
    ("Deep Insight", 40.2, "yes", "yes"),
)
GOOGLENET_DETECTION = {1: 40.0, 6: 43.9}  # Section 8, and the next: mAP in percent by the number of networks
GOOGLENET_MULTIBOX = 200  # proposals an image that MultiBox adds to selective search's
GOOGLENET_PROPOSALS = 60  # percent of R-CNN's number, "about", with MultiBox's
GOOGLENET_COVERAGE = (92, 93)  # percent of the objects, by R-CNN's proposals and by these
GOOGLENET_PROPOSALS_GAIN = 1  # percent of mAP, for one network

# --- arXiv 1502.03167: BN-Inception ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PrintedBN:
    """One row of Figure 5 of arXiv 1502.03167; empty cells are None."""

    stage: str
    patch: str | None  # "patch size/stride"
    output: str
    depth: int
    n1x1: int | None = None
    n3x3_reduce: int | None = None
    n3x3: int | None = None
    double_reduce: int | None = None
    double: int | None = None
    pool: str | None = None


BN_INCEPTION_FIGURE_5 = (
    PrintedBN("conv1", "7x7/2", "112x112x64", 1),
    PrintedBN("pool1", "3x3/2", "56x56x64", 0),
    PrintedBN("conv2", "3x3/1", "56x56x192", 1, n3x3_reduce=64, n3x3=192),
    PrintedBN("pool2", "3x3/2", "28x28x192", 0),
    PrintedBN("3a", None, "28x28x256", 3, 64, 64, 64, 64, 96, "avg + 32"),
    PrintedBN("3b", None, "28x28x320", 3, 64, 64, 96, 64, 96, "avg + 64"),
    PrintedBN("3c", "stride 2", "28x28x576", 3, 0, 128, 160, 64, 96, "max + pass through"),
    PrintedBN("4a", None, "14x14x576", 3, 224, 64, 96, 96, 128, "avg + 128"),
    PrintedBN("4b", None, "14x14x576", 3, 192, 96, 128, 96, 128, "avg + 128"),
    PrintedBN("4c", None, "14x14x576", 3, 160, 128, 160, 128, 160, "avg + 128"),
    PrintedBN("4d", None, "14x14x576", 3, 96, 128, 192, 160, 192, "avg + 128"),
    PrintedBN("4e", "stride 2", "14x14x1024", 3, 0, 128, 192, 192, 256, "max + pass through"),
    PrintedBN("5a", None, "7x7x1024", 3, 352, 192, 320, 160, 224, "avg + 128"),
    PrintedBN("5b", None, "7x7x1024", 3, 352, 192, 320, 192, 224, "max + 128"),
    PrintedBN("avgpool", "7x7/1", "1x1x1024", 0),
)

BN_INCEPTION_MULTIPLIER = 8  # Appendix, of the separable first layer
BN_INCEPTION_28X28_MODULES = 3  # Appendix
BN_INCEPTION_LAYERS_MORE = 9  # Appendix, these three: against GoogLeNet, two 3x3 for a 5x5
BN_INCEPTION_PARAMETERS_MORE = 25  # percent
BN_INCEPTION_COST_MORE = 30  # percent, "about"
BN_INCEPTION_PARAMETERS = "13.6M"  # Section 4.2, and the next
BN_INCEPTION_DOUBLE_AT_MOST = 128  # filters in the two 3x3
BN_INCEPTION_ERRORS = (25.2, 7.82)  # Figure 4: top-1 and top-5, one crop, one model

# --- arXiv 1512.00567: Inception-v3 ---------------------------------------------------------------------------------------------

INCEPTION_V3_TABLE_1 = (  # type with patch or figure, input size; "padded" is the print's word for same padding
    ("conv 3x3/2", "299x299x3"),
    ("conv 3x3/1", "149x149x32"),
    ("conv padded 3x3/1", "147x147x32"),
    ("pool 3x3/2", "147x147x64"),
    ("conv 3x3/1", "73x73x64"),
    ("conv 3x3/2", "71x71x80"),
    ("conv 3x3/1", "35x35x192"),
    ("3 x Inception, Figure 5", "35x35x288"),
    ("5 x Inception, Figure 6", "17x17x768"),
    ("2 x Inception, Figure 7", "8x8x1280"),
    ("pool 8x8", "8x8x2048"),
    ("linear", "1x1x2048"),
    ("softmax", "1x1x1000"),
)
INCEPTION_V3_SECTION_6 = {"17x17": "Figure 5", "8x8": "Figure 6"}  # the figures that the text names for these modules
INCEPTION_V3_FIGURES = {  # branches from left to right, each from the input upwards; no filter counts are printed; n = 7
    "Figure 5": ("1x1, 3x3, 3x3", "1x1, 3x3", "pool, 1x1", "1x1"),
    "Figure 6": ("1x1, 1x7, 7x1, 1x7, 7x1", "1x1, 1x7, 7x1", "pool, 1x1", "1x1"),
    "Figure 7": ("1x1, 3x3, 1x3 | 3x1", "1x1, 1x3 | 3x1", "pool, 1x1", "1x1"),
    "Figure 10": ("1x1, 3x3, 3x3 /2", "1x1, 3x3 /2", "pool /2"),
}
INCEPTION_V3_AUXILIARY = ("5x5x768", "5x5x128", "1x1x1024")  # Figure 8: average pool, 1x1 convolution, fully connected
INCEPTION_V3_LAYERS = 42  # Section 6
INCEPTION_V3_PARAMETERS_BELOW = 25_000_000  # abstract, and the next
INCEPTION_V3_MULTIPLY_ADDS = "5G"
INCEPTION_V3_COST = {"GoogLeNet": 2.5, "BN-Inception": 2.5}  # times theirs: Section 6; Section 11
GOOGLENET_PARAMETERS_IN_V3 = "5M"  # Section 1, and the next
VGG_OVER_ALEXNET_IN_V3 = 3  # times the parameters, "about"
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

# --- What several papers print, or none -----------------------------------------------------------------------------------------

# Printed by no paper, each with who counts so: nobody released an Inception-ResNet-v1 for ImageNet.
UNPRINTED_PARAMETERS = {
    "inception_v4_printed": (42_679_816, "the released network's"),
    "inception_v4": (42_679_816, "all public implementations agree"),
    "inception_resnet_v1": (22_756_328, "our count of the figures, fixed here"),
    "inception_resnet_v2": (55_843_464, "all public implementations agree"),
}
# Of one model on one crop: top-1 error if printed, top-5 error, where. The released Inception-ResNet-v2 is not the printed one.
PRINTED_ERRORS: dict[str, tuple[float | None, float, str]] = {
    "googlenet": (None, GOOGLENET_TABLE_3[0].top5_error, "arXiv 1409.4842, Table 3"),
    "bn_inception": (*BN_INCEPTION_ERRORS, "arXiv 1502.03167, Figure 4"),
    "inception_v3": (*INCEPTION_V3_ERRORS, "arXiv 1512.00567, Table 3"),
    "inception_v4": (*TABLE_2[V4], "arXiv 1602.07261, Table 2"),
    "inception_v4_printed": (*TABLE_2[V4], "arXiv 1602.07261, Table 2"),
    "inception_resnet_v1": (*TABLE_2[RESNET_V1], "arXiv 1602.07261, Table 2"),
    "inception_resnet_v2_printed": (*TABLE_2[RESNET_V2], "arXiv 1602.07261, Table 2"),
}
