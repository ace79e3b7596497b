"""`godeeper app`: starts, ends, and says why not."""

import asyncio
import gc
import signal
import socket
import subprocess
import urllib.request

import pytest

from godeeper.cli.main import status
from processes import GODEEPER, running

pytest.importorskip("gradio", reason="gradio is not installed")


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def closed_loops():
    """Drops the event loops that Gradio never closes here, where their warnings are ignored, and not in some later test."""
    yield
    asyncio.set_event_loop(None)
    gc.collect()


@pytest.mark.slow
def test_it_names_its_address_serves_and_ends_by_ctrl_c(tmp_path, weights_file):
    """In a process of its own: Gradio leaves threads and handlers behind, which write into what pytest has closed."""
    port = free_port()
    with running(*GODEEPER, "app", weights_file, "--port", port, "--runs", tmp_path, stderr=subprocess.PIPE) as app:
        lines = iter(app.stderr.readline, "")
        assert next(line for line in lines if line.startswith("open")) == f"open http://127.0.0.1:{port}/ (Ctrl-C ends it)\n"
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
            assert "godeeper" in answer.read().decode()
        app.send_signal(signal.SIGINT)
        assert app.wait(timeout=60) == 130
        assert "Traceback" not in app.stderr.read()


@pytest.mark.filterwarnings("ignore")  # Gradio's own
def test_a_taken_port_is_named_in_a_line(tmp_path, capsys, closed_loops):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert status(["app", "--port", str(port), "--runs", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"godeeper: port {port} is taken: choose another one with --port\n"


def test_a_run_that_is_none_is_named_in_a_line(tmp_path, capsys):
    assert status(["app", str(tmp_path / "none")]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
