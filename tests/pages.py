"""The documentation's pages and the blocks of code in them."""

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
NAMES = sorted(page.relative_to(DOCS / "en").as_posix() for page in (DOCS / "en").rglob("*.md"))
PAIRS = [("README.md", "README.zh-CN.md"), *((f"docs/en/{name}", f"docs/zh/{name}") for name in NAMES)]
PAGES = [page for pair in PAIRS for page in pair] + ["CONTRIBUTING.md", "CHANGELOG.md"]
FENCE = re.compile(r"^( *)```(\S*)([^\n]*)\n(.*?)^\1``` *$", re.M | re.S)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the file that it is an excerpt of, if any, and the code."""

    language: str
    excerpt_of: str | None
    code: str


def read(page):
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page):
    """The fenced blocks of a page, in order."""
    found = []
    for _, language, info, code in FENCE.findall(read(page)):
        title = re.search(r'title="([^"]+)"', info)
        found.append(Block(language, title and title[1], textwrap.dedent(code)))
    return found


def prose(page):
    """The page without its fenced blocks."""
    return FENCE.sub("", read(page))
