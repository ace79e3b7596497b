"""The server's counters, in Prometheus's text format."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Counters:
    """The counters of one server, in a registry of its own, so that two servers in a process do not add up."""

    def __init__(self, waiting: Callable[[], float], held: Callable[[], float]) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.answers = Counter("godeeper_requests", "Requests answered, by status.", ["status"], registry=registry)
        self.seconds = Histogram("godeeper_request_seconds", "From an image's arrival to its answer.", registry=registry)
        sizes = [2**power for power in range(9)]
        self.batches = Histogram("godeeper_batch_images", "Images a pass.", registry=registry, buckets=sizes)
        Gauge("godeeper_waiting_requests", "Images that wait for a pass.", registry=registry).set_function(waiting)
        Gauge("godeeper_body_bytes", "Bytes of bodies held, arriving or waiting.", registry=registry).set_function(held)

    def text(self) -> bytes:
        """All counters in Prometheus's text format."""
        return generate_latest(self._registry)


class CountAnswers:
    """ASGI middleware that counts each answer by its status."""

    def __init__(self, app: ASGIApp, counters: Counters) -> None:
        self._app, self._counters = app, counters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._counters.answers.labels(message["status"]).inc()
            await send(message)

        await self._app(scope, receive, counted)
