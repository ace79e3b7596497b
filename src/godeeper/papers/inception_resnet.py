"""Inception-ResNet: "Inception-v4, Inception-ResNet ..." (arXiv 1602.07261), Figures 7 and 10-19, Table 1, Section 3.3.

The "linear" 1x1 at the end of each residual block has as many filters as the sum needs. Figures 17 and 19 print 1154 and 2048 for
-v2, where the sums need 1152 and 2144. Scales: 0.1 to 0.3 in Section 3.3, typically 0.1 in Figure 20; ours are the released ones.
"""

from dataclasses import replace

from .inception_v3 import AUXILIARY_HEAD, STEM, reduction_a
from .inception_v3 import a as v3_a
from .inception_v4 import BATCH_NORM, V1x3, V1x7, V3x1, V7x1, stem
from .notation import *


def a(inner: int, outer: int) -> Residual:
    """35x35, Figures 10 (32, 32) and 16 (48, 64)."""
    return Residual(Cat([Conv(32)], [Conv(32), Conv(32, 3)], [Conv(32), Conv(inner, 3), Conv(outer, 3)]), scale=0.17)


def b(c1: int, reduce: int, inner: int, outer: int) -> Residual:
    """17x17, Figures 11 and 17."""
    return Residual(Cat([Conv(c1)], [Conv(reduce), Conv(inner, V1x7), Conv(outer, V7x1)]), scale=0.10)


def c(inner: int, outer: int, scale: float = 0.20, relu: bool = True) -> Residual:
    """8x8, Figures 13 and 19."""
    return Residual(Cat([Conv(192)], [Conv(192), Conv(inner, V1x3), Conv(outer, V3x1)]), scale, relu)


def reduction_b(second: int, inner: int, third: int) -> Cat:
    """17x17 to 8x8, Figures 12 and 18."""
    two, three = [Conv(256), Conv(second, 3, 2, VALID)], [Conv(256), Conv(inner, 3), Conv(third, 3, 2, VALID)]
    return Cat([Conv(256), Conv(384, 3, 2, VALID)], two, three, [Max(3, 2, VALID)])


INCEPTION_RESNET_V1 = Definition(  # Figure 15
    name="inception_resnet_v1",
    source="arXiv 1602.07261, Figures 7 and 10-15, as printed",
    stages={
        **STEM,  # Figure 14
        "conv6": Conv(256, 3, 2, VALID),
        "A": times(5, a(32, 32)),
        "reduction_a": reduction_a(192, 192, 256, 384),
        "B": times(10, b(128, 128, 128, 128)),
        "reduction_b": reduction_b(256, 256, 256),
        "C": times(5, c(192, 192)),
    },
    head={"avgpool": AvgTo(1), "dropout": Dropout(0.2), "linear": Linear(1000)},
    batch_norm=BATCH_NORM,
    stem=("conv1", "pool1"),
    image_size=299,
)

# For faces: a last C block without scale and ReLU, then an embedding of 512 numbers, compared by their angle.
INCEPTION_RESNET_V1_FACENET = replace(
    INCEPTION_RESNET_V1,
    name="inception_resnet_v1_facenet",
    source="facenet's network on the Inception-ResNet-v1 trunk",
    stages={**INCEPTION_RESNET_V1.stages, "C_last": c(192, 192, scale=1.0, relu=False)},
    head={"avgpool": AvgTo(1), "dropout": Dropout(0.6), "embedding": LinearNorm(512), "linear": Linear(1000)},
    batch_norm=BatchNorm(eps=1e-3, momentum=0.1),
    image_size=160,
)

INCEPTION_RESNET_V2_PRINTED = replace(
    INCEPTION_RESNET_V1,
    name="inception_resnet_v2_printed",
    source="arXiv 1602.07261, Figures 3, 7 and 15-19, as printed",
    stages={
        **stem(Conv(64, V7x1), Conv(64, V1x7)),
        "A": times(5, a(48, 64)),
        "reduction_a": reduction_a(256, 256, 384, 384),
        "B": times(10, b(192, 128, 160, 192)),
        "reduction_b": reduction_b(288, 288, 320),
        "C": times(5, c(224, 256)),
    },
    stem=("conv1", "concat1"),
)

# The released network: another stem, twice the blocks, narrower sums, a last block without ReLU and a last 1x1.
INCEPTION_RESNET_V2 = replace(
    INCEPTION_RESNET_V1,
    name="inception_resnet_v2",
    source="the network released with arXiv 1602.07261, which is not the printed one",
    stages={
        **STEM,
        "pool2": Max(3, 2, VALID),
        "mixed": v3_a(96, Avg(3), 64),
        "A": times(10, a(48, 64)),
        "reduction_a": reduction_a(256, 256, 384, 384),
        "B": times(20, b(192, 128, 160, 192)),
        "reduction_b": reduction_b(288, 288, 320),
        "C": times(9, c(224, 256)),
        "C_last": c(224, 256, scale=1.0, relu=False),
        "conv6": Conv(1536),
    },
    auxiliary={"aux": Auxiliary("B", AUXILIARY_HEAD)},
)
