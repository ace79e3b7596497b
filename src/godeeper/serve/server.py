"""An HTTP server that classifies images; images of many clients go through the network in one pass."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI, Query
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from torch.nn import functional as F

from ..data.decode_workers import DecodeWorkers
from ..deploy.class_names import ClassNames
from ..deploy.predictor import Predictor
from ..errors import BadImage, GodeeperError
from ..labels import Lang
from ..version import __version__
from .batcher import Batcher, DaemonThread
from .connections import ACCEPTED_AT_ONCE, Connections
from .counters import CONTENT_TYPE, CountAnswers, Counters
from .decoding import Decoding
from .interface import (
    ABOUT,
    BODY,
    DEFAULT_TOP,
    FIELD,
    LANGUAGES,
    EmbedAnswer,
    Health,
    PredictAnswer,
    describe_as_html,
    refusals,
)  # fmt: skip
from .limits import Bodies, Limits, Refusal, Refused

MAX_WORKERS = 8  # processes that decode, each of which may take some hundred MB
FORM = "multipart/form-data"
MAX_FIELDS = 8  # of a form, beside the image
BACKLOG = 1024  # connections that wait to be accepted
GRACE_SECONDS = 5  # for requests in progress when the server shuts down


class ImageServer:
    """The server's addresses. `name` is the model's name in the answers, `lang` the labels' language where a query names none."""

    def __init__(self, predictor: Predictor, limits: Limits, name: str, lang: Lang) -> None:
        self._name, self._classes, self._lang = name, len(predictor.classes), lang
        self._names = {language: ClassNames(predictor.classes, language) for language in LANGUAGES}
        self._predictor = predictor
        self._embedder = DaemonThread("godeeper-embedder")
        self._bodies = Bodies(limits)
        modules = () if predictor.preprocess.resize.antialias else ("torch",)  # whose filter it is, then
        self.workers = DecodeWorkers(max(2, min(MAX_WORKERS, os.cpu_count() or 1)), limits.timeout / 2, modules)
        self._batcher = Batcher(predictor, Decoding(self.workers, predictor.preprocess, limits), limits)
        self._counters = Counters(waiting=self._batcher.waiting, held=lambda: self._bodies.held)

    def app(self) -> FastAPI:
        """The server as an ASGI application."""
        handlers: dict[Any, Any] = {
            Refused: _refused, GodeeperError: _failed, HTTPException: _unrouted, RequestValidationError: _unprocessable,
        }  # fmt: skip
        app = FastAPI(
            title="godeeper", version=__version__, docs_url=None, redoc_url=None, redirect_slashes=False,
            middleware=[Middleware(CountAnswers, counters=self._counters)], exception_handlers=handlers, lifespan=self._running,
        )  # fmt: skip
        self._add_images(app)
        self._add_state(app)
        return app

    def _add_images(self, app: FastAPI) -> None:
        number, default = self._classes, min(DEFAULT_TOP, self._classes)
        top_query: Any = Query(default, ge=1, le=number, description=f"How many classes to name, 1 to {number}")
        names = "Labels in English (`en`), in Chinese where known (`zh`), or `both`, these in `label_zh`"
        lang_query: Any = Query(self._lang, description=f"{names}; here `{self._lang}` unless given")
        normalize_query: Any = Query(False, description="Scale it to length 1")
        no_embeddings = {404: "The server runs an exported file, which gives none"}

        @app.post("/predict", response_model=PredictAnswer, responses=refusals(), openapi_extra=BODY, description=ABOUT)
        async def predict(request: Request, top: int = top_query, lang: Lang = lang_query) -> Response:
            """Name what is in an image."""
            _check_names(request, ("top", "lang"))
            async with self._received(request) as image:
                start = time.perf_counter()
                prediction = await self._batcher.predict(image, top)
            return self._answer({"predictions": self._names[lang].entries(prediction)}, start)

        @app.post("/embed", response_model=EmbedAnswer, responses=refusals(no_embeddings), openapi_extra=BODY, description=ABOUT)
        async def embed(request: Request, normalize: bool = normalize_query) -> Response:
            """Embed an image."""
            _check_names(request, ("normalize",))
            if not self._predictor.has_embeddings:
                reason = "an exported file gives no embeddings: serve the run or weights file that it was made from"
                raise Refused(404, reason, unread=True)
            async with self._received(request) as image:
                await self._embedder.call(self._predictor.prepare_embeddings)  # seconds, the first time
                start = time.perf_counter()
                embedding = await self._batcher.embed(image)
            return self._answer({"embedding": (F.normalize(embedding, dim=0) if normalize else embedding).tolist()}, start)

    def _add_state(self, app: FastAPI) -> None:
        @app.head("/health", include_in_schema=False)
        @app.get("/health", response_model=Health, responses={503: {"model": Health, "description": "They are not"}})
        async def health() -> Response:
            """Whether images are being answered."""
            alive = self._batcher.alive()
            return JSONResponse({"status": "ok" if alive else "stopped", "model": self._name}, 200 if alive else 503)

        @app.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
        async def metrics() -> Response:
            """The server's counters in Prometheus's text format."""
            return Response(self._counters.text(), media_type=CONTENT_TYPE)

        @app.get("/docs", include_in_schema=False)
        async def docs(request: Request) -> Response:
            return HTMLResponse(describe_as_html(app.openapi(), str(request.base_url)))

    @asynccontextmanager
    async def _running(self, app: FastAPI) -> AsyncIterator[None]:
        async with self._batcher.running(self._counters.batches.observe):
            yield

    @asynccontextmanager
    async def _received(self, request: Request) -> AsyncIterator[bytes]:
        """The image's bytes, which count as held until the end of the block; Refused for a request without them."""
        _check_type(request)
        self._batcher.check_room()
        try:
            async with self._bodies.limited(request) as limited:
                yield await _image(limited)
        except asyncio.CancelledError:  # by uvicorn, after GRACE_SECONDS
            raise Refused(503, "the server is stopping", unread=True) from None

    def _answer(self, answer: dict[str, Any], start: float) -> Response:
        seconds = time.perf_counter() - start
        self._counters.seconds.observe(seconds)
        return JSONResponse(answer | {"model": self._name, "seconds": round(seconds, 6)})


