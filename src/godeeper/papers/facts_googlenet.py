"""What arXiv 1409.4842 (GoogLeNet) prints, as it prints it. Never computed, never corrected."""

from dataclasses import dataclass

from .facts import Fact, read_table

GOOGLENET_TABLE_1 = read_table("Table 1", """
stage   | patch/stride | output     | depth | 1x1 | 3x3 reduce | 3x3 | 5x5 reduce | 5x5 | pool proj | params | ops
conv1   | 7x7/2        | 112x112x64 | 1     |     |            |     |            |     |           | 2.7K   | 34M
pool1   | 3x3/2        | 56x56x64   | 0     |     |            |     |            |     |           |        |
conv2   | 3x3/1        | 56x56x192  | 2     |     | 64         | 192 |            |     |           | 112K   | 360M
pool2   | 3x3/2        | 28x28x192  | 0     |     |            |     |            |     |           |        |
3a      |              | 28x28x256  | 2     | 64  | 96         | 128 | 16         | 32  | 32        | 159K   | 128M
3b      |              | 28x28x480  | 2     | 128 | 128        | 192 | 32         | 96  | 64        | 380K   | 304M
pool3   | 3x3/2        | 14x14x480  | 0     |     |            |     |            |     |           |        |
4a      |              | 14x14x512  | 2     | 192 | 96         | 208 | 16         | 48  | 64        | 364K   | 73M
4b      |              | 14x14x512  | 2     | 160 | 112        | 224 | 24         | 64  | 64        | 437K   | 88M
4c      |              | 14x14x512  | 2     | 128 | 128        | 256 | 24         | 64  | 64        | 463K   | 100M
4d      |              | 14x14x528  | 2     | 112 | 144        | 288 | 32         | 64  | 64        | 580K   | 119M
4e      |              | 14x14x832  | 2     | 256 | 160        | 320 | 32         | 128 | 128       | 840K   | 170M
pool4   | 3x3/2        | 7x7x832    | 0     |     |            |     |            |     |           |        |
5a      |              | 7x7x832    | 2     | 256 | 160        | 320 | 32         | 128 | 128       | 1072K  | 54M
5b      |              | 7x7x1024   | 2     | 384 | 192        | 384 | 48         | 128 | 128       | 1388K  | 71M
avgpool | 7x7/1        | 1x1x1024   | 0     |     |            |     |            |     |           |        |
dropout |              | 1x1x1024   | 0     |     |            |     |            |     |           |        |
linear  |              | 1x1x1000   | 1     |     |            |     |            |     |           | 1000K  | 1M
softmax |              | 1x1x1000   | 0     |     |            |     |            |     |           |        |
""")  # fmt: skip
GOOGLENET_CLAIMS = (
    Fact("Section 5", "aux1", "pool output", "4x4x512"),
    Fact("Section 5", "aux2", "pool output", "4x4x528"),
    Fact("Section 5", "", "layers with parameters", "22"),
    Fact("Section 5", "", "layers with pools", "27"),
    Fact("Section 1", "", "multiply-adds", "1.5G"),  # the budget "at inference time"
    Fact("Section 1", "", "fewer parameters than AlexNet", "12x"),
)
ALEXNET_PARAMETERS = 60_000_000  # Krizhevsky, Sutskever, Hinton 2012, abstract


@dataclass(frozen=True)
class Ensemble:
    """One row of Table 3: top-5 error in percent, and the printed difference from the first row's."""

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
