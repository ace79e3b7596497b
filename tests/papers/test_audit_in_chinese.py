"""The audit in Chinese: locations and notes are Chinese, with the numbers of the English ones."""

import re
from collections import Counter

import pytest

from godeeper import audit
from godeeper.papers import errata
from godeeper.papers.audit import AUDITED
from godeeper.papers.locations import QUANTITIES, location_in_chinese
from godeeper.papers.readings import READINGS
from latin_words import latin_words

CHINESE = re.compile("[\u4e00-\u9fff]")
MORE_NAMES = {"params", "mAP", "VGG", "BN", "K", "k", "l", "m", "n"}  # as the papers have them
NOTES = [*errata.GOOGLENET, *errata.BN_INCEPTION, *errata.INCEPTION_V3, *errata.INCEPTION_V4]


def faults(both):
    """What is wrong with a text's Chinese: English words in it, numbers that are not the English one's, nothing in Chinese."""
    english, chinese = (Counter(re.findall(r"\d+(?:[.,]\d+)*", one)) for one in (both.en, both.zh))
    wordless = re.fullmatch(r"[\d.,]+( G)?", both.zh)
    no_chinese = set() if CHINESE.search(both.zh) or wordless else {both.zh}
    return latin_words(both.zh) - MORE_NAMES | set((english - chinese) + (chinese - english)) | no_chinese


@pytest.mark.parametrize("name", AUDITED)
def test_every_location_and_note_is_in_chinese(name):
    texts = [text for finding in audit(name) for text in (finding.location, finding.note) if text.en]
    assert {text.zh: faults(text) for text in texts if faults(text)} == {}
    locations = [finding.location for finding in audit(name)]
    assert len({both.zh for both in locations}) == len({both.en for both in locations})


def test_every_note_on_a_misprint_is_in_chinese_whether_a_network_has_it_or_not():
    assert {note.why.zh: faults(note.why) for note in NOTES if faults(note.why)} == {}


def test_every_quantity_in_chinese_is_one_that_is_audited():
    quantities = {finding.quantity for name in AUDITED for finding in audit(name)}
    quantities |= {fact.quantity for reading in READINGS.values() for fact in reading.facts}
    assert [pattern for pattern in QUANTITIES if not any(re.fullmatch(pattern, quantity) for quantity in quantities)] == []


def test_locations_and_notes_as_the_page_of_errata_words_them():
    found = {finding.where: finding for finding in audit("googlenet_counted")}
    assert found["Table 1, 4a output"].location.zh == "表 1，4a 的输出"
    assert found["Table 1, 5a 5x5 reduce"].location.zh == "表 1，5a 的 5x5 降维"
    assert found["Section 5, aux1 pool output"].location.zh == "第 5 节，aux1 的池化输出"
    assert location_in_chinese("arXiv 1512.00567, Table 3", "", "multiply-adds") == "arXiv 1512.00567 的表 3，乘加次数"
    assert location_in_chinese("Table 1 row 8", "A", "input") == "表 1 第 8 行，A 的输入"
    inception_v3 = {finding.where: finding for finding in audit("inception_v3")}
    assert inception_v3["Table 4, columns"].note.zh == "两个列名写反了：top-5 错误率不可能更大"
    multiply_adds = inception_v3["Abstract, multiply-adds"]  # a reason, and a number of our own
    assert multiply_adds.note.zh.endswith("；5.71 G")
    assert multiply_adds.note.en.endswith("; 5.71 G")


def test_an_english_location_or_note_is_seen():
    finding = next(finding for finding in audit("googlenet_counted") if finding.where == "Table 1, 4a output")
    assert {"Table", "output"} <= latin_words(finding.location.en)
    assert {"columns", "give", "channels"} <= latin_words(finding.note.en)