async def _refused(request: Request, error: Refused) -> Response:
    return Refusal(error.status, str(error), unread=error.unread)


async def _failed(request: Request, error: GodeeperError) -> Response:
    if isinstance(error, BadImage):
        return Refusal(400, f"{error}: send the bytes of an image, never a path or URL", unread=False)
    return Refusal(500, str(error), unread=False)


async def _unrouted(request: Request, error: HTTPException) -> Response:
    return Refusal(error.status_code, f"{request.method} {request.url.path}: {error.detail}")


async def _unprocessable(request: Request, error: RequestValidationError) -> Response:
    first = error.errors()[0]
    return Refusal(422, f"{first['loc'][-1]}={str(first['input'])[:100]!r}: {first['msg']}")


def _check_names(request: Request, known: Sequence[str]) -> None:
    """Refused, 422, for other names in the query."""
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        raise Refused(422, f"unknown in the query: {', '.join(unknown)}: it takes {' and '.join(known)}", unread=True)


def _kind(request: Request) -> str:
    return request.headers.get("content-type", "application/octet-stream").partition(";")[0].strip().lower()


def _check_type(request: Request) -> None:
    """Refused, 415, for a body that is neither an image's bytes nor a form."""
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Refused(415, "the body is encoded: send the bytes of an image as they are", unread=True)
    kind = _kind(request)
    if kind not in ("application/octet-stream", FORM) and not kind.startswith("image/"):
        accepted = f"image/* or application/octet-stream, or a form with the field {FIELD!r}"
        raise Refused(415, f"{kind}: send the bytes of an image as {accepted}", unread=True)


async def _image(request: Request) -> bytes:
    """The image's bytes in a request; Refused, 400, for a form without them."""
    if _kind(request) != FORM:
        return await request.body()
    try:
        async with request.form(max_files=1, max_fields=MAX_FIELDS) as form:
            image = form.get(FIELD)
            if not isinstance(image, UploadFile):
                raise Refused(400, f"the form has no field {FIELD!r} with a file")
            if any(mark in (image.filename or "") for mark in "/\\"):
                raise Refused(400, "the file's name is a path: send a plain name or none, it is not used")
            return await image.read()
    except UnicodeError:  # of a codec such as "undefined", which Starlette does not expect
        raise Refused(400, "the form's charset is none that a form is written in: send it in UTF-8", unread=True) from None


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; `port` 0 picks a free one. GodeeperError where the system refuses."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, UnicodeError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).partition(" (")[0]
        raise GodeeperError(f"cannot listen on {host} port {port}: {reason}: choose another --host or --port") from None
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # connections inherit it: no answer waits 40 ms for an ACK
    return listening


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listening in sockets or ():
            listening.listen(BACKLOG)  # uvicorn listens anew, with its own backlog, which is how many it accepts at once

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if not self.should_exit:  # shutting down is quick: a second signal would only break it off
            super().handle_exit(sig, frame)


def serve(predictor: Predictor, sockets: Sequence[socket.socket], limits: Limits, name: str, lang: Lang) -> None:
    """Serves on these sockets until a signal ends the process; requests in progress are still answered."""
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # which warns of what clients send
    connections = Connections(limits.timeout)
    server = ImageServer(predictor, limits, name, lang)
    config = uvicorn.Config(
        connections.watched(server.app()), http=connections.protocol(),
        timeout_graceful_shutdown=GRACE_SECONDS, timeout_keep_alive=int(limits.timeout) + 1,  # connections has the exact one
        backlog=ACCEPTED_AT_ONCE,
        loop="asyncio", ws="none", lifespan="on", log_level="error", access_log=False, proxy_headers=False, server_header=False,
    )  # fmt: skip
    with server.workers:  # what fails at their start is the command's error, not one in uvicorn's log
        _Server(config).run(list(sockets))
