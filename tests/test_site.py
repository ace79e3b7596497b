"""The guide as a site: built without a warning, every link followed, both languages searched in a browser."""

import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from pages import NAMES, ROOT, read

pytestmark = pytest.mark.slow  # the site is built


def followed(*words):
    """What the link checker says. Started as root it would become nobody, who need not be able to read this folder."""
    stay = "from linkcheck.command import linkchecker; linkchecker.drop_privileges = lambda: None; linkchecker.linkchecker()"
    words = (sys.executable, "-c", stay, "--no-status", *words)
    return subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=False)


def test_every_page_is_built_in_both_languages(site):
    for name in NAMES:
        page = Path(name).with_suffix(".html")
        english, chinese = ((folder / page).read_text(encoding="utf-8") for folder in (site, site / "zh"))
        assert '<html lang="en"' in english
        assert '<html lang="zh"' in chinese
        for text in (english, chinese):
            assert 'class="arithmatex"' not in text  # formulas are MathML
            assert "fonts.googleapis" not in text


def test_what_stands_beside_each_other_is_in_tabs(site):
    marked = {name: read(f"docs/en/{name}").count("<!-- tabs -->\n") for name in NAMES}
    assert sum(marked.values()) > 10
    for name, count in marked.items():
        for folder in (site, site / "zh"):
            page = (folder / name).with_suffix(".html").read_text(encoding="utf-8")
            assert page.count('class="tabbed-set') == count
            assert page.count('class="tabbed-block"') == 3 * count
            assert "tabs -->" not in page


def test_every_link_leads_somewhere(site):
    checked = followed(site / "index.html")
    assert checked.returncode == 0, checked.stdout[-4000:]
    assert int(checked.stdout.rpartition("That's it. ")[2].split()[0]) > 100


class Anchors(HTMLParser):
    """The ids and names of a page, and what it links to."""

    def __init__(self, page):
        super().__init__()
        self.anchors, self.links = set(), []
        self.feed(page.read_text())

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.anchors |= {values.get("id"), values.get("name") if tag == "a" else None}
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])


def missing_anchors(folder):
    """The links within the site to a place in a page that the page does not have, and how many such links there are."""
    pages = {page.resolve(): Anchors(page) for page in folder.rglob("*.html")}
    missing, count = [], 0
    for page, parsed in pages.items():
        for link in parsed.links:
            path, _, anchor = link.partition("#")
            if anchor and "://" not in path:
                target = (page.parent / unquote(path)).resolve() if path else page
                target = target / "index.html" if target.is_dir() else target
                count += 1
                if target in pages and unquote(anchor) not in pages[target].anchors:
                    missing.append(f"{page.name}: {link}")
    return missing, count


def test_every_anchor_is_there(site):
    missing, count = missing_anchors(site)  # linkchecker's own check parses the page once for each link to it: ten minutes
    assert missing == []
    assert count > 1000


def test_a_broken_link_and_a_broken_anchor_are_seen(tmp_path):
    (tmp_path / "index.html").write_text('<a href="there.html#lost">1</a> <a href="nowhere.html">2</a> <a href="#x%20y">3</a>')
    (tmp_path / "there.html").write_text('<p id="found"><a name="x y" href="there.html#found">4</a><a href="#x%20y">5</a>')
    assert "1 error found" in followed(tmp_path / "index.html").stdout
    assert missing_anchors(tmp_path) == (["index.html: there.html#lost", "index.html: #x%20y"], 4)


@pytest.mark.parametrize(
    ("start", "words", "page"),
    [
        ("index.html", "auxiliary heads", "guide/googlenet-network.html"),
        ("zh/index.html", "残差缩放", "zh/guide/residual-scaling.html"),
    ],
)
def test_the_search_finds_words_in_its_language(site_address, browser, start, words, page):
    tab = browser.new_page()
    elsewhere = []
    tab.on("request", lambda request: elsewhere.append(request.url) if site_address not in request.url else None)
    tab.goto(f"{site_address}/{start}")
    tab.locator("input[name=query]").fill(words)
    first = tab.locator(".md-search-result__link")
    first.first.wait_for()
    found = [link.get_attribute("href") for link in first.all()]
    tab.close()
    assert any(page in link for link in found[:10]), found
    assert all(("/zh/" in link) == start.startswith("zh/") for link in found[:10]), found
    assert [url for url in elsewhere if not url.startswith(("data:", "blob:"))] == []


def test_the_language_switch_keeps_the_page(site_address, browser):
    tab = browser.new_page()
    tab.goto(f"{site_address}/errata.html")
    assert tab.locator("a[hreflang=zh]").first.get_attribute("href").endswith("zh/errata.html")
    tab.goto(f"{site_address}/zh/errata.html")
    assert "勘误" in tab.title()
    assert tab.locator("a[hreflang=en]").first.get_attribute("href") == "../errata.html"
    tab.close()
