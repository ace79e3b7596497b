"""`godeeper app`: begins, ends, and says why not."""

import signal
import socket
import subprocess
import sys

import pytest

pytest.importorskip("gradio", reason="gradio is not installed")


def start(*arguments):
    command = [sys.executable, "-m", "godeeper", "app", *arguments]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_it_names_its_address_and_ends_by_ctrl_c(tmp_path, weights_file):
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    with start(str(weights_file), "--port", str(port), "--runs", str(tmp_path), "--lang", "zh") as page:
        lines = iter(page.stderr.readline, "")
        assert next(line for line in lines if line.startswith("open")) == f"open http://127.0.0.1:{port}/ (Ctrl-C ends it)\n"
        page.send_signal(signal.SIGINT)
        assert page.wait(timeout=30) == 130
        assert "Traceback" not in page.stderr.read()


def test_a_taken_port_and_a_run_that_is_none_are_said_in_a_line(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        failed = start("--port", port, "--runs", str(tmp_path))
        _, said = failed.communicate(timeout=60)
        assert (failed.returncode, said.strip()) == (2, f"godeeper: port {port} is taken: choose another one with --port")
    failed = start(str(tmp_path / "none"))
    _, said = failed.communicate(timeout=60)
    assert failed.returncode == 2
    assert len(said.strip().splitlines()) == 1
