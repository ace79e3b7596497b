"""The numbers that the papers print, as they print them. Never computed, never corrected."""

from dataclasses import dataclass


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
