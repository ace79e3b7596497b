"""Commands under strace, with an empty home: nothing is looked up or sent, nothing written but where it may be."""

import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from processes import GODEEPER, running
from traced import STRACE, breaches

CACHES = {"godeeper", "matplotlib", "huggingface", "torch"}  # in ~/.cache


def can_trace() -> bool:
    if shutil.which("strace") is None:
        return False
    return subprocess.run([*STRACE, "true"], capture_output=True, check=False).returncode == 0


pytestmark = [pytest.mark.slow, pytest.mark.skipif(not can_trace(), reason="strace is not installed, or may not trace")]


class Outside:
    """A user with an empty home, in a folder of images, and the folders that may be written to."""

    def __init__(self, folder: Path) -> None:
        self.home, self.work, temp = (folder / name for name in ("home", "work", "temp"))
        for made in (self.home, self.work, temp):
            made.mkdir()
        self.allowed, self.log = [self.home / ".cache", self.work / "out", temp], folder / "strace.log"
        kept = {key: os.environ[key] for key in ("PATH", "PYTHONPATH", "OMP_NUM_THREADS") if key in os.environ}
        fresh = {"HOME": str(self.home), "TMPDIR": str(temp), "PYTHONDONTWRITEBYTECODE": "1"}
        self.options = {"cwd": self.work, "env": {**kept, **fresh}}

    def breaches(self, *command: object) -> list[str]:
        """Runs a command to its end under strace, and names what it does that it may not do."""
        done = subprocess.run([*STRACE, "-o", self.log, *command], capture_output=True, text=True, check=False, **self.options)
        assert done.returncode == 0, done.stderr
        return breaches(self.log, self.allowed, self.work)


@pytest.fixture
def outside(tmp_path: Path, class_folder: Path) -> Outside:
    made = Outside(tmp_path)
    (made.work / "images").mkdir()
    for number, file in enumerate(sorted(class_folder.glob("train/*/*.png"))):  # as many as int8 is calibrated and checked on
        shutil.copy(file, made.work / "images" / f"{number}.png")
    return made


TRAIN = "train --model googlenet_bn --small --width 0.25 --data digits --tracker none --epochs 1 --out out --set image_size=16"


@pytest.mark.parametrize(
    "line",
    [
        TRAIN,
        "predict WEIGHTS images --engine openvino --out out/table.csv",
        "predict WEIGHTS images --engine onnxruntime --plot out/plot.png",
        "embed WEIGHTS images --out out/vectors.npz",
        "export WEIGHTS --out out/x.onnx",
        "export WEIGHTS --out out/x.xml",
        "export WEIGHTS --out out/int8.onnx --precision int8 --images images --max-drop 100",
        "export WEIGHTS --out out/x.pt2",
        "bench WEIGHTS",
    ],
)
def test_a_command_sends_and_leaves_nothing(line: str, outside: Outside, weights_file: Path):
    (outside.work / "out").mkdir(exist_ok=not line.startswith("train"))
    words = line.replace("WEIGHTS", str(weights_file)).split()
    assert outside.breaches(*GODEEPER, *words) == []
    assert {entry.name for entry in outside.home.iterdir()} <= {".cache"}
    assert {entry.name for entry in outside.home.glob(".cache/*")} <= CACHES


@pytest.mark.parametrize(("line", "asks"), [("serve WEIGHTS --port 0", "/health"), ("app WEIGHTS --port 7869 --runs out", "/")])
def test_what_serves_sends_and_leaves_nothing(line: str, asks: str, outside: Outside, weights_file: Path):
    words = line.replace("WEIGHTS", str(weights_file)).split()
    with running(*STRACE, "-o", outside.log, *GODEEPER, *words, stderr=subprocess.PIPE, **outside.options) as process:
        listening = next(address for part in process.stderr if (address := re.search(r"http://[\d.]+:\d+", part)))
        with urllib.request.urlopen(listening[0] + asks, timeout=120) as answer:
            assert answer.status == 200
        os.kill(int(outside.log.read_text().split(" ", 1)[0]), signal.SIGINT)
        process.wait(60)
    assert breaches(outside.log, outside.allowed, outside.work) == []
    assert {entry.name for entry in outside.home.iterdir()} <= {".cache"}


PLANTED = {
    "a connection": "address = b'\\x02\\x00' + (80).to_bytes(2) + bytes([192, 0, 2, 1]) + bytes(8)\n"
    "libc.connect(libc.socket(2, 0o4001, 0), address, 16)",  # 4000: it does not wait for an answer
    "a look-up of a name": "ctypes.CDLL(None).getaddrinfo(b'example.invalid', None, None, ctypes.byref(ctypes.c_void_p()))",
    "a file at home": "libc.open(os.path.expanduser('~/planted').encode(), os.O_CREAT | os.O_WRONLY, 0o600)",
    "a folder at home": "libc.mkdir(os.path.expanduser('~/planted').encode(), 0o700)",
    "a file moved out": "open(tempfile.gettempdir() + '/x', 'w'); "
    "libc.rename((tempfile.gettempdir() + '/x').encode(), os.path.expanduser('~/x').encode())",
}


@pytest.mark.parametrize("what", PLANTED)
def test_what_native_code_does_is_seen(what: str, outside: Outside):
    code = f"import ctypes, os, tempfile\nlibc = ctypes.CDLL(None)\n{PLANTED[what]}"
    assert outside.breaches(sys.executable, "-c", code) != []


def test_what_stays_within_is_no_breach(outside: Outside):
    code = "import tempfile, socket; s = socket.create_server(('127.0.0.1', 0)); socket.create_connection(s.getsockname())\n"
    assert outside.breaches(sys.executable, "-c", code + "open(tempfile.gettempdir() + '/x', 'w').write('x')") == []
