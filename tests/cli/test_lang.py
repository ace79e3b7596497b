"""`--lang`: what `predict`, `evaluate` and `ensemble` call classes; nothing else changes with it."""

import csv
import json

import numpy as np
import pytest
import torch
from PIL import Image, ImageFont

from godeeper import create_model, save
from godeeper.cli.main import status
from godeeper.data.ilsvrc_kit import synsets
from godeeper.explain import canvas, draw_predictions
from godeeper.labels import imagenet_names
from godeeper.preprocess import Preprocess


def ranking(classes, file):
    """Weights that, whatever the image, find the first class the likeliest, the second next, and so on."""
    network = create_model("googlenet_bn", num_classes=len(classes), width=0.125, small=True)
    with torch.no_grad():
        network.head["linear"].linear.weight.zero_()
        network.head["linear"].linear.bias.copy_(-0.5 * torch.arange(len(classes)))
    network.classes, network.preprocess = tuple(classes), Preprocess.of(16)
    save(network, file)
    return str(file)


CLASSES = ("n01440764", "cat", "okapi of the moon")
LANGUAGES = [
    ("en", ["tench", "cat", "okapi of the moon"]),
    ("zh", ["丁鱥", "猫", "okapi of the moon"]),
    ("both", ["丁鱥 tench", "猫 cat", "okapi of the moon"]),
]


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    return ranking(CLASSES, tmp_path_factory.mktemp("own") / "own.safetensors")


@pytest.fixture(scope="module")
def imagenets(tmp_path_factory):
    return ranking(imagenet_names(), tmp_path_factory.mktemp("imagenet") / "imagenet.safetensors")


@pytest.fixture
def photo(tmp_path):
    Image.effect_noise((40, 30), 90).convert("RGB").save(tmp_path / "photo.png")
    return str(tmp_path / "photo.png")


