"""Makes notebooks of the guide's two main chapters, each beside its page: `python docs/notebooks.py`.

A notebook is its page: prose and excerpts are Markdown cells, what a page runs in Python is code cells. Links and drawings lead
where the page's do. Nothing is fetched, and no cell's output is kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHAPTERS = ("googlenet-module", "inception-resnet")
PAGES = [ROOT / f"docs/{language}/guide/{name}.md" for language in ("en", "zh") for name in CHAPTERS]
CODE = re.compile(r"^```(python|pycon)\n(.*?)^```\n", re.M | re.S)  # an excerpt has a title, and stays what it is
PROMPT = re.compile(r"^(?:>>>|\.\.\.) ?")


def cells(page: str) -> Iterator[tuple[str, str]]:
    """What a page is made of, in order: ("markdown" or "code", text)."""
    start = 0
    for block in CODE.finditer(page):
        yield "markdown", page[start : block.start()]
        lines = block[2].splitlines()
        yield "code", "\n".join(PROMPT.sub("", line) for line in lines if block[1] == "python" or PROMPT.match(line))
        start = block.end()
    yield "markdown", page[start:]


def notebook(page: str) -> str:
    """The notebook of a page, as JSON (nbformat 4.5)."""
    made = []
    for kind, text in cells(re.sub(r"^<!-- /?(?:tabs|interactive).*-->\n", "", page, flags=re.M)):
        if text.strip():
            outputs = {"execution_count": None, "outputs": []} if kind == "code" else {}
            source = text.strip("\n").splitlines(keepends=True)
            made.append({"cell_type": kind, "id": f"cell-{len(made)}", "metadata": {}, "source": source, **outputs})
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    whole = {"cells": made, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    for path in PAGES:
        path.with_suffix(".ipynb").write_text(notebook(path.read_text(encoding="utf-8")), encoding="utf-8")
