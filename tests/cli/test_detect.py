"""`godeeper detect`: every command on small runs of its own, what goes together, and what is refused."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from detectors import COARSE, MULTIBOX, RCNN, SETTINGS, SMALL, train_detectors
from godeeper.cli.main import status
from godeeper.data.decode import decode
from godeeper.labels import _CHINESE
from godeeper.tensor_files import load_tensors
from scenes import scene, write_annotation


def detect(*arguments):
    return status(["detect", *map(str, arguments)])


@pytest.fixture(scope="session")
def places(make_once):
    return make_once("detect-runs", train_detectors)


def printed(capsys):
    return json.loads(capsys.readouterr().out)


def test_runs_say_what_they_are_and_how_they_went(places):
    for name, figure in (("faster", "map"), ("multibox", "coverage"), ("rcnn1", "top1_error")):
        record = json.loads((places / name / "metrics.jsonl").read_text().splitlines()[-1])
        assert 0 <= record[figure] <= 100
        assert np.isfinite(record["loss"])
        recipe = json.loads((places / name / "recipe.json").read_text())
        assert recipe["command"] == "detect train"
        assert recipe["options"]["data"] == str(places / "voc")
        assert (places / name / "curves.png").is_file()
    assert "mAP" in (places / "faster/log.txt").read_text()
    assert "coverage" in (places / "multibox/log.txt").read_text()
    assert json.loads((places / "rcnn1/recipe.json").read_text())["spec"]["classes"] == ["disc", "square", "background"]


@pytest.mark.slow
@pytest.mark.parametrize(("run", "options"), [("faster", []), ("rcnn1", []), ("rcnn1", ["rcnn2"]), ("rcnn1", ["--multibox"])])
def test_evaluate(places, capsys, tmp_path, run, options):
    options = [places / one if one == "rcnn2" else one for one in options]
    options += [places / "multibox"] if "--multibox" in options else []
    options += COARSE if run == "rcnn1" else []
    found, plot = tmp_path / "found.json", tmp_path / "plot.png"
    common = ["evaluate", places / run, *options, "--data", places / "voc"]
    assert detect(*common, "--save", found, "--plot", plot, "--json") == 0
    document = printed(capsys)
    assert document["images"] == 4
    assert [one["class"] for one in document["voc"]["classes"]] == ["disc", "square"]
    saved = json.loads(found.read_text())
    assert [one["file"][-12:] for one in saved["images"]] == [f"scene0{number}.jpg" for number in range(12, 16)]
    counted = sum(one["detections"] for one in document["voc"]["classes"])
    assert sum(len(one["objects"]) for one in saved["images"]) == counted
    assert document["coco"]["map_50"] == pytest.approx(document["voc"]["map"], abs=3)
    assert decode(plot).width > 400
    assert detect(*common) == 0
    assert "mAP at 0.5, VOC" in capsys.readouterr().out
    (tmp_path / "result.json").write_text(json.dumps(document))
    assert detect("tables", tmp_path / "result.json") == 0
    out = capsys.readouterr().out
    assert "43.9 %" in out
    assert "4 images, 2 classes" in out


def test_predict_draws_and_prints(places, capsys, tmp_path):
    image = places / "voc/JPEGImages/scene012.jpg"
    assert detect("predict", places / "faster", image, "--threshold", 0, "--plot", tmp_path / "drawn.png", "--json") == 0
    (document,) = printed(capsys)
    assert document["file"] == str(image)
    for one in document["objects"]:
        left, top, right, bottom = one["box"]
        assert 0 <= left < right <= 96
        assert 0 <= top < bottom <= 72
        assert one["class"] in ("disc", "square")
    drawn = decode(tmp_path / "drawn.png")
    assert drawn.size == (96, 72)
    assert (np.array(drawn) != np.array(decode(image))).any() == bool(document["objects"])
    several = [places / "rcnn1", places / "rcnn2", *(places / f"voc/JPEGImages/scene00{number}.jpg" for number in range(3))]
    assert detect("predict", *several, "--threshold", 0.2, *COARSE, "--plot", tmp_path / "all") == 0
    assert len(list((tmp_path / "all").glob("scene*.png"))) == 3
    assert "scene000.jpg" in capsys.readouterr().out


def test_a_bad_image_is_named_and_the_others_are_looked_at(places, capsys, tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"no image")
    shutil.copy(places / "voc/JPEGImages/scene000.jpg", tmp_path / "good.jpg")
    assert detect("predict", places / "faster", tmp_path) == 2
    out, err = capsys.readouterr()
    assert "good.jpg" in out
    assert "bad.jpg" in err


@pytest.mark.slow
def test_coverage(places, capsys):
    coverage = ["coverage", "--data", places / "voc", "--workers", 0, *COARSE]
    assert detect(*coverage, "--json") == 0
    alone = printed(capsys)
    assert alone["images"] == 4
    assert detect(*coverage, "--multibox", places / "multibox", "--json") == 0
    both = printed(capsys)
    assert both["coverage"] >= alone["coverage"]
    assert both["proposals"] > alone["proposals"]
    assert detect(*coverage) == 0
    assert "proposals an image" in capsys.readouterr().out


@pytest.mark.slow
def test_a_run_goes_on_where_it_stopped(places, tmp_path):
    """Without its last checkpoint's rest: the weights are made again from it, the same."""
    for name in ("faster", "rcnn1", "multibox"):
        shutil.copytree(places / name, tmp_path / name)
        (tmp_path / name / "model.safetensors").unlink()
        assert detect("train", "--out", tmp_path / name, "--resume", "--workers", 0) == 0
        again, before = (load_tensors(folder / name / "model.safetensors")[0] for folder in (tmp_path, places))
        assert all(torch.equal(again[key], before[key]) for key in before)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["--model", "inception_v4"], "--model inception_v4 differs from 'googlenet_bn'"),
        (["--epochs", "7"], "keeps the recipe it began with"),
        (["--method", "rcnn"], "--method rcnn differs from 'faster-rcnn'"),
    ],
)
def test_another_plan_is_not_resumed(places, tmp_path, capsys, changes, words):
    assert detect("train", "--out", places / "faster", "--resume", *changes) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "--out", "TMP/x"], "--model is needed"),
        (["train", *SMALL, "--out", "TMP/x"], "--data is needed"),
        (["train", *SMALL, "--data", "VOC", "--out", "VOC/run"], "lies in the data"),
        (["train", *SMALL, "--data", "VOC", "--out", "TMP/x", "--small"], "--small is of --method rcnn, not of faster-rcnn"),
        (["train", *SMALL, "--data", "VOC", "--out", "TMP/x", "--method", "rcnn", "--pyramid"], "--pyramid is of --method"),
        (["train", *SMALL, "--data", "VOC", "--out", "TMP/x", "--method", "yolo"], "'yolo' is not one of"),
        (["train", *SMALL, "--data", "VOC", "--out", "TMP/x", "--split", "trian"], "did you mean 'train'"),
        (["train", *SMALL, "--data", "VOC", "--out", "TMP/x", "--set", "mixup=1"], "unknown recipe field 'mixup'"),
        (["train", *SMALL, "--data", "VOC", "--out", "FASTER"], "holds a run already"),
        (["train", *SMALL, "--data", "VOC", "--out", "TMP/x", "--pyramid", "--atrous"], "exclude each other"),
        (["train", *SMALL, "--data", "VOC", "--out", "TMP/x", "--pyramid", "--set", "anchors=32"], "levels, each with one side"),
        (["train", *SMALL, "--data", "VOC", "--out", "TMP/x", "--weights", "FASTER"], "godeeper detect"),
        (["train", "--model", "nosuch", "--data", "VOC", "--out", "TMP/x"], "unknown model 'nosuch'"),
        (["train", "--resume", "--out", "TMP/x"], "no run"),
        (["evaluate", "FASTER", "RCNN1", "--data", "VOC"], "is a Faster R-CNN, which works alone"),
        (["evaluate", "FASTER", "--data", "VOC", "--superpixels", "1"], "proposes by itself"),
        (["evaluate", "RCNN1", "--data", "VOC", "--multibox", "FASTER"], "holds no MultiBox network"),
        (["evaluate", "MULTIBOX", "--data", "VOC"], "holds"),
        (["evaluate", "TMP", "--data", "VOC"], "model.safetensors"),
        (["evaluate", "FASTER", "--data", "TMP"], "holds no annotated images"),
        (["evaluate", "FASTER", "--data", "VOC", "--split", "tset"], "did you mean 'test'"),
        (["evaluate", "FASTER", "--data", "VOC", "--save", "x.txt"], "--save 'x.txt': name a .json file"),
        (["evaluate", "FASTER", "--data", "VOC", "--plot", "TMP/no/x.png"], "there is no folder"),
        (["predict", "FASTER"], "there are no images to look at"),
        (["predict", "VOC/JPEGImages/scene000.jpg"], "scene000.jpg"),
        (["predict", "FASTER", "TMP/gone.jpg"], "gone.jpg"),
        (["predict", "FASTER", "VOC/JPEGImages", "--lang", "fr"], "'fr' is not one of"),
        (["predict", "FASTER", "VOC/JPEGImages", "--threshold", "2"], "less than or equal to 1"),
        (["coverage", "--data", "VOC", "--superpixels", "0"], "superpixels"),
        (["tables", "VOC/ImageSets/Main/train.txt"], "is not what `godeeper detect evaluate --json` prints"),
        (["export", "RCNN1", "--out", "TMP/x.onnx"], "holds no Faster R-CNN"),
        (["export", "FASTER", "--out", "TMP/x.tflite"], "give one of .onnx (ONNX), .xml (OpenVINO)"),
    ],
)
def test_bad_input_is_one_line_and_status_2(places, tmp_path, capsys, arguments, words):
    named = {"VOC": places / "voc", "FASTER": places / "faster", "RCNN1": places / "rcnn1", "MULTIBOX": places / "multibox"}
    named["TMP"] = tmp_path
    given = [str(named[first]) + rest if (first := a.partition("/")[0]) in named and ((rest := a[len(first):]) or True) else a
             for a in arguments]  # fmt: skip
    assert detect(*given) == 2
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") == 1
    assert not (tmp_path / "x").exists()


