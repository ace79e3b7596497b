"""The training loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor

from ..data.augment import normalise
from ..data.loader import Batch, EpochBatches, training_loader
from ..data.sources import Pictures
from ..errors import GodeeperError
from ..models.network import Network, to_device
from ..models.weights import save_weights
from ..papers.describe import minimum_size
from ..preprocess import Preprocess
from .checkpoint import load_newest, save_checkpoint
from .curves import draw_curves
from .loss import Objective
from .optim import WeightAverage, learning_rate, make_optimizer, warm_statistics
from .progress import Bar, Totals
from .recipe import Recipe
from .run import RunFolder

Evaluator = Callable[[Network], Mapping[str, float]]


def train(
    network: Network,
    pictures: Pictures,
    recipe: Recipe,
    out: str | Path,
    *,
    evaluate: Evaluator | None = None,
    workers: int = 0,
    resume: bool = False,
    notes: Mapping[str, Any] | None = None,
) -> Path:
    """Trains `network` on `pictures` and leaves a run folder at `out`, which it returns.

    `evaluate`, given the averaged network, adds its figures to each epoch's; `notes` go into `recipe.json`. With `resume`, goes
    on after the last whole checkpoint. Under torchrun or `accelerate launch`, the processes share every batch. GodeeperError
    for a folder that holds a run already, pictures below the network's minimum size, and a loss that is no longer finite.
    """
    run = RunFolder(Path(out))
    # Without an accelerator torch's processes meet over gloo; precision is ours to choose, whatever the environment says.
    accelerator = Accelerator(cpu=not torch.accelerator.is_available(), mixed_precision="no")
    main = accelerator.is_main_process
    if resume and "preprocess" in (begun := run.read()):  # weights that the run started from may have brought their own
        network.preprocess = Preprocess.from_dict(begun["preprocess"])
    network.preprocess = replace(network.preprocess, image_size=_image_size(network, recipe))
    batches = EpochBatches(len(pictures), recipe.batch_size, recipe.seed, accelerator.process_index, accelerator.num_processes)
    to_device(network, accelerator.device)
    step = Step(network, recipe, accelerator, len(batches))
    if resume:
        done = load_newest(run.checkpoints, network, step.average.network, step.optimizer)
    else:
        done = 0
        if main:
            run.begin(_description(network, recipe, step) | dict(notes or {}))
    loader = training_loader(pictures, network.preprocess.image_size, recipe.augment, batches, workers)
    bar = Bar(recipe.epochs, len(batches), done, show=main)

    for epoch in range(done, recipe.epochs):
        batches.epoch = epoch
        with bar.epoch(epoch):
            totals = _epoch(step, loader, epoch * len(batches), bar)
        record = {"epoch": epoch + 1, "lr": step.lr, **totals.result(accelerator)}
        step.average.synchronise()
        record |= evaluate(step.average.network) if evaluate is not None else {}
        if main:
            run.record(record)  # before the checkpoint: should this be the end, the epoch is run, and recorded, again
            save_checkpoint(run.checkpoints, epoch + 1, network, step.average.network, step.optimizer)
            run.log(_line(record, recipe.epochs))
            for reason in totals.bad:
                run.log(f"skipped {reason}")
    if main:
        _finish(run, network, step.average.network)
    accelerator.wait_for_everyone()
    return run.path


def _epoch(step: Step, loader: Iterable[Batch], first: int, bar: Bar) -> Totals:
    """One pass over the pictures, whose first step has the number `first`."""
    totals = Totals()
    for number, batch in enumerate(loader, start=first):
        if len(batch.labels) or step.accelerator.num_processes > 1:
            totals.add(*step(batch, number))
        totals.bad += batch.bad
        bar.step(totals)
    return totals


def _description(network: Network, recipe: Recipe, step: Step) -> dict[str, Any]:
    """What `recipe.json` says of a run, and --resume reads."""
    return {
        "model": network.arguments, "recipe": recipe.as_dict(), "preprocess": network.preprocess.as_dict(), "bf16": step.bf16,
    }  # fmt: skip


class Step:
    """One step of training: forward, backward, update, average."""

    def __init__(self, network: Network, recipe: Recipe, accelerator: Accelerator, steps_per_epoch: int) -> None:
        self.network, self.recipe, self.accelerator, self.steps_per_epoch = network, recipe, accelerator, steps_per_epoch
        self.optimizer = make_optimizer(network, recipe)
        self.average = WeightAverage(network, recipe.average_decay)
        self.objective = accelerator.prepare(Objective(network, recipe.label_smoothing, recipe.auxiliary_weight))
        self.bf16 = uses_bf16(recipe)
        self.lr = 0.0

    def __call__(self, batch: Batch, number: int) -> tuple[Tensor, Tensor, Tensor]:
        """Learns from a batch; `number` counts steps over the whole run. Gives loss, logits (N, classes) and labels (N,)."""
        if not len(batch.labels):  # one process alone skips the step; several must keep step with each other
            raise GodeeperError(f"no picture of a process's share of a batch can be decoded, the first: {batch.bad[0]}")
        self.lr = learning_rate(self.recipe, number, self.steps_per_epoch)
        for group in self.optimizer.param_groups:
            group["lr"] = self.lr
        device = self.accelerator.device
        x = normalise(batch.pictures.to(device, non_blocking=True), self.network.preprocess)
        labels = batch.labels.to(device, non_blocking=True)
        torch.manual_seed(_seed(self.recipe.seed, number, self.accelerator.process_index))  # dropout, too, is reproducible
        self.objective.train()
        warm_statistics(self.network, number)
        with torch.autocast(device.type, torch.bfloat16, enabled=self.bf16):
            loss, logits = self.objective(x.contiguous(memory_format=torch.channels_last), labels)
        if not torch.isfinite(loss):
            raise GodeeperError(f"the loss is {loss.item()} at step {number + 1}: try a lower lr, or clip_norm=1")
        self.accelerator.backward(loss)
        if self.recipe.clip_norm:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.average.update(self.network, number)
        return loss.detach(), logits.detach(), labels


def uses_bf16(recipe: Recipe) -> bool:
    """Whether to multiply in bf16; "auto" does where the processor has it natively."""
    if recipe.precision != "auto":
        return recipe.precision == "bf16"
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    native = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # torch has no public question for it
    return any(getattr(torch.cpu, name, lambda: False)() for name in native)


def _image_size(network: Network, recipe: Recipe) -> int:
    size = recipe.image_size or network.preprocess.image_size
    minimum = minimum_size(network.definition, heads=len(network.auxiliary) > 0)
    if size < minimum:
        raise GodeeperError(f"recipe: image_size is {size}, but {network.definition.name} needs at least {minimum} to train")
    return size


def _seed(seed: int, step: int, rank: int) -> int:
    return (seed * 1_000_003 + step) * 1_009 + rank


def _line(record: Mapping[str, Any], epochs: int) -> str:
    tested = f", test error {record['top1_error']:.2f} %" if "top1_error" in record else ""
    if record.get("test_skipped"):
        tested += f" ({record['test_skipped']} test pictures cannot be decoded: `godeeper evaluate` names them)"
    speed = f"{record['seconds']:.1f} s, {record['pictures_per_second']:.0f} pictures/s"
    return f"epoch {record['epoch']}/{epochs}: loss {record['loss']:.4f}, error {record['train_error']:.2f} %{tested}, {speed}"


def _finish(run: RunFolder, network: Network, average: Network) -> None:
    average.classes, average.preprocess = network.classes, network.preprocess
    save_weights(average, run.weights)
    try:
        draw_curves(run.metrics(), run.path / "curves.png", run.path.name)
    except GodeeperError as error:
        run.log(str(error))
    run.log(f"done: {run.weights}")
