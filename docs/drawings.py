"""Makes the drawings and figures that the pages show, and removes those that none shows: `python docs/drawings.py`.

`images/drawings/NETWORK.svg` is a network, `NETWORK-BLOCK.svg` one of its stages, `NETWORK-stem.svg` all that stands before the
first block, `NETWORK-cost.svg` and `NETWORK-receptive-field.svg` its charts: all from the tables, in English, or, with `.zh.svg`,
in Chinese. `images/figures/NAME.LANG.svg` is a figure of `docs/figures` in English (`en`) or Chinese (`zh`). They are committed
with the pages; `--check` changes none of them and names those that differ.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import takewhile
from pathlib import Path

import figures

from godeeper import GodeeperError, draw
from godeeper.errors import unknown
from godeeper.files import atomic_write
from godeeper.papers.notation import Definition, rows
from godeeper.papers.registry import definition
from godeeper.text import Lang

ROOT = Path(__file__).resolve().parent.parent
SHOWN = re.compile(r"images/((?:drawings|figures)/[^)\s\"'#]+)\.svg")


def content(name: str) -> str:
    """The SVG for a file in docs/images, named without its suffix: `drawings/googlenet-3a`, `figures/correlation.zh`."""
    folder, _, short = name.partition("/")
    if folder == "drawings":
        return drawing(short.removesuffix(".zh"), "zh" if short.endswith(".zh") else "en")
    what, _, lang = short.rpartition(".")
    if what not in figures.FIGURES or lang not in ("en", "zh"):
        raise unknown("figure", short, [f"{figure}.en" for figure in figures.FIGURES])
    return figures.draw(what, lang)


def drawing(name: str, lang: Lang) -> str:
    """The drawing for a file's name without its suffixes."""
    network, _, what = name.partition("-")
    if what == "stem":
        return draw(stem_of(network), "stem", lang=lang)
    if what in ("cost", "receptive-field"):
        return draw(network, show=what, lang=lang)  # type: ignore[arg-type]
    return draw(network, what or None, lang=lang)


def stem_of(network: str) -> Definition:
    """A network with all that stands before its first block, 3a or A, as one stage."""
    whole = definition(network)
    stem = takewhile(lambda name: name not in ("3a", "A"), whole.stages)
    return replace(whole, stages={"stem": tuple(row for name in stem for row in rows(whole.stages[name]))}, auxiliary={})


def shown(root: Path) -> dict[str, Path]:
    """The drawings and figures that pages show, each with the first page that does."""
    pages: dict[str, Path] = {}
    for page in [*sorted((root / "docs").rglob("*.md")), *sorted(root.glob("README*.md"))]:
        for name in SHOWN.findall(page.read_text(encoding="utf-8")):
            pages.setdefault(name, page)
    return pages


def changes(root: Path) -> Iterator[tuple[Path, str | None]]:
    """The files that differ from the tables and pages, and their new text: None for those that no page shows."""
    folder, expected = root / "docs/images", shown(root)
    for name, page in expected.items():
        try:
            text = content(name)
        except GodeeperError as error:
            raise SystemExit(f"{page.relative_to(root)} shows {name}.svg: {error}") from None
        file = folder / f"{name}.svg"
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            yield file, text
    for file in (*folder.glob("drawings/*.svg"), *folder.glob("figures/*.svg")):
        if file.relative_to(folder).as_posix().removesuffix(".svg") not in expected:
            yield file, None


def main(check: bool) -> int:
    """Writes and removes files; with `check`, only names them, and returns 1 if there are any."""
    changed = list(changes(ROOT))
    for file, text in changed:
        print(f"{'removed' if text is None else 'drawn'}: {file.relative_to(ROOT)}", file=sys.stderr)
        if check:
            continue
        if text is None:
            file.unlink()
        else:
            with atomic_write(file) as partial:
                partial.write_text(text, encoding="utf-8")
    return int(check and bool(changed))


if __name__ == "__main__":
    if sys.argv[1:] not in ([], ["--check"]):
        raise SystemExit("usage: python docs/drawings.py [--check]")
    raise SystemExit(main(check="--check" in sys.argv))
