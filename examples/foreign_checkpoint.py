"""A checkpoint of another library becomes a network of godeeper: here an Inception-v3 with a head of its own, trained in Keras.
把别的库的检查点变成 godeeper 的网络：这里是在 Keras 里训练、带自己的分类头的 Inception-v3。

    python examples/foreign_checkpoint.py CHECKPOINT.safetensors OUT.safetensors
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace

import torch
from safetensors import safe_open
from torch import Tensor, nn

import godeeper
from godeeper.notation import AvgTo, Dropout, FullyConnected, Linear
from godeeper.papers.registry import definition


def layers(arrays: Mapping[str, Tensor], kind: str) -> Iterator[str]:
    """The layers of a kind in the order in which they were made, which their numbers tell: conv2d_9 before conv2d_10."""
    names = {name.partition("/")[0] for name in arrays if re.match(rf"{kind}_\d+/", name)}
    return iter(sorted(names, key=lambda name: int(name.rpartition("_")[2])))


def put(tensor: Tensor, array: Tensor) -> None:
    """Copies an array of exactly the same shape."""
    if tensor.shape != array.shape:
        raise ValueError(f"{tuple(array.shape)} there, {tuple(tensor.shape)} here")
    tensor.copy_(array)


@torch.no_grad()
def fill(network: nn.Module, arrays: Mapping[str, Tensor]) -> None:
    """Layer by layer, in the order of our table, which is that of making; nothing may be left over."""
    convs, norms, dense = (layers(arrays, kind) for kind in ("conv2d", "batch_normalization", "dense"))
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            put(module.weight, arrays[f"{next(convs)}/kernel"].permute(3, 2, 0, 1))  # (H, W, in, out) -> (out, in, H, W)
        elif isinstance(module, nn.BatchNorm2d):
            name = next(norms)
            put(module.bias, arrays[f"{name}/beta"])  # no gamma: scales are 1
            put(module.get_buffer("running_mean"), arrays[f"{name}/moving_mean"])
            put(module.get_buffer("running_var"), arrays[f"{name}/moving_variance"])
        elif isinstance(module, nn.Linear):
            name = next(dense)
            put(module.weight, arrays[f"{name}/kernel"].T)  # (in, out) -> (out, in)
            put(module.bias, arrays[f"{name}/bias"])
    left = [name for rest in (convs, norms, dense) for name in rest]
    if left:
        raise ValueError(f"{left[0]} has no place")


def read(file: str) -> dict[str, Tensor]:
    """The arrays by Keras' names; published in eight bits, with a scale and a minimum each."""
    with safe_open(file, "pt") as opened:
        scales = json.loads(opened.metadata()["quantization"])
        return {name: (opened.get_tensor(name).double() * scale + least).float() for name, (scale, least) in scales.items()}


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    table = replace(
        definition("inception_v3_tf"),  # TensorFlow's pools leave the padding out
        name="inception_v3_of_keras",
        head={
            "avgpool": AvgTo(1),
            "fc1": FullyConnected(256),
            "dropout1": Dropout(0.5),
            "fc2": FullyConnected(128),
            "dropout2": Dropout(0.25),
            "linear": Linear(5),
        },
    )
    prepared = godeeper.Preprocess.of(299).adjusted("0..1,squash")
    network = godeeper.create_model(godeeper.ModelSpec(table, prepared)).eval()
    fill(network, read(sys.argv[1]))
    godeeper.save(network, sys.argv[2])
    print(f"{sys.argv[2]}: {godeeper.describe(network).parameters:,} parameters")
