"""What the page's tabs say, without a browser."""

import re
import string

import pytest

from godeeper import BadImage, decode, describe, list_models
from godeeper.app import classify, compare, explore, runs
from godeeper.app.words import WORDS, reason, say
from godeeper.papers.audit import AUDITED, audit
from godeeper.train.run import RunFolder


def test_every_phrase_is_there_in_both_languages_with_the_same_gaps():
    for key, phrases in WORDS.items():
        english, chinese = ({field for _, field, _, _ in string.Formatter().parse(text) if field} for text in phrases)
        assert english == chinese, key
        assert all(phrases), key
    same = {key for key, (english, chinese) in WORDS.items() if english == chinese}
    assert same == {"title"}
    assert all(re.search("[\u4e00-\u9fff]", chinese) for key, (_, chinese) in WORDS.items() if key not in {"title", "epochs"})


def test_five_classes_the_likeliest_first(ten_things, files):
    seen = classify.look(ten_things, str(files["photograph"]))
    page = classify.answer(ten_things, seen, "en")
    percents = [float(one) for one in re.findall(r'class="percent">([\d.]+) %', page)]
    assert len(percents) == 5
    assert percents == sorted(percents, reverse=True)
    assert sum(seen.probabilities) == pytest.approx(1, abs=1e-4)
    chinese = classify.answer(ten_things, seen, "zh")
    assert ten_things.classes[seen.chosen] in page
    assert re.findall('data-open="(.+?)"[^>]*aria-current', page) == [str(seen.chosen)]
    assert ten_things.classes[seen.chosen] not in chinese.replace("data-open", "")


def test_the_evidence_is_of_the_chosen_class_and_the_votes_are_as_many_as_crops(ten_things, files):
    seen = classify.look(ten_things, str(files["photograph"]))
    first = classify.evidence(ten_things, seen, "en")
    seen.chosen = seen.best[1]
    second = classify.evidence(ten_things, seen, "en")
    assert f"“{ten_things.classes[seen.best[0]]}”" in first
    assert f"“{ten_things.classes[seen.best[1]]}”" in second
    assert re.search('src="([^"]+)"', first)[1] != re.search('src="([^"]+)"', second)[1]
    for scheme in (1, 10, 12, 144):
        classify.vote(ten_things, seen, scheme)
        page = classify.ballots(ten_things, seen, "zh")
        assert len(seen.votes) == scheme
        assert sum(map(int, re.findall(r"<b>(\d+)</b>", page))) <= scheme
    assert sum(map(int, re.findall(r"<b>(\d+)</b>", page))) > 100


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_file_that_is_no_image_is_answered_in_one_line(ten_things, files, lang):
    for name in ("text", "bomb", "huge"):
        seen = classify.look(ten_things, str(files[name]))
        page = classify.answer(ten_things, seen, lang)
        assert seen.image is None
        assert page.startswith('<p class="note"')
        assert "\n" not in page
        assert str(files[name].parent) not in page  # the server's folders are nobody's business
        assert name == "huge" or lang == "en" or re.search("：[\u4e00-\u9fff]", page)  # the reason, too, in Chinese
        assert classify.evidence(ten_things, seen, lang) == classify.ballots(ten_things, seen, lang) == ""
    for name in ("single", "animation"):
        assert 'class="answer"' in classify.answer(ten_things, classify.look(ten_things, str(files[name])), lang)


