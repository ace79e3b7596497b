"""The page: whole by itself, its images sound, in either language, whatever things are called."""

import base64
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from godeeper import GodeeperError, decode
from godeeper.explain.explanation import display_size, explain
from godeeper.explain.explanation_page import PageSubject, check_folder, write_page
from godeeper.explain.explanation_texts import TEXTS
from godeeper.explain.top_activations import top_activations

EMPTY = {"img", "meta", "br"}


class Page(HTMLParser):
    """What a page holds; fails where an element is closed that is not the last one opened."""

    def __init__(self, text):
        super().__init__()
        self.open, self.images, self.links, self.texts = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        if tag not in EMPTY:
            self.open.append(tag)
        given = dict(attributes)
        if tag == "img":
            self.images.append((given["alt"], given["src"]))
        self.links += [value for name, value in attributes if name in ("href", "src") and not value.startswith("data:")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


def written(network, image, folder, lang="en", names=("red", "green"), name="photo.png", activations=None, **options):
    explanation = explain(network, image, top=2, crops=12, **options)
    subject = PageSubject(image, name, "hand", 64, names, lang)
    page = write_page(folder, subject, explanation, {"record": 1}, ("mixed:0", activations) if activations else None)
    return explanation, Page(page.read_text("utf-8"))


@pytest.fixture
def image(two_squares):
    return two_squares((80, 64), (10, 4), (50, 40))


def test_the_page_holds_every_image_that_lies_beside_it(red_or_green, image, tmp_path):
    files = [tmp_path / "in" / f"{number}.png" for number in range(3)]
    for file in files:
        file.parent.mkdir(exist_ok=True)
        image.save(file)
    activations, _ = top_activations(red_or_green, files, "mixed", 0)
    _, page = written(red_or_green, image, tmp_path / "out", activations=activations)
    beside = sorted(file for file in (tmp_path / "out").iterdir() if file.suffix in (".jpg", ".png"))
    assert [file.name for file in beside] == [
        "branch-1.jpg", "branch-2.jpg", "channel-01.png", "channel-02.png", "channel-03.png", "crops.png", "image.jpg",
        "map-1.jpg", "map-2.jpg",
    ]  # fmt: skip
    within = []
    for _, source in page.images:
        kind, data = re.fullmatch(r"data:image/(jpeg|png);base64,([\w+/=]+)", source).groups()
        stored = Image.open(io.BytesIO(base64.b64decode(data)))
        stored.load()
        assert stored.format.lower() == kind
        within.append(base64.b64decode(data))
    assert sorted(within) == sorted(file.read_bytes() for file in beside)
    assert page.links == []
    assert json.loads((tmp_path / "out/explanation.json").read_text()) == {"record": 1}
    with Image.open(tmp_path / "out/map-1.jpg") as shown:
        assert shown.size == display_size(image.size) == (320, 256)


def test_the_page_says_what_was_found(red_or_green, image, tmp_path):
    explanation, page = written(red_or_green, image, tmp_path / "out")
    (best, probability), _ = explanation.predictions
    assert f"{('red', 'green')[best]} {100 * probability:.1f} %" in page.text
    for item in explanation.branches:
        assert f"{item.logits[0]:+.2f} {item.logits[1]:+.2f}" in page.text
    counts = [count for _, count in explanation.crop_counts()]
    assert counts == sorted(counts, reverse=True)
    assert sum(counts) == 12
    assert "Predictions for 12 crops" in page.text
    assert "four scales" not in page.text  # that is the rows of 144


@pytest.mark.parametrize(("lang", "there", "missing"), [
    ("en", ["Where the evidence is"], ["依据"]), ("zh", ["依据在哪里"], ["evidence"]),
    ("both", ["依据在哪里 Where the evidence is"], []),
])  # fmt: skip
def test_languages(red_or_green, image, tmp_path, lang, there, missing):
    _, page = written(red_or_green, image, tmp_path / "out", lang)
    assert all(text in page.text for text in there)
    assert not any(text in page.text for text in missing)


def test_both_languages_are_given_the_same_values():
    for key, text in TEXTS.items():
        assert set(re.findall(r"{\w+}", text.en)) == set(re.findall(r"{\w+}", text.zh)), key
        assert re.search("[一-鿿]", text.zh), key
        assert not re.search("[一-鿿]", text.en), key


def test_names_may_hold_anything(red_or_green, image, tmp_path):
    _, page = written(
        red_or_green, image, tmp_path / "out", names=("<b>&{red}", '"green"\udc80'), name="<script>alert(1)</script>.png"
    )
    assert "<b>&{red}" in page.text
    assert "<script>alert(1)</script>.png" in page.text


def test_a_network_without_branches_has_no_such_section(red_or_green, image, tmp_path):
    red_or_green.definition.stages.pop("mixed")
    red_or_green.stages.pop("mixed")
    red_or_green.head["linear"].linear.weight = type(red_or_green.head["linear"].linear.weight)(
        red_or_green.head["linear"].linear.weight.new_ones(2, 3)
    )
    explanation, page = written(red_or_green, image, tmp_path / "out")
    assert explanation.module is None
    assert "branch" not in page.text
    assert "Where the evidence is" in page.text


def test_what_the_network_is_not_shown_is_paler(red_or_green, tmp_path):
    image = Image.new("RGB", (640, 320), (0, 0, 200))
    written(red_or_green, image, tmp_path / "out")
    shown = np.array(decode(tmp_path / "out/image.jpg")).astype(int)
    assert shown.shape == (320, 640, 3)
    assert abs(shown[160, 320] - (0, 0, 200)).max() < 10  # the crop is the middle square
    assert abs(shown[160, 60] - (153, 153, 233)).max() < 10


@pytest.mark.parametrize(("size", "shown"), [
    ((32, 32), (320, 320)), ((28, 20), (336, 240)), ((500, 375), (500, 375)), ((4000, 3000), (640, 480)), ((1, 1), (320, 320)),
    ((10000, 1), (640, 1)),
])  # fmt: skip
def test_images_are_shown_at_a_size_that_can_be_seen(size, shown):
    assert display_size(size) == shown


def test_a_folder_is_new_or_empty(tmp_path):
    check_folder(tmp_path / "new/folder")
    check_folder(tmp_path)
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(GodeeperError, match=r"is not empty: it holds 'mine.txt'; name another folder"):
        check_folder(tmp_path)
    with pytest.raises(GodeeperError, match="is a file: name a folder"):
        check_folder(tmp_path / "mine.txt")
