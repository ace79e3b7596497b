"""What a run learns, as the loop sees it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor, nn

from ..data.batches import Batches
from ..data.workers import WorkerLoader
from .recipe import TrainConfig


class SomeBatch(Protocol):
    """Images to learn from, and why some are missing."""

    @property
    def bad(self) -> tuple[str, ...]: ...

    def __len__(self) -> int: ...


@dataclass(frozen=True)
class Loss:
    """The loss of a batch, a scalar, and its metrics as sums over its images, the loss among them."""

    value: Tensor
    metrics: Mapping[str, Tensor | float]


class Task(ABC):
    """A network, the batches it learns from, and what it learns of one.

    The loop, its checkpoints and the run folder know no more of it than what stands here.
    """

    network: nn.Module
    recipe: TrainConfig
    batches: Batches

    @abstractmethod
    def prepare(self, saved: Mapping[str, Any]) -> None:
        """Readies the network; `saved` is what a run that goes on says of itself, else empty. GodeeperError if it cannot."""

    @abstractmethod
    def spec(self) -> dict[str, Any]:
        """What the network is, as JSON: from this alone it can be built again."""

    @abstractmethod
    def description(self) -> dict[str, Any]:
        """What `recipe.json` is to say of it besides."""

    @abstractmethod
    def loader(self, workers: int) -> WorkerLoader:
        """The batches of the epoch that `batches` is set to, each `SomeBatch`."""

    @abstractmethod
    def module(self) -> nn.Module:
        """What distributed training wraps: every parameter takes part in its forward pass."""

    @abstractmethod
    def loss(self, module: nn.Module, batch: Any, global_step: int) -> Loss:
        """The loss of a batch by that module, in step `global_step`, counted over the whole run."""

    @abstractmethod
    def save(self, network: nn.Module, file: Path) -> None:
        """Writes the final weights."""

    def too_short(self, batch: Any) -> bool:
        """Whether a process's batch has too few images to learn from, as others cannot be decoded."""
        return not len(batch)

    def set_trainable(self, epoch: int) -> bool:
        """Freezes and unfreezes parameters for an epoch; whether that changed anything."""
        return epoch == 0

    def scaled_parameters(self) -> Sequence[tuple[float, list[nn.Parameter]]]:
        """All parameters, each group with its share of the learning rate."""
        return [(1.0, list(self.network.parameters()))]
