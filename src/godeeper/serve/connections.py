"""The server's connections: bounded in number, and in the time that a client takes over a request's head or over reading.

uvicorn has no limit on either time; this adds them by asyncio's and ASGI's interfaces alone.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..errors import GodeeperError

MAX_CONNECTIONS = 512
ACCEPTED_AT_ONCE = 16  # before those beyond the limit are hung up on: all that wait may be more than files that can be open
OTHER_FILES = 64  # that the server has open at most beside connections


def most_connections() -> int:
    """How many connections may be open: MAX_CONNECTIONS, or as many as the system lets this process open."""
    try:
        import resource
    except ImportError:  # Windows, which has no such limit
        return MAX_CONNECTIONS
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if allowed == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    if allowed <= OTHER_FILES:
        raise GodeeperError(f"the system lets a process have {allowed} files open, which is too few for a server: see ulimit -n")
    return min(MAX_CONNECTIONS, allowed - OTHER_FILES)


class _Connection:
    """A connection, hung up on when the client lets the server wait for `seconds`."""

    def __init__(self, transport: asyncio.Transport, seconds: float) -> None:
        self._transport, self._seconds = transport, seconds
        self._timer: asyncio.TimerHandle | None = None
        self.requests = 0  # that began
        self.answering = 0  # of them
        self.unread = False  # whether the client does not read what was sent
        self.watch()

    def watch(self) -> None:
        """To be called after each change: runs the timer while it is the client's turn to send or to read."""
        if self.answering and not self.unread:
            self.stop()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._hang_up)

    def stop(self) -> None:
        """Stops the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def refuse(self, status: int, phrase: str, reason: str) -> None:
        """Answers outside of any request, and hangs up."""
        body = json.dumps({"error": reason})
        retry = "retry-after: 1\r\n" if status == 503 else ""
        head = f"content-type: application/json\r\ncontent-length: {len(body)}\r\n{retry}connection: close\r\n"
        self._transport.write(f"HTTP/1.1 {status} {phrase}\r\n{head}\r\n{body}".encode())
        self._transport.close()

    def _hang_up(self) -> None:
        if self._transport.is_closing() or self._transport.get_write_buffer_size():
            self._transport.abort()
        elif self.requests:
            self._transport.close()
        else:
            self.refuse(408, "Request Timeout", "no request arrived in time")


class Connections:
    """The connections of a server, known by their clients' addresses; each waits for its client for `seconds` at most."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._most = seconds, most_connections()
        self._open: dict[tuple[str, int], _Connection] = {}

    def watched(self, app: ASGIApp) -> ASGIApp:
        """The application, which then reports when a request begins and ends."""

        async def watched(scope: Scope, receive: Receive, send: Send) -> None:
            connection = self._open.get(_address(scope.get("client")))
            if connection is None:
                await app(scope, receive, send)
                return
            connection.requests += 1
            connection.answering += 1
            connection.watch()
            try:
                await app(scope, receive, send)
            finally:
                connection.answering -= 1
                connection.watch()

        return watched

    def protocol(self) -> type[asyncio.Protocol]:
        """uvicorn's HTTP/1.1 for these connections, for its option `http`."""
        connections, seconds, most = self._open, self._seconds, self._most

        class WatchedProtocol(H11Protocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                super().connection_made(transport)
                self.watched = _Connection(transport, seconds)
                self.address = _address(transport.get_extra_info("peername"))
                if len(connections) >= most:
                    self.watched.refuse(503, "Service Unavailable", "too many connections: try again")
                else:
                    connections[self.address] = self.watched

            def connection_lost(self, exc: Exception | None) -> None:
                super().connection_lost(exc)
                self.watched.stop()
                if connections.get(self.address) is self.watched:
                    del connections[self.address]

            def pause_writing(self) -> None:
                super().pause_writing()
                self.watched.unread = True
                self.watched.watch()

            def resume_writing(self) -> None:
                super().resume_writing()
                self.watched.unread = False
                self.watched.watch()

        return WatchedProtocol


def _address(peer: Any) -> tuple[str, int]:
    """Host and port of what the system or ASGI calls a client, which may be None or have more parts."""
    return (str(peer[0]), int(peer[1])) if peer else ("", 0)
