"""One step of training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from ..errors import GodeeperError
from .checkpoint import State
from .optim import WeightAverage, learning_rate, make_optimizer, warm_statistics
from .processes import share_batches
from .recipe import TrainConfig
from .task import SomeBatch, Task

BAD_STEPS = 10  # in a row, after which a run stops


@dataclass(frozen=True)
class StepResult:
    """What a step found: its mean loss, figures as sums over its images, and whether the weights could learn from it."""

    loss: Tensor
    figures: Mapping[str, Tensor | float]
    images: int
    good: bool


class Diverged(GodeeperError):
    """Too many steps in a row had a loss or a gradient that is not finite; the weights are those before them."""


class Step:
    """Forward, backward, update, average."""

    def __init__(self, task: Task, accelerator: Accelerator, steps_per_epoch: int) -> None:
        self.task, self.accelerator, self.steps_per_epoch = task, accelerator, steps_per_epoch
        self.network, self.recipe = task.network, task.recipe
        self.average = WeightAverage(self.network, self.recipe.ema_decay)
        share_batches(self.network, accelerator, self.recipe.sync_batch_norm)
        self.optimizer = make_optimizer(task.scaled_parameters(), self.recipe)
        self.state = State(self.network, self.average.network, self.optimizer, task.spec())
        self.bf16 = uses_bf16(self.recipe)
        self.lr = 0.0
        self.bad_steps = 0
        self._statistics = list(self.network.buffers())
        self._before = [b.clone() for b in self._statistics]

    def begin(self, epoch: int) -> None:
        """Readies an epoch: what the task lets learn in it."""
        if self.task.begin(epoch) or not hasattr(self, "objective"):
            self.accelerator.free_memory()  # the wrapper that shared the gradients of other weights, if there was one
            self.objective: nn.Module = self.accelerator.prepare_model(self.task.objective())

    def __call__(self, batch: SomeBatch, number: int) -> StepResult:
        """Learns from a batch; `number` counts steps over the whole run. Diverged after too many bad steps in a row."""
        if not len(batch):  # one process alone leaves the step out; several must keep step with each other
            raise GodeeperError(f"no image of a process's share of a batch can be decoded, the first: {batch.bad[0]}")
        self.lr = learning_rate(self.recipe, number, self.steps_per_epoch)
        for group in self.optimizer.param_groups:
            group["lr"] = self.lr * group["scale"]
        self.objective.train()
        warm_statistics(self.network, number)
        _copy(self._statistics, self._before)
        with torch.autocast(self.accelerator.device.type, torch.bfloat16, enabled=self.bf16):
            loss = self.task.loss(self.objective, batch, number)
        self.accelerator.backward(loss.value)
        good = self._update(number)
        return StepResult(loss.value.detach(), loss.figures, len(batch), good)

    def _update(self, number: int) -> bool:
        """Moves the weights, unless the gradient is not finite, which every process sees alike once it is averaged."""
        gradients = [p.grad for p in self.network.parameters() if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        good = bool(torch.isfinite(norm))
        if good:
            if self.recipe.clip_norm and norm > self.recipe.clip_norm:
                torch._foreach_mul_(gradients, self.recipe.clip_norm / (norm + 1e-6))
            self.optimizer.step()
            self.average.update(self.network, number)
            self.bad_steps = 0
        else:
            _copy(self._before, self._statistics)
            self.bad_steps += 1
        self.optimizer.zero_grad()
        if self.bad_steps == BAD_STEPS:
            raise Diverged(
                f"the loss or its gradient was not finite in {BAD_STEPS} steps in a row, to step {number + 1}: "
                "begin again with a lower lr, or clip_norm=1"
            )
        return good


def _copy(tensors: list[Tensor], into: list[Tensor]) -> None:
    if tensors:  # a network without batch norm has none
        torch._foreach_copy_(into, tensors)


def uses_bf16(recipe: TrainConfig) -> bool:
    """Whether to multiply in bf16; "auto" does where the processor has it natively."""
    if recipe.precision != "auto":
        return recipe.precision == "bf16"
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    native = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # torch has no public question for it
    return any(getattr(torch.cpu, name, lambda: False)() for name in native)