def test_other_commands_send_a_detector_on(places, capsys):
    for command in (
        ["predict", places / "faster", places / "voc/JPEGImages"],
        ["evaluate", places / "faster", "--data", "digits"],
    ):
        assert status([*map(str, command)]) == 2
        assert "godeeper detect" in capsys.readouterr().err


@pytest.mark.slow
def test_a_test_image_that_is_damaged(places, capsys, tmp_path):
    shutil.copytree(places / "voc", tmp_path / "voc")
    file = tmp_path / "voc/JPEGImages/scene013.jpg"
    file.write_bytes(file.read_bytes()[:1500])  # the header is whole
    common = ["evaluate", places / "faster", "--data", tmp_path / "voc"]
    assert detect(*common) == 2
    assert "scene013.jpg" in capsys.readouterr().err
    assert detect(*common, "--skip-bad") == 0
    out, err = capsys.readouterr()
    assert "3, 1 skipped" in out
    assert "skipped" in err
    for name in ("val.txt", "test.txt"):  # training goes on as well, and counts it
        (tmp_path / "voc/ImageSets/Main" / name).write_text("scene013\nscene012\n")
    for options in (SETTINGS, MULTIBOX):
        out = tmp_path / f"run{len(options)}"
        assert detect("train", *SMALL, "--data", tmp_path / "voc", "--epochs", 1, *options, "--out", out, "--workers", 0) == 0
        assert json.loads((out / "metrics.jsonl").read_text())["test_skipped"] == 1


