"""What the web app's tabs show, without a browser."""

import base64
import copy
import io
import json
import os
import re
import string

import numpy as np
import pytest
import torch
from PIL import Image

from godeeper import BadImage, decode, describe, list_models
from godeeper.app import classify_tab, compare_tab, explore_tab, runs_tab
from godeeper.app.app_texts import REASONS, TEXTS, kind_text, reason, text
from godeeper.models.spec import ModelSpec
from godeeper.papers.audit import AUDITED, audit
from godeeper.papers.registry import definition, variant
from godeeper.train.run import RunFolder

CHINESE = "[\u4e00-\u9fff]"


def shown_image(html):
    """The pixels of the only image in a fragment."""
    (source,) = re.findall('src="data:image/png;base64,([^"]+)"', html)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(source))).convert("RGB")).astype(int)


@pytest.fixture(scope="module")
def photograph(ten_things, files):
    return classify_tab.open_image(ten_things, decode, str(files["photograph"]))


def test_every_text_is_there_in_both_languages_with_the_same_placeholders():
    for key, both in (TEXTS | REASONS).items():
        english, chinese = ({field for _, field, _, _ in string.Formatter().parse(one) if field} for one in (both.en, both.zh))
        assert english == chinese, key
        assert both.en, key
        assert re.search(CHINESE, both.zh) or key == "title", key
    assert {key for key, both in TEXTS.items() if both.en == both.zh} == {"title"}


def test_five_classes_the_most_likely_first(ten_things, photograph):
    page = classify_tab.predictions(ten_things, photograph, "en")
    percents = [float(number) for number in re.findall(r'class="percent">([\d.]+) %', page)]
    assert len(percents) == 5
    assert percents == sorted(percents, reverse=True)
    assert sum(photograph.probabilities) == pytest.approx(1, abs=1e-4)
    assert ten_things.classes[photograph.chosen] in page
    assert re.findall('data-open="(.+?)"[^>]*aria-current', page) == [str(photograph.chosen)]
    chinese = classify_tab.predictions(ten_things, photograph, "zh")
    assert ten_things.classes[photograph.chosen] not in chinese.replace("data-open", "")
    assert re.search(f'class="name">{CHINESE}', chinese)


def test_the_evidence_is_of_the_chosen_class(ten_things, files):
    state = classify_tab.open_image(ten_things, decode, str(files["photograph"]))
    pages = []
    for label in state.top[:2]:
        state.chosen = label
        pages.append(classify_tab.heat_map(ten_things, state, "en"))
        assert f"“{ten_things.classes[label]}”" in pages[-1]
    first, second = map(shown_image, pages)
    assert first.shape == second.shape == (240, 360, 3)
    assert (first != second).any()
    colourful = [np.ptp(pixels, axis=2) > 20 for pixels in (first, second)]  # where there is evidence; elsewhere all is grey
    assert all(0.01 < mask.mean() < 0.9 for mask in colourful)


def test_a_tiny_image_has_its_pixels_as_squares_under_the_evidence(ten_things, tmp_path, monkeypatch):
    """As on the page of `explain`: enlarged smoothly, a digit is a blur."""
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "tiny.png")
    state = classify_tab.open_image(ten_things, decode, str(tmp_path / "tiny.png"))
    monkeypatch.setattr(classify_tab, "class_maps", lambda network, image, classes, size: [torch.zeros(size[::-1])])
    shown = shown_image(classify_tab.heat_map(ten_things, state, "en"))
    times = len(shown) // 8
    assert times > 1
    assert (shown == pixels.repeat(times, 0).repeat(times, 1)[..., None]).all()


