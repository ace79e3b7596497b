"""BN-Inception, or Inception-v2: "Batch Normalization" (arXiv 1502.03167), Appendix, Figure 5."""

from dataclasses import replace

from .notation import *


def inception(c1: int, r3: int, c3: int, rd: int, cd: int, pool: Row, proj: int) -> Cat:
    """A module that keeps the grid; the arguments are the figure's columns ("double" is two 3x3 in sequence)."""
    return Cat([Conv(c1)], [Conv(r3), Conv(c3, 3)], [Conv(rd), Conv(cd, 3), Conv(cd, 3)], [pool, Conv(proj)])


def reduction(r3: int, c3: int, rd: int, cd: int, pool: Max) -> Cat:
    """A module of stride 2: no 1x1 branch, and the max pool passes through without a projection."""
    return Cat([Conv(r3), Conv(c3, 3, 2)], [Conv(rd), Conv(cd, 3), Conv(cd, 3, 2)], [pool])


def modules(average: Avg, pass_through: Max, proj_4c_4d: int) -> dict[str, Stage]:
    """Figure 5 from 3a upwards."""
    return {
        #               1x1  3x3r 3x3  dblr dbl   pool     proj
        "3a": inception(64, 64, 64, 64, 96, average, 32),
        "3b": inception(64, 64, 96, 64, 96, average, 64),
        "3c": reduction(128, 160, 64, 96, pass_through),
        "4a": inception(224, 64, 96, 96, 128, average, 128),
        "4b": inception(192, 96, 128, 96, 128, average, 128),
        "4c": inception(160, 128, 160, 128, 160, average, proj_4c_4d),
        "4d": inception(96, 128, 192, 160, 192, average, proj_4c_4d),
        "4e": reduction(128, 192, 192, 256, pass_through),
        "5a": inception(352, 192, 320, 160, 224, average, 128),
        "5b": inception(352, 192, 320, 192, 224, Max(3), 128),
    }


# The figure's projection of 128 in 4c and 4d contradicts its own outputs (576, 576, 1024); 96, as the authors' released code has
# it, agrees with them.
BN_INCEPTION = Definition(
    name="bn_inception",
    source="arXiv 1502.03167, Figure 5, with the released projections of 4c and 4d",
    stages={
        "conv1": Separable(64, 7, stride=2, multiplier=8),
        "pool1": Max(3, 2),
        "conv2": (Conv(64), Conv(192, 3)),
        "pool2": Max(3, 2),
        **modules(average=Avg(3), pass_through=Max(3, 2), proj_4c_4d=96),
    },
    head={"avgpool": AvgTo(1), "dropout": Dropout(0.2), "linear": Linear(1000)},
    batch_norm=BatchNorm(),
    stem=("conv1", "pool1"),
)

# Caffe's network, which Cadene's `bninception` carries over: a plain 7x7, the printed projections, biases beside batch norm,
# average pools that count their padding, max pools that round up.
BN_INCEPTION_CAFFE = replace(
    BN_INCEPTION,
    name="bn_inception_caffe",
    source="the Caffe network, as Cadene's bninception has it",
    stages={
        "conv1": Conv(64, 7, stride=2),
        "pool1": Max(3, 2, CEIL),
        "conv2": (Conv(64), Conv(192, 3)),
        "pool2": Max(3, 2, CEIL),
        **modules(average=Avg(3, counts_padding=True), pass_through=Max(3, 2, CEIL), proj_4c_4d=128),
    },
    head={"avgpool": AvgTo(1), "linear": Linear(1000)},
    batch_norm=BatchNorm(eps=1e-5, conv_bias=True),
)
