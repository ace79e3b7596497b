"""What a stranger gets: versions that agree, bounds that the tested versions keep, install lines that are true."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import godeeper
from godeeper import GodeeperError, packages
from pages import PAGES, ROOT, read

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
TESTED = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line and line[0] != "#")
TESTED = {canonicalize_name(name): Version(version) for name, version in TESTED.items()}


def test_one_version_everywhere():
    changelog = re.search(r"^## \[(.*?)\] - \d{4}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert changelog is not None
    assert changelog[1] == citation["version"] == godeeper.__version__
    assert {"cff-version", "message", "title", "authors", "license"} <= citation.keys()


@pytest.mark.parametrize("extra", ["", *sorted(set(EXTRAS) - {"dev", "docs"})])
def test_the_versions_tested_are_within_the_bounds(extra):
    for line in EXTRAS[extra] if extra else PROJECT["dependencies"]:
        requirement = Requirement(line)
        assert TESTED[canonicalize_name(requirement.name)] in requirement.specifier, line


def test_install_lines_name_what_there_is():
    """The name is on no index: an install line names a clone or a wheel, and extras that exist."""
    texts = [read(page) for page in PAGES] + [(ROOT / name).read_text() for name in ("README.md", "README.zh-CN.md", "Makefile")]
    sources = [file.read_text() for file in (ROOT / "src").rglob("*.py")]
    assert [word for text in texts + sources for word in re.findall(r"(?<!/)\bgodeeper\[[\w,]+\]", text)] == []
    mentioned = {extra for text in texts for words in re.findall(r"(?:'\.|whl)\[([\w,]+)\]", text) for extra in words.split(",")}
    mentioned |= {extra for text in sources for extra in re.findall(r"install_command\([\"'](\w+)[\"']\)", text)}
    assert len(mentioned) > 7
    assert mentioned <= set(EXTRAS)


class Installed:
    """A distribution as pip leaves it."""

    requires = ("torch>=2.10", "onnx<2,>=1.21; extra == 'deploy'", 'fsspec[http]>=2025.3; extra == "data"')

    def __init__(self, direct_url):
        self.direct_url = direct_url

    def read_text(self, name):
        assert name == "direct_url.json"
        return json.dumps(self.direct_url) if self.direct_url else None


@pytest.mark.parametrize(
    ("direct_url", "command"),
    [
        ({"url": "file:///home/me/my%20clone", "dir_info": {"editable": True}}, "pip install -e '/home/me/my clone[deploy]'"),
        ({"url": "file:///tmp/godeeper-0.2.0-py3-none-any.whl", "archive_info": {}}, "pip install 'onnx<2,>=1.21'"),
        ({"url": "file:///home/me/clone", "dir_info": {}}, "pip install 'onnx<2,>=1.21'"),
        (None, "pip install 'onnx<2,>=1.21'"),
    ],
)
def test_the_remedy_for_a_missing_package_is_true_here(direct_url, command, monkeypatch):
    monkeypatch.setattr(packages, "distribution", lambda _: Installed(direct_url))
    assert packages.install_command("deploy") == command
    assert packages.requirements("data") == ["fsspec[http]>=2025.3"]
    with pytest.raises(GodeeperError, match=re.escape(f"(nowhere_to_be_had is missing): {command}")):
        packages.require("nowhere_to_be_had", "deploy")


def test_the_remedy_where_godeeper_is_not_installed(monkeypatch):
    def missing(_):
        raise PackageNotFoundError

    monkeypatch.setattr(packages, "distribution", missing)
    assert packages.install_command("app") == "pip install -e '.[app]'"


@pytest.mark.parametrize("page", ["en/licences.md", "zh/licences.md"])
def test_the_licences_have_all_that_is_asked_for(page):
    rows = {canonicalize_name(name) for name in re.findall(r"^\| (\S+) \|", read(ROOT / "docs" / page), re.M)}
    wanted_by = [line for extra in set(EXTRAS) - {"dev", "docs", "compare"} for line in EXTRAS[extra]]
    assert {canonicalize_name(Requirement(line).name) for line in [*PROJECT["dependencies"], *wanted_by]} <= rows


def test_the_dockerfile_copies_what_there_is_and_serves():
    text = (ROOT / "Dockerfile").read_text()
    copied = [word for line in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.M) for word in line.split()]
    assert len(copied) > 3
    kept = (ROOT / ".dockerignore").read_text().split()
    assert all((ROOT / name).exists() and f"!{name}" in kept for name in copied)
    assert "FROM python:3.11-slim" in text  # constraints.txt is of 3.11
    linter = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if linter is None:
        pytest.skip("hadolint is not installed")
    done = subprocess.run([linter, str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
