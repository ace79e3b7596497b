"""144 crops: ours, the obvious loop over crops, and the bare forward passes, side by side.

    python benchmarks/evaluation.py FOLDER [--model googlenet] [--images 50] [--workers 0]

FOLDER holds photographs. The obvious loop is what one writes first: for each of the 144 crops, resize the image with Pillow,
cut, mirror, normalise, classify it alone, average the softmax, with the same weights in the memory format that networks come in.
The bare passes are as many crops of noise, as large and as many at a time as ours, through the same network. All take turns, five
images at a time (the loop one of them), with the same threads and the same weights; what is printed are medians over the turns.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from statistics import median

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from godeeper import create_model, crop_boxes, decode
from godeeper.data.dataset import FileDataset
from godeeper.data.pixels import default_batch_size
from godeeper.data.walk import image_files
from godeeper.evaluate import evaluate
from godeeper.models.network import Network

TURN = 5  # images


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="googlenet")
    parser.add_argument("--images", type=int, default=50)
    parser.add_argument("--workers", type=int, default=0)
    given = parser.parse_args()
    files = image_files(given.folder)
    files = files[:: max(1, len(files) // given.images)][: given.images]
    network = alive(given.model)
    plain = deepcopy(network).to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    ours_seconds, loop_seconds, bare_seconds, differences = [], [], [], []
    ours(network, files[:1], 0), bare(network, 1), loop(plain, files[0])  # warm
    for start in range(0, len(files), TURN):
        turn = files[start : start + TURN]
        probabilities, seconds = timed(lambda turn=turn: ours(network, turn, given.workers))
        ours_seconds.append(seconds / len(turn))
        _, seconds = timed(lambda turn=turn: bare(network, len(turn)))
        bare_seconds.append(seconds / len(turn))
        obvious, seconds = timed(lambda turn=turn: loop(plain, turn[0]))
        loop_seconds.append(seconds)
        differences.append(float((obvious - probabilities[0]).abs().max()))
    print(f"{given.model}, {len(files)} photographs, {torch.get_num_threads()} threads, {given.workers} workers, 144 crops")
    print(f"ours            {median(ours_seconds):7.2f} s an image")
    print(
        f"bare passes     {median(bare_seconds):7.2f} s, passes of {default_batch_size(network.preprocess.image_size, CPU)} crops"
    )
    print(f"obvious loop    {median(loop_seconds):7.2f} s")
    print(f"loop / ours     {median(a / b for a, b in zip(loop_seconds, ours_seconds, strict=True)):7.2f} x")
    print(f"ours over bare  {100 * (median(a / b for a, b in zip(ours_seconds, bare_seconds, strict=True)) - 1):+7.1f} %")
    print(f"probabilities differ by at most {max(differences):.1e}")


CPU = torch.device("cpu")


def alive(model: str) -> Network:
    """The network with weights that tell images apart."""
    torch.manual_seed(0)
    network = create_model(model).eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    torch.nn.init.normal_(network.head["linear"].linear.weight, std=0.3)  # type: ignore[index, union-attr]
    return network  # type: ignore[no-any-return]


def timed(call: Callable[[], Tensor]) -> tuple[Tensor, float]:
    start = time.perf_counter()
    return call(), time.perf_counter() - start


def ours(network: Network, files: list[Path], workers: int) -> Tensor:
    images = FileDataset(files, [0] * len(files))
    probabilities = evaluate(network, images, network.preprocess, crops=144, workers=workers, keep=True).probabilities
    assert probabilities is not None
    return probabilities[:, 0]


@torch.inference_mode()
def bare(network: Network, images: int) -> Tensor:
    size = network.preprocess.image_size
    batch = default_batch_size(size, CPU)
    x = torch.randn(batch, 3, size, size).contiguous(memory_format=torch.channels_last)
    for _ in range(images * 144 // batch):
        network(x)
    rest = images * 144 % batch
    return network(x[:rest]) if rest else x


@torch.inference_mode()
def loop(network: Network, file: Path) -> Tensor:
    preprocess = network.preprocess
    image = decode(file)
    total = torch.zeros(network.num_classes)
    crops = crop_boxes(*image.size, preprocess.resize, 144)
    for box in crops:
        crop = image.resize(box.resized, Image.Resampling.BILINEAR).crop(box.box)
        crop = crop.resize((box.size, box.size), Image.Resampling.BILINEAR) if crop.width != box.size else crop
        pixels = np.asarray(crop, np.float32) / 255
        pixels = pixels[:, ::-1] if box.flip else pixels
        pixels = (pixels - np.array(preprocess.normalize.mean, np.float32)) / np.array(preprocess.normalize.std, np.float32)
        x = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1), dtype=np.float32))[None]
        total += network(x).softmax(1)[0]
    return total / len(crops)


if __name__ == "__main__":
    main()
