"""The web app on this machine alone; of what Gradio serves, only what the app itself asks for."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gradio as gr
from gradio import queueing
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from ..data.decode_workers import DecodeWorkers
from ..errors import GodeeperError
from ..models.network import Network
from .app_texts import AppLang
from .guard import LARGEST, UPLOAD, Guard, log_failure
from .theme import theme
from .web_app import WebApp, static

DECODE_SECONDS = 10.0  # that an uploaded image may take
MOST_SESSIONS = 100  # that are remembered, the latest: each reload of the page makes another
MOST_WAITING = 100  # events


class _OneLine:
    """In the place of the module `traceback`, where Gradio prints one for whatever a request may hold: a line, and no more."""

    print_exc = staticmethod(log_failure)

    def __getattr__(self, name: str) -> Any:
        return getattr(traceback, name)


@contextmanager
def launched(network: Network, runs: Path, lang: AppLang, port: int) -> Iterator[str]:
    """Serves the web app on 127.0.0.1 and yields its address; GodeeperError if the port is taken.

    Uploads lie in a folder that only this user can read and that is removed at the end.
    """
    folder = TemporaryDirectory(prefix="godeeper-", ignore_cleanup_errors=True)
    with folder as uploads, DecodeWorkers(1, DECODE_SECONDS) as workers:
        os.environ["GRADIO_TEMP_DIR"] = uploads
        blocks = WebApp(network, workers, runs, lang).blocks
        try:
            yield _launch(blocks, port)
        finally:
            blocks.close(verbose=False)
            del os.environ["GRADIO_TEMP_DIR"]


def _launch(blocks: gr.Blocks, port: int) -> str:
    guards = [
        Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"]),
        Middleware(Guard, uploads=os.environ["GRADIO_TEMP_DIR"]),
    ]
    vars(queueing)["traceback"] = _OneLine()
    blocks.queue(max_size=MOST_WAITING)
    try:
        _, address, _ = blocks.launch(
            server_name="127.0.0.1", server_port=port, share=False, quiet=True, prevent_thread_lock=True, inbrowser=False,
            max_file_size=LARGEST[UPLOAD], theme=theme(), head=f"<style>{static('app.css')}</style>", footer_links=[],
            ssr_mode=False, pwa=False, mcp_server=False, enable_monitoring=False, show_error=False,
            state_session_capacity=MOST_SESSIONS, app_kwargs={"middleware": guards},
        )  # fmt: skip
    except OSError:
        raise GodeeperError(f"port {port} is taken: choose another one with --port") from None
    return address
