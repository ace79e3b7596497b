"""Makes the drawings that the pages show, from the tables, and removes those that none shows: `python docs/drawings.py`.

`images/drawings/NETWORK.svg` is a network, `NETWORK-BLOCK.svg` one of its stages, `NETWORK-stem.svg` all that stands before the
first block, `NETWORK-cost.svg` and `NETWORK-receptive-field.svg` its charts. They are committed with the pages; `--check` changes
none of them and names those that differ. The crops on a photograph, `images/generated/crops-144.jpg`, are not committed: they are
made whenever the site is built.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import takewhile
from pathlib import Path

from godeeper import GodeeperError, draw
from godeeper.files import atomic_write
from godeeper.papers.notation import Definition, rows
from godeeper.papers.registry import definition

ROOT = Path(__file__).resolve().parent.parent
SHOWN = re.compile(r"images/drawings/([^)\s\"'#]+)\.svg")


def drawing(name: str) -> str:
    """The drawing for a file's name without its suffix."""
    network, _, what = name.partition("-")
    if what == "stem":
        return draw(stem_of(network), "stem")
    if what in ("cost", "receptive-field"):
        return draw(network, show=what)  # type: ignore[arg-type]
    return draw(network, what or None)


def stem_of(network: str) -> Definition:
    """A network with all that stands before its first block, 3a or A, as one stage."""
    whole = definition(network)
    stem = takewhile(lambda name: name not in ("3a", "A"), whole.stages)
    return replace(whole, stages={"stem": tuple(row for name in stem for row in rows(whole.stages[name]))}, auxiliary={})


def shown(root: Path) -> dict[str, Path]:
    """The drawings that pages show, each with the first page that does."""
    pages: dict[str, Path] = {}
    for page in [*sorted((root / "docs").rglob("*.md")), *sorted(root.glob("README*.md"))]:
        for name in SHOWN.findall(page.read_text(encoding="utf-8")):
            pages.setdefault(name, page)
    return pages


def changes(root: Path) -> Iterator[tuple[Path, str | None]]:
    """The files that differ from the tables and pages, and their new text: None for those that no page shows."""
    folder, expected = root / "docs/images/drawings", shown(root)
    for name, page in expected.items():
        try:
            text = drawing(name)
        except GodeeperError as error:
            raise SystemExit(f"{page.relative_to(root)} shows {name}.svg: {error}") from None
        file = folder / f"{name}.svg"
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            yield file, text
    for file in folder.glob("*.svg"):
        if file.stem not in expected:
            yield file, None


def photograph(file: Path) -> None:
    """The 144 crops on the photograph that comes with scikit-learn: by danielbuechele, CC BY 2.0."""
    from PIL import Image
    from sklearn.datasets import load_sample_image

    from godeeper.explain.draw_crops import draw_crops

    with atomic_write(file) as partial:
        draw_crops(Image.fromarray(load_sample_image("china.jpg"))).save(partial, "JPEG", quality=85)


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
    photograph(ROOT / "docs/images/generated/crops-144.jpg")
    return int(check and bool(changed))


if __name__ == "__main__":
    if sys.argv[1:] not in ([], ["--check"]):
        raise SystemExit("usage: python docs/drawings.py [--check]")
    raise SystemExit(main(check="--check" in sys.argv))
