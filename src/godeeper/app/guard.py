"""What stands before Gradio: only what the app itself asks for passes, in bounded size, and no answer says where files lie."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.formparsers import MultiPartException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import GodeeperError
from .app_texts import LARGEST_UPLOAD

logger = logging.getLogger("godeeper")
API = "/gradio_api"
JOIN_QUEUE, UPLOAD = f"{API}/queue/join", f"{API}/upload"
# Bytes of a body. An image that is a little larger than the app takes still arrives, so that the app says why it is refused.
LARGEST = {UPLOAD: (LARGEST_UPLOAD + 1) * 1_000_000, JOIN_QUEUE: 250_000}
ALLOWED_PATHS = re.compile(
    r"/|/config|/theme\.css|/favicon\.ico|/(assets|static)/.*"
    r"|/gradio_api/(startup-events|app_id|heartbeat/.*|queue/(join|data)|upload|upload_progress|file=.*)"
)
LONGEST_ADDRESS = 2_000  # letters of a path and its query
SESSION = re.compile(r"[\w.-]{1,64}", re.ASCII)  # the name that a page gives its session
LARGEST_FOLDER, MOST_UPLOADS = 1_000_000_000, 1_000  # bytes and files of the folder of uploads
SHOWN = "/uploads"  # what requests and answers call the folder of uploads
TEXTS = ("text/html", "application/json", "text/event-stream")  # the answers that name files


class TooLargeError(MultiPartException):
    """A body is larger than the app takes; of this kind, since Gradio then removes what it has stored of it."""


class GoneError(MultiPartException):
    """The client went before its body was there."""


class Guard:
    """ASGI middleware that passes on what the app itself asks for, and of files only those that were uploaded or shown.

    Gradio itself reads any file and fetches any URL that a request names, wherever in its JSON, stores bodies of any size and as
    many as come, from any page that a browser shows, and names the folder that it stores them in; `uploads` is that folder.
    """

    def __init__(self, app: ASGIApp, uploads: str) -> None:
        self.app, self.uploads = app, uploads
        self.samples = _files(Path(uploads))  # what lies there before anybody asks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refused = _refusal(scope)
        if refused:
            await PlainTextResponse(*refused)(scope, receive, send)
            return
        answer = _Masked(send, self.uploads)
        try:
            await self._pass_on(self._located(scope), _bounded(scope, receive), answer)
        except TooLargeError as error:
            await PlainTextResponse(error.message, 413)(scope, receive, send)
        except GoneError:
            return
        except Exception:  # whatever Gradio does not foresee in a request
            log_failure()
            if not answer.started:
                await PlainTextResponse("the app could not answer this request", 500)(scope, receive, send)
            elif answer.is_text:
                await send({"type": "http.response.body"})
        finally:
            if scope["path"] == UPLOAD:
                make_room(Path(self.uploads), self.samples)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != JOIN_QUEUE:
            await self.app(scope, receive, send)
            return
        body = (await _read(receive)).replace(f'"{SHOWN}/'.encode(), f"{json.dumps(self.uploads)[:-1]}/".encode())
        if not is_event(body):
            await PlainTextResponse("the app takes no such event", 422)(scope, receive, send)
        elif names_other_file(body, Path(self.uploads)):
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


def log_failure() -> None:
    """Logs the exception that is being handled: a line, whatever a request holds that it quotes, and no more."""
    logger.warning("the app could not answer a request: %s", GodeeperError(repr(sys.exception())))
    logger.debug("in full:", exc_info=True)


def make_room(folder: Path, kept: Collection[Path]) -> None:
    """Removes a folder's oldest files, but those that are kept, until it holds no more than LARGEST_FOLDER and MOST_UPLOADS."""
    sizes = _files(folder)
    total, count = sum(size for size, _ in sizes.values()), len(sizes)
    for file in sorted(sizes.keys() - set(kept), key=lambda file: sizes[file][1]):
        if total <= LARGEST_FOLDER and count <= MOST_UPLOADS:
            return
        total, count = total - sizes[file][0], count - 1
        file.unlink(missing_ok=True)
        if file.parent != folder:
            with suppress(OSError):  # others lie beside it
                file.parent.rmdir()


def is_event(body: bytes) -> bool:
    """Whether JSON is an event of a session with a plain name, in letters that UTF-8 has: others break Gradio for everybody."""
    try:
        event = json.loads(body)
        json.dumps(event, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return False
    session = event.get("session_hash") if isinstance(event, dict) else None
    return isinstance(session, str) and SESSION.fullmatch(session) is not None


def names_other_file(body: bytes, folder: Path) -> bool:
    """Whether JSON names a file outside a folder, at any depth; True for what cannot be read as JSON."""
    paths: list[Any] = []
    try:
        json.loads(body, object_pairs_hook=lambda pairs: paths.extend(value for key, value in pairs if key == "path"))
        return not all(Path(path).resolve().is_relative_to(folder.resolve()) for path in paths if path is not None)
    except (ValueError, TypeError, RecursionError):
        return True


def _refusal(scope: Scope) -> tuple[str, int] | None:
    """Why a request is not even read, and the status that says so."""
    if len(scope["path"]) + len(scope["query_string"]) > LONGEST_ADDRESS:
        return "the address is too long", 414
    if not ALLOWED_PATHS.fullmatch(scope["path"]) or "://" in scope["path"]:
        return "the app has no such part", 404
    if scope["method"] == "POST" and _comes_from_other_page(Headers(scope=scope)):
        return "only the app's own page may send this", 403
    return None


def _comes_from_other_page(headers: Headers) -> bool:
    """Whether a page of another site sends it, which browsers let any page do to this machine, without showing it the answer."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        return site not in ("same-origin", "none")
    return origin is not None and origin.partition("://")[2] != headers.get("host")


def _files(folder: Path) -> dict[Path, tuple[int, float]]:
    """The files within a folder, with their sizes in bytes and their times."""
    files = {}
    for file in folder.rglob("*"):
        with suppress(OSError):  # it went meanwhile
            if file.is_file():
                files[file] = (file.stat().st_size, file.stat().st_mtime)
    return files


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
        self.send = send
        in_json = (json.dumps(uploads, ensure_ascii=escaped)[1:-1] for escaped in (True, False))
        self.forms = [form.encode() for form in (uploads, quote(uploads), *in_json)]
        self.started = self.is_text = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(raw=list(message["headers"]))
            self.is_text = headers.get("content-type", "").startswith(TEXTS)
            if self.is_text:
                del headers["content-length"]  # sent in chunks
                message = {**message, "headers": headers.raw}
        elif message["type"] == "http.response.body" and self.is_text:
            body = message.get("body", b"")
            for form in self.forms:
                body = body.replace(form, SHOWN.encode())
            message = {**message, "body": body}
        await self.send(message)
