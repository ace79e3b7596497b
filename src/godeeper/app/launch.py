"""The web app on this machine alone; of what Gradio serves, only what the app itself asks for."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gradio as gr
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import GodeeperError
from ..models.network import Network
from .app_texts import AppLang
from .web_app import WebApp, static

LARGEST_BODY = 200  # MB that the server takes at all; the app has its own, smaller limit and says so in the user's language
JOIN_QUEUE = "/gradio_api/queue/join"
ALLOWED_PATHS = re.compile(
    r"/|/config|/theme\.css|/favicon\.ico|/(assets|static)/.*"
    r"|/gradio_api/(startup-events|app_id|heartbeat/.*|queue/(join|data)|upload|upload_progress|file=.*)"
)


class Guard:
    """ASGI middleware that passes on what the app itself asks for, and of files only those that were uploaded or shown.

    Gradio itself reads any file and fetches any URL that a request names, wherever in its JSON.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif not ALLOWED_PATHS.fullmatch(scope["path"]) or "://" in scope["path"]:
            await PlainTextResponse("the app has no such part", 404)(scope, receive, send)
        elif scope["path"] != JOIN_QUEUE:
            await self.app(scope, receive, send)
        else:
            try:
                body = await Request(scope, receive).body()
            except ClientDisconnect:
                return
            if names_other_file(body, Path(os.environ["GRADIO_TEMP_DIR"])):
                await PlainTextResponse("the app has no such file: upload it", 403)(scope, receive, send)
            else:
                await self.app(scope, _replay(body, receive), send)


def names_other_file(body: bytes, folder: Path) -> bool:
    """Whether JSON names a file outside a folder, at any depth; True for what cannot be read as JSON."""
    paths: list[Any] = []
    try:
        json.loads(body, object_pairs_hook=lambda pairs: paths.extend(value for key, value in pairs if key == "path"))
        return not all(Path(path).resolve().is_relative_to(folder.resolve()) for path in paths if path is not None)
    except (ValueError, TypeError, RecursionError):
        return True


def _replay(body: bytes, receive: Receive) -> Receive:
    """Receives the body that has been read already, then what comes after it."""
    unread = [body]

    async def message() -> Message:
        return {"type": "http.request", "body": unread.pop(), "more_body": False} if unread else await receive()

    return message


@contextmanager
def launched(network: Network, runs: Path, lang: AppLang, port: int) -> Iterator[str]:
    """Serves the web app on 127.0.0.1 and yields its address; GodeeperError if the port is taken.

    Uploads lie in a folder that only this user can read and that is removed at the end.
    """
    with TemporaryDirectory(prefix="godeeper-", ignore_cleanup_errors=True) as uploads:
        os.environ["GRADIO_TEMP_DIR"] = uploads
        blocks = WebApp(network, runs, lang).blocks
        try:
            yield _launch(blocks, port)
        finally:
            blocks.close(verbose=False)
            del os.environ["GRADIO_TEMP_DIR"]


def _launch(blocks: gr.Blocks, port: int) -> str:
    theme = gr.themes.Base(font=("system-ui", "sans-serif"), font_mono=("ui-monospace", "monospace"), primary_hue="indigo")
    guards = [Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"]), Middleware(Guard)]
    try:
        _, address, _ = blocks.launch(
            server_name="127.0.0.1", server_port=port, share=False, quiet=True, prevent_thread_lock=True, inbrowser=False,
            max_file_size=LARGEST_BODY * 1_000_000, theme=theme, head=f"<style>{static('app.css')}</style>", footer_links=[],
            ssr_mode=False, pwa=False, mcp_server=False, enable_monitoring=False, show_error=False,
            app_kwargs={"middleware": guards},
        )  # fmt: skip
    except OSError:
        raise GodeeperError(f"port {port} is taken: choose another one with --port") from None
    return address
