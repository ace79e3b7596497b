"""Untrusted bytes are decoded in processes of their own, within limits on time and memory; one that exceeds them is replaced."""

from __future__ import annotations

import contextlib
import multiprocessing
import queue
import signal
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import BadImage, GodeeperError
from ..files import read_file
from ..preprocess import Preprocess
from .crops import crop_boxes
from .decode import LARGEST_FILE, MAX_PIXELS, decode
from .pixels import cut_arrays

Decoder = Callable[..., NDArray[np.uint8]]  # of bytes and what else it needs

MEMORY = 4 * MAX_PIXELS + 256_000_000  # bytes of data a process, beyond those it starts with
SECONDS_TO_START = 60
PATIENCE = 4  # times as long as it may compute, a process is waited for


def decode_pixels(data: bytes) -> NDArray[np.uint8]:
    """The pixels of an image in RGB, upright: (height, width, 3). BadImage as for `decode`."""
    return np.asarray(decode(data, "the image"))


def decode_crop(data: bytes, preprocess: Preprocess, max_pixels: int) -> NDArray[np.uint8]:
    """An image's centre crop: (1, size, size, 3). BadImage as for `decode`, and for more than `max_pixels` pixels."""
    image = decode(data, max_pixels=max_pixels)
    return cut_arrays(image, crop_boxes(*image.size, preprocess.resize, 1), preprocess.resize)


class DecodeWorkers:
    """`count` processes that decode, each for `seconds` of computing an image at most, and within `MEMORY`.

    They are there within the `with` block, with these `modules` imported; `run` may be called by as many threads at once as there
    are processes. None outlives the block, and nobody waits for one that is stuck. Where the system limits neither computing nor
    memory, as Windows, an image may take `PATIENCE` times as long.
    """

    def __init__(self, count: int, seconds: float, modules: Sequence[str] = ()) -> None:
        self.count, self._seconds, self._closed = count, seconds, False
        methods = multiprocessing.get_all_start_methods()
        self._context: Any = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
        self._modules = (__name__, *modules)
        self._context.set_forkserver_preload(["__main__", *self._modules])  # a new process is there in milliseconds
        self._workers: list[_Worker] = []
        self._idle: queue.LifoQueue[_Worker | None] = queue.LifoQueue()

    def __enter__(self) -> DecodeWorkers:
        try:
            for _ in range(self.count - len(self._workers)):  # none where a block is around this one
                self._idle.put(self._start())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._closed = True
        for worker in list(self._workers):
            worker.process.kill()

    def run(self, decoder: Decoder, data: bytes, *arguments: object) -> NDArray[np.uint8]:
        """What a function of this module makes of the bytes; BadImage, also for what took too long or too much memory."""
        worker = self._idle.get()
        try:
            worker = worker or self._start()
            return worker.run(self._seconds, data, decoder, arguments)
        except (EOFError, OSError) as error:
            stuck = isinstance(error, TimeoutError)
            if worker:
                stuck = stuck or worker.out_of_time()
                worker.process.kill()
                self._workers.remove(worker)
                worker = None
            reason = f"takes longer than {self._seconds:g} seconds" if stuck else "ends the process"
            raise BadImage(f"{len(data)} bytes: decoding {reason}", code="stuck-decoder") from None
        finally:
            self._idle.put(worker)

    def image(self, file: Path) -> Image.Image:
        """The image of a file, as `decode` gives it."""
        return Image.fromarray(self.run(decode_pixels, read_file(file, LARGEST_FILE)))

    def _start(self) -> _Worker:
        if self._closed:
            raise EOFError
        worker = _Worker(self._context, self._modules)
        self._workers.append(worker)
        if self._closed:  # while it was made
            worker.process.kill()
        return worker


class _Worker:
    def __init__(self, context: Any, modules: Sequence[str]) -> None:
        self._connection, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, modules), daemon=True, name="godeeper-decode")
        self.process.start()
        theirs.close()
        if not self._connection.poll(SECONDS_TO_START):
            raise GodeeperError(f"a process that decodes images did not start within {SECONDS_TO_START} seconds")
        try:
            self._connection.recv()
        except (EOFError, OSError):
            raise GodeeperError("a process that decodes images did not start, often for want of memory") from None

    def run(self, seconds: float, data: bytes, decoder: Decoder, arguments: tuple[object, ...]) -> NDArray[np.uint8]:
        self._connection.send((seconds, decoder, arguments))
        self._connection.send_bytes(data)
        if not self._connection.poll(PATIENCE * seconds):
            raise TimeoutError
        outcome = self._connection.recv()
        if isinstance(outcome, Exception):
            raise outcome
        pixels = np.empty(outcome, np.uint8)
        self._connection.recv_bytes_into(pixels.data.cast("B"))
        return pixels

    def out_of_time(self) -> bool:
        """Whether the process, which has ended, did so for having computed too long."""
        self.process.join(1)
        return bool(self.process.exitcode == -getattr(signal, "SIGPROF", 0))


def _work(connection: Connection, modules: Sequence[str]) -> None:
    """Runs in the process, until the other side closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process decides when all may go
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for module in modules:
        import_module(module)
    _limit_memory()
    connection.send(None)
    with contextlib.suppress(EOFError, OSError):
        for seconds, decoder, arguments, data in _requests(connection):
            try:
                with _limited_time(seconds):
                    pixels = decoder(data, *arguments)
            except MemoryError:
                connection.send(BadImage(f"{len(data)} bytes: decoding takes too much memory", code="too-much-memory"))
            except GodeeperError as error:
                connection.send(error)
            else:
                connection.send(pixels.shape)
                connection.send_bytes(np.ascontiguousarray(pixels).data.cast("B"))


def _requests(connection: Connection) -> Iterator[tuple[float, Decoder, tuple[object, ...], bytes]]:
    while True:
        seconds, decoder, arguments = connection.recv()
        yield seconds, decoder, arguments, connection.recv_bytes()


@contextlib.contextmanager
def _limited_time(seconds: float) -> Iterator[None]:
    """The system ends the process when the block has computed so long, whatever it is in: a busy machine ends nobody."""
    if not hasattr(signal, "ITIMER_PROF"):
        yield
        return
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _limit_memory() -> None:
    with contextlib.suppress(ImportError, OSError, ValueError):  # Windows has no limits, macOS no /proc
        import resource

        held = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_DATA, (held + MEMORY, resource.RLIM_INFINITY))