def printed(line, capsys):
    assert status([*line, "--engine", "torch"]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(("lang", "names"), LANGUAGES)
def test_predict_prints_and_draws_in_the_language(own, photo, tmp_path, capsys, monkeypatch, lang, names):
    written, font_for = [], canvas.font_for
    monkeypatch.setattr(draw_predictions, "font_for", lambda text, size: written.append(text) or font_for(text, size))
    monkeypatch.setattr(canvas, "_cjk_font", ImageFont.load_default)  # as if a font were installed
    out = printed(["predict", own, photo, "--lang", lang, "--plot", str(tmp_path / "drawn.png")], capsys)
    rows = [line.split(" %  ") for line in out.splitlines()[1:]]
    assert [name for _, name in rows] == names
    assert [float(probability) for probability, _ in rows] == [50.65, 30.72, 18.63]  # softmax of 0, -0.5, -1
    assert written == ["photo.png", *names]
    drawn = np.array(Image.open(tmp_path / "drawn.png").convert("RGB")).astype(int)
    assert drawn.shape == (272, 592, 3)
    assert drawn[76:196, 20:252].std() > 20  # the noise of the photograph, 240 x 180 in the middle of its square
    bar = (drawn == tuple(bytes.fromhex(draw_predictions.BAR[1:]))).all(2)
    lengths = [bar[16 + 26 + 40 * number + 24].sum() for number in range(3)]
    assert lengths == [round(304 * probability / 100) + 1 for probability in (50.65, 30.72, 18.63)]


def test_json_keeps_both_languages_apart(own, photo, capsys):
    found = {}
    for lang, names in LANGUAGES[:2]:
        found[lang] = json.loads(printed(["predict", own, photo, "--json", "--lang", lang], capsys))[0]["predictions"]
        assert [list(one) for one in found[lang]] == [["label", "probability"]] * 3
        assert [one["label"] for one in found[lang]] == names
    both = json.loads(printed(["predict", own, photo, "--json", "--lang", "both"], capsys))[0]["predictions"]
    assert [(one["label"], one.get("label_zh")) for one in both] == [
        ("tench", "丁鱥"), ("cat", "猫"), ("okapi of the moon", None)
    ]  # fmt: skip
    assert [one["probability"] for one in both] == [one["probability"] for one in found["zh"]]
    assert found["en"] == json.loads(printed(["predict", own, photo, "--json"], capsys))[0]["predictions"]


def test_tables_name_classes_in_the_language(own, photo, tmp_path, capsys):
    tables = {}
    for lang in ("en", "zh", "both"):
        out = tmp_path / f"{lang}.csv"
        printed(["predict", own, photo, "--top", "3", "--lang", lang, "--out", str(out)], capsys)
        tables[lang] = next(csv.DictReader(out.read_text("utf-8").splitlines()))
    for lang, names in LANGUAGES[:2]:
        assert list(tables[lang])[2:] == [f"{kind}_{place}" for place in (1, 2, 3) for kind in ("label", "probability")]
        assert [tables[lang][f"label_{place}"] for place in (1, 2, 3)] == names
    both = tables["both"]
    assert list(both)[2:5] == ["label_1", "label_zh_1", "probability_1"]
    assert [(both[f"label_{place}"], both[f"label_zh_{place}"]) for place in (1, 2, 3)] == [
        ("tench", "丁鱥"), ("cat", "猫"), ("okapi of the moon", "")
    ]  # fmt: skip
    assert all(both[f"probability_{place}"] == tables["en"][f"probability_{place}"] for place in (1, 2, 3))


def test_parquet_and_jsonl_have_both(own, photo, tmp_path, capsys):
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs godeeper[data]")
    for name in ("table.parquet", "table.jsonl"):
        printed(["predict", own, photo, "--lang", "both", "--out", str(tmp_path / name)], capsys)
    row = parquet.read_table(tmp_path / "table.parquet").to_pylist()[0]
    assert (row["label_1"], row["label_zh_1"], row["label_zh_3"]) == ("tench", "丁鱥", None)
    line = json.loads((tmp_path / "table.jsonl").read_text("utf-8"))
    assert line["predictions"][1]["label_zh"] == "猫"
    assert "label_zh" not in line["predictions"][2]


@pytest.mark.slow
def test_parts_in_another_language_are_refused(own, photo, tmp_path, capsys, monkeypatch):
    line, out = ["predict", own, photo, "--out"], str(tmp_path / "table.csv")
    with monkeypatch.context() as broken:
        broken.setattr("godeeper.deploy.prediction_table.join_csv", lambda *_, **__: 1 / 0)
        assert status([*line, out, "--lang", "zh"]) == 1
    assert status([*line, out, "--lang", "both"]) == 2
    assert "remove it, or choose another --out" in capsys.readouterr().err
    printed([*line, out, "--lang", "zh"], capsys)


def test_imagenets_homonyms_have_their_own_names(imagenets, photo, capsys):
    rows = json.loads(printed(["predict", imagenets, photo, "--json", "--top", "1000", "--lang", "both"], capsys))
    by_english = {one["label"]: one["label_zh"] for one in rows[0]["predictions"]}
    assert len(by_english) == 1000
    assert (by_english["crane bird"], by_english["crane"], by_english["mouse"]) == ("鹤", "起重机", "鼠标")


@pytest.mark.parametrize("lang", ["zh", "both"])
def test_a_drawing_in_chinese_asks_for_a_font_before_any_work(own, photo, tmp_path, capsys, monkeypatch, lang):
    monkeypatch.setattr(canvas, "CJK_FONTS", ("no-such-font.ttf",))
    line = ["predict", own, photo, "--plot", str(tmp_path / "drawn.png")]
    with monkeypatch.context() as idle:
        idle.setattr("godeeper.deploy.predictor.Predictor", lambda *_: 1 / 0)
        assert status([*line, "--lang", lang]) == 2
    captured = capsys.readouterr()
    assert "no font with Chinese letters is installed: install one" in captured.err
    assert captured.out == ""
    assert not (tmp_path / "drawn.png").exists()
    assert printed([*line, "--lang", "en"], capsys)
    assert "丁鱥" in printed([*line[:3], "--lang", lang], capsys)


@pytest.mark.parametrize("command", ["predict", "evaluate", "ensemble", "serve"])
def test_other_languages_are_refused(command, own, capsys):
    assert status([command, own, *(["--data", "digits"] if command == "evaluate" else []), "--lang", "fr"]) == 2
    assert "'fr' is not one of 'zh', 'en', 'both'" in capsys.readouterr().err


@pytest.fixture
def folders(tmp_path):
    """Class folders of three synsets: a tench, two cranes that fly, one that lifts."""
    for number, place in enumerate((0, 134, 134, 517)):
        folder = tmp_path / "folders" / synsets()[place]
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 16), (40 * number, 9, 0)).save(folder / f"{number}.png")
    return str(tmp_path / "folders")


REPORTED = {
    "en": ("tench", "crane bird", "crane"),
    "zh": ("丁鱥", "鹤", "起重机"),
    "both": ("丁鱥 tench", "鹤 crane bird", "起重机 crane"),
}


def test_a_report_names_classes_in_the_language_and_its_result_does_not_change(imagenets, folders, tmp_path):
    results = set()
    for lang, names in REPORTED.items():
        line = ["evaluate", imagenets, "--data", folders, "--split", "all", "--workers", "0", "--report", str(tmp_path / lang)]
        assert status([*line, "--lang", lang]) == 0
        page, text = ((tmp_path / lang / f"report.{kind}").read_text("utf-8") for kind in ("html", "md"))
        for name in names:
            assert f"<td>{name}</td>" in page
            assert f"| {name} |" in text
        assert f"{names[2]} (0 %), taken for {names[0]}" in page
        results.add((tmp_path / lang / "result.json").read_text("utf-8"))
    assert len(results) == 1


def test_a_report_of_an_ensemble_too(imagenets, folders, tmp_path):
    saved = str(tmp_path / "saved.safetensors")
    data = ["--data", folders]
    assert status(["evaluate", imagenets, *data, "--split", "all", "--workers", "0", "--save", saved]) == 0
    assert status(["ensemble", saved, *data, "--report", str(tmp_path / "r"), "--lang", "both"]) == 0
    assert "<td>鹤 crane bird</td>" in (tmp_path / "r" / "report.html").read_text("utf-8")
