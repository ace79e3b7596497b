"""How fast a step of training is: ours against the plain script's, with the same network, batch and images.

    python benchmarks/training.py FOLDER_OF_PHOTOGRAPHS [--batch 16] [--rounds 5] [--loss STEPS]

The plain side is what torchvision's reference script does: torchvision's or timm's network in NCHW, SGD with momentum, on a CPU
in fp32, on a GPU under AMP. Ours is what `godeeper train` runs: bf16 where the processor multiplies it natively, channels last,
and besides the same SGD an average of the weights and a check of every gradient. Steps take turns; the medians' ratio counts.
With --loss, both then train GoogLeNet on the photographs (two classes: even and odd) for that many steps from the same weights,
by three orders of the images, and the final losses are compared.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import timm
import torch
import torchvision
from accelerate import Accelerator
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from godeeper import Augment, Recipe, create_model, decode, normalise
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


def ours(network: Network, device: torch.device) -> StepOf:
    accelerator = Accelerator(cpu=device.type == "cpu")
    some = ArrayDataset(np.zeros((RECIPE.batch_size, 8, 8), np.uint8), [0] * RECIPE.batch_size, "none")  # never asked for
    made = Step(Classification(to_device(network, device), some, RECIPE, accelerator), accelerator, 1000)
    made.begin(0)
    count = iter(range(1_000_000))
    return lambda images, labels: made(Batch(images, labels, ()), next(count)).loss.item()


def photographs(files: list[Path], size: int, count: int) -> Tensor:
    """Patches (count, 3, size, size), uint8."""
    return torch.stack([Augment()(decode(files[n % len(files)]), size, Random(n)) for n in range(count)])


def memory(device: torch.device) -> str:
    return f", {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB" if device.type == "cuda" else ""


def race(name: str, files: list[Path], batch: int, rounds: int, device: torch.device) -> None:
    peer, size = PEERS[name]
    images, labels = photographs(files, size, batch), torch.arange(batch)
    aux = name.startswith("googlenet")
    sides = {"plain": plain(peer(), device), "ours": ours(create_model(name, aux=aux), device)}
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(rounds + 1):  # the first warms up
        for side, step in sides.items():
            start = time.perf_counter()
            step(images, labels)
            if number:
                seconds[side].append(time.perf_counter() - start)
    middle = {side: statistics.median(times) for side, times in seconds.items()}
    speeds = ", ".join(f"{side} {batch / value:.1f} images/s" for side, value in middle.items())
    print(f"{name} at {size}: {speeds}: {middle['plain'] / middle['ours']:.2f}x{memory(device)}", flush=True)


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
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--loss", type=int, default=0, metavar="STEPS")
    parser.add_argument("--network", choices=list(PEERS), action="append")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    files, device = image_files(arguments.folder), best_device()
    print(f"{device}, torch {torch.__version__}, {torch.get_num_threads()} threads, batches of {arguments.batch}")
    for name in arguments.network or PEERS:
        race(name, files, arguments.batch, arguments.rounds, device)
    if arguments.loss:
        final_losses(files, arguments.batch, arguments.loss, device)


if __name__ == "__main__":
    main()