@pytest.mark.parametrize("scheme", [1, 10, 144])
def test_there_are_as_many_predictions_as_crops(ten_things, files, scheme):
    state = classify_tab.open_image(ten_things, decode, str(files["photograph"]))
    classify_tab.predict_crops(ten_things, state, scheme)
    page = classify_tab.crop_predictions(ten_things, state, "zh")
    assert len(state.crops) == scheme
    counts = list(map(int, re.findall(r"<b>(\d+)</b>", page)))
    assert 0.7 * scheme < sum(counts) <= scheme
    assert shown_image(page).shape == (70 * max(1, scheme // 12), 64 * min(scheme, 12), 3)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_file_that_is_no_image_is_answered_in_one_line(ten_things, files, lang):
    for name in ("text", "bomb", "huge"):
        state = classify_tab.open_image(ten_things, decode, str(files[name]))
        page = classify_tab.predictions(ten_things, state, lang)
        assert state.read is None
        assert page.startswith('<p class="note"')
        assert "\n" not in page
        assert str(files[name].parent) not in page  # the server's folders are nobody's business
        assert lang == "en" or re.search(f"：{CHINESE}", page)  # the reason, too, in Chinese
        assert classify_tab.heat_map(ten_things, state, lang) == classify_tab.crop_predictions(ten_things, state, lang) == ""
    for name in ("single", "animation"):
        state = classify_tab.open_image(ten_things, decode, str(files[name]))
        assert 'class="predictions"' in classify_tab.predictions(ten_things, state, lang)


def test_a_session_holds_no_decoded_image_and_says_so_where_its_upload_went(ten_things, files, tmp_path):
    file = tmp_path / "x.jpg"
    file.write_bytes(files["photograph"].read_bytes())
    state = classify_tab.open_image(ten_things, decode, str(file))
    assert not [part for part in vars(state).values() if isinstance(part, Image.Image)]
    assert shown_image(classify_tab.heat_map(ten_things, state, "en")).size
    file.unlink()
    gone = "the upload is no longer there"
    assert gone in classify_tab.heat_map(ten_things, state, "en")
    assert gone in classify_tab.predictions(ten_things, classify_tab.predict_crops(ten_things, state, 1), "en")
    assert gone in classify_tab.predictions(ten_things, classify_tab.open_image(ten_things, decode, str(file)), "en")


@pytest.mark.parametrize(
    "content",
    [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n" + b"x" * 99, b"\xff\xd8\xff\xe0" + bytes(99)],
    ids=["empty", "gif", "png", "jpeg"],
)
def test_every_reason_is_known_in_both_languages(content):
    with pytest.raises(BadImage) as refused:
        decode(content, "image")
    assert refused.value.code in REASONS
    assert re.match(CHINESE, reason(refused.value, "zh"))
    assert not re.search(CHINESE, reason(refused.value, "en"))


def test_every_kind_of_stage_is_in_chinese_in_the_chinese_table():
    kinds = {line.kind for name in list_models() for line in describe(name)}
    chinese = {kind: kind_text(kind, "zh") for kind in kinds}
    assert {kind: words for kind, words in chinese.items() if not re.search(f"{CHINESE}|Inception|dropout", words)} == {}
    assert not re.search("[a-z]{4}", re.sub("Inception|ResNet|dropout", "", " ".join(chinese.values()), flags=re.I))
    assert all(kind_text(kind, "en").lower() == kind for kind in kinds)


def test_an_error_without_a_text_keeps_its_message():
    assert reason(BadImage("image: gone", code="something-new"), "zh") == "image: gone"


def test_before_there_is_an_image_the_app_says_what_the_network_knows(ten_things):
    for lang, classes in (("en", "airplane, automobile, bird"), ("zh", "飞机、汽车、鸟")):
        assert classes in classify_tab.predictions(ten_things, classify_tab.ImageState(), lang)


FAST = {"googlenet", "inception_v3", "inception_resnet_v2_printed", "vgg16"}


@pytest.mark.parametrize("name", [pytest.param(name, marks=[] if name in FAST else pytest.mark.slow) for name in list_models()])
def test_every_stage_of_every_network_opens_with_its_counts(name):
    description = describe(name)
    table = explore_tab.stage_table(name, "en")
    assert re.findall('data-open="([^"]+)"', table) == [*[line.name for line in description], *description.auxiliary]
    for lines in description.auxiliary.values():
        assert f">{sum(line.parameters for line in lines):,}<" in table
    second = next(line.name for number, line in enumerate(description) if number == 1)
    marked = explore_tab.stage_table(name, "zh", second)
    assert re.findall('data-open="([^"]+)" aria-current', marked) == [second]
    assert re.findall("data-stage=", explore_tab.drawing(name, "en"))
    for stage in (*[line.name for line in description][:: max(1, len(description) // 4)], *description.auxiliary):
        page = explore_tab.stage(name, stage, "zh")
        assert "<svg" in page
        if stage not in description.auxiliary:
            assert f"<dd>{description[stage].parameters:,}</dd>" in page
            assert f"<dd>{description[stage].multiply_adds:,}</dd>" in page
    assert text("no_stage", "en") in explore_tab.stage(name, "<script>", "en")


def test_a_stage_shows_what_the_paper_prints_of_it():
    page = explore_tab.stage("googlenet", "4a", "en")
    assert "<td" in page
    assert "364K" in page
    assert "367K" in page
    assert "erratum" in page
    assert "Figure 19, C linear" in explore_tab.stage("inception_resnet_v2_printed", "C", "en")
    chinese = explore_tab.stage("googlenet_counted", "4a", "zh")
    assert "表 1，4a 的输出" in chinese
    assert "按 ops 和 params 两列，是 508 个通道" in chinese
    assert text("no_audit", "zh", network="vgg16") in explore_tab.stage("vgg16", "conv1", "zh")
    assert "122" in explore_tab.audit_summary("googlenet", "en")


@pytest.mark.parametrize("name", AUDITED)
def test_every_stage_of_a_finding_is_one_of_the_networks(name):
    described, findings = describe(name), audit(name)
    stages = {line.name for line in described} | set(described.auxiliary)
    assert {stage for finding in findings for stage in finding.stages} <= stages
    assert sum(bool(finding.stages) for finding in findings) > len(findings) / 2


def test_two_networks_side_by_side():
    page = compare_tab.totals("googlenet", "inception_v4", "en")
    first, second = describe("googlenet"), describe("inception_v4")
    for value in (first.parameters, second.parameters, first.multiply_adds, second.multiply_adds):
        assert f">{value:,}<" in page
    assert f">{second.parameters / first.parameters:.2f}<" in page
    assert f">{second.minimum_size}x{second.minimum_size}<" in page
    assert "<svg" in compare_tab.costs("googlenet", "zh")


@pytest.fixture
def runs_folder(tmp_path):
    """Two runs, the description of the second damaged."""
    for name, losses in (("a", (2.0, 1.0)), ("deeper/b", (3.0, 1.5))):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        lines = (
            f'{{"epoch": {n}, "lr": 0.1, "loss": {loss}, "top1_error": {loss * 10}, "seconds": 2.0}}'
            for n, loss in enumerate(losses, 1)
        )
        (folder / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    recipe = '{"optimizer": "rmsprop", "batch_size": 96, "lr": 0.045}'
    spec = json.dumps(ModelSpec.of(variant(definition("googlenet_bn"), width=0.25)).as_dict())
    options = '{"data": "<digits>"}'
    (tmp_path / "a" / "recipe.json").write_text(f'{{"spec": {spec}, "options": {options}, "recipe": {recipe}}}')
    (tmp_path / "deeper/b" / "recipe.json").write_text("{")
    return tmp_path


def test_runs_are_found_drawn_and_named(runs_folder):
    assert sorted(runs_tab.find_runs(runs_folder)) == ["a", "deeper/b"]
    page = runs_tab.curves(runs_folder, ["a", "deeper/b", "../secret"], "en")
    assert "googlenet_bn (width 0.25)" in page
    assert "&lt;digits&gt;" in page
    assert "15.00" in page
    assert all(f">{fact}<" in page for fact in ("rmsprop", "96", "0.045"))
    assert "secret" not in page
    assert str(runs_folder / "none") in runs_tab.curves(runs_folder / "none", [], "zh")
    assert len(RunFolder(runs_folder / "a").metrics()) == 2


def test_the_curves_of_each_run_have_their_colour(runs_folder):
    for names in (["a"], ["a", "deeper/b"]):
        pixels = shown_image(runs_tab.curves(runs_folder, names, "en"))
        for number, colour in enumerate(((0x1F, 0x77, 0xB4), (0xFF, 0x7F, 0x0E))):  # matplotlib's C0 and C1
            assert (abs(pixels - colour).max(2) < 30).sum() > 100 * (number < len(names)) - 1
        assert (pixels == 255).all(2).mean() > 0.5


def test_runs_that_go_or_cannot_be_read_or_told_hide_no_others(runs_folder):
    for name in ("gone", "large", os.fsdecode(b"no\xfftext")):
        (runs_folder / name).mkdir()
    (runs_folder / "gone" / "metrics.jsonl").symlink_to(runs_folder / "nowhere")
    (runs_folder / os.fsdecode(b"no\xfftext") / "metrics.jsonl").write_text("{}")
    with (runs_folder / "large" / "metrics.jsonl").open("wb") as file:
        file.truncate(10**9)
    assert sorted(runs_tab.find_runs(runs_folder)) == ["a", "deeper/b", "large"]
    page = runs_tab.curves(runs_folder, ["a", "large"], "en")
    assert "large cannot be read" in page
    assert "googlenet_bn (width 0.25)" in page


def test_a_class_of_any_bytes_and_of_markup_is_shown(ten_things):
    network = copy.deepcopy(ten_things)
    network.classes = (os.fsdecode(b"\xff"), *(f"<script>{number}" for number in range(9)))
    page = classify_tab.predictions(network, classify_tab.ImageState(), "en")
    assert "\\udcff" in page
    assert "&lt;script&gt;0" in page
    assert page.encode()


def test_a_run_without_an_epoch_is_named(runs_folder):
    (runs_folder / "a" / "metrics.jsonl").write_text("{torn")
    page = runs_tab.curves(runs_folder, ["a"], "en")
    assert "a cannot be read" in page
    assert "<img" not in page