def test_objects_of_a_class_that_the_detector_does_not_know(places, capsys, tmp_path):
    shutil.copytree(places / "voc", tmp_path / "voc")
    write_annotation(tmp_path / "voc/Annotations/scene012.xml", (96, 72), [("cat", 1, 1, 20, 20)])
    assert detect("evaluate", places / "faster", "--data", tmp_path / "voc") == 2
    assert "scene012.xml': unknown class 'cat': choose one of: disc, square" in capsys.readouterr().err


def test_drawings_never_replace_each_other_or_a_image_that_is_looked_at(places, capsys, tmp_path):
    for name in ("a/1.png", "b/1.jpg", "b/2.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        scene(3)[0].save(tmp_path / name)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*.*")}
    predict = ["predict", places / "faster"]
    for images, drawing in (
        (["a/1.png"], "a/1.png"), (["a/1.png"], "a"), (["a", "b"], "b"), (["a", "b"], "b/2.png"), (["a/1.png"], "c.txt"),
    ):  # fmt: skip
        assert detect(*predict, *(tmp_path / one for one in images), "--plot", tmp_path / drawing) == 2
        err = capsys.readouterr().err
        assert "--plot" in err
        assert err.count("\n") == 1
    assert {file: file.read_bytes() for file in tmp_path.rglob("*.*")} == before
    assert detect(*predict, tmp_path / "a", tmp_path / "b", "--plot", tmp_path / "new") == 0
    assert sorted(file.name for file in (tmp_path / "new").iterdir()) == ["1-2.png", "1.png", "2.png"]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["faster-rcnn", "rcnn", "multibox"])
