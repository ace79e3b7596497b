"""Images of requests, decoded and cut in processes of their own; those of many pixels keep no others waiting."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor

from ..data.decode_workers import DecodeWorkers, decode_crop
from ..errors import BadImage
from ..preprocess import Preprocess
from .limits import Limits, Refused

SMALL_PIXELS = 4_000_000  # up to here, an image is decoded in its turn


class Decoding:
    """Makes crops of images' bytes in `workers`.

    An image of more than `SMALL_PIXELS` pixels is put back when its header has been read: half of the processes decode such, and
    a quarter of the images that wait may be such.
    """

    def __init__(self, workers: DecodeWorkers, preprocess: Preprocess, limits: Limits) -> None:
        self._workers, self._preprocess, self._limits = workers, preprocess, limits
        self._free = asyncio.Semaphore(workers.count)
        self._turn_of_large = asyncio.Semaphore(max(1, workers.count // 2))
        self._large = 0  # that wait or are decoded

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Within the block, images are decoded."""
        with ThreadPoolExecutor(self._workers.count, "godeeper-decode") as self._threads, self._workers:
            yield

    async def crop(self, image: bytes) -> Tensor:
        """The centre crop of an image, uint8 (1, 3, S, S); BadImage, or Refused, 503."""
        try:
            return await self._run(image, min(SMALL_PIXELS, self._limits.max_pixels))
        except BadImage as error:
            if error.code != "too-many-pixels" or self._limits.max_pixels <= SMALL_PIXELS:
                raise
        if self._large >= max(1, self._limits.max_waiting // 4):
            raise Refused(503, f"{self._large} images of more than {SMALL_PIXELS:,} pixels are waiting: try again")
        self._large += 1
        try:
            async with self._turn_of_large:
                return await self._run(image, self._limits.max_pixels)
        finally:
            self._large -= 1

    async def _run(self, image: bytes, max_pixels: int) -> Tensor:
        try:
            async with asyncio.timeout(self._limits.timeout / 2):
                await self._free.acquire()
        except TimeoutError:
            raise Refused(503, "too many images are waiting to be decoded: try again") from None
        loop = asyncio.get_running_loop()
        decoded = loop.run_in_executor(self._threads, self._workers.run, decode_crop, image, self._preprocess, max_pixels)
        decoded.add_done_callback(self._release)  # also where nobody waits for it any more
        return torch.from_numpy(await asyncio.shield(decoded)).permute(0, 3, 1, 2)

    def _release(self, decoded: asyncio.Future[Any]) -> None:
        self._free.release()
        decoded.exception()  # else asyncio says that nobody asked
