"""Fills the licences of all that godeeper is used with into their pages: `python docs/licences.py [--check]`.

That is what the package and its extras ask for, and what that asks for in turn, as installed here; without the tools that only
test godeeper or make its guide. The licence is what each package's own metadata say. `--check` changes nothing and names the
pages that differ.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from marked_parts import ROOT, filled, write
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
TOOLS = {"dev", "docs", "compare"}  # extras that nobody needs who uses godeeper
PAGES = {"en": ROOT / "docs/en/licences.md", "zh": ROOT / "docs/zh/licences.md"}
HEADS = {"en": ("package", "licence", "comes with"), "zh": ("包", "许可证", "随何而来")}
ALWAYS = {"en": "always", "zh": "总是"}
LONGEST = 60  # letters of a licence's name; longer ones are its whole text
KNOWN = {  # by the classifiers' last words
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}


def asked(extra: str) -> list[Requirement]:
    """What godeeper itself asks for ("") or one of its extras."""
    project = PROJECT["project"]
    return [Requirement(line) for line in (project["optional-dependencies"][extra] if extra else project["dependencies"])]


def needs(package: Distribution, extras: set[str]) -> Iterator[Requirement]:
    """What an installed package asks for here, with those extras."""
    for line in package.requires or []:
        requirement = Requirement(line)
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in {"", *extras}):
            yield requirement


def installed_with(extra: str) -> dict[str, Distribution]:
    """All that comes with godeeper and one extra ("": none), by name; what is not installed here is left out, and named."""
    seen: dict[str, Distribution] = {}
    waiting = asked(extra)
    done: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        requirement = waiting.pop()
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if key in done:
            continue
        done.add(key)
        try:
            seen[key[0]] = distribution(requirement.name)
        except PackageNotFoundError:
            print(f"not installed: {requirement.name}", file=sys.stderr)
            continue
        waiting += needs(seen[key[0]], set(requirement.extras))
    return seen


def licence(package: Distribution) -> str:
    """A package's licence as its metadata name it."""
    metadata = package.metadata
    if metadata.get("License-Expression"):
        return str(metadata["License-Expression"])
    classifiers = [line.rpartition(" :: ")[2] for line in metadata.get_all("Classifier") or [] if line.startswith("License ::")]
    names = [KNOWN.get(name, name) for name in classifiers if name != "OSI Approved"]
    text = " ".join((metadata.get("License") or "").split())
    exact = re.match(r"BSD.(\d).Clause", text)
    if names == ["BSD"] and exact:
        return f"BSD-{exact[1]}-Clause"
    if names:
        return " or ".join(dict.fromkeys(names))
    return text if 0 < len(text) <= LONGEST else "see its LICENSE file"


def rows() -> list[tuple[str, str, list[str]]]:
    """Each package, its licence, and the extras that it comes with; none where it always comes."""
    always = installed_with("")
    by_extra = {extra: installed_with(extra) for extra in PROJECT["project"]["optional-dependencies"] if extra not in TOOLS}
    packages = {**always, **{name: package for each in by_extra.values() for name, package in each.items()}}
    return [
        (
            packages[name].metadata["Name"],
            licence(packages[name]),
            [] if name in always else sorted(extra for extra, each in by_extra.items() if name in each),
        )
        for name in sorted(packages)
    ]


def table(lang: str) -> str:
    """The rows as a Markdown table."""
    lines = [HEADS[lang], ("---",) * 3, *((name, terms, ", ".join(extras) or ALWAYS[lang]) for name, terms, extras in rows())]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> int:
    """Fills the pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; name the pages that differ")
    check = parser.parse_args().check
    texts = {page: filled(page.read_text(encoding="utf-8"), {"licences": table(lang)}) for lang, page in PAGES.items()}
    return write([(page, text) for page, text in texts.items() if text != page.read_text(encoding="utf-8")], check)


if __name__ == "__main__":
    sys.exit(main())