@pytest.mark.parametrize(
    "broken",
    [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n" + b"x" * 99, b"\xff\xd8\xff\xe0" + bytes(99)],
    ids=["empty", "gif", "png", "jpeg"],
)
def test_every_reason_is_known_in_chinese(tmp_path, broken):
    (tmp_path / "broken").write_bytes(broken)
    with pytest.raises(BadImage) as refused:
        decode(tmp_path / "broken", "image")
    english = str(refused.value).removeprefix("image: ")
    assert reason(english, "en") == english
    assert re.match("[\u4e00-\u9fff]", reason(english, "zh"))


def test_without_a_network_the_page_says_what_to_do():
    for lang, word in (("en", "make demo"), ("zh", "make demo")):
        assert word in classify.answer(None, classify.Seen(), lang)


@pytest.mark.parametrize("name", list_models())
def test_every_stage_of_every_network_opens_with_its_counts(name):
    described = describe(name)
    table = explore.rows(name, "en")
    assert re.findall('data-open="([^"]+)"', table) == [*[line.name for line in described], *described.auxiliary]
    for lines in described.auxiliary.values():
        assert f">{sum(line.parameters for line in lines):,}<" in table
    marked = explore.rows(name, "zh", described.stages[1].name)
    assert re.findall('data-open="([^"]+)" aria-current', marked) == [described.stages[1].name]
    assert re.findall("data-stage=", explore.whole(name, "en"))
    for stage in (*[line.name for line in described][:: max(1, len(described) // 4)], *described.auxiliary):
        page = explore.opened(name, stage, "zh")
        assert "<svg" in page
        if stage not in described.auxiliary:
            assert f"<dd>{described[stage].parameters:,}</dd>" in page
            assert f"<dd>{described[stage].multiply_adds:,}</dd>" in page
    assert say("no_stage", "en") in explore.opened(name, "<script>", "en")


def test_a_stage_shows_what_the_paper_prints_of_it():
    page = explore.opened("googlenet", "4a", "en")
    assert "<td" in page
    assert "364K" in page
    assert "367K" in page
    assert "erratum" in page
    assert "Figure 19, C linear" in explore.opened("inception_resnet_v2_printed", "C", "en")
    assert say("no_audit", "zh", network="vgg16") in explore.opened("vgg16", describe("vgg16").stages[0].name, "zh")
    assert "122" in explore.summary("googlenet", "en")


@pytest.mark.parametrize("name", AUDITED)
def test_every_stage_of_a_finding_is_one_of_the_networks(name):
    described, findings = describe(name), audit(name)
    stages = {line.name for line in described} | set(described.auxiliary)
    assert {stage for finding in findings for stage in finding.stages} <= stages
    assert sum(bool(finding.stages) for finding in findings) > len(findings) / 2


def test_two_networks_side_by_side():
    page = compare.totals("googlenet", "inception_v4", "en")
    ours, other = describe("googlenet"), describe("inception_v4")
    for value in (ours.parameters, other.parameters, ours.multiply_adds, other.multiply_adds):
        assert f"{value:,}" in page
    assert f"{other.parameters / ours.parameters:.2f}" in page
    assert "<svg" in compare.costs("googlenet", "zh")


def test_runs_are_found_drawn_and_named(tmp_path):
    for name, losses in (("a", (2.0, 1.0)), ("deeper/b", (3.0, 1.5))):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        lines = (
            f'{{"epoch": {n}, "lr": 0.1, "loss": {loss}, "top1_error": {loss * 10}, "seconds": 2.0}}'
            for n, loss in enumerate(losses, 1)
        )
        (folder / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    recipe = '{"optimizer": "rmsprop", "batch_size": 96, "lr": 0.045}'
    (tmp_path / "a" / "recipe.json").write_text(
        f'{{"model": {{"name": "googlenet_bn"}}, "data": "<digits>", "recipe": {recipe}}}'
    )
    (tmp_path / "deeper/b" / "recipe.json").write_text("{")
    assert sorted(runs.found(tmp_path)) == ["a", "deeper/b"]
    page = runs.page(tmp_path, ["a", "deeper/b", "../secret"], "en")
    assert "googlenet_bn" in page
    assert "&lt;digits&gt;" in page
    assert "15.00" in page
    assert all(f">{fact}<" in page for fact in ("rmsprop", "96", "0.045"))
    assert "data:image/png" in page
    assert "secret" not in page
    assert str(tmp_path / "none") in runs.page(tmp_path / "none", [], "zh")
    assert len(RunFolder(tmp_path / "a").metrics()) == 2
