"""Puts what `godeeper reproduce` found into the pages: `python docs/claims.py [RUNS]`.

From RUNS (a folder as `--out` makes it) the results and figures of every claim and scale that is done go into `docs/results/`.
From there, whether or not RUNS is named, come `found.json`, which `godeeper reproduce --list` reads, and the parts of the pages
and READMEs between `<!-- NAME -->` and `<!-- /NAME -->`. `--check` changes nothing and names what differs.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from godeeper.claims import CLAIMS
from godeeper.claims.claim import Table
from godeeper.claims.report import markdown
from godeeper.claims.words import VERDICTS, term
from godeeper.files import atomic_write

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs/results"
FOUND = ROOT / "src/godeeper/claims/found.json"
PAGES = {
    ROOT / "README.md": "en",
    ROOT / "README.zh-CN.md": "zh",
    ROOT / "docs/en/claims.md": "en",
    ROOT / "docs/zh/claims.md": "zh",
}
SCALES = ("cpu", "gpu", "imagenet")
SAID = {
    "en": {
        "claim": "claim", "statement": "statement", "verdict": "verdict", "measured": "measured", "scale": "scale",
        "all": "Every arm and every seed",
    },
    "zh": {
        "claim": "论断", "statement": "说法", "verdict": "判定", "measured": "测得", "scale": "规模",
        "all": "所有对照组、所有种子",
    },
}  # fmt: skip
COLON = {"en": ":", "zh": "："}
Result = dict[str, Any]


def taken(runs: Path) -> None:
    """Copies the results and figures of a folder of runs."""
    for file in sorted(runs.glob("*/*/result.json")):
        claim, scale = file.parts[-3:-1]
        folder = RESULTS / claim
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob(f"{scale}*"):
            old.unlink()
        shutil.copy(file, folder / f"{scale}.json")
        for figure in json.loads(file.read_text(encoding="utf-8"))["figures"]:
            shutil.copy(file.parent / f"{figure}.png", folder / f"{scale}-{figure}.png")


def results() -> dict[str, dict[str, Result]]:
    """Every result that is kept, by claim and scale."""
    kept = {
        name: {scale: RESULTS / name / f"{scale}.json" for scale in SCALES if (RESULTS / name / f"{scale}.json").is_file()}
        for name in CLAIMS
    }
    return {
        name: {scale: json.loads(file.read_text(encoding="utf-8")) for scale, file in files.items()}
        for name, files in kept.items()
    }


def summary(found: dict[str, dict[str, Result]], lang: str, page: Path) -> str:
    """A row a claim and scale: its statements by verdict."""
    head = [SAID[lang]["claim"], SAID[lang]["scale"], *(VERDICTS[verdict][lang] for verdict in VERDICTS)]
    rows = []
    where = "" if page.name == "claims.md" else f"docs/{lang}/claims.md"
    for name, scales in found.items():
        for scale, result in scales.items():
            by_verdict = [
                {"en": "; ", "zh": "；"}[lang].join(part["says"][lang] for part in result["parts"] if part["verdict"] == verdict)
                for verdict in VERDICTS
            ]
            rows.append([f"[`{name}`]({where}#{name})", scale, *by_verdict])
    return markdown(Table(head, rows))


def section(name: str, scales: dict[str, Result], lang: str) -> str:
    """What was found of one claim: verdicts, figures, tables."""
    parts = []
    for scale, result in scales.items():
        parts.append(f"    {command(name, scale, result)}\n")
        parts.append(conditions(result, lang) + "\n")
        head = [SAID[lang][one] for one in ("statement", "verdict", "measured")]
        rows = [[part["says"][lang], VERDICTS[part["verdict"]][lang], part["why"][lang]] for part in result["parts"]]
        parts.append(markdown(Table(head, rows)) + "\n")
        for figure, drawn in result["figures"].items():
            title = drawn["title"][lang]
            parts.append(f"{title}{COLON[lang]}\n\n![{title}](../results/{name}/{scale}-{figure}.png)\n")
        tables = [
            f"{term(title, lang)}{COLON[lang]}\n\n{markdown(Table(**table), lang)}\n" for title, table in result["tables"].items()
        ]
        parts.append("\n".join([f'<details markdown="1">\n<summary>{SAID[lang]["all"]}</summary>\n', *tables, "</details>\n"]))
    return "\n".join(parts).rstrip()


def scales(lang: str) -> str:
    """What every claim costs at every scale."""
    rows = [[f"`{name}`", *(claim.scales[scale].cost.said(lang) for scale in SCALES)] for name, claim in CLAIMS.items()]  # type: ignore[index]
    return markdown(Table([SAID[lang]["claim"], *(f"`{scale}`" for scale in SCALES)], rows))


def command(name: str, scale: str, result: Result) -> str:
    """What gives the result."""
    data = "" if result["data"] == CLAIMS[name].scales[scale].data else f" --data {result['data']}"  # type: ignore[index]
    return f"godeeper reproduce {name}" + (f" --scale {scale}" if scale != "cpu" else "") + data


def conditions(result: Result, lang: str) -> str:
    """The size of a test, how long it took and with which versions."""
    versions = ", ".join(f"{name} {result['versions'][name]}" for name in ("torch", "torchvision"))
    size = {
        "en": "{train} images to learn from, {test} to test on; width {width}, {epochs} epochs, batches of {batch_size}, "
        "{seeds} seeds; {minutes} minutes",
        "zh": "训练图片 {train} 张，测试图片 {test} 张；宽度 {width}，{epochs} 轮，批大小 {batch_size}，"
        "{seeds} 个种子；用时 {minutes} 分钟",
    }
    timed = {"en": "{seeds} rounds; {minutes} minutes", "zh": "计时 {seeds} 轮；用时 {minutes} 分钟"}
    form = size if result["train"] else timed
    return form[lang].format(**result) + ("（" if lang == "zh" else " (") + versions + ("）。" if lang == "zh" else ").")


def changed() -> Iterator[tuple[Path, str]]:
    """The files that are not as the results have them, and what they should be."""
    found = results()
    parts = {name: {scale: result["parts"] for scale, result in scales.items()} for name, scales in found.items()}
    wanted = {FOUND: json.dumps(parts, ensure_ascii=False, indent=1) + "\n"}
    for page, lang in PAGES.items():
        text = page.read_text(encoding="utf-8")
        made = {
            "verdicts": summary(found, lang, page),
            "scales": scales(lang),
            **{name: section(name, scales, lang) for name, scales in found.items()},
        }
        for name, body in made.items():
            marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.S)
            text = marked.sub(lambda match, body=body: f"{match[1]}\n{body}\n\n{match[2]}", text)  # type: ignore[misc]
        wanted[page] = text
    for file, text in wanted.items():
        if file.read_text(encoding="utf-8") != text:
            yield file, text


def main(runs: Path | None, check: bool) -> int:
    """Writes; or, with `check`, only names what it would, and returns 1 where there is anything."""
    if runs is not None:
        taken(runs)
    differing = list(changed())
    for file, text in differing:
        print(f"{file.relative_to(ROOT)}", file=sys.stderr)
        if not check:
            with atomic_write(file) as partial:
                partial.write_text(text, encoding="utf-8")
    return int(check and bool(differing))


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if word != "--check"]
    if len(words) > 1 or not all(Path(word).is_dir() for word in words):
        raise SystemExit("usage: python docs/claims.py [RUNS] [--check]")
    raise SystemExit(main(Path(words[0]) if words else None, check="--check" in sys.argv))
