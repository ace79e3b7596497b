"""The page served: on this machine alone, and of what Gradio answers only what the page asks for."""

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
from .page import Page
from .style import STYLE
from .words import Lang

MOST = 200  # MB that the server takes at all; the page says its own, smaller limit in the reader's language
JOIN = "/gradio_api/queue/join"
ASKED = re.compile(
    r"/|/config|/theme\.css|/favicon\.ico|/(assets|static)/.*"
    r"|/gradio_api/(startup-events|app_id|heartbeat/.*|queue/(join|data)|upload|upload_progress|file=.*)"
)


class Guard:
    """Lets through what the page asks for, and of files only those that were uploaded or shown: no other one, no URL.

    Gradio asks that of a file which says that it is one, and fetches what a URL names, wherever in a request it stands.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif not ASKED.fullmatch(scope["path"]) or "://" in scope["path"]:
            await PlainTextResponse("the page has no such part", 404)(scope, receive, send)
        elif scope["path"] != JOIN:
            await self.app(scope, receive, send)
        else:
            try:
                body = await Request(scope, receive).body()
            except ClientDisconnect:
                return
            if reaches_out(body, Path(os.environ["GRADIO_TEMP_DIR"])):
                await PlainTextResponse("the page has no such file: upload it", 403)(scope, receive, send)
            else:
                await self.app(scope, _again(body, receive), send)


def reaches_out(body: bytes, folder: Path) -> bool:
    """Whether JSON names a file outside a folder, at whatever depth; what cannot be read as JSON is taken to."""
    paths: list[Any] = []
    try:
        json.loads(body, object_pairs_hook=lambda pairs: paths.extend(value for key, value in pairs if key == "path"))
        return not all(Path(path).resolve().is_relative_to(folder.resolve()) for path in paths if path is not None)
    except (ValueError, TypeError, RecursionError):
        return True


def _again(body: bytes, receive: Receive) -> Receive:
    """Gives the body that has been read, then what comes after it."""
    unread = [body]

    async def message() -> Message:
        return {"type": "http.request", "body": unread.pop(), "more_body": False} if unread else await receive()

    return message


@contextmanager
def served(network: Network | None, runs: Path, lang: Lang, port: int) -> Iterator[str]:
    """Serves the page on 127.0.0.1 and gives its address; GodeeperError where the port is taken.

    What is uploaded lies in a folder that only this user can read, and that is gone at the end.
    """
    with TemporaryDirectory(prefix="godeeper-", ignore_cleanup_errors=True) as place:
        os.environ["GRADIO_TEMP_DIR"] = place
        blocks = Page(network, runs, lang).blocks
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
            max_file_size=MOST * 1_000_000, theme=theme, head=f"<style>{STYLE}</style>", footer_links=[],
            ssr_mode=False, pwa=False, mcp_server=False, enable_monitoring=False, show_error=False,
            app_kwargs={"middleware": guards},
        )  # fmt: skip
    except OSError:
        raise GodeeperError(f"port {port} is taken: choose another one with --port") from None
    return address
