"""The release as a stranger gets it: built, installed where there is no compiler, and tried."""

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from godeeper import __version__
from pages import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the wheel and the source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", str(folder)], cwd=ROOT, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def stranger(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel installed in it, and nothing else of ours.

    What godeeper needs is read from where it is installed already, by a .pth file that names that folder: of that, Python reads
    modules, but no .pth files, so that this clone's own godeeper, installed for editing, is not seen.
    """
    folder = tmp_path_factory.mktemp("stranger") / "environment"
    venv.EnvBuilder(with_pip=False).create(folder)
    (wheel,) = built.glob("*.whl")
    python = folder / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-index", "--no-deps", str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    site = next(folder.glob("lib/python*/site-packages"))
    (site / "needs.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def test_wheel_and_source_hold_what_they_should(built: Path):
    (wheel,), (source,) = built.glob("*.whl"), built.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    ours = {
        file.relative_to(ROOT / "src").as_posix()
        for file in (ROOT / "src" / "godeeper").rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert {name for name in names if not name.startswith(f"godeeper-{__version__}.dist-info/")} == ours
    with tarfile.open(source) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "LICENSE", "SECURITY.md", "CITATION.cff", "Makefile", "constraints.txt", "Dockerfile"} <= held
    assert {"tests/conftest.py", "docs/en/index.md", "src/godeeper/__init__.py"} <= held


def run(stranger: Path, home: Path, line: str) -> str:
    """What a command prints, run with an empty home and nothing on the PATH but the environment's own programs."""
    environment = {
        "PATH": str(stranger / "bin"),
        "HOME": str(home),
        "TMPDIR": str(home),
        "OMP_NUM_THREADS": "1",
        "CC": "/nowhere/cc",
    }
    done = subprocess.run(
        [stranger / "bin" / "godeeper", *line.split()], cwd=home, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_stranger_can_use_the_wheel(stranger: Path, tmp_path: Path):
    assert run(stranger, tmp_path, "--version") == f"godeeper {__version__}\n"
    code = "import godeeper, sys; print(godeeper.__file__)"
    where = subprocess.run(
        [stranger / "bin" / "python", "-c", code], env={}, capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert Path(where.stdout).is_relative_to(stranger)
    assert "inception_resnet_v2" in run(stranger, tmp_path, "models")
    assert "6,998,552 parameters" in run(stranger, tmp_path, "describe googlenet")
    Image.new("L", (28, 28)).save(tmp_path / "digit.png")
    assert "digit.png" in run(stranger, tmp_path, "predict godeeper/digits digit.png")
    run(
        stranger,
        tmp_path,
        "train --model googlenet_bn --small --width 0.25 --data digits --epochs 1 --set image_size=16 --out run",
    )
    assert (tmp_path / "run" / "model.safetensors").is_file()
    assert "digit.png" in run(stranger, tmp_path, "predict run digit.png")


def test_the_source_builds_the_same_wheel(built: Path, tmp_path: Path):
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        archive.extractall(tmp_path, filter="data")
    (folder,) = tmp_path.iterdir()
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "again")]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, env={**os.environ})
    (again,), (first,) = (tmp_path / "again").glob("*.whl"), built.glob("*.whl")
    assert again.read_bytes() == first.read_bytes()
