"""The server's limits on bytes and seconds; beyond them it refuses a request and gives the reason."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send

from ..text import printable

HELD_BODIES = 256_000_000  # bytes of all bodies together, arriving or waiting
LINGER_SECONDS = 2.0  # that a refused body is read and dropped: then the client reads the reason
LINGER_BYTES = 64_000_000


@dataclass(frozen=True)
class Limits:
    """The limits of a server: images a pass, milliseconds a pass waits to fill, bytes and pixels an image, seconds, images
    waiting for a pass.

    `timeout` holds for each of: a request's head, its body, and its answer once the body is there, of which decoding may take
    half.
    """

    max_batch: int = 32
    max_wait: float = 2.0
    max_bytes: int = 20_000_000
    max_pixels: int = 25_000_000
    timeout: float = 10.0
    max_waiting: int = 64


class Refused(Exception):
    """A request is refused: its status, the reason, and whether some of its body may be unread."""

    def __init__(self, status: int, reason: str, *, unread: bool = False) -> None:
        super().__init__(reason)
        self.status, self.unread = status, unread


class Refusal(JSONResponse):
    """{"error": reason}, the reason in one line.

    The rest of the body is read and dropped for a while: a client that still sends does not read.
    """

    def __init__(self, status: int, reason: str, *, unread: bool = True) -> None:
        headers = ({"retry-after": "1"} if status == 503 else {}) | ({"connection": "close"} if unread else {})
        super().__init__({"error": printable(reason)}, status, headers)
        self._unread = unread

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": self._unread})
        if self._unread:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LINGER_SECONDS):
                    await _drop(receive)
            await send({"type": "http.response.body", "body": b""})


async def _drop(receive: Receive) -> None:
    dropped = 0
    while dropped < LINGER_BYTES:
        message = await receive()
        dropped += len(message.get("body", b""))
        if not message.get("more_body", False):
            return


@dataclass(eq=False)
class _Arrival:
    deadline: asyncio.Timeout
    size: int = 0


class Bodies:
    """The bodies of all requests, bounded in sum: when they are too many, the one that has been arriving longest is refused."""

    def __init__(self, limits: Limits) -> None:
        self.held = 0
        self._limits = limits
        self._room = max(HELD_BODIES, 2 * limits.max_bytes)
        self._arriving: dict[_Arrival, None] = {}  # oldest first

    @contextlib.asynccontextmanager
    async def limited(self, request: Request) -> AsyncIterator[Request]:
        """The request; its body is to be read within the block and counts as held until its end. Refused: 400, 408, 413, 503."""
        announced = int(request.headers.get("content-length", "0"))
        if announced > self._limits.max_bytes:
            raise self._too_large(f"the body of {announced:,} bytes")
        arrival = _Arrival(asyncio.timeout(self._limits.timeout))
        self._arriving[arrival] = None
        try:
            async with arrival.deadline:
                yield Request(request.scope, self._counted(request, arrival))
        except TimeoutError:
            if arrival.deadline.expired():
                raise Refused(408, "the body arrived too slowly", unread=True) from None
            raise
        except ClientDisconnect:
            raise Refused(400, "the client left before the body was there") from None
        finally:
            self._arriving.pop(arrival, None)
            self._forget(arrival)

    def _counted(self, request: Request, arrival: _Arrival) -> Receive:
        async def receive() -> Message:
            message = await request.receive()
            size = len(message.get("body", b""))
            if arrival.size + size > self._limits.max_bytes:
                raise self._too_large("the body")
            self._take(arrival, size)
            if not message.get("more_body", False):
                self._arriving.pop(arrival, None)
                if not arrival.deadline.expired():
                    arrival.deadline.reschedule(None)  # the body is there: what comes now has its own limits
            return message

        return receive

    def _take(self, arrival: _Arrival, size: int) -> None:
        while self.held + size > self._room:
            oldest = next(iter(self._arriving), arrival)
            if oldest is arrival:
                raise Refused(503, "no room for more bodies: try again", unread=True)
            if not oldest.deadline.expired():  # one whose time is up cannot be hurried any more
                oldest.deadline.reschedule(asyncio.get_running_loop().time())
            self._arriving.pop(oldest)
            self._forget(oldest)
        arrival.size += size
        self.held += size

    def _forget(self, arrival: _Arrival) -> None:
        self.held -= arrival.size
        arrival.size = 0

    def _too_large(self, what: str) -> Refused:
        return Refused(413, f"{what} is larger than the limit of {self._limits.max_bytes:,} bytes", unread=True)
