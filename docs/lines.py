"""Holds the pages' links to lines of code against the code: `python docs/lines.py` mends those that moved."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"\[`([^`]+)`\]\(([^)#\s]+)#L(\d+)\)")


def pages() -> list[Path]:
    """Every page that may link to code."""
    return [*sorted((ROOT / "docs").glob("*/**/*.md")), ROOT / "README.md", ROOT / "README.zh-CN.md"]


def moved(page: Path) -> Iterator[tuple[re.Match[str], int | None]]:
    """The links whose code is not on their line, each with the nearest line that has it, or None."""
    for link in LINK.finditer(page.read_text(encoding="utf-8")):
        code, number = link[1], int(link[3])
        lines = (page.parent / link[2]).resolve().read_text(encoding="utf-8").splitlines()
        if number > len(lines) or not _says(lines[number - 1], code):
            there = [place for place, line in enumerate(lines, 1) if _says(line, code)]
            defined = [place for place in there if re.match(rf"\s*(def |class )?{re.escape(code)}\b", lines[place - 1])]
            yield link, min(defined or there, key=lambda place: abs(place - number), default=None)


def _says(line: str, code: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(code)}(?!\w)", line) is not None


def mend(page: Path) -> list[str]:
    """Writes the page with its links mended; those whose code is nowhere in their file."""
    text, lost = page.read_text(encoding="utf-8"), []
    for link, place in moved(page):
        if place is None:
            lost.append(f"{page.relative_to(ROOT)}: {link[0]}")
        else:
            text = text.replace(link[0], f"[`{link[1]}`]({link[2]}#L{place})")
    page.write_text(text, encoding="utf-8")
    return lost


if __name__ == "__main__":
    raise SystemExit("\n".join(line for page in pages() for line in mend(page)))
