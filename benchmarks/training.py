"""How fast a step of training is: ours against the plain script's, with the same network, batch and images.

    python benchmarks/training.py FOLDER_OF_PHOTOGRAPHS [--batch 16] [--rounds 5] [--loss STEPS]
    python benchmarks/training.py FOLDER_OF_PHOTOGRAPHS --small [--batch 128] [--rounds 20] [--before OLD_CHECKOUT/src]

The plain side is what torchvision's reference script does: torchvision's or timm's network in NCHW, SGD with momentum, on a CPU
in fp32, on a GPU under AMP. Ours is what `godeeper train` runs: bf16 where the processor multiplies it natively, channels last,
and besides the same SGD an average of the weights and a check of every gradient. Steps take turns; the medians' ratio counts.
With --loss, both then train GoogLeNet on the photographs (two classes: even and odd) for that many steps from the same weights,
by three orders of the images, and the final losses are compared.

With --small, images have 32 pixels and networks half their width: pytorch-cifar's GoogLeNet, by the plain script and by ours, and
`googlenet_bn`; with --before, also `googlenet_bn` by an older godeeper, in a process that waits while others compute: its losses
over the same steps are compared with ours.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import timm
import torch
import torchvision
from accelerate import Accelerator
from cifar_googlenet import plain_network, table
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

import godeeper
from godeeper import Augment, Recipe, create_model, decode, describe, normalise
from godeeper.data.dataset import ArrayDataset
from godeeper.data.loader import Batch
from godeeper.data.walk import image_files
from godeeper.models.network import Network, best_device, to_device
from godeeper.preprocess import Preprocess
from godeeper.train.classification import Classification
from godeeper.train.step import Step

RECIPE = Recipe(
    lr=0.01, nesterov=False, weight_decay=1e-4, schedule="step", step_factor=1.0, warmup_epochs=0, label_smoothing=0.0
)
PEERS = {  # our name -> the peer, the size of its images
    "googlenet_torchvision": (lambda **how: torchvision.models.googlenet(init_weights=False, aux_logits=True, **how), 224),
    "inception_v4": (lambda **how: timm.create_model("inception_v4", **how), 299),
    "inception_resnet_v2": (lambda **how: timm.create_model("inception_resnet_v2", **how), 299),
}
StepOf = Callable[[Tensor, Tensor], float]  # uint8 images (N, 3, H, W), labels (N,) -> loss


def plain(network: nn.Module, device: torch.device) -> StepOf:
    network.to(device).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=RECIPE.lr, momentum=RECIPE.momentum, weight_decay=RECIPE.weight_decay)
    scaler = torch.amp.GradScaler(device.type, enabled=device.type == "cuda")

    def step(images: Tensor, labels: Tensor) -> float:
        x, y = normalise(images.to(device), Preprocess()).contiguous(), labels.to(device)
        with torch.autocast(device.type, torch.float16, enabled=device.type == "cuda"):
            out = network(x)
            heads = (out.aux_logits1, out.aux_logits2) if isinstance(out, tuple) else ()
            loss = F.cross_entropy(out.logits if heads else out, y) + 0.3 * sum(F.cross_entropy(head, y) for head in heads)
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        return loss.item()

    return step


def ours(network: Network, device: torch.device, recipe: Recipe = RECIPE) -> StepOf:
    accelerator = Accelerator(cpu=device.type == "cpu")
    some = ArrayDataset(np.zeros((recipe.batch_size, 8, 8), np.uint8), [0] * recipe.batch_size, "none")  # never asked for
    made = Step(Classification(to_device(network, device), some, recipe, accelerator), accelerator, 1000)
    made.begin(0)
    count = iter(range(1_000_000))
    return lambda images, labels: made(Batch(images, labels, ()), next(count)).loss.item()


def photographs(files: list[Path], size: int, count: int) -> Tensor:
    """Patches (count, 3, size, size), uint8."""
    return torch.stack([Augment()(decode(files[n % len(files)]), size, Random(n)) for n in range(count)])


def memory(device: torch.device) -> str:
    return f", {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB" if device.type == "cuda" else ""


def take_turns(
    sides: Mapping[str, StepOf], images: Tensor, labels: Tensor, rounds: int
) -> tuple[dict[str, float], dict[str, list[float]]]:
    """The median seconds of a side's step, and its losses."""
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    losses: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(rounds + 1):  # the first warms up
        for side, step in sides.items():
            start = time.perf_counter()
            losses[side].append(step(images, labels))
            if number:
                seconds[side].append(time.perf_counter() - start)
    return {side: statistics.median(times) for side, times in seconds.items()}, losses


def race(name: str, files: list[Path], batch: int, rounds: int, device: torch.device) -> None:
    peer, size = PEERS[name]
    images, labels = photographs(files, size, batch), torch.arange(batch)
    aux = name.startswith("googlenet")
    sides = {"plain": plain(peer(), device), "ours": ours(create_model(name, aux=aux), device)}
    middle, _ = take_turns(sides, images, labels, rounds)
    speeds = ", ".join(f"{side} {batch / value:.1f} images/s" for side, value in middle.items())
    print(f"{name} at {size}: {speeds}: {middle['plain'] / middle['ours']:.2f}x{memory(device)}", flush=True)


def small_googlenet() -> Network:
    torch.manual_seed(0)
    return create_model("googlenet_bn", num_classes=10, width=0.5, small=True)


