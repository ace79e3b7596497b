"""What stands before Gradio: only what the app itself asks for passes, in bounded size, and no answer says where files lie."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.formparsers import MultiPartException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .app_texts import LARGEST_UPLOAD

API = "/gradio_api"
JOIN_QUEUE, UPLOAD = f"{API}/queue/join", f"{API}/upload"
# Bytes of a body. An image that is a little larger than the app takes still arrives, so that the app says why it is refused.
LARGEST = {UPLOAD: (LARGEST_UPLOAD + 1) * 1_000_000, JOIN_QUEUE: 1_000_000}
ALLOWED_PATHS = re.compile(
    r"/|/config|/theme\.css|/favicon\.ico|/(assets|static)/.*"
    r"|/gradio_api/(startup-events|app_id|heartbeat/.*|queue/(join|data)|upload|upload_progress|file=.*)"
)
SHOWN = "/uploads"  # what requests and answers call the folder of uploads
TEXTS = ("text/html", "application/json", "text/event-stream")  # the answers that name files


class TooLargeError(MultiPartException):
    """A body is larger than the app takes; of this kind, since Gradio then removes what it has stored of it."""


class GoneError(MultiPartException):
    """The client went before its body was there."""


class Guard:
    """ASGI middleware that passes on what the app itself asks for, and of files only those that were uploaded or shown.

    Gradio itself reads any file and fetches any URL that a request names, wherever in its JSON, stores a body of any size, and
    names the folder that it stores it in; `uploads` is that folder.
    """

    def __init__(self, app: ASGIApp, uploads: str) -> None:
        self.app, self.uploads = app, uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if not ALLOWED_PATHS.fullmatch(scope["path"]) or "://" in scope["path"]:
            await PlainTextResponse("the app has no such part", 404)(scope, receive, send)
            return
        try:
            await self._pass_on(self._located(scope), _bounded(scope, receive), _Masked(send, self.uploads))
        except TooLargeError as error:
            await PlainTextResponse(error.message, 413)(scope, receive, send)
        except GoneError:
            return

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != JOIN_QUEUE:
            await self.app(scope, receive, send)
            return
        body = (await _read(receive)).replace(f'"{SHOWN}/'.encode(), f'"{self.uploads}/'.encode())
        if names_other_file(body, Path(self.uploads)):
            await PlainTextResponse("the app has no such file: upload it", 403)(scope, receive, send)
        else:
            await self.app(_with_length(scope, len(body)), _replay(body, receive), send)

    def _located(self, scope: Scope) -> Scope:
        """The request for a file by where it lies."""
        start = f"{API}/file={SHOWN}/"
        if not scope["path"].startswith(start):
            return scope
        path = f"{API}/file={self.uploads}/{scope['path'].removeprefix(start)}"
        return {**scope, "path": path, "raw_path": path.encode()}


def names_other_file(body: bytes, folder: Path) -> bool:
    """Whether JSON names a file outside a folder, at any depth; True for what cannot be read as JSON."""
    paths: list[Any] = []
    try:
        json.loads(body, object_pairs_hook=lambda pairs: paths.extend(value for key, value in pairs if key == "path"))
        return not all(Path(path).resolve().is_relative_to(folder.resolve()) for path in paths if path is not None)
    except (ValueError, TypeError, RecursionError):
        return True


def _bounded(scope: Scope, receive: Receive) -> Receive:
    """Receives a body up to what its path takes; TooLargeError beyond that, before anything is read where it is announced."""
    most = LARGEST.get(scope["path"], 0)
    announced = Headers(scope=scope).get("content-length", "0")
    refusal = f"the maximum allowed size is {most:,} bytes"  # from which Gradio makes a 413, too
    seen = 0

    async def message() -> Message:
        nonlocal seen
        if not announced.isdecimal() or int(announced) > most:
            raise TooLargeError(refusal)
        received = await receive()
        seen += len(received.get("body", b""))
        if seen > most:
            raise TooLargeError(refusal)
        if received["type"] == "http.disconnect" and scope["path"] in LARGEST:
            raise GoneError("the client went")
        return received

    return message


async def _read(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _with_length(scope: Scope, length: int) -> Scope:
    headers = [(name, value) for name, value in scope["headers"] if name not in (b"content-length", b"transfer-encoding")]
    return {**scope, "headers": [*headers, (b"content-length", str(length).encode())]}


def _replay(body: bytes, receive: Receive) -> Receive:
    """Receives the body that has been read already, then what comes after it."""
    unread = [body]

    async def message() -> Message:
        return {"type": "http.request", "body": unread.pop(), "more_body": False} if unread else await receive()

    return message


class _Masked:
    """Sends answers in which the folder of uploads is called otherwise."""

    def __init__(self, send: Send, uploads: str) -> None:
        self.send, self.folder = send, uploads.encode()
        self.is_text = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=list(message["headers"]))
            self.is_text = headers.get("content-type", "").startswith(TEXTS)
            if self.is_text:
                del headers["content-length"]  # sent in chunks
                message = {**message, "headers": headers.raw}
        elif message["type"] == "http.response.body" and self.is_text:
            message = {**message, "body": message.get("body", b"").replace(self.folder, SHOWN.encode())}
        await self.send(message)
