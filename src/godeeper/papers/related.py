"""What the papers compare with: AlexNet, ZFNet, VGG, in the same notation."""

from dataclasses import replace

from .notation import *

FC = FullyConnected(4096)
# Adaptive pools change nothing at 224 pixels, and let any other size through.
HEAD: dict[str, Stage] = {
    "grid": Adaptive(6), "dropout1": Dropout(0.5), "fc1": FC, "dropout2": Dropout(0.5), "fc2": FC, "linear": Linear(1000),
}  # fmt: skip
VGG_HEAD: dict[str, Stage] = {
    "grid": Adaptive(7), "fc1": FC, "dropout1": Dropout(0.5), "fc2": FC, "dropout2": Dropout(0.5), "linear": Linear(1000),
}  # fmt: skip

ALEXNET = Definition(
    name="alexnet",
    source="arXiv 1404.5997, one column: AlexNet as torchvision has it",
    stages={
        "conv1": Conv(64, 11, stride=4, padding=2),
        "pool1": Max(3, 2, VALID),
        "conv2": Conv(192, 5),
        "pool2": Max(3, 2, VALID),
        "conv3": Conv(384, 3),
        "conv4": Conv(256, 3),
        "conv5": Conv(256, 3),
        "pool5": Max(3, 2, VALID),
    },
    head=HEAD,
    stem=("conv1", "pool1"),
)

ZFNET = Definition(
    name="zfnet",
    source="arXiv 1311.2901, Figure 3, with local response norm for its contrast norm",
    stages={
        "conv1": Conv(96, 7, stride=2, padding=1),
        "pool1": Max(3, 2, CEIL),
        "norm1": LRN(),
        "conv2": Conv(256, 5, 2, VALID),
        "pool2": Max(3, 2, CEIL),
        "norm2": LRN(),
        "conv3": Conv(384, 3),
        "conv4": Conv(384, 3),
        "conv5": Conv(256, 3),
        "pool5": Max(3, 2, CEIL),
    },
    head=HEAD,
    stem=("conv1", "pool1"),
)


def vgg(*counts: int) -> dict[str, Stage]:
    """Five stages of so many 3x3 convolutions, each ended by a 2x2 pool (arXiv 1409.1556, Table 1)."""
    stages: dict[str, Stage] = {}
    for number, (filters, count) in enumerate(zip((64, 128, 256, 512, 512), counts, strict=True), 1):
        convolutions: tuple[Row, ...] = (Conv(filters, 3),) * count
        stages |= {f"conv{number}": convolutions, f"pool{number}": Max(2, 2, VALID)}
    return stages


VGG16 = Definition(
    name="vgg16",
    source="arXiv 1409.1556, Table 1, column D",
    stages=vgg(2, 2, 3, 3, 3),
    head=VGG_HEAD,
    stem=("pool1", "pool2"),
)
VGG19 = replace(VGG16, name="vgg19", source="arXiv 1409.1556, Table 1, column E", stages=vgg(2, 2, 4, 4, 4))
