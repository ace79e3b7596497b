"""An HTTP server that classifies images; images of many clients go through the network in one pass."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import Message
from types import FrameType

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from torch.nn import functional as F

from ..data.decode_workers import DecodeWorkers
from ..deploy.class_names import ClassNames
from ..deploy.predictor import Predictor
from ..errors import BadImage, GodeeperError
from ..labels import Lang
from .batcher import Batcher
from .counters import CONTENT_TYPE, CountAnswers, Counters
from .decoding import Decoding
from .limits import Bodies, Limits, Refusal, Refused, server_options
from .openapi import DEFAULT_TOP, FIELD, LANGUAGES, describe_as_html, describe_interface

MAX_WORKERS = 8  # processes that decode, each of which may take some hundred MB
MAX_PARTS, MAX_PART_HEAD = 8, 4096  # of a form: how many parts are looked at, and the bytes of a part's head


class ImageServer:
    """The server's routes. `name` is the model's name in the answers, `lang` the labels' language where a query names none."""

    def __init__(self, predictor: Predictor, limits: Limits, name: str, lang: Lang) -> None:
        self._name, self._classes, self._lang = name, len(predictor.classes), lang
        self._names = {language: ClassNames(predictor.classes, language) for language in LANGUAGES}
        self._predictor = predictor
        self._bodies = Bodies(limits)
        workers = DecodeWorkers(max(2, min(MAX_WORKERS, os.cpu_count() or 1)), limits.timeout / 2)
        self._batcher = Batcher(predictor, Decoding(workers, predictor.preprocess, limits), limits)
        self._counters = Counters(waiting=self._batcher.waiting, held=lambda: self._bodies.held)

    def app(self) -> Starlette:
        """The server as an ASGI application."""
        app = Starlette(
            routes=[
                Route("/predict", self.predict, methods=["POST"]),
                Route("/embed", self.embed, methods=["POST"]),
                Route("/health", self.health),
                Route("/metrics", self.metrics),
                Route("/openapi.json", self.openapi),
                Route("/docs", self.docs),
            ],
            middleware=[Middleware(CountAnswers, counters=self._counters)],
            exception_handlers={Refused: _refused, GodeeperError: _failed, HTTPException: _unrouted},
            lifespan=self._running,
        )
        app.router.redirect_slashes = False  # /predict/ is a 404, not a redirect
        return app

    @asynccontextmanager
    async def _running(self, app: Starlette) -> AsyncIterator[None]:
        async with self._batcher.running(self._counters.batches.observe):
            yield

    async def predict(self, request: Request) -> Response:
        top, lang = _query(request, self._classes, self._lang)
        boundary = _boundary(request)
        self._batcher.check_room()
        async with self._bodies.body(request) as body:
            start = time.perf_counter()
            prediction = await self._batcher.predict(body if boundary is None else _field(body, boundary), top)
        seconds = time.perf_counter() - start
        self._counters.seconds.observe(seconds)
        predictions = self._names[lang].entries(prediction)
        return JSONResponse({"predictions": predictions, "model": self._name, "seconds": round(seconds, 6)})

    async def embed(self, request: Request) -> Response:
        normalized = _normalized(request)
        if not self._predictor.has_embeddings:
            raise Refused(
                404, "an exported file gives no embeddings: serve the run or weights file that it was made from", unread=True
            )
        boundary = _boundary(request)
        self._batcher.check_room()
        async with self._bodies.body(request) as body:
            await asyncio.to_thread(self._predictor.prepare_embeddings)  # seconds, the first time; predictions go on meanwhile
            start = time.perf_counter()
            embedding = await self._batcher.embed(body if boundary is None else _field(body, boundary))
        seconds = time.perf_counter() - start
        self._counters.seconds.observe(seconds)
        vector = (F.normalize(embedding, dim=0) if normalized else embedding).tolist()
        return JSONResponse({"embedding": vector, "model": self._name, "seconds": round(seconds, 6)})

    async def health(self, request: Request) -> Response:
        alive = self._batcher.alive()
        return JSONResponse({"status": "ok" if alive else "stopped", "model": self._name}, 200 if alive else 503)

    async def metrics(self, request: Request) -> Response:
        return Response(self._counters.text(), media_type=CONTENT_TYPE)

    async def openapi(self, request: Request) -> Response:
        return JSONResponse(describe_interface(self._classes, self._lang))

    async def docs(self, request: Request) -> Response:
        return HTMLResponse(describe_as_html(self._classes, self._lang, str(request.base_url)))


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return Refusal(error.status, str(error), unread=error.unread)


