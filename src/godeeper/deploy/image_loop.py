"""Images through an engine: decoded and cut in threads, a few batches ahead of the network."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from time import perf_counter
from typing import Any, TypeVar

import torch
from PIL import Image
from torch import Tensor

from ..data.decode import as_image, check_list
from ..data.pixels import default_batch_size, normalise, take_crops
from ..errors import BadImage
from ..preprocess import Preprocess
from .engines import Engine

T = TypeVar("T")


@dataclass(frozen=True)
class _Prepared:
    """The crops of an image, (crops, 3, S, S), or why there are none, and the seconds that decoding and cutting took."""

    crops: Tensor | BadImage
    decode_seconds: float
    cut_seconds: float = 0.0


class ImageLoop:
    """What an engine gives for images, `batch_size` crops a pass, prepared as `preprocess` says.

    A subclass may prepare them otherwise: `decode` makes an image of what the caller has and `cut` its crops, both in threads;
    `feed` makes of a batch of crops what the engine takes. `seconds` counts where the time went: decode, preprocess (both in
    threads of their own), network.
    """

    def __init__(self, engine: Engine, preprocess: Preprocess) -> None:
        self.engine, self.preprocess = engine, preprocess
        self.batch_size = default_batch_size(preprocess.image_size, engine.device)
        self.seconds = {"decode": 0.0, "preprocess": 0.0, "network": 0.0}

    def decode(self, image: Any) -> Image.Image:
        """An RGB image; BadImage where there is none."""
        return as_image(image)

    def cut(self, image: Image.Image, crops: int) -> Tensor:
        """The crops of an image, (crops, 3, S, S)."""
        return take_crops(image, self.preprocess, crops)

    def feed(self, batch: Tensor) -> Tensor:
        """A batch of crops, on the engine's device -> what the engine takes, float32 of the same shape."""
        return normalise(batch, self.preprocess)

    def outputs(self, images: Iterable[Any], crops: int = 1) -> Generator[Tensor | BadImage, None, None]:
        """For each image, in order, its crops' outputs, float32 (crops, outputs) on the CPU, or why it cannot be decoded.

        Whoever does not take them all closes it, which ends its threads.
        """
        check_list(images)
        group = max(1, self.batch_size // crops)
        with ThreadPoolExecutor(os.cpu_count() or 1, "godeeper-decode") as pool:
            prepared = _map_ahead(pool, lambda image: self._prepare(image, crops), images, 3 * group)
            try:
                while batch := list(islice(prepared, group)):
                    yield from self._run(batch)
            finally:
                pool.shutdown(cancel_futures=True)

    def run(self, images: Sequence[Tensor]) -> list[Tensor]:
        """The outputs of images' crops, (crops, 3, S, S) each: float32 (crops, outputs) each, on the CPU."""
        outputs = []
        for batch in torch.cat(list(images)).split(self.batch_size):  # (N, 3, S, S)
            start = perf_counter()
            x = self.feed(batch.to(self.engine.device))
            prepared = perf_counter()
            outputs.append(self.engine(x).cpu())
            self.seconds["preprocess"] += prepared - start
            self.seconds["network"] += perf_counter() - prepared
        return list(torch.cat(outputs).split([len(image) for image in images]))

    def _prepare(self, value: Any, crops: int) -> _Prepared:
        """Runs in a thread."""
        start = perf_counter()
        try:
            image = self.decode(value)
        except BadImage as error:
            return _Prepared(error, perf_counter() - start)
        decoded = perf_counter()
        return _Prepared(self.cut(image, crops), decoded - start, perf_counter() - decoded)

    def _run(self, batch: Sequence[_Prepared]) -> list[Tensor | BadImage]:
        self.seconds["decode"] += sum(prepared.decode_seconds for prepared in batch)
        self.seconds["preprocess"] += sum(prepared.cut_seconds for prepared in batch)
        images = [prepared.crops for prepared in batch if isinstance(prepared.crops, Tensor)]
        outputs = iter(self.run(images) if images else [])
        return [prepared.crops if isinstance(prepared.crops, BadImage) else next(outputs) for prepared in batch]


def _map_ahead(pool: ThreadPoolExecutor, function: Callable[[Any], T], values: Iterable[Any], ahead: int) -> Iterator[T]:
    """`map` in threads, in order, which computes at most `ahead` results before they are asked for."""
    pending: deque[Future[T]] = deque()
    remaining = iter(values)
    while True:
        pending.extend(pool.submit(function, value) for value in islice(remaining, ahead - len(pending)))
        if not pending:
            return
        yield pending.popleft().result()
