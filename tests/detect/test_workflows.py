"""What `godeeper detect` does, from Python: typed results, progress, nothing printed; and tables that no registry knows."""

import json
import shutil
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from detectors import COARSE, train_detectors
from godeeper import GodeeperError
from godeeper.data.decode import decode
from godeeper.data.open_annotations import open_annotations
from godeeper.detect.detections import Detections
from godeeper.detect.detector_files import load_detector
from godeeper.errors import BadImage
from godeeper.papers.registry import definition, list_models, variant
from godeeper.tensor_files import load_tensors
from godeeper.workflows import Progress, evaluate_detector, find_objects, measure_coverage, plot_objects, train, train_detector
from scenes import voc_folder, write_annotation

GEOMETRY = ["image_size=72", "longest=96", "anchors=16,32", "regions=8"]


@pytest.fixture(scope="session")
def runs(make_once):
    return make_once("detect-runs", train_detectors)


def test_an_evaluation_is_typed_and_silent(runs, capsys):
    seen = []
    result = evaluate_detector([runs / "faster"], runs / "voc", on_progress=seen.append)
    assert seen[-1] == Progress("detecting", 4, 4)
    assert (result.voc.images, result.ilsvrc.rule, result.is_main) == (4, "ilsvrc", True)
    assert result.as_dict()["models"] == [str(runs / "faster")]
    assert result.as_dict()["voc"]["map"] == result.voc.mean_average_precision
    again = evaluate_detector(load_detector(runs / "faster"), runs / "voc")  # the detector itself
    assert again.as_dict() | {"models": 0} == result.as_dict() | {"models": 0}
    assert capsys.readouterr() == ("", "")


def test_images_are_what_people_have(runs, capsys, tmp_path):
    file = runs / "voc/JPEGImages/scene000.jpg"
    (tmp_path / "bad.jpg").write_bytes(b"no image")
    seen = []
    images = [file, str(file), file.read_bytes(), decode(file), np.array(decode(file)), tmp_path / "bad.jpg"]
    result = find_objects([runs / "faster"], images, threshold=0.06, on_progress=seen.append)
    first, *others, bad = result.outcomes
    assert len(first) > 0
    assert all((other.boxes == first.boxes).all() and (other.scores == first.scores).all() for other in others)
    assert isinstance(bad, BadImage)
    assert result.bad == [bad]
    assert [progress.done for progress in seen] == [1, 2, 3, 4, 5, 6]
    one = find_objects([runs / "faster"], [file], threshold=0.06)
    assert plot_objects(one, [file], tmp_path / "plot.png") == [tmp_path / "plot.png"]
    assert decode(tmp_path / "plot.png").size == (96, 72)
    assert capsys.readouterr() == ("", "")


@pytest.fixture
def unsound(tmp_path):
    """Scenes to test on: one has an unsound box beside a sound one, the annotation of another is of another size."""
    voc = voc_folder(tmp_path / "voc", {"test": range(12, 16)})
    write_annotation(voc / "Annotations/scene012.xml", (96, 72), [("disc", 1, 1, 20, 20), ("disc", 5, 5, 5, 9)])
    write_annotation(voc / "Annotations/scene013.xml", (48, 36), [("disc", 1, 1, 20, 20)])
    return voc


def test_an_evaluation_stops_at_unsound_annotations_or_counts_them(unsound):
    words = r"scene013.xml': it is of an image of 48x36.*\(and 1 more with faults\); --skip-bad"
    detecting = partial(evaluate_detector, Nothing(), unsound)
    for evaluation in (detecting, partial(measure_coverage, unsound, proposer=WholeImage(), workers=0)):
        with pytest.raises(GodeeperError, match=words):
            evaluation()
        result = evaluation(skip_bad=True).as_dict()
        assert result["images"] == 3
        assert ["scene013.xml" in result["skipped"][0], "scene012.xml" in result["skipped_boxes"][0]] == [True, True]


def test_training_leaves_out_what_is_unsound_and_reports_it_once(unsound, tmp_path):
    messages = []
    train_detector(
        tmp_path / "run", "googlenet_bn", unsound, method="multibox", split="test", validate="test", width=0.125, workers=0,
        overrides=["epochs=2", "batch_size=3", "boxes=8", "image_size=64"], on_message=messages.append,
    )  # fmt: skip
    assert sum("unsound images, left out: 1, by file: scene013.jpg (1)" in message for message in messages) == 1
    assert sum("unsound boxes, left out: 1, by file: scene012.jpg (1)" in message for message in messages) == 1
    assert "scene013.jpg (1)" in (tmp_path / "run/log.txt").read_text()
    left_out = json.loads((tmp_path / "run/recipe.json").read_text())["left_out"]["test"]
    assert (len(left_out["images"]), sum(left_out["boxes"].values())) == (1, 1)