def small_images(files: list[Path], batch: int) -> tuple[Tensor, Tensor]:
    return photographs(files, 32, batch), torch.arange(batch) % 10


def race_small(files: list[Path], arguments: argparse.Namespace, device: torch.device) -> None:
    batch, recipe = arguments.batch, small_recipe(arguments)
    cifar, googlenet = create_model(table(), width=0.5), small_googlenet()
    adds = {"cifar_googlenet": describe(cifar).multiply_adds, "googlenet_bn": describe(googlenet).multiply_adds}
    sides = {
        "cifar_googlenet, plain": plain(plain_network(0.5), device),
        "cifar_googlenet, ours": ours(cifar, device, recipe),
        "googlenet_bn, ours": ours(googlenet, device, recipe),
    }
    if arguments.before:
        sides["googlenet_bn, before"] = step_of(arguments.before, arguments)
    middle, losses = take_turns(sides, *small_images(files, batch), arguments.rounds)
    for side, value in middle.items():
        gflops = 6 * adds[side.partition(",")[0]] * batch / value / 1e9
        print(f"{side}: {batch / value:.0f} images/s, {gflops:.0f} GFLOP/s")
    print(f"cifar_googlenet: {middle['cifar_googlenet, plain'] / middle['cifar_googlenet, ours']:.2f}x")
    if arguments.before:
        print(f"googlenet_bn: {middle['googlenet_bn, before'] / middle['googlenet_bn, ours']:.2f}x")
        then, now = losses["googlenet_bn, before"], losses["googlenet_bn, ours"]
        apart = max(abs(one - other) for one, other in zip(then, now, strict=True))
        print(f"losses over {len(now)} steps, from {now[0]:.3f} to {now[-1]:.3f}, differ by at most {apart:.1e}")


def small_recipe(arguments: argparse.Namespace) -> Recipe:
    return replace(RECIPE, batch_size=arguments.batch, precision=arguments.precision)


def step_of(source: Path, arguments: argparse.Namespace) -> StepOf:
    """A step of `googlenet_bn` by the godeeper in `source`, in another process."""
    options = ["--answer", "--batch", str(arguments.batch), "--precision", arguments.precision]
    child = subprocess.Popen(
        [sys.executable, __file__, arguments.folder, *options],
        env={**os.environ, "PYTHONPATH": str(source)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdin is not None
    assert child.stdout is not None
    questions, answers = child.stdin, child.stdout
    assert Path(answers.readline().strip()).is_relative_to(source.resolve())

    def step(images: Tensor, labels: Tensor) -> float:
        print(file=questions, flush=True)
        return float(answers.readline())

    return step


def answer(files: list[Path], arguments: argparse.Namespace, device: torch.device) -> None:
    """Says where godeeper lies; then makes a step for each line of standard input, and prints its loss."""
    step, (images, labels) = ours(small_googlenet(), device, small_recipe(arguments)), small_images(files, arguments.batch)
    print(Path(godeeper.__file__).resolve(), flush=True)
    for _ in sys.stdin:
        print(step(images, labels), flush=True)


def final_losses(files: list[Path], batch: int, steps: int, device: torch.device) -> None:
    """The mean loss over the last tenth of the steps, from the same weights, by three orders of the images."""
    peer, size = PEERS["googlenet_torchvision"]
    images, labels = photographs(files, size, len(files)), torch.arange(len(files)) % 2
    found: dict[str, list[float]] = {"plain": [], "ours": []}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(3):
            torch.manual_seed(seed)
            start = peer(num_classes=2)
            weights = Path(folder) / "googlenet.safetensors"
            save_file(start.state_dict(), weights)
            network = create_model("googlenet_torchvision", num_classes=2, aux=True, weights=str(weights))
            order = Random(seed)
            draws = [order.sample(range(len(files)), batch) for _ in range(steps)]
            for side, step in (("plain", plain(start, device)), ("ours", ours(network, device))):
                losses = [step(images[draw], labels[draw]) for draw in draws]
                found[side].append(statistics.mean(losses[-max(1, steps // 10) :]))
    for side, losses in found.items():
        spread = f"mean {statistics.mean(losses):.3f}, deviation {statistics.stdev(losses):.3f}"
        print(f"final loss after {steps} steps, {side}: {', '.join(f'{loss:.3f}' for loss in losses)} ({spread}, n=3)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--loss", type=int, default=0, metavar="STEPS")
    parser.add_argument("--network", choices=list(PEERS), action="append")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--before", type=Path, metavar="SRC")
    parser.add_argument("--precision", choices=["auto", "fp32", "bf16"], default="auto")
    parser.add_argument("--answer", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    small = arguments.small or arguments.answer
    arguments.batch = arguments.batch or (128 if small else 16)
    arguments.rounds = arguments.rounds or (20 if small else 5)
    warnings.simplefilter("ignore")
    files, device = image_files(arguments.folder), best_device()
    if arguments.answer:
        answer(files, arguments, device)
        return
    print(f"{device}, torch {torch.__version__}, {torch.get_num_threads()} threads, batches of {arguments.batch}")
    if small:
        race_small(files, arguments, device)
        return
    for name in arguments.network or PEERS:
        race(name, files, arguments.batch, arguments.rounds, device)
    if arguments.loss:
        final_losses(files, arguments.batch, arguments.loss, device)


if __name__ == "__main__":
    main()
