"""Inception-v3: "Rethinking the Inception Architecture" (arXiv 1512.00567), Table 1, Figures 5-7 and 10.

The paper prints the outline only; filter counts are those of the released network. Average pools count their padding, as in
torchvision's and timm's networks, whose weights everyone uses; in TensorFlow's, `inception_v3_tf` here, they do not.
"""

from dataclasses import replace

from .notation import *
from .notation import rows

AVERAGE = Avg(3, counts_padding=True)


def a(c1: int, average: Avg, proj: int) -> Cat:
    """35x35, Figure 5, whose first 5x5 stayed a 5x5 in the released network."""
    return Cat([Conv(c1)], [Conv(48), Conv(64, 5)], [Conv(64), Conv(96, 3), Conv(96, 3)], [average, Conv(proj)])


def b(inner: int) -> Cat:
    """17x17, Figure 6: 7x7 filters as 1x7 and 7x1 (height x width), `inner` of them inside."""
    third = [Conv(inner), Conv(inner, (7, 1)), Conv(inner, (1, 7)), Conv(inner, (7, 1)), Conv(192, (1, 7))]
    return Cat([Conv(192)], [Conv(inner), Conv(inner, (1, 7)), Conv(192, (7, 1))], third, [AVERAGE, Conv(192)])


def split(filters: int) -> Cat:
    """8x8, Figure 7: a 3x3 as 1x3 beside 3x1."""
    return Cat([Conv(filters, (1, 3))], [Conv(filters, (3, 1))])


def reduction_a(k: int, l: int, m: int, n: int) -> Cat:  # noqa: E741
    """35x35 to 17x17: Figure 10 here, Figure 7 of arXiv 1602.07261 with the columns of its Table 1."""
    return Cat([Conv(n, 3, 2, VALID)], [Conv(k), Conv(l, 3), Conv(m, 3, 2, VALID)], [Max(3, 2, VALID)])


def reduction_b(c3: int, inner: int, outer: int) -> Cat:
    """17x17 to 8x8: Figure 10 here, Figure 8 of arXiv 1602.07261."""
    second = [Conv(inner), Conv(inner, (1, 7)), Conv(outer, (7, 1)), Conv(outer, 3, 2, VALID)]
    return Cat([Conv(192), Conv(c3, 3, 2, VALID)], second, [Max(3, 2, VALID)])


C = Cat([Conv(320)], [Conv(384), split(384)], [Conv(448), Conv(384, 3), split(384)], [AVERAGE, Conv(192)])
STEM: dict[str, Stage] = {  # the Inception-ResNets start with the same
    "conv1": Conv(32, 3, 2, VALID),
    "conv2": Conv(32, 3, padding=VALID),
    "conv3": Conv(64, 3),
    "pool1": Max(3, 2, VALID),
    "conv4": Conv(80),
    "conv5": Conv(192, 3, padding=VALID),
}
AUXILIARY_HEAD: dict[str, Stage] = {  # on 17x17, as released; -v4 and Inception-ResNet-v2 have the same
    "avgpool": AvgTo(5),  # 5x5/3
    "conv1": Conv(128),
    "conv2": Conv(768, 5, padding=VALID),
    "linear": Linear(1000),
}

INCEPTION_V3 = Definition(
    name="inception_v3",
    source="arXiv 1512.00567, Table 1, with the released filter counts",
    stages={
        **STEM,
        "pool2": Max(3, 2, VALID),
        "A": (a(64, AVERAGE, 32), a(64, AVERAGE, 64), a(64, AVERAGE, 64)),
        "reduction_a": reduction_a(64, 96, 96, 384),
        "B": (b(128), b(160), b(160), b(192)),
        "reduction_b": reduction_b(320, 192, 192),
        "C": (C, C),
    },
    head={"avgpool": AvgTo(1), "dropout": Dropout(0.5), "linear": Linear(1000)},
    auxiliary={"aux": Auxiliary("B", AUXILIARY_HEAD)},
    batch_norm=BatchNorm(),
    stem=("conv1", "pool1"),
    image_size=299,
)


def uncounted(row: Row) -> Row:
    """An average pool as TensorFlow has it, which leaves the zeros around its input out; any other row as it is."""
    return replace(row, counts_padding=False) if isinstance(row, Avg) else row


def pooled_by_maximum(row: Row) -> Row:
    """A max pool of the same size in place of an average pool."""
    return Max(row.kernel) if isinstance(row, Avg) and isinstance(row.kernel, int) else row


INCEPTION_V3_TF = replace(  # keras.applications' InceptionV3 and TensorFlow's (slim, 2016)
    INCEPTION_V3,
    name="inception_v3_tf",
    source="the released network as TensorFlow and Keras compute it: average pools leave the padding out",
    stages={name: altered(stage, uncounted) for name, stage in INCEPTION_V3.stages.items()},
)

# The graph inception-2015-12-05, which the Frechet inception distance is measured with: 1008 outputs, and a max pool in the last
# module. The Inception Score takes its logits without the classifier's bias.
INCEPTION_V3_FID = replace(
    INCEPTION_V3_TF,
    name="inception_v3_fid",
    source="TensorFlow's graph inception-2015-12-05, as pytorch-fid and torch-fidelity have it",
    stages={**INCEPTION_V3_TF.stages, "C": (*rows(altered(C, uncounted)), *rows(altered(C, pooled_by_maximum)))},
    head={**INCEPTION_V3.head, "linear": Linear(1008)},
    auxiliary={},
)