def test_training_on_no_objects_is_refused(unsound, tmp_path):
    for number in range(12, 16):
        write_annotation(unsound / f"Annotations/scene{number:03}.xml", (96, 72), [])
    write_annotation(unsound / "Annotations/scene099.xml", (96, 72), [("disc", 1, 1, 20, 20)])  # of another split
    with pytest.raises(GodeeperError, match=r"the split 'test' of .* has no objects to learn from: annotate some, or choose"):
        train_detector(tmp_path / "run", "googlenet_bn", unsound, split="test", validate="none", width=0.125)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_regions_are_not_proposed_in_an_image_that_cannot_be_decoded(runs, tmp_path):
    voc, messages = tmp_path / "voc", []
    shutil.copytree(runs / "voc", voc)
    file = voc / "JPEGImages/scene001.jpg"
    file.write_bytes(file.read_bytes()[:1500])  # the header is whole
    train_detector(
        tmp_path / "run", "googlenet_bn", voc, method="rcnn", width=0.125, small=True, validate="none", workers=0,
        superpixels=8.0, overrides=["epochs=1", "image_size=32"], on_message=messages.append,
    )  # fmt: skip
    assert sum("skipped" in message and "scene001.jpg" in message for message in messages) == 1


class Nothing:
    """Finds nothing."""

    classes = ("disc", "square")

    def find(self, image):
        return Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0, np.float32))


class WholeImage:
    """Proposes the image itself."""

    name = "whole"

    def __call__(self, image):
        return np.float32([[0, 0, *image.size]])


def test_coverage_of_proposals_of_ones_own(runs):
    result = measure_coverage(runs / "voc", proposer=WholeImage(), workers=0)
    assert result.as_dict() == {
        "images": 4, "objects": result.coverage.objects, "coverage": 0, "proposals": 1, "skipped": [], "skipped_boxes": [],
    }  # fmt: skip
    assert result.coverage.objects > 0
    assert measure_coverage(runs / "voc", superpixels=float(COARSE[1]), workers=0).coverage.covered > 0


@pytest.mark.slow
def test_an_edited_table_trains_resumes_and_finds(runs, tmp_path, capsys):
    """One filter count changed, and a name that no registry knows."""
    table = variant(definition("googlenet_bn"), width=0.125)
    reduce, conv = table.stages["conv2"]
    table = replace(table, name="mine", stages={**table.stages, "conv2": (reduce, replace(conv, filters=conv.filters + 8))})
    messages, seen = [], []
    overrides = ["epochs=2", "batch_size=2", *GEOMETRY]
    run, again = tmp_path / "run", tmp_path / "again"
    common = {"on_message": messages.append, "on_progress": seen.append, "workers": 0}
    result = train_detector(run, table, runs / "voc", overrides=overrides, **common)
    assert [record["epoch"] for record in result.metrics] == [1, 2]
    assert messages[-1].startswith("done:")
    assert seen[-1].done == seen[-1].total == 4
    shutil.copytree(run, again)  # as it was after its first epoch
    (again / "model.safetensors").unlink()
    sorted((again / "checkpoints").iterdir())[-1].unlink()
    train_detector(again, resume=True, **common)
    first, second = (load_tensors(folder / "model.safetensors")[0] for folder in (run, again))
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert "mine" not in list_models()
    assert load_detector(again).definition.name == "mine"
    assert len(find_objects([again], [runs / "voc/JPEGImages/scene000.jpg"], threshold=0).outcomes) == 1
    assert capsys.readouterr() == ("", "")


@pytest.mark.slow
@pytest.mark.parametrize(("method", "overrides"), [("multibox", ["boxes=8", "image_size=64"]), ("faster-rcnn", GEOMETRY)])
def test_a_run_without_a_checkpoint_begins_again_from_its_weights(runs, tmp_path, method, overrides):
    """The weights of a classifier, also where nothing but the plan is left of the run."""
    voc, run, again = runs / "voc", tmp_path / "run", tmp_path / "again"
    train_detector(
        run, "googlenet_bn", voc, method=method, width=0.125, weights=weights_of(tmp_path), validate="none", workers=0,
        overrides=["epochs=1", *overrides],
    )  # fmt: skip
    shutil.copytree(run, again, ignore=shutil.ignore_patterns("*.safetensors"))
    train_detector(again, resume=True, workers=0)
    first, second = (load_tensors(folder / "model.safetensors")[0] for folder in (run, again))
    assert all(torch.equal(first[key], second[key]) for key in first)


def weights_of(folder):
    from godeeper import create_model, save

    torch.manual_seed(7)
    save(create_model("googlenet_bn", num_classes=3, width=0.125), folder / "classifier.safetensors")
    return folder / "classifier.safetensors"


def test_what_does_not_go_together_is_named(runs, tmp_path):
    voc = runs / "voc"
    for options, words in (
        ({"method": "yolo"}, "unknown method 'yolo'"),
        ({"small": True}, "--small is of --method rcnn, not of faster-rcnn"),
        ({"data": None}, "--data is needed"),
        ({"overrides": ["anchors=0,1"]}, "recipe: anchors are"),
    ):
        with pytest.raises(GodeeperError, match=words):
            train_detector(tmp_path / "x", **{"model": "googlenet_bn", "data": voc, "width": 0.125, **options})
    with pytest.raises(GodeeperError, match="differs from 'googlenet_bn'"):
        train_detector(runs / "faster", "inception_v4", resume=True)
    with pytest.raises(GodeeperError, match="goes on by `godeeper detect train --resume"):
        train(runs / "faster", resume=True)
    assert not (tmp_path / "x").exists()
    assert json.loads((runs / "faster/recipe.json").read_text())["options"]["model"] == "googlenet_bn"
    assert open_annotations(voc, "test").classes == ("disc", "square")
