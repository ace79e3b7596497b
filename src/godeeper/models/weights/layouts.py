"""How other libraries name the weights of these networks: for each, their names in the order of our table.

A unit is a convolution with its batch norm, or a linear layer. `Layout.units` lists the other library's units in the order in
which our stages, head and auxiliary heads have theirs, so that the two are held together by structure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache


def block(prefixes: str | Iterable[str], units: str, join: str = ".") -> list[str]:
    """The units of blocks that are alike: every unit under every prefix."""
    names = prefixes.split() if isinstance(prefixes, str) else prefixes
    return [f"{prefix}{join}{unit}" for prefix in names for unit in units.split()]


def numbered(prefix: str, start: int, count: int) -> list[str]:
    """prefix + start, prefix + start + 1, ..."""
    return [f"{prefix}{number}" for number in range(start, start + count)]


@dataclass(frozen=True)
class Layout:
    """One library's names for one network; `heads`: with its auxiliary heads; `bgr`: fed blue, green, red; `imagenet`: its
    1000 classes (1001, 1008 with others) are ImageNet's. Where two layouts have the same names, the name of a file chooses.

    `conv` and `norm` are what the library appends to a unit's name for its two parts.
    """

    name: str
    architecture: str
    units: tuple[str, ...]
    conv: str = ".conv"
    norm: str = ".bn"
    heads: bool = False
    bgr: bool = False
    imagenet: bool = True
    exceptions: Mapping[str, str] = field(default_factory=dict)  # our prefix -> theirs, where no rule holds

    @property
    def classifier(self) -> str:
        """The name of the classifier's weights."""
        return self.names["head.linear.linear.weight"]

    @property
    def names(self) -> dict[str, str]:
        """Our name of every tensor -> theirs."""
        return _names_and_shapes(self.name)[0]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Our name of every tensor -> its shape, with 1000 classes."""
        return _names_and_shapes(self.name)[1]


@cache
def _names_and_shapes(layout_name: str) -> tuple[dict[str, str], dict[str, tuple[int, ...]]]:
    import torch  # here, so that the tables can be listed without it

    from ...papers.registry import definition
    from ..network import Network

    layout = LAYOUTS[layout_name]
    with torch.device("meta"):
        ours = Network(definition(layout.architecture), aux=layout.heads).state_dict()
    parts = {name: name.rpartition(".")[0] for name in ours}  # without .weight, .bias, ...
    units = dict.fromkeys(
        part.removesuffix(".conv").removesuffix(".norm") for part in parts.values() if part not in layout.exceptions
    )
    theirs = dict(zip(units, layout.units, strict=True))
    names = {}
    for name, part in parts.items():
        leaf = name[len(part) :]
        if part in layout.exceptions:
            names[name] = layout.exceptions[part] + leaf
        elif part.endswith(".conv"):
            names[name] = theirs[part.removesuffix(".conv")] + layout.conv + leaf
        elif part.endswith(".norm"):
            names[name] = theirs[part.removesuffix(".norm")] + layout.norm + leaf
        else:
            names[name] = theirs[part] + leaf
    return names, {name: tuple(tensor.shape) for name, tensor in ours.items()}


_GOOGLENET = [
    "conv1", "conv2", "conv3",
    *block(
        [f"inception{module}" for module in ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b")],
        "branch1 branch2.0 branch2.1 branch3.0 branch3.1 branch4.1",
    ),
    "fc",
    *block("aux1 aux2", "conv fc1 fc2"),
]  # fmt: skip

_BN_SAME = "1x1 3x3_reduce 3x3 double_3x3_reduce double_3x3_1 double_3x3_2 pool_proj"
_BN_REDUCTION = "3x3_reduce 3x3 double_3x3_reduce double_3x3_1 double_3x3_2"
_BN_INCEPTION = [
    "conv1_7x7_s2", "conv2_3x3_reduce", "conv2_3x3",
    *block("inception_3a inception_3b", _BN_SAME, "_"),
    *block("inception_3c", _BN_REDUCTION, "_"),
    *block("inception_4a inception_4b inception_4c inception_4d", _BN_SAME, "_"),
    *block("inception_4e", _BN_REDUCTION, "_"),
    *block("inception_5a inception_5b", _BN_SAME, "_"),
    "last_linear",
]  # fmt: skip

_SEVENS = "branch1x1 branch7x7_1 branch7x7_2 branch7x7_3 " + " ".join(numbered("branch7x7dbl_", 1, 5)) + " branch_pool"
_INCEPTION_V3 = [
    "Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3",
    *block(
        "Mixed_5b Mixed_5c Mixed_5d",
        "branch1x1 branch5x5_1 branch5x5_2 branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3 branch_pool",
    ),
    *block("Mixed_6a", "branch3x3 branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3"),
    *block("Mixed_6b Mixed_6c Mixed_6d Mixed_6e", _SEVENS),
    *block("Mixed_7a", "branch3x3_1 branch3x3_2 branch7x7x3_1 branch7x7x3_2 branch7x7x3_3 branch7x7x3_4"),
    *block(
        "Mixed_7b Mixed_7c",
        "branch1x1 branch3x3_1 branch3x3_2a branch3x3_2b"
        " branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3a branch3x3dbl_3b branch_pool",
    ),
    "fc",
]  # fmt: skip

_V4_A = "branch0 branch1.0 branch1.1 branch2.0 branch2.1 branch2.2 branch3.1"
_V4_B = "branch0 branch1.0 branch1.1 branch1.2 branch2.0 branch2.1 branch2.2 branch2.3 branch2.4 branch3.1"
_V4_C = "branch0 branch1_0 branch1_1a branch1_1b branch2_0 branch2_1 branch2_2 branch2_3a branch2_3b branch3.1"
_INCEPTION_V4 = [
    "features.0", "features.1", "features.2", "features.3.conv",
    *block("features.4", "branch0.0 branch0.1 branch1.0 branch1.1 branch1.2 branch1.3"),
    "features.5.conv",
    *block(numbered("features.", 6, 4), _V4_A),
    *block("features.10", "branch0 branch1.0 branch1.1 branch1.2"),
    *block(numbered("features.", 11, 7), _V4_B),
    *block("features.18", "branch0.0 branch0.1 branch1.0 branch1.1 branch1.2 branch1.3"),
    *block(numbered("features.", 19, 3), _V4_C),
    "last_linear",
]  # fmt: skip

_RESNET_STEM = ["conv2d_1a", "conv2d_2a", "conv2d_2b", "conv2d_3b", "conv2d_4a"]
_BLOCK35 = "branch0 branch1.0 branch1.1 branch2.0 branch2.1 branch2.2 conv2d"
_BLOCK17 = "branch0 branch1.0 branch1.1 branch1.2 conv2d"
_MIXED_6A = block("mixed_6a", "branch0 branch1.0 branch1.1 branch1.2")
_MIXED_7A = block("mixed_7a", "branch0.0 branch0.1 branch1.0 branch1.1 branch2.0 branch2.1 branch2.2")

_INCEPTION_RESNET_V1 = [
    *_RESNET_STEM, "conv2d_4b",
    *block(numbered("repeat_1.", 0, 5), _BLOCK35),
    *_MIXED_6A,
    *block(numbered("repeat_2.", 0, 10), _BLOCK17),
    *_MIXED_7A,
    *block([*numbered("repeat_3.", 0, 5), "block8"], _BLOCK17),
    "logits",
]  # fmt: skip

_INCEPTION_RESNET_V2 = [
    *_RESNET_STEM,
    *block("mixed_5b", "branch0 branch1.0 branch1.1 branch2.0 branch2.1 branch2.2 branch3.1"),
    *block(numbered("repeat.", 0, 10), _BLOCK35),
    *_MIXED_6A,
    *block(numbered("repeat_1.", 0, 20), _BLOCK17),
    *_MIXED_7A,
    *block([*numbered("repeat_2.", 0, 9), "block8"], _BLOCK17),
    "conv2d_7b",
]  # fmt: skip

# Keras names few layers: the others are numbered here in the order of making, which is our table's.
_KERAS_INCEPTION_V3 = [*numbered("conv2d_", 0, 94), "predictions"]


def _keras_inception_resnet_v2() -> list[str]:
    """Blocks of a kind: how many layers in a branch each has, and its last 1x1, which has a name of its own."""
    units, made = list[str](), 0
    for count, blocks in ((12, [""]), (6, numbered("block35_", 1, 10)), (4, [""]), (4, numbered("block17_", 1, 20)),
                          (7, [""]), (4, numbered("block8_", 1, 10))):  # fmt: skip
        for name in blocks:
            units += [*numbered("conv2d_", made, count), *([f"{name}_conv"] if name else [])]
            made += count
    return [*units, "conv_7b", "predictions"]


LAYOUTS = {
    layout.name: layout
    for layout in (
        Layout("torchvision googlenet", "googlenet_torchvision", tuple(_GOOGLENET), heads=True),
        Layout(  # timm's has the same names
            "torchvision inception_v3", "inception_v3", (*_INCEPTION_V3, *block("AuxLogits", "conv0 conv1 fc")), heads=True
        ),
        Layout("FID inception_v3", "inception_v3_fid", tuple(_INCEPTION_V3), imagenet=False),  # torchvision's names, other pools
        Layout("timm inception_v4", "inception_v4", tuple(_INCEPTION_V4)),  # and Cadene's
        Layout("timm inception_resnet_v2", "inception_resnet_v2", (*_INCEPTION_RESNET_V2, "classif")),
        Layout("Cadene inceptionresnetv2", "inception_resnet_v2", (*_INCEPTION_RESNET_V2, "last_linear")),
        Layout("Cadene bninception", "bn_inception_caffe", tuple(_BN_INCEPTION), conv="", norm="_bn", bgr=True),
        Layout(
            "facenet InceptionResnetV1", "inception_resnet_v1_facenet", tuple(_INCEPTION_RESNET_V1), imagenet=False,
            exceptions={"head.embedding.fc": "last_linear", "head.embedding.norm": "last_bn"},
        ),
        Layout("Keras inception_v3", "inception_v3_tf", tuple(_KERAS_INCEPTION_V3), conv="", norm="_bn"),
        Layout("Keras inception_resnet_v2", "inception_resnet_v2", tuple(_keras_inception_resnet_v2()), conv="", norm="_bn"),
        *(
            Layout(
                f"torchvision {name}", name,
                (*(f"features.{number}" for number in numbers), *(f"classifier.{number}" for number in classifier)), conv="",
            )
            for name, numbers, classifier in (
                ("alexnet", (0, 3, 6, 8, 10), (1, 4, 6)),
                ("vgg16", (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28), (0, 3, 6)),
                ("vgg19", (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34), (0, 3, 6)),
            )
        ),
    )
}  # fmt: skip
