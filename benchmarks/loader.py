"""How fast images become training tensors on one core: ours against Pillow and torchvision; shards against folders.

    python benchmarks/loader.py FOLDER_OF_PHOTOGRAPHS [--size 224] [--rounds 7]

Both sides start from files and end with normalised float32 batches, by one thread: ours decodes, cuts, resizes and collates
bytes, which it then normalises; the reference is what torchvision's reference script does (RandomResizedCrop, flip, to tensor,
normalise, collate). Both take turns at the same images, a batch at a time; the processor's time counts, and the median over
batches of the ratios. The images are compared, too: our crops against the same crops cut and resized by Pillow from the
whole image.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from random import Random

import numpy as np
import torch
import torchvision.transforms as T
from torch.utils.data import default_collate
from torchvision.datasets.folder import default_loader

from godeeper import Augment, decode, normalise, open_data
from godeeper.data.augment import random_resized_crop
from godeeper.data.dataset import FileDataset, ImageDataset
from godeeper.data.decode import decode_for
from godeeper.data.loader import TrainDataset, collate
from godeeper.data.pixels import FILTERS
from godeeper.data.walk import image_files
from godeeper.data.write_shards import write_shards
from godeeper.preprocess import Preprocess

BATCH = 50


Side = Callable[[Sequence[int], int], object]  # makes a batch of the images at those indices; the number varies the draw


def ours(images: ImageDataset, size: int) -> Side:
    dataset, preprocess = TrainDataset(images, size, Augment(color_jitter=False), 0), Preprocess.of(size)
    return lambda indices, number: normalise(collate([dataset[number, index] for index in indices]).images, preprocess)


def reference(files: list[Path], size: int) -> Side:
    transform = T.Compose([
        T.RandomResizedCrop(size), T.RandomHorizontalFlip(), T.PILToTensor(), T.ConvertImageDtype(torch.float),
        T.Normalize(Preprocess().normalize.mean, Preprocess().normalize.std),
    ])  # fmt: skip
    return lambda indices, number: default_collate([(transform(default_loader(str(files[index]))), 0) for index in indices])


def differences(files: list[Path], size: int) -> list[float]:
    """The mean difference, in levels of 255, of each image's crop from Pillow's of the whole image."""
    result = []
    for number, file in enumerate(files):
        whole = decode(file)
        crop = random_resized_crop(*whole.size, Random(number))
        expected = np.asarray(whole.crop(crop.box).resize((size, size), FILTERS[crop.interpolation])).astype(float)
        expected = expected[:, ::-1] if crop.flip else expected
        ours = Augment(color_jitter=False)(partial(decode_for, image=file), size, Random(number)).permute(1, 2, 0).numpy()
        result.append(float(abs(ours - expected).mean()))
    return result


def compare(images: int, rounds: int, sides: dict[str, Side]) -> None:
    """Prints the speed of two sides, and how many times faster the second is."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds):
        for first in range(0, images - BATCH + 1, BATCH):
            for name, side in sides.items():
                start = time.process_time()
                side(range(first, first + BATCH), number)
                seconds[name].append(time.process_time() - start)
    for name, times in seconds.items():
        print(f"{name:10s} {BATCH / statistics.median(times):7.0f} images/s")
    first, second = seconds
    ratios = [a / b for a, b in zip(seconds[first], seconds[second], strict=True)]
    print(f"{second} / {first}: {statistics.median(ratios):.2f}x (n={len(ratios)}, quartiles {quartiles(ratios)})")


def quartiles(values: list[float]) -> str:
    low, _, high = statistics.quantiles(values, n=4)
    return f"{low:.2f}-{high:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    files, size = image_files(arguments.folder), arguments.size
    print(f"{len(files)} photographs, crops of {size}, torch {torch.__version__}, one thread")

    images = FileDataset(files, [0] * len(files))
    compare(len(files), arguments.rounds, {"reference": reference(files, size), "ours": ours(images, size)})
    levels = differences(files, size)
    print(
        f"difference from Pillow's crops: {statistics.mean(levels):.2f} levels of 255 in the mean, {max(levels):.2f} in the worst"
    )

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "classes"
        for number, file in enumerate(files):
            link = root / ("even", "odd")[number % 2] / file.name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(file.resolve())
        data = open_data(root)
        write_shards(data, root, Path(folder) / "shards")
        shards = open_data(f"wds:{folder}/shards")
        sides = {"folder": ours(data.subset("train"), size), "shards": ours(shards.subset("train"), size)}
        compare(len(data.subset("train")), arguments.rounds, sides)


if __name__ == "__main__":
    main()
