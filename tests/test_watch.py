"""What watches over all tests (watched_process.py) sees a connection and a file, here and in processes that they start."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from watched_process import FOLDERS, LOG, breach

WRITE, READ = os.O_WRONLY | os.O_CREAT, os.O_RDONLY


@pytest.mark.parametrize(
    ("event", "arguments", "bad"),
    [
        ("socket.connect", (None, ("127.0.0.1", 80)), False),
        ("socket.connect", (None, ("::1", 80, 0, 0)), False),
        ("socket.connect", (None, "/run/a.socket"), False),
        ("socket.connect", (None, ("192.0.2.1", 80)), True),
        ("socket.sendto", (None, ("2001:db8::1", 53, 0, 0)), True),
        ("socket.bind", (None, ("0.0.0.0", 80)), True),
        ("socket.getaddrinfo", (os.uname().nodename, 80, 0, 0, 0), False),
        ("socket.getaddrinfo", ("localhost", 80, 0, 0, 0), False),
        ("socket.getaddrinfo", ("www.google-analytics.com", 443, 0, 0, 0), True),
        ("open", ("/allowed/x", "w", WRITE), False),
        ("open", (3, "w", WRITE), False),
        ("open", ("/home/x", "r", READ), False),
        ("open", ("/home/x", "w", WRITE), True),
        ("open", ("/allowed/../home/x", "w", WRITE), True),
        ("open", ("/allowed-not/x", "w", WRITE), True),
        ("os.mkdir", (b"/home/intel", 0o777, -1), True),
        ("os.mkdir", ("/usr", 0o777, -1), False),
        ("os.mkdir", ("/home/clone/__pycache__", 0o777, -1), False),
        ("open", ("/home/clone/__pycache__/a.pyc", "w", WRITE), False),
        ("os.rename", ("/allowed/x", "/home/x", -1, -1), True),
    ],
)
def test_what_counts(event, arguments, bad):
    assert (breach(event, arguments, ["/allowed/"]) is not None) == bad


def test_a_process_is_watched_and_its_children_are(tmp_path: Path):
    (tmp_path / "home").mkdir()
    log = tmp_path / "log"
    planted = "import os, socket; open(os.environ['HOME'] + '/planted', 'w'); socket.getaddrinfo('planted.invalid', 80)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {planted!r}])"
    environment = {**os.environ, LOG: str(log), FOLDERS: str(tmp_path / "allowed"), "HOME": str(tmp_path / "home")}
    subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False)
    assert [line.split(",")[0] for line in log.read_text().splitlines()] == [
        f"open {str(tmp_path / 'home' / 'planted')!r}",
        "socket.getaddrinfo 'planted.invalid'",
    ]


MPL = ".cache/matplotlib"
ASKED = {  # what a library is asked for, and its answer
    "gradio": ("from gradio.analytics import analytics_enabled as on; print(on())", "False"),
    "huggingface_hub": ("from huggingface_hub.constants import HF_HUB_DISABLE_TELEMETRY as off; print(off)", "True"),
    "nncf": ("from nncf.telemetry import telemetry; print(type(telemetry).__name__)", "MagicMock"),
    "matplotlib": ("import matplotlib, pathlib as p; print(p.Path(matplotlib.get_configdir()).relative_to(p.Path.home()))", MPL),
}


@pytest.mark.slow
@pytest.mark.parametrize("library", ASKED)
def test_others_are_opted_out_as_they_themselves_see_it(library: str, tmp_path: Path):
    """Whatever the environment asks for."""
    pytest.importorskip(library)
    code, answer = ASKED[library]
    asked = {"GRADIO_ANALYTICS_ENABLED": "True", "HF_HUB_DISABLE_TELEMETRY": "0", "DO_NOT_TRACK": "0", "NNCF_CI": ""}
    environment = {**os.environ, **asked, "HOME": str(tmp_path)}
    for name in ("MPLCONFIGDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        environment.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-c", f"import godeeper; {code}"], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == answer


def test_engines_are_opted_out_before_they_are_imported(tmp_path: Path):
    """Native code included: the home stays as empty as it was, but for godeeper's own cache."""
    pytest.importorskip("openvino")
    pytest.importorskip("onnxruntime")
    home = tmp_path / "home"
    home.mkdir()
    code = "import godeeper, openvino, onnxruntime, sys; print(openvino.tools.ovc.telemetry.__class__.__module__)"
    environment = {**os.environ, "HOME": str(home), "ORT_DISABLE_TELEMETRY": "0"}  # nothing opts in again
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "openvino.tools.ovc.telemetry_stub"
    assert list(home.iterdir()) == []
