"""The two languages move together, and what the pages name exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAIRS = [("README.md", "README.zh-CN.md"), *((f"docs/{n}.md", f"docs/{n}.zh-CN.md") for n in ("architecture", "results"))]
PAIRS += [
    (f"docs/en/{name}.md", f"docs/zh/{name}.md")
    for name in ("deployment", "detection", "errata", "evaluation", "scale", "training")
]
PAGES = [page for pair in PAIRS for page in pair] + ["CONTRIBUTING.md", "CHANGELOG.md"]


def read(page):
    return (ROOT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize(("english", "chinese"), PAIRS)
def test_both_languages_have_the_same_shape_commands_and_numbers(english, chinese):
    ours, theirs = read(english), read(chinese)
    assert [len(h) for h in re.findall(r"^#+(?= )", ours, re.M)] == [len(h) for h in re.findall(r"^#+(?= )", theirs, re.M)]
    assert re.findall(r"^    .*?(?:godeeper|make) \S.*$", ours, re.M) == re.findall(
        r"^    .*?(?:godeeper|make) \S.*$", theirs, re.M
    )
    assert re.findall(r"```python.*?```", ours, re.S) == re.findall(r"```python.*?```", theirs, re.S)
    assert sorted(re.findall(r"\d[\d,.]*\d %", ours)) == sorted(re.findall(r"\d[\d,.]*\d %", theirs))


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)\)", read(page))
    assert links
    for link in links:
        assert link.startswith("https://") or ((ROOT / page).parent / link).exists(), link


def test_every_command_of_the_readme_exists():
    from typer.main import get_command

    from godeeper.cli.main import app

    commands = set(get_command(app).commands)
    used = set(re.findall(r"bin/godeeper (\w+)|`godeeper (\w+)", read("README.md")))
    assert used
    assert {first or second for first, second in used} <= commands


def test_the_makefile_has_the_targets_that_the_readme_names():
    targets = set(re.findall(r"^([\w-]+):", read("Makefile"), re.M))
    assert set(re.findall(r"^    make ([\w-]+)", read("README.md"), re.M)) <= targets
    assert {"demo", "test", "test-all", "lint"} <= targets
