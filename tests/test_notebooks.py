"""The notebooks are their pages, and run from top to bottom."""

import importlib.util
import json

import pytest

from pages import DOCS, ROOT, blocks

spec = importlib.util.spec_from_file_location("notebooks", DOCS / "notebooks.py")
notebooks = importlib.util.module_from_spec(spec)
spec.loader.exec_module(notebooks)


def code_cells(page):
    cells = json.loads(page.with_suffix(".ipynb").read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


@pytest.mark.parametrize("page", notebooks.PAGES, ids=lambda page: f"{page.parts[-3]}-{page.stem}")
def test_a_notebook_is_its_page(page):
    kept = page.with_suffix(".ipynb").read_text(encoding="utf-8")
    assert kept == notebooks.notebook(page.read_text(encoding="utf-8"))  # else: python docs/notebooks.py
    run = [b for b in blocks(page.relative_to(ROOT)) if b.language in ("python", "pycon") and not b.excerpt_of]
    assert len(code_cells(page)) == len(run) > 3


@pytest.mark.slow
@pytest.mark.parametrize("page", notebooks.PAGES[: len(notebooks.CHAPTERS)], ids=lambda page: page.stem)
def test_a_notebook_runs_offline(page, offline, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {}
    for number, code in enumerate(code_cells(page), 1):
        exec(compile(code, f"{page.stem}, code cell {number}", "exec"), namespace)
    assert "torch" in namespace
