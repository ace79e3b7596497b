"""A GoogLeNet for CIFAR-10: a table of ours, Inception modules in the layout of airbench's network (arXiv 2404.00498)."""

from .bn_inception import inception
from .notation import *

# Five modules at 15x15, 7x7 and 3x3, the pool of Max(3) before each projection; two 3x3 for the 5x5. Batch norm weighs the new
# batch with 0.4: a run has some hundred steps.
GOOGLENET_CIFAR = Definition(
    name="googlenet_cifar",
    source="ours: Inception modules for 32x32 images, in airbench's layout (arXiv 2404.00498)",
    stages={
        "whitening": Whitening(2),
        "conv1": Conv(64, 3),
        "pool1": Max(2, 2, VALID),
        #               1x1  3x3r 3x3  dblr dbl  pool    proj
        "2a": inception(32, 64, 64, 16, 32, Max(3), 32),
        "2b": inception(64, 64, 128, 32, 64, Max(3), 64),
        "pool2": Max(2, 2, VALID),
        "3a": inception(96, 128, 192, 48, 64, Max(3), 64),
        "3b": inception(96, 128, 192, 48, 64, Max(3), 64),
        "pool3": Max(2, 2, VALID),
        "4a": inception(128, 160, 256, 48, 96, Max(3), 96),
    },
    head={"avgpool": AvgTo(1), "linear": Linear(10)},
    batch_norm=BatchNorm(eps=1e-5, momentum=0.4),
    stem=("whitening",),
    image_size=32,
)