async def _failed(request: Request, error: Exception) -> Response:
    if isinstance(error, BadImage):
        return Refusal(400, f"{error}: send the bytes of an image, never a path or URL", unread=False)
    return Refusal(500, str(error), unread=False)


async def _unrouted(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return Refusal(error.status_code, f"{request.method} {request.url.path}: {error.detail}")


def _query(request: Request, classes: int, default: Lang) -> tuple[int, Lang]:
    """The query's `top` and `lang`; Refused, 422, for bad values and other parameters."""
    given = dict(request.query_params)
    top, lang = given.pop("top", str(min(DEFAULT_TOP, classes))), given.pop("lang", default)
    if given:
        raise Refused(422, f"unknown in the query: {', '.join(given)}: it takes top and lang", unread=True)
    if not (top.isascii() and top.isdigit() and len(top) < 10 and 1 <= int(top) <= classes):
        raise Refused(422, f"top={top!r}: give a number from 1 to {classes}", unread=True)
    if lang not in LANGUAGES:
        raise Refused(422, f"lang={lang!r}: choose one of {', '.join(LANGUAGES)}", unread=True)
    return int(top), lang


def _normalized(request: Request) -> bool:
    """The query's `normalize`; Refused, 422, for bad values and other parameters."""
    given = dict(request.query_params)
    normalize = given.pop("normalize", "false")
    if given:
        raise Refused(422, f"unknown in the query: {', '.join(given)}: it takes normalize", unread=True)
    if normalize not in ("true", "false"):
        raise Refused(422, f"normalize={normalize!r}: give true or false", unread=True)
    return normalize == "true"


def _boundary(request: Request) -> bytes | None:
    """The boundary of a form, None for an image's bytes; Refused, 415, for other content types."""
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Refused(415, "the body is encoded: send the bytes of an image as they are", unread=True)
    header = Message()
    header["content-type"] = request.headers.get("content-type", "application/octet-stream")
    kind = header.get_content_type()
    if kind == "application/octet-stream" or header.get_content_maintype() == "image":
        return None
    if kind != "multipart/form-data":
        accepted = f"image/* or application/octet-stream, or a form with the field {FIELD!r}"
        raise Refused(415, f"{kind}: send the bytes of an image as {accepted}", unread=True)
    boundary = header.get_boundary() or ""
    if not 1 <= len(boundary) <= 70 or not boundary.isascii():  # RFC 2046
        raise Refused(415, "the form has no proper boundary", unread=True)
    return boundary.encode()


def _field(body: bytes, boundary: bytes) -> bytes:
    """The image's bytes in a form; Refused, 400, where there is none."""
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary, MAX_PARTS)[1:]:
        head, _, content = part.partition(b"\r\n\r\n")
        message = message_from_bytes(head[:MAX_PART_HEAD].lstrip())
        if message.get_param("name", header="content-disposition") != FIELD:
            continue
        if any(mark in (message.get_filename() or "") for mark in "/\\"):
            raise Refused(400, "the file's name is a path: send a plain name or none, it is not used")
        return content
    raise Refused(400, f"the form has no field {FIELD!r}")


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; `port` 0 picks a free one. GodeeperError where the system refuses."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family, backlog=1024)
    except (OSError, UnicodeError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).partition(" (")[0]
        raise GodeeperError(f"cannot listen on {host} port {port}: {reason}: choose another --host or --port") from None
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # connections inherit it: no answer waits 40 ms for an ACK
    return listening


class _Server(uvicorn.Server):
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if not self.should_exit:  # shutting down is quick: a second signal would only break it off
            super().handle_exit(sig, frame)


def serve(predictor: Predictor, sockets: Sequence[socket.socket], limits: Limits, name: str, lang: Lang) -> None:
    """Serves on these sockets until a signal ends the process; requests in progress are still answered."""
    app = ImageServer(predictor, limits, name, lang).app()
    _Server(uvicorn.Config(app, **server_options(limits))).run(list(sockets))
