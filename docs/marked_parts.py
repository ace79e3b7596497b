"""The parts of pages that commands write, each between `<!-- NAME -->` and `<!-- /NAME -->`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from godeeper.files import atomic_write

ROOT = Path(__file__).resolve().parent.parent


def filled(text: str, parts: Mapping[str, str]) -> str:
    """A page's text with each part that it marks in the place of the old one; `parts` by name."""
    for name, body in parts.items():
        marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.S)
        text = marked.sub(lambda match, body=body: f"{match[1]}\n{body}\n\n{match[2]}", text)  # type: ignore[misc]
    return text


def write(pages: Iterable[tuple[Path, str]], check: bool) -> int:
    """Names and writes pages that are to change; or, with `check`, only names them, and returns 1 where there are any."""
    differing = list(pages)
    for page, text in differing:
        print(f"{page.relative_to(ROOT)}", file=sys.stderr)
        if not check:
            with atomic_write(page) as partial:
                partial.write_text(text, encoding="utf-8")
    return int(check and bool(differing))
