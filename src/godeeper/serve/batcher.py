"""Dynamic batching: images of many requests go through the network together."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar

from torch import Tensor

from ..deploy.predictor import Prediction, Predictor
from ..errors import is_out_of_memory
from .decoding import Decoding
from .limits import Limits, Refused

T = TypeVar("T")
Outcome = Prediction | Tensor | Exception


@dataclass(eq=False)
class _Job:
    top: int | None  # classes to name; None for an embedding
    answer: asyncio.Future[Any]
    crop: Tensor | None = None  # uint8 (1, 3, S, S), once it is decoded


class DaemonThread:
    """Calls functions one after the other in a thread of its own, which the end of the process does not wait for."""

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    async def call(self, function: Callable[[], T]) -> T:
        """What the function returns or raises."""
        future: Future[T] = Future()
        self._calls.put((future, function))
        return await asyncio.wrap_future(future)

    def _run(self) -> None:
        while True:
            future, function = self._calls.get()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(function())
            except BaseException as error:
                future.set_exception(error)


class Batcher:
    """Has images decoded, a bounded number, and runs the network on as many at a time as there are."""

    def __init__(self, predictor: Predictor, decoding: Decoding, limits: Limits) -> None:
        self._predictor, self._decoding, self._limits = predictor, decoding, limits
        self._waiting: set[_Job] = set()
        self._decoded: asyncio.Queue[_Job] = asyncio.Queue()
        self._network = DaemonThread("godeeper-network")
        self._task: asyncio.Task[None] | None = None
        self._pass_began: float | None = None  # by the loop's clock

    def waiting(self) -> int:
        """How many images wait for the network, or are being decoded."""
        return len(self._waiting)

    def alive(self) -> bool:
        """Whether images are being answered: no pass takes longer than a request may."""
        now = asyncio.get_running_loop().time()
        stuck = self._pass_began is not None and now > self._pass_began + self._limits.timeout
        return self._task is not None and not self._task.done() and not stuck

    def check_room(self, *, unread: bool = True) -> None:
        """Refused, 503, while as many images wait as may; `unread` says whether the request's body may be."""
        if len(self._waiting) >= self._limits.max_waiting:
            raise Refused(503, f"{self._limits.max_waiting} images are waiting: try again", unread=unread)

    async def predict(self, image: bytes, top: int) -> Prediction:
        """The classes of an image; BadImage, or Refused: 503 while too many images wait, 504 after too long a wait."""
        prediction: Prediction = await self._answer(image, top)
        return prediction

    async def embed(self, image: bytes) -> Tensor:
        """The embedding of an image, float32 (units,); what goes wrong is as for `predict`."""
        embedding: Tensor = await self._answer(image, None)
        return embedding

    async def _answer(self, image: bytes, top: int | None) -> Any:
        self.check_room(unread=False)
        job = _Job(top, asyncio.get_running_loop().create_future())
        self._waiting.add(job)
        try:
            async with asyncio.timeout(self._limits.timeout):
                job.crop = await self._decoding.crop(image)
                self._decoded.put_nowait(job)
                return await job.answer
        except TimeoutError:
            raise Refused(504, f"no answer within {self._limits.timeout:g} seconds: too many images wait") from None
        finally:
            self._waiting.discard(job)

    @contextlib.asynccontextmanager
    async def running(self, report: Callable[[int], None]) -> AsyncIterator[None]:
        """Within the block, images are answered; `report` is called with the size of each batch."""
        async with self._decoding.running():
            self._task = asyncio.create_task(self._run(report))
            try:
                yield
            finally:
                self._task.cancel()

    async def _run(self, report: Callable[[int], None]) -> None:
        while True:
            jobs = [job for job in await self._batch() if not job.answer.done()]  # done: its client gave up
            if not jobs:
                continue
            self._waiting.difference_update(jobs)
            report(len(jobs))
            self._pass_began = asyncio.get_running_loop().time()
            outcomes = await self._network.call(partial(self._outcomes, jobs))
            self._pass_began = None
            for job, outcome in zip(jobs, outcomes, strict=True):
                _resolve(job, outcome)

    async def _batch(self) -> list[_Job]:
        jobs = [await self._decoded.get()]
        deadline = asyncio.get_running_loop().time() + self._limits.max_wait / 1000
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                while len(jobs) < self._limits.max_batch:
                    jobs.append(await self._decoded.get())
        return jobs

    def _outcomes(self, jobs: Sequence[_Job]) -> list[Outcome]:
        """A pass that breaks is run again in halves, so that only its bad request fails."""
        try:
            return self._pass(jobs)
        except Exception as error:
            if len(jobs) > 1:
                half = len(jobs) // 2
                return self._outcomes(jobs[:half]) + self._outcomes(jobs[half:])
            return [Refused(503, "not enough memory for this image: try again later") if is_out_of_memory(error) else error]

    def _pass(self, jobs: Sequence[_Job]) -> list[Outcome]:
        to_predict = [job.crop for job in jobs if job.crop is not None and job.top is not None]
        to_embed = [job.crop for job in jobs if job.crop is not None and job.top is None]
        top = max((job.top for job in jobs if job.top is not None), default=1)
        predicted: Iterator[Any] = iter(self._predictor.predict_crops(to_predict, top=top) if to_predict else ())
        embedded: Iterator[Any] = iter(self._predictor.embed_crops(to_embed) if to_embed else ())
        return [next(embedded if job.top is None else predicted) for job in jobs]


def _resolve(job: _Job, outcome: Outcome) -> None:
    if job.answer.done():
        return
    if isinstance(outcome, Exception):
        job.answer.set_exception(outcome)
    elif isinstance(outcome, Prediction):
        job.answer.set_result(Prediction(outcome.labels[: job.top], outcome.probabilities[: job.top]))
    else:
        job.answer.set_result(outcome)
