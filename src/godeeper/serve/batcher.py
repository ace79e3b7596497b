"""Dynamic batching: images of many requests go through the network together."""

from __future__ import annotations

import asyncio
import contextlib
import io
import warnings
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from PIL import Image
from torch import Tensor

from ..data.decode import FORMATS, MAX_PIXELS
from ..deploy.predictor import Prediction, Predictor
from ..errors import BadImage, is_out_of_memory
from .limits import Limits, Refused


@dataclass(frozen=True)
class _Job:
    image: bytes
    top: int | None  # classes to name; None for an embedding
    answer: asyncio.Future[Any]


class Batcher:
    """Takes waiting images from a bounded queue and runs the network on as many at a time as there are."""

    def __init__(self, predictor: Predictor, limits: Limits) -> None:
        self._predictor, self._limits = predictor, limits
        self._queue: asyncio.Queue[_Job] = asyncio.Queue(limits.max_waiting)
        self._task: asyncio.Task[None] | None = None

    def waiting(self) -> int:
        """How many images wait for the network."""
        return self._queue.qsize()

    def alive(self) -> bool:
        """Whether images are being taken from the queue."""
        return self._task is not None and not self._task.done()

    def check_room(self) -> None:
        """Refused, 503, while the queue is full."""
        if self._queue.full():
            raise Refused(503, f"{self._limits.max_waiting} images are waiting: try again", unread=True)

    async def predict(self, image: bytes, top: int) -> Prediction:
        """The classes of an image; BadImage, or Refused: 503 while the queue is full, 504 after too long a wait."""
        prediction: Prediction = await self._answer(image, top)
        return prediction

    async def embed(self, image: bytes) -> Tensor:
        """The embedding of an image, float32 (units,); what goes wrong is as for `predict`."""
        embedding: Tensor = await self._answer(image, None)
        return embedding

    async def _answer(self, image: bytes, top: int | None) -> Any:
        job = _Job(image, top, asyncio.get_running_loop().create_future())
        try:
            self._queue.put_nowait(job)
        except asyncio.QueueFull:
            raise Refused(503, f"{self._limits.max_waiting} images are waiting: try again") from None
        try:
            async with asyncio.timeout(self._limits.timeout):
                return await job.answer
        except TimeoutError:
            raise Refused(504, f"no answer within {self._limits.timeout:g} seconds: too many images wait") from None

    @contextlib.asynccontextmanager
    async def running(self, report: Callable[[int], None]) -> AsyncIterator[None]:
        """Within the block, images are answered; `report` is called with the size of each batch."""
        with ThreadPoolExecutor(1, "godeeper-network") as thread:
            self._task = asyncio.create_task(self._run(thread, report))
            try:
                yield
            finally:
                self._task.cancel()

    async def _run(self, thread: ThreadPoolExecutor, report: Callable[[int], None]) -> None:
        loop = asyncio.get_running_loop()
        while True:
            jobs = [job for job in await self._batch() if not job.answer.done()]  # done: its client gave up
            if not jobs:
                continue
            report(len(jobs))
            outcomes = await loop.run_in_executor(thread, self._outcomes, jobs)
            for job, outcome in zip(jobs, outcomes, strict=True):
                if job.answer.done():
                    continue
                if isinstance(outcome, Exception):
                    job.answer.set_exception(outcome)
                elif isinstance(outcome, Prediction):
                    job.answer.set_result(Prediction(outcome.labels[: job.top], outcome.probabilities[: job.top]))
                else:
                    job.answer.set_result(outcome)

    async def _batch(self) -> list[_Job]:
        jobs = [await self._queue.get()]
        deadline = asyncio.get_running_loop().time() + self._limits.max_wait / 1000
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                while len(jobs) < self._limits.max_batch:
                    jobs.append(await self._queue.get())
        return jobs

    def _outcomes(self, jobs: Sequence[_Job]) -> list[Prediction | Tensor | Exception]:
        """Runs in the thread of the network. A pass that breaks is run again in halves, so that only its bad request fails."""
        try:
            return self._pass(jobs)
        except Exception as error:
            if len(jobs) > 1:
                half = len(jobs) // 2
                return self._outcomes(jobs[:half]) + self._outcomes(jobs[half:])
            return [Refused(503, "not enough memory for this image: try again later") if is_out_of_memory(error) else error]

    def _pass(self, jobs: Sequence[_Job]) -> list[Prediction | Tensor | Exception]:
        refused = [_too_many_pixels(job.image, self._limits.max_pixels) for job in jobs]
        good = [job for job, error in zip(jobs, refused, strict=True) if error is None]
        top = max((job.top for job in good if job.top is not None), default=1)
        predicted: Iterator[Any] = self._predictor.outcomes([job.image for job in good if job.top is not None], top=top)
        to_embed = [job.image for job in good if job.top is None]
        embedded: Iterator[Any] = self._predictor.embeddings(to_embed) if to_embed else iter(())
        return [
            error if error is not None else next(embedded if job.top is None else predicted)
            for job, error in zip(jobs, refused, strict=True)
        ]


def _too_many_pixels(image: bytes, limit: int) -> BadImage | None:
    """The error for an image whose header announces more pixels; what cannot be read at all is for the decoder to explain."""
    limit = min(limit, MAX_PIXELS)
    with warnings.catch_warnings(), contextlib.suppress(Exception):
        warnings.simplefilter("ignore")
        try:
            with Image.open(io.BytesIO(image), formats=FORMATS) as opened:
                if opened.width * opened.height > limit:
                    return BadImage(f"{opened.width}x{opened.height} pixels are more than the limit of {limit:,}")
        except Image.DecompressionBombError:  # Pillow's own limit, beyond ours
            return BadImage(f"more pixels than the limit of {limit:,}")
    return None
