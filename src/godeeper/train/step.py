"""One step of training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from ..errors import GodeeperError
from .batch_norm import BufferBackup, MomentumWarmup
from .checkpoint import State
from .memory import keep_freed_memory
from .optim import WeightAverage, clip_gradients, make_optimizer, set_learning_rate
from .processes import share_batches
from .recipe import TrainConfig
from .task import SomeBatch, Task

MAX_BAD_STEPS = 10  # in a row, after which a run stops


@dataclass(frozen=True)
class StepResult:
    """The mean loss of a step, its metrics as sums over its images, and whether its gradient was finite and applied (`good`)."""

    loss: Tensor
    metrics: Mapping[str, Tensor | float]
    images: int
    good: bool


class Diverged(GodeeperError):
    """Too many steps in a row had a loss or a gradient that is not finite; the weights are those before them."""


class Step:
    """Forward, loss, backward, update, average."""

    def __init__(self, task: Task, accelerator: Accelerator, steps_per_epoch: int) -> None:
        self.task, self.accelerator, self.steps_per_epoch = task, accelerator, steps_per_epoch
        self.network, self.recipe = task.network, task.recipe
        if accelerator.device.type == "cpu":
            keep_freed_memory()
        self.average = WeightAverage(self.network, self.recipe.ema_decay)
        # After the average has its copy, which no process shares: batch norm and dropout over the batch of all processes.
        share_batches(self.network, accelerator, self.recipe.sync_batch_norm)
        self.optimizer = make_optimizer(task.scaled_parameters(), self.recipe)
        self.state = State(self.network, self.average.network, self.optimizer, task.spec(), self.recipe.as_dict())
        self.bf16 = uses_bf16(self.recipe)
        self.warm_up_momentum = MomentumWarmup(self.network)
        self.buffers = BufferBackup(self.network)
        self.module: nn.Module | None = None  # what the task trains, shared by all processes
        self.lr = 0.0
        self.bad_steps = 0

    def begin(self, epoch: int) -> None:
        """Prepares an epoch: what the task trains in it."""
        if self.task.set_trainable(epoch) or self.module is None:
            self.accelerator.free_memory()  # drops the old DDP wrapper: the set of trainable parameters has changed
            self.module = self.accelerator.prepare_model(self.task.module())

    def __call__(self, batch: SomeBatch, global_step: int) -> StepResult:
        """Learns from a batch; `global_step` counts steps over the whole run. Diverged after too many bad steps in a row."""
        assert self.module is not None
        self.module.train()
        self.lr = set_learning_rate(self.optimizer, self.recipe, global_step, self.steps_per_epoch)
        self.warm_up_momentum(global_step)
        self.buffers.save()

        with torch.autocast(self.accelerator.device.type, torch.bfloat16, enabled=self.bf16):
            loss = self.task.loss(self.module, batch, global_step)  # images (N, 3, H, W) -> logits (N, classes) -> ()
        loss.value.backward()  # gradients, averaged over all processes; accelerator.backward divides by a variable's number

        norm = clip_gradients(self.network, self.recipe.clip_norm)  # also where nothing is clipped: it shows what is not finite
        good = math.isfinite(norm)  # the same in all processes, as gradients are averaged
        if good:
            self.optimizer.step()
            self.average.update(self.network, global_step)
        else:
            self.buffers.restore()
        self.optimizer.zero_grad()

        self._count_bad_steps(good, global_step)
        return StepResult(loss.value.detach(), loss.metrics, len(batch), good)

    def _count_bad_steps(self, good: bool, global_step: int) -> None:
        self.bad_steps = 0 if good else self.bad_steps + 1
        if self.bad_steps == MAX_BAD_STEPS:
            raise Diverged(
                f"the loss or its gradient was not finite in {MAX_BAD_STEPS} steps in a row, up to step {global_step + 1}: "
                "begin again with a lower lr, or clip_norm=1"
            )


def uses_bf16(recipe: TrainConfig) -> bool:
    """Whether autocast runs in bf16; "auto": where the processor has it natively."""
    if recipe.precision != "auto":
        return recipe.precision == "bf16"
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    native = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # torch has no public API for it
    return any(getattr(torch.cpu, name, lambda: False)() for name in native)
