"""300 short trainings with loader processes, over batch sizes, epochs and numbers of processes: all end, none leaves a process.

    python benchmarks/short_trainings.py [--count 300] [--limit 120]

Each is a `godeeper train` of its own on a folder of small images, in a process group of its own, in which nothing may be left
once it has ended. Ends with status 0 only if that is so of every one. About 5 seconds a training on one core.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image

BATCHES, EPOCHS, WORKERS = (1, 2, 3, 7, 16, 64), (1, 2, 3), (1, 2, 4)
IMAGES = 12  # of each class and part
LINE = [
    sys.executable, "-m", "godeeper", "train", "--model", "googlenet_bn", "--small", "--width", "0.125", "--tracker", "none",
    "--set", "image_size=16", "--set", "auxiliary_weight=0",
]  # fmt: skip


def make_images(folder: Path) -> None:
    """A class folder of noise: train/ and val/, each with two classes."""
    draw = np.random.default_rng(0)
    for name in ("train/cat", "train/dog", "val/cat", "val/dog"):
        (folder / name).mkdir(parents=True)
        for number in range(IMAGES):
            Image.fromarray(draw.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(folder / name / f"{number}.png")


def fault_of(line: list[str], limit: float) -> str:
    """Runs a training; what is wrong with how it ends, "" if nothing."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryFile("w+") as errors:  # no pipe, which a process that is left would keep open
        process = subprocess.Popen(line, stdout=errors, stderr=errors, start_new_session=True, env=environment)
        try:
            status = process.wait(limit)
            errors.seek(0)
            fault = f"status {status}: {errors.readlines()[-1].strip()}" if status else ""
        except subprocess.TimeoutExpired:
            fault = f"has not ended after {limit:g} s"
    with suppress(ProcessLookupError):  # the usual case: the group is empty
        os.killpg(process.pid, signal.SIGKILL)
        fault = fault or "has left a process"
    process.wait()
    return fault


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--limit", type=float, default=120, help="seconds that a training may take")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    draw, faults, begun = random.Random(arguments.seed), 0, time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_images(folder / "images")
        for number in range(1, arguments.count + 1):
            batch, epochs, workers = (draw.choice(values) for values in (BATCHES, EPOCHS, WORKERS))
            options = ["--batch-size", str(batch), "--epochs", str(epochs), "--workers", str(workers)]
            fault = fault_of(
                [*LINE, *options, "--data", str(folder / "images"), "--out", str(folder / str(number))], arguments.limit
            )
            faults += bool(fault)
            if fault or number % 10 == 0:
                print(f"{number:3d}  batch {batch}, {epochs} epochs, {workers} workers: {fault or 'sound'}", flush=True)
    seconds = (time.monotonic() - begun) / arguments.count
    print(f"{arguments.count - faults} of {arguments.count} trainings ended and left no process ({seconds:.1f} s each)")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
