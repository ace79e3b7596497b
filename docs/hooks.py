"""What turns the pages, which are written to be read in the repository as well, into the site."""

from __future__ import annotations

import json
import logging
import posixpath
import re
import textwrap
from html import unescape
from pathlib import Path
from typing import Any

from figures import pieces
from latex2mathml.converter import convert
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_for_filename
from pygments.util import ClassNotFound

logging.getLogger("jieba").disabled = True  # it tells of its dictionary as if that were a warning

ROOT = Path(__file__).resolve().parent.parent
LANGUAGE_LINE = re.compile(r"^\[(?:中文|English)\]\(\S+\)\n", re.M)  # the site has a switch for it
LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((\.\./[^)#\s]+)(#[^)\s]*)?\)")
# A line's end is a space in HTML, which Chinese has none of: between two of its characters, and after its signs.
CHINESE_BREAK = re.compile(r"(?<=[\u4e00-\u9fff\u3001-\u303f\uff00-\uffef])\n *(?=[\u4e00-\u9fff\u3001-\u303f\uff00-\uffef])")
SIGN_BREAK = re.compile(r"(?<=[，。；：、）！？])\n *(?=[A-Za-z`\[])")
# Between these comments, which GitHub does not show, a line of bold words begins a tab.
TABS = re.compile(r"^<!-- tabs -->\n(.*?)^<!-- /tabs -->$", re.M | re.S)
TAB = re.compile(r"^\*\*(.+)\*\*\n", re.M)
FENCE = re.compile(r"^( *)(```+).*?^\1\2 *$", re.M | re.S)
# Between these comments stands the still image of an interactive piece, which javascripts/interactive.js puts in its place.
INTERACTIVE = re.compile(r"^<!-- interactive: (\S+) -->\n(.*?)^<!-- /interactive -->$", re.M | re.S)
PIECE = re.compile(r'<div class="gd-interactive" data-piece="([^"]+)">')
# An image and, in italics, the sentence below it: a figure with its caption.
CAPTIONED = re.compile(r"<p>(<img [^>]*>)</p>\s*<p><em>(.*?)</em></p>", re.S)
MATHS = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.S)
HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{0}</title>
<style>{1} body {{ margin: 1rem; background: #fff; color: #1f2328; }} pre {{ line-height: 1.35; }} a {{ color: inherit; }}
.linenos {{ opacity: 0.5; padding-right: 1rem; }} :target {{ background: #fff3b0; }}
@media (prefers-color-scheme: dark) {{ {2} body {{ background: #1e2129; color: #e6e6e6; }} :target {{ background: #554a1a; }} }}
</style></head><body><h1><code>{0}</code></h1>
"""
shown: set[str] = set()  # files of the repository that pages link to


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """The page without the way to the other language, its links into the repository leading to pages made below."""
    folder = posixpath.dirname(page.file.src_uri)
    up = "../" * posixpath.dirname(page.file.dest_uri).count("/") + ("../" if "/" in page.file.dest_uri else "")

    def rewritten(link: re.Match[str]) -> str:
        text, target, line = link.groups()
        path = posixpath.normpath(posixpath.join("docs", folder, target))
        if path.startswith("docs/") or path.startswith(".."):
            return link.group()
        if not (ROOT / path).is_file():
            raise FileNotFoundError(f"{page.file.src_uri} links to {path}")
        shown.add(path)
        return f'<a href="{up}source/{path}.html{line or ""}">{text}</a>'

    def change(prose: str) -> str:
        return LINK.sub(rewritten, SIGN_BREAK.sub("", CHINESE_BREAK.sub("", prose)))

    marked = TABS.sub(_tabs, _outside_fences(LANGUAGE_LINE.sub("", markdown, count=1), change))
    return INTERACTIVE.sub(r'<div class="gd-interactive" data-piece="\1" markdown="1">\n\2\n</div>', marked)


def _tabs(marked: re.Match[str]) -> str:
    """What stands between the comments, in the syntax of pymdownx.tabbed."""
    _, *parts = TAB.split(marked[1])
    return "".join(f'=== "{label}"\n{textwrap.indent(body, "    ")}' for label, body in zip(parts[::2], parts[1::2], strict=True))


def _outside_fences(markdown: str, change: Any) -> str:
    parts, start = [], 0
    for fence in FENCE.finditer(markdown):
        parts += [change(markdown[start : fence.start()]), fence.group()]
        start = fence.end()
    return "".join([*parts, change(markdown[start:])])


def on_page_content(html: str, page: Any, **_: Any) -> str:
    """The page with its formulas as MathML, which browsers show by themselves, its captions, and the data of what moves."""
    lang = "zh" if page.file.src_uri.startswith("zh/") else "en"

    def formula(found: re.Match[str]) -> str:
        display = "block" if found[2] == "[" else "inline"
        return convert(unescape(found[3]).strip(), display=display)

    def with_data(found: re.Match[str]) -> str:
        text = json.dumps(pieces.data(found[1], lang), ensure_ascii=False).replace("</", "<\\/")
        return f'{found[0]}<script type="application/json">{text}</script>'

    html = CAPTIONED.sub(r"<figure>\1<figcaption>\2</figcaption></figure>", html)
    return MATHS.sub(formula, PIECE.sub(with_data, html))


def on_post_build(config: Any, **_: Any) -> None:
    """Writes the files that pages link to, with numbered lines, beside the site."""
    for name in ("sitemap.xml", "sitemap.xml.gz"):  # it would need the site's address, which it can do without
        (Path(config.site_dir) / name).unlink(missing_ok=True)
    dark = HtmlFormatter(style="github-dark").get_style_defs()
    for path in sorted(shown):
        code = (ROOT / path).read_text(encoding="utf-8")
        formatter = HtmlFormatter(linenos="inline", linespans="L")  # ids L-1, L-2, ...; links say L1
        try:
            lexer = get_lexer_for_filename(path)
        except ClassNotFound:
            lexer = get_lexer_for_filename("plain.txt")
        body = re.sub(r'"L-(\d+)"', r'"L\1"', highlight(code, lexer, formatter))
        out = Path(config.site_dir) / "source" / f"{path}.html"
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(HEAD.format(path, formatter.get_style_defs(), dark) + body + "</body></html>\n", encoding="utf-8")
