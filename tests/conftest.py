"""What several tests share: a trained run, a small network on disk, and the folder of real images where there is one."""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
import torch
import watched_process
from PIL import Image

from godeeper import create_model
from godeeper.cli.main import status
from godeeper.models.load import save
from godeeper.preprocess import Preprocess

TEMPORARY = "GODEEPER_TESTS_FOLDER"  # of a whole run: made by its first process, which removes it at its end
IS_FIRST = TEMPORARY not in os.environ
FOLDER = Path(tempfile.mkdtemp(prefix="godeeper-tests-") if IS_FIRST else os.environ[TEMPORARY])
os.environ[TEMPORARY] = str(FOLDER)
for variable in ("HF_HOME", "MPLCONFIGDIR", "GODEEPER_CACHE"):  # before `datasets` is imported: no test writes at home
    (FOLDER / variable).mkdir(exist_ok=True)
    os.environ.setdefault(variable, str(FOLDER / variable))
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.pop("COLUMNS", None)  # which pytest-xdist sets: tables are as wide as for a pipe
# Every process of the tests is watched (test_watch.py): this one from here on, its children from their start.
BREACHES = FOLDER / f"breaches-{os.getpid()}"
BREACHES.touch()
CACHES = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
os.environ[watched_process.LOG] = str(BREACHES)
os.environ[watched_process.FOLDERS] = os.pathsep.join(map(str, (tempfile.gettempdir(), CACHES, Path(".pytest_cache").resolve())))
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(Path(watched_process.__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
)
watched_process.install()
# A launcher in the background (`nohup make test &`, a shell script) leaves SIGINT ignored, and children inherit that. The tests
# of Ctrl-C need the usual handler, here and in the processes that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_unconfigure() -> None:
    if IS_FIRST:
        shutil.rmtree(FOLDER, ignore_errors=True)


@pytest.fixture(scope="session")
def make_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], object]], Path]:
    """`make_once(name, make)`: the folder `name` that `make(folder)` fills, once in a whole run, whatever the number of workers.

    Whoever comes first makes it, and the others wait. Read-only: a test that changes something copies it.
    """
    base = tmp_path_factory.getbasetemp()
    root = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def made(name: str, make: Callable[[Path], object]) -> Path:
        folder, done = root / f"shared-{name}", root / f"shared-{name}.done"
        with open(root / f"shared-{name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                if not done.exists():
                    shutil.rmtree(folder, ignore_errors=True)  # of a maker that failed
                    make(folder)
                    done.touch()
            finally:
                fcntl.flock(lock, fcntl.LOCK_UN)  # closing the file would not, while a process forked by `make` has it open
        return folder

    return made


def train_on_digits(folder: Path) -> None:
    line = "train --model googlenet_bn --small --width 0.25 --data digits --tracker none --workers 0 --epochs 2"
    settings = ("image_size=16", "batch_size=32", "warmup_epochs=0", "ema_decay=0.9")
    assert status([*line.split(), *(word for setting in settings for word in ("--set", setting)), "--out", str(folder)]) == 0


@pytest.fixture(scope="session")
def digits_run(make_once: Callable[[str, Callable[[Path], object]], Path]) -> Path:
    """A finished run folder: a googlenet_bn of a quarter of the width, 2 epochs on the digits at 16 pixels. Read-only."""
    return make_once("digits-run", train_on_digits)


@pytest.fixture(scope="session")
def weights_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a small googlenet_bn for three classes and 32 pixels, batch-norm statistics away from their start."""
    torch.manual_seed(1)
    network = create_model("googlenet_bn", num_classes=3, width=0.25, small=True)
    for name, buffer in network.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_(std=0.1)
        if name.endswith("running_var"):
            buffer.uniform_(0.5, 1.5)
    torch.nn.init.normal_(network.head["linear"].linear.weight, std=0.05)  # so that predictions differ between images
    network.classes = ("cat", "dog", "金鱼")
    network.preprocess = Preprocess.of(32)
    file = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save(network, file)
    return file


@pytest.fixture(autouse=True)
def nothing_leaves() -> Iterator[None]:
    """Fails a test while which a process of ours reached for another machine, or wrote outside cache and temporary folders."""
    before = BREACHES.stat().st_size
    yield
    if BREACHES.stat().st_size > before:
        pytest.fail("not on this machine, or not in a cache or temporary folder:\n" + BREACHES.read_bytes()[before:].decode())


@pytest.fixture
def class_folder(tmp_path: Path) -> Path:
    """A class folder of random 40x30 images, cat/ and dog/ in train/ and val/."""
    random = np.random.default_rng(0)
    for part, count in (("train", 12), ("val", 4)):
        for name in ("cat", "dog"):
            folder = tmp_path / "images" / part / name
            folder.mkdir(parents=True)
            for index in range(count):
                Image.fromarray(random.integers(0, 255, (30, 40, 3), dtype=np.uint8)).save(folder / f"{index}.png")
    return tmp_path / "images"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real images that GODEEPER_SHARED names."""
    folder = Path(os.environ.get("GODEEPER_SHARED", ""))
    if "GODEEPER_SHARED" not in os.environ or not folder.is_dir():
        pytest.skip("GODEEPER_SHARED does not name the folder of real images")
    return folder


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of empty caches, where files that tests make pass for published ones, and no network."""
    from huggingface_hub import constants  # after HF_HOME is set, above

    monkeypatch.setattr("godeeper.models.weights.foreign._known_beginning", lambda weights: "")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "torch" / "keras"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    def refuse(*_: object) -> None:
        raise OSError("there is no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return tmp_path


def build_site(folder: Path) -> None:
    root, environment = Path(__file__).parent.parent, {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    mkdocs = Path(sys.executable).parent / "mkdocs"
    for words in (
        (sys.executable, "docs/drawings.py", "--check"),
        (mkdocs, "build", "--strict", "--quiet", "--site-dir", folder),
    ):
        built = subprocess.run(words, capture_output=True, text=True, cwd=root, env=environment, check=False)
        assert (built.returncode, built.stdout, built.stderr) == (0, "", "")


@pytest.fixture(scope="session")
def site(make_once: Callable[[str, Callable[[Path], object]], Path]) -> Path:
    """The guide's site, built strictly. Read-only."""
    return make_once("site", build_site)


@pytest.fixture(scope="session")
def site_address(site: Path) -> Iterator[str]:
    """Where the site is served."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=site))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium, where there is one."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None:
        pytest.skip("Chromium is not installed")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield chromium
        chromium.close()
