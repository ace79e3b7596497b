"""The training loop."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from torch import distributed as dist

from ..data.dataset import ImageDataset, ImageStream
from ..data.workers import WorkerLoader
from ..errors import GodeeperError
from ..locks import locked
from ..models.network import Network, to_device
from ..ranks import fail_together
from .checkpoint import Position, load_newest, save_checkpoint
from .checks import check_same_recipe
from .classification import Classification
from .curves import draw_curves
from .epoch import EpochTotals, epoch_line, epoch_record
from .interrupt import Interruption, take_effect
from .optim import learning_rate
from .recipe import Recipe
from .run import RunFolder
from .step import Diverged, Step
from .task import Task
from .trackers import Trackers, check_trackers, default_trackers

Evaluator = Callable[[Any], Mapping[str, float]]  # the averaged network -> metrics
OnMessage = Callable[[str], None]  # gets each line of log.txt
OnStep = Callable[[str, int, int], None]  # (label, steps done, steps in all)
TRACKED_STEPS = 50  # trackers get the loss of every 50th step
LABEL_SECONDS = 0.5  # between looks at the sums of an epoch, for which the device is waited for


def train(
    network: Network,
    images: ImageDataset | ImageStream,
    recipe: Recipe,
    out: str | Path,
    *,
    evaluate: Evaluator | None = None,
    workers: int = 0,
    resume: bool = False,
    notes: Mapping[str, Any] | None = None,
    trackers: Sequence[str] | None = None,
    on_message: OnMessage | None = None,
    on_step: OnStep | None = None,
    first_messages: Sequence[str] = (),
) -> Path:
    """Trains `network` on `images` and leaves a run folder at `out`, which it returns.

    `evaluate`, given the averaged network, adds its metrics to each epoch's; `notes` go into `recipe.json`; `trackers` are
    TensorBoard, where it is installed, unless named; `first_messages` begin the log. With `resume`, goes on after the last sound
    checkpoint. SIGINT and SIGTERM take effect once the current step is done and saved. Under torchrun or `accelerate launch`, the
    processes share every batch. GodeeperError for a folder that holds a run already, images below the network's minimum size, a
    decoding process that dies, a loss that stays not finite, and a folder that another process trains in.
    """
    return train_task(
        partial(Classification, network, images, recipe), out,
        evaluate=evaluate, workers=workers, resume=resume, notes=notes, trackers=trackers, on_message=on_message,
        on_step=on_step, first_messages=first_messages,
    )  # fmt: skip


def train_task(
    make: Callable[[Accelerator], Task],
    out: str | Path,
    *,
    evaluate: Evaluator | None = None,
    workers: int = 0,
    resume: bool = False,
    notes: Mapping[str, Any] | None = None,
    first_messages: Sequence[str] = (),
    trackers: Sequence[str] | None = None,
    on_message: OnMessage | None = None,
    on_step: OnStep | None = None,
) -> Path:
    """`train` for any task, which `make` makes for the process it runs in; `first_messages` begin the log."""
    trackers = default_trackers() if trackers is None else tuple(trackers)
    check_trackers(trackers)
    # Without an accelerator torch's processes meet over gloo; precision is ours to choose, whatever the environment says.
    accelerator = Accelerator(cpu=not torch.accelerator.is_available(), mixed_precision="no")
    with locked(Path(out)):
        training = _Training(make(accelerator), accelerator, RunFolder(Path(out)), workers, evaluate, on_message, on_step)
        training.begin(resume, notes or {}, trackers, first_messages)
        training.run()
    return Path(out)


class _Training:
    """A run that is being trained."""

    def __init__(
        self,
        task: Task,
        accelerator: Accelerator,
        folder: RunFolder,
        workers: int,
        evaluate: Evaluator | None,
        on_message: OnMessage | None,
        on_step: OnStep | None,
    ) -> None:
        self.evaluate, self.on_message, self.on_step = evaluate, on_message, on_step
        self.task, self.recipe, self.batches = task, task.recipe, task.batches
        self.accelerator, self.folder, self.workers = accelerator, folder, workers
        self.main = accelerator.is_main_process
        self.ranks = accelerator.num_processes
        self.saved_at = self.label_at = time.monotonic()
        self.label = ""

    def begin(self, resume: bool, notes: Mapping[str, Any], trackers: Sequence[str], first_messages: Sequence[str]) -> None:
        """Makes the run folder, or goes back to its newest checkpoint."""
        with fail_together():
            description = self._prepare(resume, notes)
        self._check_same_position()
        names = trackers if self.main else ()
        with fail_together():
            self.trackers = Trackers(
                names, self.folder.path, description, self._global_step(self.position.epoch, self.position.step)
            )
        self._say_batches()
        for message in first_messages:
            self._say(message)

    def _prepare(self, resume: bool, notes: Mapping[str, Any]) -> Mapping[str, Any]:
        """Readies network, step and position; what the run's folder says of it."""
        task, folder = self.task, self.folder
        description = folder.read() if resume else {}
        task.prepare(description)
        to_device(task.network, self.accelerator.device)
        self.step = Step(task, self.accelerator, len(self.batches))
        self.position = Position()
        if resume:
            check_same_recipe(description["recipe"], self.recipe)
            self.position = load_newest(folder.checkpoints, self.step.state, self._say)
            if self.position == Position():
                self._say("there is no checkpoint yet: the run begins anew, as its recipe.json says")
        elif self.main:
            description = folder.begin({
                "spec": task.spec(), "recipe": self.recipe.as_dict(),
                **task.description(), "bf16": self.step.bf16, "processes": self.ranks, **notes,
            })  # fmt: skip
        return description

    def _say_batches(self) -> None:
        batches, asked = self.batches, self.recipe.batch_size
        if batches.batch_size < asked:
            self._say(f"there are fewer images than batch_size={asked}: a batch has {batches.batch_size}")
        if batches.left_out:
            self._say(
                f"an epoch has {len(batches)} batches of {batches.batch_size} images and leaves out {batches.left_out}, "
                "other ones each time, which do not fill a batch"
            )

    def run(self) -> None:
        """The epochs that are left, then the final weights."""
        with self.trackers, self.task.loader(self.workers) as loader:
            while self.position.epoch < self.recipe.epochs:
                while signal_received := self._epoch(loader):
                    self._take_effect(signal_received, loader)
                self._end_of_epoch(self.position.epoch, self.position.totals)
                self.position = Position(self.position.epoch + 1)
            with fail_together():
                if self.main:
                    self._finish()

    def _epoch(self, loader: WorkerLoader) -> int:
        """What is left of an epoch, saved at its end, its sums in `position`; or, saved too, until a signal comes, its number."""
        epoch, begun = self.position.epoch, self.position.totals
        self.batches.epoch, self.batches.start = epoch, self.position.step
        totals = EpochTotals(**begun) if self.main else EpochTotals()
        self.step.begin(epoch)
        signal_received = 0
        with Interruption() as interruption:
            first = done = self.position.step
            for done, batch in enumerate(loader, start=first + 1):
                totals.bad += batch.bad
                flags = (interruption.signal, self._checkpoint_due(), self.task.too_short(batch))
                asked, checkpoint_due, too_short = self._over_all(*flags)
                if too_short:
                    self._drop(epoch, done, totals)
                else:
                    self._train_step(batch, epoch, done, totals)
                self._report_step(epoch, done, totals)
                signal_received = asked if self.ranks > 1 else interruption.signal  # of the step, too
                if signal_received:
                    break
                if checkpoint_due and done < len(self.batches):
                    self._save(epoch, done, totals)
            done = done if signal_received else len(self.batches)
            self.position = Position(epoch, done, self._save(epoch, done, totals))
            return signal_received or self._over_all(interruption.signal)[0]

    def _take_effect(self, number: int, loader: WorkerLoader) -> None:
        """Ends the run as the signal asks; returns where its handler, the host's own, lets the run go on."""
        when = f"{signal.Signals(number).name} in epoch {self.position.epoch + 1}, after step {self.position.step}"
        self._say(f"{when}: saved, --resume goes on from here")
        loader.close()  # before a handler that ends the process at once
        take_effect(number, lambda ended: bool(self._over_all(ended)[0]))
        self._say(f"{when}: its handler has returned, so training goes on")

    def _drop(self, epoch: int, done: int, totals: EpochTotals) -> None:
        """Leaves out a batch that is too short in some process; all leave out theirs, and count it once."""
        totals.dropped += 1
        self._say(f"step {self._global_step(epoch, done)} is left out: too few images of its batch can be decoded")

    def _train_step(self, batch: Any, epoch: int, done: int, totals: EpochTotals) -> None:
        global_step = self._global_step(epoch, done - 1)
        try:
            result = self.step(batch, global_step)
        except Diverged:
            self._save(epoch, done, totals)
            with fail_together():  # all of them raise it: one reports it
                raise
        totals.add(result)
        if not result.good:
            self._say(f"step {global_step + 1} is left out: its loss or gradient is not finite")
        elif global_step % TRACKED_STEPS == 0 and self.trackers.trackers:
            self.trackers.log({"step/loss": float(result.loss), "step/lr": self.step.lr}, global_step)

    def _report_step(self, epoch: int, done: int, totals: EpochTotals) -> None:
        if self.main and self.on_step is not None:
            now = time.monotonic()
            if now - self.label_at > LABEL_SECONDS or done == len(self.batches):
                self.label, self.label_at = f"epoch {epoch + 1}/{self.recipe.epochs}: {totals.text(self.ranks)}", now
            self.on_step(self.label, self._global_step(epoch, done), self._global_step(self.recipe.epochs, 0))

    def _checkpoint_due(self) -> bool:
        return self.main and time.monotonic() - self.saved_at > 60 * self.recipe.checkpoint_minutes

    def _over_all(self, *flags: int) -> list[int]:
        """The largest of each flag over all processes: a signal's number that one has received, whether a batch is too short."""
        if self.ranks == 1:
            return list(flags)
        largest = torch.tensor(flags, dtype=torch.long, device=self.accelerator.device)
        dist.all_reduce(largest, dist.ReduceOp.MAX)
        return largest.tolist()

    def _save(self, epoch: int, done: int, totals: EpochTotals) -> Mapping[str, Any]:
        """Writes a checkpoint after `done` steps of an epoch, if the disk lets it, and returns the epoch's sums so far."""
        sums = totals.over_processes(self.accelerator)
        if self.main:
            try:
                save_checkpoint(self.folder.checkpoints, Position(epoch, done, sums), self.step.state)
            except OSError as error:
                self._say(f"a checkpoint cannot be written ({error}): training goes on, the one before is kept")
        self.saved_at = time.monotonic()
        self.accelerator.wait_for_everyone()
        return sums

    def _end_of_epoch(self, epoch: int, sums: Mapping[str, Any]) -> None:
        last_step = self._global_step(epoch + 1, -1)
        rate = learning_rate(self.recipe, last_step, len(self.batches))
        with fail_together():
            record = {"epoch": epoch + 1, "lr": rate, **epoch_record(sums)}  # raises in all processes or in none
            self.step.average.synchronise()  # its batch-norm statistics, which each process has from its own images
            record |= self.evaluate(self.step.average.network) if self.evaluate is not None else {}
        if not self.main:
            return
        try:
            self.folder.record(record)
        except OSError as error:
            self._say(f"metrics.jsonl cannot be written: {error}")
        self.trackers.log({f"epoch/{name}": value for name, value in record.items()}, self._global_step(epoch + 1, 0))
        self._say(epoch_line(record, self.recipe.epochs))
        for reason in sums["bad"]:
            self._say(f"skipped {reason}")

    def _global_step(self, epoch: int, step: int) -> int:
        return epoch * len(self.batches) + step

    def _say(self, text: str) -> None:
        if not self.main:
            return
        self.folder.log(text)
        if self.on_message is not None:
            self.on_message(text)

    def _check_same_position(self) -> None:
        mine = (self.position.epoch, self.position.step)
        first = broadcast_object_list([mine])[0]
        with fail_together():
            if tuple(first) != mine:
                raise GodeeperError(
                    f"process {self.accelerator.process_index} finds another checkpoint in {str(self.folder.path)!r} than process"
                    " 0: the run folder must lie on a file system that all machines share"
                )

    def _finish(self) -> None:
        self.task.save(self.step.average.network, self.folder.weights)
        try:
            draw_curves({self.folder.path.name: self.folder.metrics()}, self.folder.path / "curves.png")
        except GodeeperError as error:
            self._say(str(error))
        self._say(f"done: {self.folder.weights}")
