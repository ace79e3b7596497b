"""What fine-tuning from really trained weights is worth: against a linear probe, the classifier alone, and a start from scratch.

    python benchmarks/finetuning.py DATA WEIGHTS --runs RUNS [--seeds 3] [--epochs 6] [--arms probe head all scratch] [--set ...]

DATA is a class folder, WEIGHTS a safetensors file of a Keras Inception-v3: HWIO kernels and batch norms without gamma, each uint8
with a scale and a minimum in the metadata (`quantization`), for whole images squashed to 299 x 299, RGB in 0..1. The arms:

    probe     logistic regression on the 2048 pooled features, its strength chosen within the training set by cross-validation
    head      recipe `finetune`, the classifier alone in all epochs
    all       recipe `finetune`
    scratch   the same images and epochs from fresh weights, in batches of 32

Errors are of the test images. Where DATA has no folder for them, a fifth of each class is held out: settings are chosen so, by
DATA/train. Each seed has its own order, crops, classifier, and folds of the probe; intervals are Student's t over seeds. Minutes
are of the processor (give it one thread), with the evaluation after each epoch. Runs that are done stay, others go on.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import StratifiedKFold

from godeeper import create_model, save
from godeeper.claims.stats import mean
from godeeper.data.dataset import ImageDataset
from godeeper.data.open import open_data
from godeeper.models.spec import ModelSpec
from godeeper.papers.registry import definition, variant
from godeeper.preprocess import Preprocess
from godeeper.train.run import RECIPE_FILE
from godeeper.workflows import embed, train

STRENGTHS = np.logspace(-4, 4, 17)  # of the probe: C, the inverse of its penalty
FOLDS = 5
FROM_SCRATCH = ("batch_norm=trained", "freeze_epochs=0", "layer_decay=1", "batch_size=32")
ARMS = ("probe", "head", "all", "scratch")


def trunk_file(weights: Path, runs: Path) -> Path:
    """The trunk as a weights file of godeeper, in `runs`; its classifier is fresh, of a single class."""
    file = runs / "trunk.safetensors"
    if file.is_file():
        return file
    table = variant(definition("inception_v3_tf"), num_classes=1)
    preprocess = Preprocess.of(table.image_size, (0, 0, 0), (1, 1, 1), mode="squash")
    network = create_model(ModelSpec(table, preprocess))
    tensors = network.state_dict()
    units = [name.removesuffix("conv.weight") for name in tensors if name.startswith("stages.") and name.endswith("conv.weight")]
    with safe_open(weights, "pt") as stored:
        steps = json.loads(stored.metadata()["quantization"])

        def tensor(name: str) -> torch.Tensor:
            scale, minimum = steps[name]
            return (stored.get_tensor(name).double() * scale + minimum).float()

        for number, unit in enumerate(units, 1):  # Keras numbers layers in the table's order
            norm = f"batch_normalization_{number}"
            tensors[f"{unit}conv.weight"] = tensor(f"conv2d_{number}/kernel").permute(3, 2, 0, 1)  # HWIO -> OIHW
            tensors[f"{unit}norm.weight"] = torch.ones_like(tensors[f"{unit}norm.bias"])
            tensors[f"{unit}norm.bias"] = tensor(f"{norm}/beta")
            tensors[f"{unit}norm.running_mean"] = tensor(f"{norm}/moving_mean")
            tensors[f"{unit}norm.running_var"] = tensor(f"{norm}/moving_variance")
    network.load_state_dict(tensors)
    save(network, file)
    return file


def embeddings(trunk: Path, images: ImageDataset) -> tuple[np.ndarray, np.ndarray]:
    """Pooled features (N, 2048) float32 and labels (N,) of the images that can be decoded."""
    result = embed(trunk, [images.raw(index) for index in range(len(images))])
    return result.embeddings.numpy(), np.array(images.labels)[result.index]


class Probe:
    """Logistic regressions on the embeddings, which are computed once."""

    def __init__(self, data: str, trunk: Path) -> None:
        started, splits = time.process_time(), open_data(data)
        self.train, self.test = embeddings(trunk, splits.train), embeddings(trunk, splits.test)
        self.seconds = time.process_time() - started

    def __call__(self, seed: int) -> dict[str, float]:
        """Error (%) on the test images, minutes, and the strength chosen."""
        started = time.process_time()
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
        probe = LogisticRegressionCV(
            Cs=STRENGTHS, cv=folds, scoring="neg_log_loss", max_iter=5000, l1_ratios=(0,), use_legacy_attributes=False
        ).fit(*self.train)
        features, labels = self.test
        error = 100 * float(np.mean(probe.predict(features) != labels))
        return {"error": error, "minutes": (self.seconds + time.process_time() - started) / 60, "strength": float(probe.C_)}


def run_of(arm: str, seed: int, arguments: argparse.Namespace, trunk: Path) -> dict[str, float]:
    """Trains a network, or goes on with it; its error (%) after the last epoch, and minutes."""
    out: Path = arguments.runs / f"{arm}-{seed}"
    own = {"head": (f"freeze_epochs={arguments.epochs}",), "all": (), "scratch": FROM_SCRATCH}[arm]
    overrides = [f"epochs={arguments.epochs}", f"seed={seed}", *arguments.set, *own]
    spent = out.with_suffix(".minutes")
    before, started = float(spent.read_text()) if spent.is_file() else 0.0, time.process_time()
    how = {"workers": 0, "trackers": (), "on_message": lambda line: print(f"{out.name}: {line}", flush=True)}
    try:
        if (out / RECIPE_FILE).is_file():
            result = train(out, resume=True, **how)
        else:
            weights = None if arm == "scratch" else trunk
            result = train(out, trunk, arguments.data, recipe="finetune", overrides=overrides, weights=weights, **how)
    finally:
        minutes = before + (time.process_time() - started) / 60
        spent.write_text(str(minutes))
    return {"error": result.metrics[-1]["top1_error"], "minutes": minutes}


def table(runs: Path, arms: list[str], seeds: int) -> str:
    """The results that `runs` has, a row an arm."""
    lines = ["| arm | error on the test images | by seed | minutes |", "|---|---|---|---|"]
    for arm in arms:
        results = [json.loads(file.read_text()) for seed in range(seeds) if (file := runs / f"{arm}-{seed}.json").is_file()]
        if results:
            errors = [result["error"] for result in results]
            by_seed = ", ".join(f"{error:.2f}" for error in errors)
            minutes = sum(result["minutes"] for result in results) / len(results)
            lines.append(f"| {arm} | {mean(errors)} % | {by_seed} | {minutes:.1f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="a class folder")
    parser.add_argument("weights", type=Path)
    parser.add_argument("--runs", type=Path, required=True, help="the folder for runs and results")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="of the recipe")
    arguments = parser.parse_args()
    arguments.runs.mkdir(parents=True, exist_ok=True)
    trunk = trunk_file(arguments.weights, arguments.runs)
    probe: Probe | None = None
    for arm in arguments.arms:
        for seed in range(arguments.seeds):
            file = arguments.runs / f"{arm}-{seed}.json"
            if file.is_file():
                continue
            if arm == "probe":
                probe = probe or Probe(arguments.data, trunk)
                result = probe(seed)
            else:
                result = run_of(arm, seed, arguments, trunk)
            file.write_text(json.dumps(result) + "\n")
            print(f"{file.stem}: {result}", flush=True)
    print(table(arguments.runs, arguments.arms, arguments.seeds))


if __name__ == "__main__":
    main()
