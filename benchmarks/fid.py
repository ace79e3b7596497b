"""Files to FID: pytorch-fid's own loop with its defaults, and ours in fp32 and bf16, on the same cores, in one run.

    python benchmarks/fid.py PHOTOGRAPHS [--weights FILE] [--images 1000]

Pieces of 256 x 256 pixels are cut from the photographs, as JPEG files, half of them for each side: pytorch-fid takes images of
one size only. FILE is pt_inception-2015-12-05-6726825d.pth; without it weights are random, which costs the same time, and bf16's
error says nothing then. The limit is the network alone, by the engine that is fastest here.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import warnings
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from PIL import Image
from pytorch_fid import fid_score
from torchvision.models import inception_v3

from godeeper import load, workflows
from godeeper.data.decode import decode
from godeeper.data.walk import image_files
from godeeper.deploy.embedder import Embedder

NAME, SIDE = "pt_inception-2015-12-05-6726825d.pth", 256


def cut(photographs, folder, count):
    """`count` pieces of photographs as JPEG files in a and b, of different photographs."""
    files, random = image_files(photographs), np.random.default_rng(0)
    sides = [folder / "a", folder / "b"]
    for side in sides:
        side.mkdir()
    for number in range(count):
        image = decode(files[number % len(files)])
        length = min(SIDE, *image.size)
        left, top = (int(random.integers(0, whole - length + 1)) for whole in image.size)
        piece = image.crop((left, top, left + length, top + length)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        piece.save(sides[number % 2] / f"{number:06}.jpg", quality=95)
    return [str(side) for side in sides]


def timed(function, *arguments, **options):
    start = time.perf_counter()
    result = function(*arguments, **options)
    return result, time.perf_counter() - start


def theirs(folders, weights):
    """pytorch-fid as its command runs it: FID, seconds, and those of its matrix root."""
    root, spent = fid_score.calculate_frechet_distance, []

    def distance(*arguments):
        result, seconds = timed(root, *arguments)
        spent.append(seconds)
        return result

    state = torch.load(weights, weights_only=True)
    with (
        mock.patch("pytorch_fid.inception.load_state_dict_from_url", return_value=state),
        mock.patch.object(fid_score, "calculate_frechet_distance", distance),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # of scipy's sqrtm, and of the loader
        workers = min(8, len(os.sched_getaffinity(0)))
        value, seconds = timed(fid_score.calculate_fid_given_paths, folders, 50, torch.device("cpu"), 2048, workers)
    return value, seconds, spent[0]


def network_alone(weights, count):
    """Seconds that the fastest engine takes for so many images that are ready, and its name."""
    embedder = Embedder(load(weights))
    batch = torch.randn(embedder.batch_size, 3, 299, 299)
    embedder.engine(batch)
    start = time.perf_counter()
    for _ in range(-(-count // len(batch))):
        embedder.engine(batch)
    return (time.perf_counter() - start) * count / (len(batch) * -(-count // len(batch))), embedder.engine.name


def main(photographs, weights, count):
    with tempfile.TemporaryDirectory() as made:
        if weights is None:
            torch.manual_seed(0)
            weights = Path(made) / NAME
            torch.save(inception_v3(num_classes=1008, aux_logits=False, init_weights=False).state_dict(), weights)
        folders = cut(photographs, Path(made), count)
        network_alone(weights, 1)  # the engines are measured here, once
        value, slow, root = theirs(folders, weights)
        print(f"pytorch-fid: FID {value:.4f}, {slow:.1f} s; of them its matrix root {root:.1f} s", flush=True)
        for precision in ("fp32", "bf16"):
            result, took = timed(workflows.fid, *folders, weights=weights, precision=precision)
            split = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in result.seconds.items())
            error = abs(result.fid / value - 1)
            print(
                f"{precision}: FID {result.fid:.4f} ({error:.1e} off), {took:.1f} s ({slow / took:.2f}x); in its threads: {split}"
            )
        limit, engine = network_alone(weights, count)
        print(f"limit: the network alone by {engine} {limit:.1f} s", flush=True)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("photographs", type=Path)
    options.add_argument("--weights", type=Path)
    options.add_argument("--images", type=int, default=1000)
    given = options.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {given.images} images")
    main(given.photographs, given.weights, given.images)
