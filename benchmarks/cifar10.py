"""What each part of the recipe `cifar10` gives, what other networks reach by it, and how far it goes with more compute.

    python benchmarks/cifar10.py parts IMAGES RUNS [--seeds 3] [--epochs 3] [--only NAME ...]
    python benchmarks/cifar10.py networks DATA RUNS [--seeds 1] [--pflop 0.065] [--only NAME ...]
    python benchmarks/cifar10.py table RUNS
    python benchmarks/cifar10.py figure RUNS

`parts` trains `googlenet_cifar` at half its width by the recipe and then with one part of it changed at a time, by each seed,
in RUNS/NAME-SEED; IMAGES is a folder of classes without a test set, of which a fifth is held out (so the 10,000 test images
decide nothing). What is there already is not trained again, what was cut off is resumed: several such commands may share one
RUNS, each with its own `--only`. `networks` trains each network by the recipe, on all training images of DATA, for the whole
epochs that come nearest to a compute; `plain` is airbench's stack of 3x3 convolutions, with ReLU and an average pool. `table`
prints, of all runs in RUNS: compute, as 6 x multiply-adds x images seen, top-1 error (one crop, after the last epoch), and how
far the mean is from the recipe's, with 95 % intervals (Student's t). `figure` keeps the same runs for docs/drawings.py, which
draws error against compute and against minutes, beside what others publish.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from godeeper import GodeeperError, describe, load
from godeeper.claims.stats import mean, paired
from godeeper.models.spec import ModelSpec
from godeeper.notation import VALID, Avg, BatchNorm, Conv, Definition, Max, Row, Whitening, altered
from godeeper.papers.registry import definition, variant
from godeeper.workflows.training import train

MEASURED = Path(__file__).parents[1] / "docs/figures/measured/compute.json"
RECIPE = "recipe"  # the arm that changes nothing
GOOGLENET = definition("googlenet_cifar")
TABLE = variant(GOOGLENET, width=0.5)
TRAINING_IMAGES = 50_000


@dataclass(frozen=True)
class Arm:
    """A table, and what of the recipe is changed."""

    settings: Sequence[str] = ()
    table: Definition = TABLE


def with_average_pools(row: Row) -> Row:
    return Avg(3) if row == Max(3) else row


MODULES = {name: altered(stage, with_average_pools) for name, stage in TABLE.stages.items()}
ARMS = {
    RECIPE: Arm(),
    "flipped by chance": Arm(["alternating_flip=false"]),
    "not flipped": Arm(["hflip=false"]),
    "not shifted": Arm(["shift=0", "crop_scale=1,1", "crop_ratio=1,1"]),
    "scale crops": Arm(["shift=0", "crop_scale=0.4,1"]),
    "label smoothing 0": Arm(["label_smoothing=0"]),
    "SGD": Arm(["optimizer=sgd", "lr=1.0", "momentum=0.9", "weight_decay=5e-4", "warmup_epochs=0.4"]),
    "weight decay 0": Arm(["weight_decay=0"]),
    "cosine": Arm(["schedule=cosine"]),
    "warm-up": Arm(["warmup_epochs=0.2"]),
    "weights not averaged": Arm(["ema_decay=0"]),
    "batch 1000": Arm(["batch_size=1000"]),
    "3x3, not whitening": Arm(table=replace(TABLE, stages={**TABLE.stages, "whitening": Conv(24, 3)})),
    "batch norm at 0.1": Arm(table=replace(TABLE, batch_norm=BatchNorm(eps=1e-5, momentum=0.1))),
    "average pools in modules": Arm(table=replace(TABLE, stages=MODULES)),
}

PLAIN = replace(
    GOOGLENET,
    name="plain",
    source="airbench's network (arXiv 2404.00498), with ReLU and an average pool",
    stages={
        "whitening": Whitening(2),
        "1a": (Conv(64, 3), Max(2, 2, VALID), Conv(64, 3)),
        "2a": (Conv(256, 3), Max(2, 2, VALID), Conv(256, 3)),
        "3a": (Conv(256, 3), Max(2, 2, VALID), Conv(256, 3)),
    },
)


def for_few_steps(name: str, width: float) -> Definition:
    """A paper's network, small, with running statistics that follow within some steps: its own would take thousands."""
    table = variant(definition(name), width=width, small=True)
    return replace(table, batch_norm=replace(table.batch_norm or BatchNorm(), momentum=0.4))  # as in googlenet_cifar


