"""Inception-v4: "Inception-v4, Inception-ResNet ..." (arXiv 1602.07261), Figures 3-9 and Table 1.

Branches stand in the order in which the released networks concatenate them: 1x1 first, pool last.
"""

from dataclasses import replace

from .inception_v3 import AUXILIARY_HEAD, reduction_a, reduction_b, split
from .notation import *

# Decay 0.9997 as released, for millions of steps; training starts it lower (`train/optim.py`).
BATCH_NORM = BatchNorm(eps=1e-3, momentum=3e-4)
AVERAGE = Avg(3)
V1x7, V7x1, V1x3, V3x1 = (1, 7), (7, 1), (1, 3), (3, 1)  # height, width


def stem(*sevens: Row) -> dict[str, Stage]:
    """Figure 3; `sevens` are the two 7-long convolutions of its middle. The last 3x3 prints no stride; 71 -> 35 needs 2."""
    return {
        "conv1": Conv(32, 3, 2, VALID),
        "conv2": Conv(32, 3, padding=VALID),
        "conv3": Conv(64, 3),
        "concat1": Cat([Max(3, 2, VALID)], [Conv(96, 3, 2, VALID)]),
        "concat2": Cat([Conv(64), Conv(96, 3, padding=VALID)], [Conv(64), *sevens, Conv(96, 3, padding=VALID)]),
        "concat3": Cat([Conv(192, 3, 2, VALID)], [Max(3, 2, VALID)]),
    }


def b(*fourth: Row) -> Cat:
    """Figure 5, whose third branch prints 1x7 twice: 1x7 and 7x1 are meant."""
    return Cat([Conv(384)], [Conv(192), Conv(224, V1x7), Conv(256, V7x1)], [Conv(192), *fourth], [AVERAGE, Conv(128)])


def c(*fourth: Row) -> Cat:
    """Figure 6."""
    return Cat([Conv(256)], [Conv(384), split(256)], [Conv(384), *fourth, split(256)], [AVERAGE, Conv(256)])


A = Cat([Conv(96)], [Conv(64), Conv(96, 3)], [Conv(64), Conv(96, 3), Conv(96, 3)], [AVERAGE, Conv(96)])  # Figure 4
INCEPTION_V4_PRINTED = Definition(  # Figure 9
    name="inception_v4_printed",
    source="arXiv 1602.07261, Figures 3-9, as printed",
    stages={
        **stem(Conv(64, V7x1), Conv(64, V1x7)),
        "A": times(4, A),
        "reduction_a": reduction_a(192, 224, 256, 384),  # Figure 7, Table 1
        "B": times(7, b(Conv(192, V1x7), Conv(224, V7x1), Conv(224, V1x7), Conv(256, V7x1))),
        "reduction_b": reduction_b(192, 256, 320),  # Figure 8
        "C": times(3, c(Conv(448, V1x3), Conv(512, V3x1))),
    },
    head={"avgpool": AvgTo(1), "dropout": Dropout(0.2), "linear": Linear(1000)},
    batch_norm=BATCH_NORM,
    stem=("conv1", "concat1"),
    image_size=299,
)

# The released network: three pairs of convolutions run in the reverse order, and it has an auxiliary head.
INCEPTION_V4 = replace(
    INCEPTION_V4_PRINTED,
    name="inception_v4",
    source="arXiv 1602.07261, Figures 3-9, with the convolutions in the released order",
    stages={
        **INCEPTION_V4_PRINTED.stages,
        **stem(Conv(64, V1x7), Conv(64, V7x1)),
        "B": times(7, b(Conv(192, V7x1), Conv(224, V1x7), Conv(224, V7x1), Conv(256, V1x7))),
        "C": times(3, c(Conv(448, V3x1), Conv(512, V1x3))),
    },
    auxiliary={"aux": Auxiliary("B", AUXILIARY_HEAD)},
)
