"""The server's limits on bytes, seconds and connections; beyond them it refuses a request and gives the reason."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_CONNECTIONS = 512
GRACE_SECONDS = 5  # for requests in progress when the server shuts down
HELD_BODIES = 256_000_000  # bytes of all bodies together, arriving or waiting
LINGER_SECONDS, LINGER_BYTES = (
    2.0,
    64_000_000,
)  # of a refused body, read and dropped: then the client reads the reason


@dataclass(frozen=True)
class Limits:
    """The limits of a server: images a pass, milliseconds a pass waits to fill, bytes and pixels an image, seconds, images
    waiting for a pass.

    `timeout` holds for each of: a request's head, its body, and its answer once the body is there.
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
    """{"error": reason}. The rest of the body is read and dropped for a while: a client that still sends does not read."""

    def __init__(self, status: int, reason: str, *, unread: bool = True) -> None:
        headers = ({"retry-after": "1"} if status == 503 else {}) | ({"connection": "close"} if unread else {})
        super().__init__({"error": reason}, status, headers)
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
    async def body(self, request: Request) -> AsyncIterator[bytes]:
        """The body of a request, counted as held until the end of the block; Refused: 408, 413, 503."""
        announced = request.headers.get("content-length", "0")
        if int(announced) > self._limits.max_bytes:
            raise self._too_large(f"the body of {int(announced):,} bytes")
        arrival = _Arrival(asyncio.timeout(self._limits.timeout))
        try:
            async with arrival.deadline:
                data = await self._arrive(request, arrival)
            yield data
        except TimeoutError:
            if arrival.deadline.expired():
                raise Refused(408, "the body arrived too slowly", unread=True) from None
            raise
        finally:
            self._forget(arrival)

    async def _arrive(self, request: Request, arrival: _Arrival) -> bytes:
        data = bytearray()
        self._arriving[arrival] = None
        try:
            async for chunk in request.stream():
                if len(data) + len(chunk) > self._limits.max_bytes:
                    raise self._too_large("the body")
                self._take(arrival, len(chunk))
                data += chunk
        except ClientDisconnect:
            raise Refused(400, "the client left before the body was there") from None
        finally:
            self._arriving.pop(arrival, None)
        return bytes(data)

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


class PatientProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 with what it lacks: a limit on connections, and on the time that a client takes over a request's head or
    over reading the answer. uvicorn's own `limit_concurrency` and `timeout_keep_alive` set them.
    """

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self.limit_concurrency and len(self.connections) >= self.limit_concurrency:
            self._refuse(503, "Service Unavailable", "too many connections: try again")
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop()

    def _watch(self) -> None:
        """Runs the timer while the server waits for the client: for the head of a request, or for it to read the answer."""
        clients_turn = self.flow.write_paused or self.cycle is None or self.cycle.response_complete
        if clients_turn and self._timer is None:
            self._timer = self.loop.call_later(self.timeout_keep_alive, self._hang_up)
        elif not clients_turn:
            self._stop()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _hang_up(self) -> None:
        if self.transport.is_closing() or self.transport.get_write_buffer_size():
            self.transport.abort()
        elif self.cycle is None:
            self._refuse(408, "Request Timeout", "no request arrived in time")
        else:
            self.transport.close()

    def _refuse(self, status: int, phrase: str, reason: str) -> None:
        body = json.dumps({"error": reason})
        retry = "retry-after: 1\r\n" if status == 503 else ""
        head = f"content-type: application/json\r\ncontent-length: {len(body)}\r\n{retry}connection: close\r\n"
        self.transport.write(f"HTTP/1.1 {status} {phrase}\r\n{head}\r\n{body}".encode())
        self.transport.close()


def server_options(limits: Limits) -> dict[str, Any]:
    """How uvicorn is to be set up for these limits; quiet but for errors, and the same whatever else is installed."""
    return {
        "http": PatientProtocol,
        "limit_concurrency": MAX_CONNECTIONS + 1,
        "timeout_keep_alive": limits.timeout,
        "timeout_graceful_shutdown": GRACE_SECONDS,
        "loop": "asyncio",
        "ws": "none",
        "lifespan": "on",
        "log_level": "error",
        "access_log": False,
        "proxy_headers": False,
        "server_header": False,
    }