NETWORKS = {
    "googlenet_cifar": GOOGLENET,
    "googlenet_bn": for_few_steps("googlenet_bn", 0.5),
    "inception_v4": for_few_steps("inception_v4", 0.25),
    "inception_resnet_v2": for_few_steps("inception_resnet_v2", 0.25),
    "plain": PLAIN,
}


def at_compute(table: Definition, pflop: float) -> Arm:
    epochs = round(pflop * 1e15 / (6 * describe(table).multiply_adds * TRAINING_IMAGES))
    return Arm([f"epochs={epochs}"], table)


def train_arms(images: Path, runs: Path, arms: dict[str, Arm], seeds: int) -> None:
    for seed in range(seeds):
        for name, arm in arms.items():
            folder = runs / f"{name.replace(' ', '_')}-{seed}"
            if (folder / "model.safetensors").exists():
                continue
            settings = [*arm.settings, f"seed={seed}"]
            print(f"{name}, seed {seed}", flush=True)
            if folder.exists():
                train(folder, resume=True)
            else:
                train(folder, arm.table, images, recipe="cifar10", overrides=settings, workers=0, trackers=())


def read(folder: Path) -> dict[str, float]:
    """What a finished run cost, and its error."""
    made = json.loads((folder / "recipe.json").read_text())
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    adds = describe(ModelSpec.from_dict(made["spec"]).definition).multiply_adds
    seen = sum(line["images"] for line in lines)
    seconds = len(lines) * statistics.median(line["seconds"] for line in lines)  # other work slows some epochs
    return {"pflop": 6 * adds * seen / 1e15, "error": lines[-1]["top1_error"], "minutes": seconds / 60}


def print_table(runs: Path) -> None:
    arms: defaultdict[str, dict[int, dict[str, float]]] = defaultdict(dict)
    for weights in sorted(runs.rglob("model.safetensors")):
        name, _, seed = str(weights.parent.relative_to(runs)).rpartition("-")
        arms[name.replace("_", " ")][int(seed)] = read(weights.parent)
    recipe = arms.get(RECIPE, {})
    print(f"{'':28} {'n':>2} {'PFLOP':>6} {'minutes':>7} {'top-1 error, %':>16} {'against the recipe':>20}")
    for name, by_seed in sorted(arms.items(), key=lambda item: item[0] != RECIPE):
        columns = {key: [run[key] for run in by_seed.values()] for key in ("pflop", "minutes", "error")}
        pflop, minutes = (statistics.mean(columns[key]) for key in ("pflop", "minutes"))
        pairs = [(run["error"], recipe[seed]["error"]) for seed, run in by_seed.items() if seed in recipe]
        against = str(paired(*zip(*pairs, strict=True))) if name != RECIPE and pairs else ""
        print(f"{name:28} {len(by_seed):2} {pflop:6.3f} {minutes:7.1f} {mean(columns['error'])!s:>16} {against:>20}")


def measure(runs: Path) -> None:
    """Puts compute, minutes and error of every run, by network, where docs/figures/compute.py draws them from."""
    by_table: defaultdict[str, list[list[float]]] = defaultdict(list)
    for weights in sorted(runs.rglob("model.safetensors")):
        run = read(weights.parent)
        by_table[load(weights.parent).definition.name].append([round(run[key], 3) for key in ("pflop", "minutes", "error")])
    MEASURED.write_text(json.dumps(by_table) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    parts, networks = (commands.add_parser(name) for name in ("parts", "networks"))
    for command, arms, seeds in ((parts, ARMS, 3), (networks, NETWORKS, 1)):
        command.add_argument("images", type=Path)
        command.add_argument("runs", type=Path)
        command.add_argument("--seeds", type=int, default=seeds)
        command.add_argument("--only", nargs="+", choices=arms, default=list(arms))
    parts.add_argument("--epochs", type=int, default=3)
    networks.add_argument("--pflop", type=float, default=0.065)
    commands.add_parser("table").add_argument("runs", type=Path)
    commands.add_parser("figure").add_argument("runs", type=Path)
    given = parser.parse_args()
    try:
        if given.command == "parts":
            chosen = {name: replace(ARMS[name], settings=[*ARMS[name].settings, f"epochs={given.epochs}"]) for name in given.only}
            train_arms(given.images, given.runs, chosen, given.seeds)
        elif given.command == "networks":
            chosen = {name: at_compute(NETWORKS[name], given.pflop) for name in given.only}
            train_arms(given.images, given.runs, chosen, given.seeds)
        elif given.command == "table":
            print_table(given.runs)
        else:
            measure(given.runs)
    except GodeeperError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
