"""The interactive pieces of the guide's site in a browser: by mouse, by keyboard, on a phone's width, and what they show."""

import json

import pytest
from figures import pieces
from figures.costs import modules, multiply_adds

from godeeper.claims.result_file import published_results
from godeeper.papers.notation import Cat, Conv
from pages import DOCS

pytestmark = pytest.mark.slow  # the site is built

PAGES = {
    "reduction": "guide/googlenet-module.html",
    "crops": "guide/googlenet-training.html",
    "scaling": "guide/residual-scaling.html",
    "inception-v4": "guide/inception-v4.html",
}


@pytest.fixture
def open_piece(site_address, browser):
    """`open_piece(name, width, folder)`: the piece on its page; at the end nothing went wrong or was fetched elsewhere."""
    tabs, wrong = [], []

    def opened(name, width=1440, folder="", **options):
        tab = browser.new_page(viewport={"width": width, "height": 900}, **options)
        tabs.append(tab)
        tab.set_default_timeout(8_000)
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        own = (site_address, "data:", "blob:")
        tab.on("request", lambda request: None if request.url.startswith(own) else wrong.append(request.url))
        tab.goto(f"{site_address}/{folder}{PAGES[name]}")
        return tab, tab.locator(f".gd-piece.gd-{name}")

    yield opened
    for tab in tabs:
        tab.close()
    assert wrong == []


def test_every_piece_has_a_page():
    assert PAGES.keys() == pieces.PIECES.keys()


@pytest.mark.parametrize("name", PAGES)
def test_where_scripts_do_not_run_the_still_image_stays(open_piece, name):
    tab, piece = open_piece(name, java_script_enabled=False)
    assert piece.count() == 0
    assert tab.locator(f"[data-piece='{name}'] img").is_visible()


@pytest.mark.parametrize("folder", ["", "zh/"])
@pytest.mark.parametrize("name", PAGES)
def test_a_piece_fits_a_phone_and_speaks_the_pages_language(open_piece, name, folder):
    tab, piece = open_piece(name, 390, folder)
    piece.wait_for()
    assert piece.locator("h4").inner_text() == pieces.data(name, "zh" if folder else "en")["words"]["title"]
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    box = piece.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390


def test_the_slider_of_the_reduction_costs_what_the_table_says(open_piece):
    _, piece = open_piece("reduction")
    said = piece.locator(".gd-said")
    said.first.wait_for()
    assert said.all_inner_texts() == ["12.4 M", "120.4 M", "128.0 M", "236.0 M"]
    slider = piece.locator("input[type=range]")
    slider.focus()
    slider.press("ArrowRight")  # r = 17
    _, module, shape = next(modules())
    branch = multiply_adds(Cat([Conv(17), Conv(32, 5)]), shape)
    assert piece.locator("output").inner_text() == "17"
    assert said.first.inner_text() == f"{branch / 1e6:.1f} M"
    slider.press("End")
    assert "dearer" in piece.locator(".gd-verdict").inner_text()
    piece.locator("select").select_option("4a")
    _, module, shape = next(row for row in modules() if row[0] == "4a")
    assert said.nth(2).inner_text() == f"{multiply_adds(module, shape) / 1e6:.1f} M"


def test_the_crops_go_by_one_by_key_and_by_button_and_the_votes_add_up(open_piece):
    votes = json.loads((DOCS / "figures/measured/votes.json").read_text(encoding="utf-8"))
    labels = [votes["classes"]["en"][crop[7]] for crop in votes["crops"]]
    _, piece = open_piece("crops")
    slider, verdict = piece.locator("input[type=range]"), piece.locator(".gd-verdict")
    slider.focus()
    slider.press("ArrowRight")
    assert verdict.inner_text().startswith("Crop 2 (shorter side")
    assert "mirrored" in verdict.inner_text()
    piece.get_by_role("button", name="Next").click()
    assert verdict.inner_text().startswith("Crop 3 ")
    assert labels[2] in verdict.inner_text()
    piece.get_by_role("button", name="All").click()
    assert piece.locator("output").inner_text() == "144 / 144"
    counted = [int(text.split()[0]) for text in piece.locator(".gd-said").all_inner_texts()]
    assert counted == sorted((labels.count(label) for label in set(labels)), reverse=True)[:5]
    drawn = "canvas => canvas.getContext('2d').getImageData(96, 96, 1, 1).data[3]"
    assert piece.locator("canvas").evaluate(drawn) == 255


def test_the_scale_of_residuals_shows_what_was_measured(open_piece):
    measured = published_results("residual-scaling")["cpu"]["measurements"]
    _, piece = open_piece("scaling")
    slider = piece.locator("input[type=range]")
    for filters, key, scale in (("1792", "End", "1"), ("1792", "ArrowLeft", "0.3"), ("256", "Home", "0.1")):
        piece.locator("select").first.select_option(filters)
        slider.focus()
        slider.press(key)
        assert piece.locator("output").inner_text() == scale
        runs = measured[f"{filters} filters, scale {float(scale)}, rate 0.045"]
        shown = [float(text.removesuffix(" %")) for text in piece.locator(".gd-said").all_inner_texts()]
        deviation, dead = ([sum(run[name][step] for run in runs) / 3 for step in range(7)] for name in ("deviation", "dead"))
        assert shown[:7] == pytest.approx(deviation, abs=0.006)
        assert shown[7:] == pytest.approx(dead, abs=0.51)


def test_a_block_of_inception_v4_opens_by_click_and_by_keyboard(open_piece):
    _, piece = open_piece("inception-v4")
    opened = piece.locator(".gd-opened")
    assert opened.locator("svg").count() == 0
    piece.locator("g[data-stage='B']").first.focus()
    piece.page.keyboard.press("Enter")
    assert opened.get_attribute("data-stage") == "B"
    assert "1x7" in opened.locator("svg").text_content()
    assert piece.locator("g[data-stage='B']").first.get_attribute("aria-pressed") == "true"
    piece.locator("g[data-stage='reduction_a'] rect").first.click()
    assert opened.get_attribute("data-stage") == "reduction_a"
    piece.page.keyboard.press("Tab")
    piece.page.keyboard.press("Space")
    assert opened.get_attribute("data-stage") not in ("reduction_a", None)
