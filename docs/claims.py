"""Puts the results of `godeeper reproduce` into the pages: `python docs/claims.py [RUNS]`.

From RUNS (a folder as `--out` makes it) the result of every claim and scale that is done goes into
`src/godeeper/claims/results/`, a file a claim; `python docs/drawings.py` draws their figures. From those files and the claims'
texts come the parts of the pages between `<!-- NAME -->` and `<!-- /NAME -->`, whether or not RUNS is named. `--check` changes
nothing and names what differs.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from marked_parts import ROOT, filled, write

from godeeper.claims import CLAIMS
from godeeper.claims.claim import Claim, Statement
from godeeper.claims.prose import term, verdict_text
from godeeper.claims.result_file import published_results, write_json
from godeeper.claims.result_table import Table, markdown
from godeeper.text import Text

RESULTS = ROOT / "src/godeeper/claims/results"
PAGES = {
    ROOT / "docs/en/claims.md": "en",
    ROOT / "docs/zh/claims.md": "zh",
}
SCALES = ("cpu", "gpu", "imagenet")
VERDICTS = ("supported", "not supported", "inconclusive")
CLAIM, SCALE = Text("claim", "论断"), Text("scale", "规模")
STATEMENT, VERDICT, MEASURED = Text("statement", "说法"), Text("verdict", "判定"), Text("measured", "测得")
EVERYTHING = Text("Every arm and every seed", "所有实验组、所有种子")
COLON, SEMICOLON = Text(":", "："), Text("; ", "；")
TRAINED = Text(
    "{train} training images, {test} test images; width {width}, {epochs} epochs, batches of {batch_size}, {seeds} seeds; "
    "{minutes} minutes ({versions}).",
    "训练图片 {train} 张，测试图片 {test} 张；宽度 {width}，{epochs} 轮，批大小 {batch_size}，{seeds} 个种子；"
    "用时 {minutes} 分钟（{versions}）。",
)
TIMED = Text("Timed {seeds} times; {minutes} minutes ({versions}).", "计时 {seeds} 次；用时 {minutes} 分钟（{versions}）。")
Result = dict[str, Any]


def import_runs(runs: Path) -> None:
    """Copies the results of a folder of runs."""
    for file in sorted(runs.glob("*/*/result.json")):
        claim, scale = file.parts[-3:-1]
        result = json.loads(file.read_text(encoding="utf-8"))
        results = {**published_results(claim), scale: result}
        write_json(RESULTS / f"{claim}.json", {name: results[name] for name in SCALES if name in results})
    published_results.cache_clear()


def summary(lang: str) -> str:
    """A row for each claim and scale: its statements by verdict."""
    head = [CLAIM.get(lang), SCALE.get(lang), *(verdict_text(verdict).get(lang) for verdict in VERDICTS)]
    rows = []
    for name, claim in CLAIMS.items():
        for scale, result in published_results(name).items():
            statements = described(claim, result)
            by_verdict = [
                SEMICOLON.get(lang).join(statement["text"][lang] for statement in statements if statement["verdict"] == verdict)
                for verdict in VERDICTS
            ]
            rows.append([f"[`{name}`](#{name})", scale, *by_verdict])
    return markdown(Table(head, rows))


def costs(lang: str) -> str:
    """What every claim costs at every scale."""
    rows = [[f"`{name}`", *(claim.scales[scale].cost.get(lang) for scale in SCALES)] for name, claim in CLAIMS.items()]  # type: ignore[index]
    return markdown(Table([CLAIM.get(lang), *(f"`{scale}`" for scale in SCALES)], rows))


def sections(lang: str) -> str:
    """A section a claim: the method, the results of every scale, their explanation."""
    parts = []
    for name, claim in CLAIMS.items():
        results = [result_part(claim, scale, result, lang) for scale, result in published_results(name).items()]
        title, method, explanation = (claim.text(key).get(lang) for key in ("title", "method", "explanation"))
        parts += [f'<a id="{name}"></a>', f"## {title}", method, *results, explanation]
    return "\n\n".join(parts)


def result_part(claim: Claim, scale: str, result: Result, lang: str) -> str:
    """The result of a claim at a scale: command and conditions, verdicts, figures, tables."""
    head = [STATEMENT.get(lang), VERDICT.get(lang), MEASURED.get(lang)]
    rows = [
        [statement["text"][lang], verdict_text(statement["verdict"]).get(lang), statement["measured"][lang]]
        for statement in described(claim, result)
    ]
    parts = [f"    {command(claim, scale, result)}", conditions(result, lang), markdown(Table(head, rows))]
    for figure in result["figures"]:
        title = claim.text(f"figures.{figure}").get(lang)
        parts.append(f"{title}{COLON.get(lang)}\n\n![{title}](../images/figures/claim-{claim.name}-{scale}-{figure}.{lang}.svg)")
    parts.append(f'<details markdown="1">\n<summary>{EVERYTHING.get(lang)}</summary>')
    for title, table in result["tables"].items():
        parts.append(f"{term(title, lang)}{COLON.get(lang)}\n\n{markdown(Table(**table), lang)}")
    return "\n\n".join([*parts, "</details>"])


def described(claim: Claim, result: Result) -> list[dict[str, Any]]:
    """The statements of a result: texts in both languages and verdicts."""
    return [claim.describe(Statement.from_dict(data)) for data in result["statements"]]


def command(claim: Claim, scale: str, result: Result) -> str:
    """What gives the result."""
    data = "" if result["data"] == claim.scales[scale].data else f" --data {result['data']}"  # type: ignore[index]
    return f"godeeper reproduce {claim.name}" + (f" --scale {scale}" if scale != "cpu" else "") + data


def conditions(result: Result, lang: str) -> str:
    """The size of a test, how long it took and with which versions."""
    versions = ", ".join(f"{name} {result['versions'][name]}" for name in ("torch", "torchvision"))
    form = TRAINED if result["train"] else TIMED
    return form.get(lang).format(**{**result, "versions": versions})


def changed() -> Iterator[tuple[Path, str]]:
    """The pages that are not as results and texts have them, and what they should be."""
    for page, lang in PAGES.items():
        text = page.read_text(encoding="utf-8")
        expected = filled(text, {"verdicts": summary(lang), "scales": costs(lang), "claims": sections(lang)})
        if expected != text:
            yield page, expected


def main(runs: Path | None, check: bool) -> int:
    """Writes; or, with `check`, only names what it would, and returns 1 where there is anything."""
    if runs is not None:
        import_runs(runs)
    return write(changed(), check)


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--check"]
    if len(arguments) > 1 or not all(Path(argument).is_dir() for argument in arguments):
        raise SystemExit("usage: python docs/claims.py [RUNS] [--check]")
    raise SystemExit(main(Path(arguments[0]) if arguments else None, check="--check" in sys.argv))