def test_two_processes_share_a_run_and_an_evaluation(places, tmp_path, method):
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "godeeper", "detect"]
    options = {
        "faster-rcnn": SETTINGS,
        "rcnn": RCNN,
        "multibox": MULTIBOX,
    }[method]
    common = [*SMALL, "--data", str(places / "voc"), "--workers", "0", "--epochs", "2", *options]

    def run(*arguments):
        done = subprocess.run([*launch, *map(str, arguments)], capture_output=True, text=True, timeout=500, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    run("train", *common, "--out", tmp_path / "run")
    records = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert [record["epoch"] for record in records] == [1, 2]
    assert all(np.isfinite(record["loss"]) for record in records)
    shutil.copytree(tmp_path / "run", tmp_path / "again")
    for file in (
        "model.safetensors",
        *(f"checkpoints/{one.name}" for one in sorted((tmp_path / "run/checkpoints").iterdir())[1:]),
    ):
        (tmp_path / "again" / file).unlink()
    run("train", "--resume", "--out", tmp_path / "again", "--workers", "0")
    again, before = (load_tensors(tmp_path / name / "model.safetensors")[0] for name in ("again", "run"))
    assert all(torch.equal(again[key], before[key]) for key in before)
    if method != "multibox":
        coarse = COARSE if method == "rcnn" else []
        evaluate = ["evaluate", tmp_path / "run", "--data", places / "voc", *coarse, "--json"]
        shared, alone = json.loads(run(*evaluate)), subprocess.run(
            [sys.executable, "-m", "godeeper", "detect", *map(str, evaluate)], capture_output=True, text=True, check=True
        )  # fmt: skip
        assert shared == json.loads(alone.stdout)


@pytest.mark.parametrize("size", [(1, 2000), *(pytest.param(size, marks=pytest.mark.slow) for size in ((2000, 1), (1, 1)))])
def test_long_thin_images_are_looked_at_like_others(places, capsys, tmp_path, size):
    Image.new("RGB", size).save(tmp_path / "thin.png")
    for run, options in (("faster", []), ("rcnn1", COARSE)):
        images = [tmp_path / "thin.png", places / "voc/JPEGImages/scene000.jpg"]
        assert detect("predict", places / run, *images, *options, "--json") == 0
        assert len(printed(capsys)) == 2


def test_renamed_classes_are_other_data(places, capsys, tmp_path):
    shutil.copytree(places / "voc", tmp_path / "voc")
    for file in (tmp_path / "voc/Annotations").iterdir():
        file.write_text(file.read_text().replace(">disc<", ">dice<"))
    for run in ("faster", "rcnn1", "multibox"):
        shutil.copytree(places / run, tmp_path / run)
        recipe = json.loads((tmp_path / run / "recipe.json").read_text())
        recipe["options"]["data"] = str(tmp_path / "voc")
        (tmp_path / run / "recipe.json").write_text(json.dumps(recipe))
        assert detect("train", "--resume", "--out", tmp_path / run) == 2
        assert "have changed since the run began: other" in capsys.readouterr().err


@pytest.mark.parametrize("damage", [
    lambda d: d.update(options=5), lambda d: d.update(options=None), lambda d: d.update(options={}),
    lambda d: d["options"].pop("data"), lambda d: d["options"].update(method="x"), lambda d: d["options"].update(split=None),
    lambda d: d["options"].update(data="a\0b"), lambda d: d["spec"].update(anchors=[0]), lambda d: d["spec"].pop("model"),
    lambda d: d["recipe"].update(anchors=[0]), lambda d: d.update(command="train"),
])  # fmt: skip
def test_a_damaged_recipe_is_named(places, capsys, tmp_path, damage):
    shutil.copytree(places / "faster", tmp_path / "run")
    document = json.loads((tmp_path / "run/recipe.json").read_text())
    damage(document)
    (tmp_path / "run/recipe.json").write_text(json.dumps(document))
    assert detect("train", "--resume", "--out", tmp_path / "run") == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_set_without_a_split_to_test_on_says_how_to_train(places, capsys, tmp_path):
    line = ["--model", "googlenet_bn", "--data", places / "voc", "--validate", "dev", "--out", tmp_path / "run"]
    assert detect("train", *line) == 2
    error = capsys.readouterr().err
    assert "'dev'" in error
    assert "--validate none" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("run", ["faster", "multibox", "rcnn1"])
def test_a_damaged_spec_is_named_by_its_file(places, capsys, tmp_path, run):
    shutil.copytree(places / run, tmp_path / "run")
    description = json.loads((tmp_path / "run/recipe.json").read_text())
    description["spec"] = {"format_version": 1}
    (tmp_path / "run/recipe.json").write_text(json.dumps(description))
    assert detect("train", "--resume", "--out", tmp_path / "run") == 2
    assert "run/recipe.json' is damaged" in capsys.readouterr().err


@pytest.mark.slow
def test_a_split_without_objects_has_no_coverage_and_no_map(places, capsys, tmp_path):
    shutil.copytree(places / "voc", tmp_path / "voc")
    for name in ("val.txt", "test.txt"):
        (tmp_path / "voc/ImageSets/Main" / name).write_text("scene012\n")
    write_annotation(tmp_path / "voc/Annotations/scene012.xml", (96, 72), [("disc", 1, 1, 20, 20)], difficult={0})
    assert detect("coverage", "--data", tmp_path / "voc", "--workers", 0, *COARSE, "--json") == 0
    assert printed(capsys)["coverage"] is None
    assert detect("evaluate", places / "faster", "--data", tmp_path / "voc", "--json") == 0
    assert printed(capsys)["voc"]["map"] is None
    out = tmp_path / "run"
    assert detect("train", *SMALL, "--data", tmp_path / "voc", "--epochs", 1, *SETTINGS, "--out", out, "--workers", 0) == 0
    assert "map" not in json.loads((out / "metrics.jsonl").read_text())


@pytest.mark.slow
@pytest.mark.parametrize(("lang", "expected"), [("en", "disc"), ("zh", "圆盘"), ("both", "圆盘 disc")])
def test_what_is_found_is_told_in_the_language(places, capsys, tmp_path, monkeypatch, lang, expected):
    monkeypatch.setitem(_CHINESE, "disc", "圆盘")
    predict = ["predict", places / "faster", places / "voc/JPEGImages/scene012.jpg", "--threshold", 0, "--lang", lang]
    assert detect(*predict) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert {line.split("%  ")[1].rpartition("  ")[0] for line in lines} == {expected, "square"}
    assert detect(*predict, "--json") == 0
    assert {one["class"] for one in printed(capsys)[0]["objects"]} == {expected, "square"}


def test_chinese_labels_ask_for_a_font(places, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("godeeper.explain.canvas.CJK_FONTS", ("no-such-font.ttf",))
    predict = ["predict", places / "faster", places / "voc/JPEGImages/scene012.jpg", "--lang", "zh"]
    assert detect(*predict, "--plot", tmp_path / "out.png") == 2
    assert "no font with Chinese letters is installed: install one" in capsys.readouterr().err
    assert not (tmp_path / "out.png").exists()
    assert detect(*predict) == 0
