"""30 times: a training run is killed by SIGKILL at a random moment, also inside saves, resumed, and compared with one left alone.

    python benchmarks/kills.py [--times 30]

Ends with status 0 only if every run ends with the weights, bit for bit, of the uninterrupted one. About 20 seconds a kill.
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
from pathlib import Path

import torch
from safetensors.torch import load_file

# Real images (the built-in digits), batch norm, heads, mixing; a checkpoint every third of a second.
LINE = [
    sys.executable, "-m", "godeeper", "train", "--model", "googlenet_bn", "--small", "--width", "0.25", "--data", "digits",
    "--epochs", "2", "--set", "mixup=0.2", "--set", "checkpoint_minutes=0.005", "--tracker", "none",
]  # fmt: skip


def start(out: Path, *more: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([*LINE, "--out", str(out), *more], stderr=subprocess.DEVNULL, env=environment)


def resume(out: Path) -> None:
    line = [*LINE[:4], "--resume", "--out", str(out), "--tracker", "none"]
    done = subprocess.run(line, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False)
    assert done.returncode == 0, done.stderr


def kill(out: Path, seconds: float, inside_a_save: bool) -> str:
    """Kills a new run `seconds` after its folder appears, or in the first save after that; where it stood, "" if at its end."""
    process = start(out)
    while not (out / "recipe.json").exists():
        time.sleep(0.002)
    time.sleep(seconds)
    where = "between saves"
    while inside_a_save and process.poll() is None:
        if any((out / "checkpoints").glob(".*.partial")):
            where = "inside a save"
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    if (out / "model.safetensors").exists():
        return ""
    if any((out / "checkpoints").glob(".*.partial")):
        where = "inside a save"
    newest = max((out / "checkpoints").glob("epoch-*"), default=None)
    return f"{where}, newest whole checkpoint {newest.stem if newest else 'none'}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    draw = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        whole, begun = Path(folder) / "whole", time.monotonic()
        process = start(whole)
        while not (whole / "recipe.json").exists():
            time.sleep(0.01)
        begun = time.monotonic()
        assert process.wait() == 0
        lasts = time.monotonic() - begun
        expected = load_file(whole / "model.safetensors")
        equal = 0
        for number in range(arguments.times):
            where, tries = "", 0
            while not where:  # a kill that comes after the end is none
                out, tries = Path(folder) / f"run{number}-{tries}", tries + 1
                where = kill(out, draw.uniform(0, 0.8 * lasts), inside_a_save=number % 2 == 1)
            resume(out)
            found = load_file(out / "model.safetensors")
            same = found.keys() == expected.keys() and all(torch.equal(found[name], tensor) for name, tensor in expected.items())
            equal += same
            print(f"{number + 1:3d}  {'bit-equal' if same else 'DIFFERENT'}  killed {where}", flush=True)
    print(f"{equal} of {arguments.times} runs ended bit-equal to the uninterrupted one ({lasts:.0f} s)")
    return 0 if equal == arguments.times else 1


if __name__ == "__main__":
    sys.exit(main())
