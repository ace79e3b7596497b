"""Where claims are tested: arms are trained side by side, each with every seed, and what is done is not done again."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing import active_children, get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import Any

import torch

from ..data.dataset import DataSplits, ImageDataset
from ..errors import BadImage, GodeeperError
from ..papers.notation import Definition
from ..papers.registry import definition, variant
from ..train.recipe import Recipe, recipes
from ..workflows.progress import OnProgress, Progress
from .claim_data import ClaimData
from .jobs import Arm, ArmRun, Job, Measurement
from .made_from import digest, source_of
from .scales import Scale


@dataclass
class Lab:
    """Where an experiment is run: its name, its folder, the name of its dataset, its scale; what it trained and measured."""

    name: str
    folder: Path
    data: str
    scale: Scale
    runs: dict[str, list[ArmRun]] = field(default_factory=dict)  # all that were trained, by arm
    measurements: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # all that was measured, by setting
    arms: dict[str, Arm] = field(default_factory=dict)
    measured_by: dict[str, Callable[..., dict[str, Any]]] = field(default_factory=dict)  # functions, by name
    jobs: list[Job] = field(default_factory=list)  # all that there was to do
    on_progress: OnProgress | None = None

    @property
    def images(self) -> ClaimData:
        return ClaimData(self.data, self.scale.train, self.scale.test, self.scale.held_out)

    def made_from(self) -> dict[str, Any]:
        """What was trained and measured so far, as plain data for a result: its arms, and a digest of each measurement's code."""
        code = {name: digest(source_of(function)) for name, function in self.measured_by.items()}
        return {"arms": {name: arm.as_dict() for name, arm in self.arms.items()}, "code": code}

    @property
    def source(self) -> DataSplits:
        return self.images.open()

    def check(self) -> None:
        """GodeeperError where the images are missing, or are too few for the scale."""
        source = self.source
        assert isinstance(source.train, ImageDataset)
        for split, images, needed in (
            ("training", source.train, self.scale.train),
            ("held-out", self.images.held_out_images(), self.scale.held_out),
            ("test", source.test, self.scale.test),
        ):
            if len(images) < needed:
                raise GodeeperError(
                    f"{self.data!r} has {len(images)} {split} images, counting as many of each class, of the {needed} that this "
                    "scale needs: name a larger set with --data"
                )

    def definition(self, name: str) -> Definition:
        """A network's table at this scale."""
        return self.variant(definition(name))

    def variant(self, table: Definition) -> Definition:
        """A table at this scale: its classes, width and size of images."""
        return variant(table, num_classes=len(self.source.classes), width=self.scale.width, small=self.scale.small)

    def recipe(self, **changes: Any) -> Recipe:
        """The scale's recipe, without auxiliary heads, and with what else changes.

        Small images keep at least 40 % of their area and their colours, and the average reaches over some 500 steps.
        """
        recipe = replace(recipes[self.scale.recipe], epochs=self.scale.epochs, auxiliary_weight=0.0)
        if self.scale.small:
            recipe = replace(recipe, batch_size=self.scale.batch_size, crop_scale=(0.4, 1.0), color_jitter=False, ema_decay=0.998)
        return replace(recipe, **changes)

    def train(self, arms: Sequence[Arm]) -> dict[str, list[ArmRun]]:
        """Every arm with every seed, by the arm's name."""
        self.arms |= {arm.name: arm for arm in arms}
        runs = {
            arm.name: [
                ArmRun(self._run_folder(arm.name, seed), arm, seed, self.images, self.scale) for seed in range(self.scale.seeds)
            ]
            for arm in arms
        }
        self._do([runs[arm.name][seed] for seed in range(self.scale.seeds) for arm in arms])
        self.runs |= runs
        return runs

    def measure(
        self, function: Callable[..., dict[str, Any]], settings: Mapping[str, Mapping[str, Any]]
    ) -> dict[str, list[dict[str, Any]]]:
        """`function(images, scale, seed=, **setting)` for every setting and seed, by the setting's name."""
        self.measured_by[function.__name__] = function
        jobs = {
            name: [
                Measurement(self._run_folder(name, seed), function, {**setting, "seed": seed}, self.images, self.scale)
                for seed in range(self.scale.seeds)
            ]
            for name, setting in settings.items()
        }
        self._do([jobs[name][seed] for seed in range(self.scale.seeds) for name in settings])
        results = {name: [job.result for job in setting_jobs] for name, setting_jobs in jobs.items()}
        self.measurements |= results
        return results

    def repeat(self, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        """`function(*arguments)` as often as there are seeds, in one process after the other, each with a thread of its own."""
        results = []
        for _ in range(self.scale.seeds):
            with self._failures(), _workers(1) as pool:
                results.append(pool.submit(function, *arguments).result())
        return results

    def _run_folder(self, name: str, seed: int) -> Path:
        return self.folder / "runs" / f"{name}-{seed}".replace(" ", "_").replace("/", "_")

    def _do(self, jobs: Sequence[Job]) -> None:
        """What is not done yet, side by side: a process a core, or one where there is an accelerator."""
        for job in jobs:
            job.check()
        self.jobs += jobs
        pending = [job for job in jobs if job.progress < 1]
        if not pending:
            return
        processes = 1 if torch.accelerator.is_available() else min(os.cpu_count() or 1, len(pending))
        with self._failures(), _workers(processes) as pool:
            tasks = [pool.submit(job.run) for job in pending]
            while any(not task.done() for task in tasks):
                self._report(jobs)
                finished, _ = wait(tasks, timeout=1, return_when=FIRST_EXCEPTION)
                for task in finished:
                    task.result()
            for task in tasks:
                task.result()

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """GodeeperError for a process that was killed, and for an image that cannot be decoded."""
        try:
            yield
        except BrokenProcessPool:
            raise GodeeperError(
                f"a process of {self.name!r} was killed, perhaps for lack of memory: the same command resumes it"
            ) from None
        except BadImage as error:
            raise GodeeperError(f"{error}: repair it or remove it from the dataset") from None

    def _report(self, jobs: Sequence[Job]) -> None:
        if self.on_progress is not None:
            percent = 100 * sum(job.progress for job in jobs) / len(jobs)
            self.on_progress(Progress(f"{self.name} (%)", int(percent), 100))


@contextmanager
def _workers(count: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that are terminated where their work is interrupted or fails."""
    others = set(active_children())
    with ProcessPoolExecutor(count, get_context("spawn"), _worker) as pool:
        try:
            yield pool
        except BaseException:
            for process in set(active_children()) - others:
                process.terminate()  # a run saves first; a measurement is lost
            pool.shutdown(cancel_futures=True)
            raise


def _worker() -> None:
    """Prepares a process of the lab: one thread, as there is one a core; nothing on stderr; an end with its parent."""
    torch.set_num_threads(1)
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Waits for the parent's end, of which a process is not notified, and ends at once: checkpoints are written atomically."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
