"""GoogLeNet: "Going deeper with convolutions" (arXiv 1409.4842), Table 1, Figures 2(b) and 3, Section 5."""

from dataclasses import replace

from .notation import *


def inception(c1: int, r3: int, c3: int, r5: int, c5: int, proj: int) -> Cat:
    """The Inception module with dimension reductions, Figure 2(b); the arguments are Table 1's columns."""
    return Cat([Conv(c1)], [Conv(r3), Conv(c3, 3)], [Conv(r5), Conv(c5, 5)], [Max(3), Conv(proj)])


AUXILIARY_HEAD: dict[str, Stage] = {  # Section 5
    "avgpool": AvgTo(4),  # 5x5/3, valid, on the 14x14 of 4a and 4d
    "conv": Conv(128),
    "fc": FullyConnected(1024),
    "dropout": Dropout(0.7),
    "linear": Linear(1000),
}

# Table 1; Figure 3 adds the two normalisations, whose constants are not printed: these are the usual ones, AlexNet's size,
# alpha and beta with k = 1.
GOOGLENET = Definition(
    name="googlenet",
    source="arXiv 1409.4842, Table 1 and Figure 3, as printed",
    stages={
        "conv1": Conv(64, 7, stride=2),
        "pool1": Max(3, 2),
        "norm1": LRN(),
        "conv2": (Conv(64), Conv(192, 3)),
        "norm2": LRN(),
        "pool2": Max(3, 2),
        #               1x1  3x3r 3x3  5x5r 5x5  pool
        "3a": inception(64, 96, 128, 16, 32, 32),
        "3b": inception(128, 128, 192, 32, 96, 64),
        "pool3": Max(3, 2),
        "4a": inception(192, 96, 208, 16, 48, 64),
        "4b": inception(160, 112, 224, 24, 64, 64),
        "4c": inception(128, 128, 256, 24, 64, 64),
        "4d": inception(112, 144, 288, 32, 64, 64),
        "4e": inception(256, 160, 320, 32, 128, 128),
        "pool4": Max(3, 2),
        "5a": inception(256, 160, 320, 32, 128, 128),
        "5b": inception(384, 192, 384, 48, 128, 128),
    },
    head={"avgpool": AvgTo(1), "dropout": Dropout(0.4), "linear": Linear(1000)},
    auxiliary={"aux1": Auxiliary("4a", AUXILIARY_HEAD), "aux2": Auxiliary("4d", AUXILIARY_HEAD)},
    stem=("conv1", "pool1"),
)

# The network whose multiply-adds Table 1 prints: a separable first layer, 204 (not 208) 3x3 filters in 4a, 48 (not 32)
# 5x5-reduce filters in 5a. `godeeper audit googlenet_counted` shows the agreement.
GOOGLENET_COUNTED = replace(
    GOOGLENET,
    name="googlenet_counted",
    source="arXiv 1409.4842, the network that the ops column of Table 1 implies",
    stages={
        **GOOGLENET.stages,
        "conv1": Separable(64, 7, stride=2, multiplier=8),
        "4a": inception(192, 96, 204, 16, 48, 64),
        "5a": inception(256, 160, 320, 48, 128, 128),
    },
)

# The default choice: batch norm after every convolution, in place of the biases and of both normalisations.
GOOGLENET_BN = replace(
    GOOGLENET,
    name="googlenet_bn",
    source="arXiv 1409.4842, Table 1, with the batch norm of arXiv 1502.03167",
    stages={name: stage for name, stage in GOOGLENET.stages.items() if not isinstance(stage, LRN)},
    batch_norm=BatchNorm(),
)


def three_for_five(module: Cat) -> Cat:
    """The module with 3x3 filters where the paper has 5x5."""
    c1, c3, (reduce, c5), pool = module.branches
    assert isinstance(c5, Conv)
    return Cat(c1, c3, (reduce, replace(c5, kernel=3)), pool)


# torchvision's network, whose trained weights everyone uses: 3x3 for 5x5, max pools that round up, the last of them 2x2.
GOOGLENET_TORCHVISION = replace(
    GOOGLENET_BN,
    name="googlenet_torchvision",
    source="torchvision's googlenet",
    stages={
        **{name: three_for_five(stage) if isinstance(stage, Cat) else stage for name, stage in GOOGLENET_BN.stages.items()},
        **dict.fromkeys(("pool1", "pool2", "pool3"), Max(3, 2, CEIL)),
        "pool4": Max(2, 2, CEIL),
    },
    head={"avgpool": AvgTo(1), "dropout": Dropout(0.2), "linear": Linear(1000)},
    auxiliary={
        name: replace(aux, stages={**AUXILIARY_HEAD, "avgpool": Adaptive(4)}) for name, aux in GOOGLENET.auxiliary.items()
    },
)
