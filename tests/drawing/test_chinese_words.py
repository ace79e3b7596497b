"""Drawings in Chinese are in Chinese: no English word in them but the names that Chinese texts write in Latin letters, too."""

import xml.etree.ElementTree as ET

from svg_reader import SVG, check_geometry

from godeeper import draw, list_models
from godeeper.drawing.source_text import SOURCES
from godeeper.papers.notation import Auxiliary, Avg, Cat, Conv, Definition, LinearNorm, Max, Residual, Separable, Whitening
from godeeper.papers.registry import DEFINITIONS, definition, variant
from latin_words import latin_words
from pages import DOCS

FILES = sorted((DOCS / "images").glob("*/*.zh.svg"))
EVERY_ROW = Definition(  # those of the rows that few registered networks have
    name="mine",
    source="我自己的网络",
    stages={
        "first": (Whitening(2, 1), Separable(8, 7, multiplier=1, stride=2), Avg(3), Max(3)),
        "second": Residual(Cat([Conv(8)], [Conv(8, 3)]), 0.5, relu=False),
    },
    head={"embedding": LinearNorm(7)},
    auxiliary={"side": Auxiliary("first", {"flat": LinearNorm(4)})},
    image_size=32,
)


def words(drawing):
    """The Latin words of a drawing, titles for screen readers among them, that are no name and no unit."""
    root = ET.fromstring(drawing)
    texts = "\n".join(element.text or "" for tag in ("text", "title", "desc") for element in root.iter(SVG + tag))
    return latin_words(texts)


def test_no_figure_of_a_chinese_page_has_an_english_word():
    assert len(FILES) > 30
    found = {file.stem: words(file.read_text(encoding="utf-8")) for file in FILES}
    assert {stem: left for stem, left in found.items() if left} == {}


def test_no_drawing_of_a_network_has_an_english_word_in_chinese():
    for name in list_models():
        assert words(draw(name, lang="zh")) == set(), name
    changed = variant(definition("googlenet_bn"), width=0.25, small=True)
    assert words(draw(changed, lang="zh")) == set()
    for options in ({}, {"block": "first"}, {"block": "second"}, {"block": "side"}):
        drawing = draw(EVERY_ROW, **options, lang="zh")
        check_geometry(drawing)
        assert words(drawing) == set(), options


def test_every_registered_table_says_in_chinese_what_it_is_made_after():
    assert set(SOURCES) == {table.source for table in DEFINITIONS.values()}


def test_an_english_word_is_seen():
    assert words(draw("googlenet", "3a")) >= {"parameters", "maxpool", "concat", "In", "a"}
