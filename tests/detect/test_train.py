"""Training of detectors: the loader's boxes, interrupted runs that end with the same bits, several processes."""

import json
import signal
import subprocess
import sys
import textwrap
from functools import cache, partial

import numpy as np
import pytest
import torch
from accelerate import Accelerator

from detectors import faster_rcnn, multibox
from godeeper import GodeeperError
from godeeper.data.open_annotations import open_annotations
from godeeper.detect.detection_recipes import DetectionRecipe, MultiBoxRecipe
from godeeper.detect.detections import Detections
from godeeper.detect.detector import find_all
from godeeper.detect.faster_rcnn_task import FasterRCNNTask
from godeeper.detect.multibox_task import MultiBoxTask
from godeeper.detect.object_loader import ObjectTrainingSet
from godeeper.errors import BadImage
from godeeper.tensor_files import digest, load_tensors
from godeeper.train.loop import train_task
from godeeper.workflows.after_epoch import mean_average_precision_on
from scenes import voc_folder, write_annotation

RECIPE = DetectionRecipe(
    epochs=2, batch_size=2, lr=0.005, image_size=72, longest=96, anchors=(16, 32), regions=8, checkpoint_minutes=0
)


@pytest.fixture(scope="module")
def voc(tmp_path_factory):
    return voc_folder(tmp_path_factory.mktemp("scenes") / "voc", {"train": range(6), "test": range(6, 11)})


def make(kind, images, **changes):
    """A task on fresh weights, always the same ones."""
    if kind == "multibox":
        recipe = MultiBoxRecipe(epochs=2, batch_size=2, lr=0.01, boxes=8, image_size=64, checkpoint_minutes=0)
        return partial(MultiBoxTask, multibox(), images, recipe)
    changes |= {"batch_norm": "frozen"} if kind == "frozen" else {}
    recipe = DetectionRecipe(**{**RECIPE.as_dict(), **changes})
    detector = faster_rcnn(classes=images.classes, image_size=72, longest=96, anchors=recipe.anchors, regions=recipe.regions)
    return partial(FasterRCNNTask, detector, images, recipe)


def weights(run):
    return digest(load_tensors(run / "model.safetensors")[0])


@pytest.fixture(scope="module")
def uninterrupted(voc, tmp_path_factory):
    """The weights' digest at the end of a run of that kind, which is trained once."""

    @cache
    def digest_of(kind):
        run = tmp_path_factory.mktemp("whole")
        train_task(make(kind, open_annotations(voc, "train")), run, trackers=[])
        return weights(run)

    return digest_of


# Steps done: within the first epoch, at its end, within the second.
KINDS_AND_STOPS = [(kind, stop) for kind in ("faster-rcnn", "frozen", "multibox") for stop in (2, 3, 5)]
FEW = {("multibox", 2)}


@pytest.mark.parametrize(
    ("kind", "stop"), [pytest.param(*case, marks=[] if case in FEW else pytest.mark.slow) for case in KINDS_AND_STOPS]
)
def test_an_interrupted_run_ends_with_the_same_bits(voc, tmp_path, monkeypatch, uninterrupted, kind, stop):
    images = open_annotations(voc, "train")
    task = MultiBoxTask if kind == "multibox" else FasterRCNNTask
    original = task.loss

    def interrupted(self, module, batch, number):
        if number == stop - 1:
            signal.raise_signal(signal.SIGINT)
        return original(self, module, batch, number)

    monkeypatch.setattr(task, "loss", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_task(make(kind, images), tmp_path, trackers=[])
    monkeypatch.setattr(task, "loss", original)
    assert not (tmp_path / "model.safetensors").exists()
    train_task(make(kind, images), tmp_path, trackers=[], resume=True)
    assert weights(tmp_path) == uninterrupted(kind)
    records = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [record["epoch"] for record in records] == [1, 2]
    assert all(np.isfinite(record["loss"]) for record in records)


@pytest.mark.slow
def test_other_objects_are_not_resumed_with(tmp_path):
    voc = voc_folder(tmp_path / "voc", {"train": range(4)})
    train_task(make("faster-rcnn", open_annotations(voc, "train"), epochs=1), tmp_path / "run", trackers=[])
    write_annotation(voc / "Annotations/scene001.xml", (96, 72), [("disc", 1, 1, 20, 20), ("square", 30, 30, 50, 50)])
    with pytest.raises(GodeeperError, match="the data have changed since the run began: other objects;"):
        train_task(make("faster-rcnn", open_annotations(voc, "train"), epochs=1), tmp_path / "run", trackers=[], resume=True)


def test_mirrored_images_have_mirrored_boxes(voc):
    images = open_annotations(voc, "train")
    dataset = ObjectTrainingSet(images, seed=0, hflip=True, color_jitter=False)
    seen = set()
    for epoch in range(12):
        image, target = dataset[epoch, 0]
        assert image.shape == (3, 72, 96)
        assert target["labels"].tolist() == (images.objects[0].labels + 1).tolist()
        flipped = target["boxes"].tolist() != images.objects[0].boxes.tolist()
        seen.add(flipped)
        upright = image.flip(-1) if flipped else image
        assert torch.equal(upright, dataset_without_flip(images))
        for left, top, right, bottom in target["boxes"].int().tolist():  # discs and squares are darker than the ground
            assert image[:, top + 4 : bottom - 4, left + 4 : right - 4].float().mean() < 110
    assert seen == {True, False}


def dataset_without_flip(images):
    return ObjectTrainingSet(images, seed=0, hflip=False, color_jitter=False)[0, 0][0]


@pytest.mark.slow
def test_difficult_objects_are_not_learnt_from_and_bad_images_are_left_out(tmp_path):
    voc = voc_folder(tmp_path / "voc", {"train": range(4)})
    write_annotation(voc / "Annotations/scene000.xml", (96, 72), [("disc", 1, 1, 20, 20), ("disc", 30, 30, 50, 50)], {0})
    images = open_annotations(voc, "train")
    _, target = ObjectTrainingSet(images, 0, hflip=False, color_jitter=False)[0, 0]
    assert target["boxes"].tolist() == [[30, 30, 50, 50]]
    content = (voc / "JPEGImages/scene001.jpg").read_bytes()
    (voc / "JPEGImages/scene001.jpg").write_bytes(content[:400])  # whose header is whole
    train_task(make("faster-rcnn", images, epochs=1), tmp_path / "run", trackers=[])
    record = json.loads((tmp_path / "run/metrics.jsonl").read_text())
    assert (record["images"], record["skipped"]) == (3, 1)
    assert "scene001.jpg" in (tmp_path / "run/log.txt").read_text()


class Everything:
    """Finds the same box in every image."""

    classes = ("disc", "square")

    def find(self, image):
        return Detections(np.float32([[0, 0, *image.size]]), np.array([0]), np.float32([0.5]))


def test_bad_images_stop_an_evaluation_unless_they_are_to_be_skipped(tmp_path):
    voc = voc_folder(tmp_path / "voc", {"test": range(4)})
    images = open_annotations(voc, "test")
    (voc / "JPEGImages/scene002.jpg").write_bytes(b"damaged")
    with pytest.raises(BadImage, match=r"scene002.jpg"):
        find_all(Everything(), images)
    seen = []
    found = find_all(Everything(), images, skip_bad=True, progress=lambda done, of: seen.append((done, of)))
    assert found.indices == [0, 1, 3]
    assert [len(one) for one in found.detections] == [1, 1, 1]
    assert len(found.skipped) == 1
    assert seen[-1] == (4, 4)


def test_recipes_out_of_range_are_refused():
    for settings, words in (
        (["anchors=0,32"], "anchors are"),
        (["anchors=big"], "is not whole numbers such as 32,64"),
        (["longest=100"], "longest is 100, below image_size, 600"),
        (["regions=0"], "regions is 0"),
        (["batch_norm=none"], "unknown batch_norm in the recipe 'none'"),
        (["mixup=0.2"], "unknown recipe field 'mixup'"),
    ):
        with pytest.raises(GodeeperError, match=words):
            DetectionRecipe().with_overrides(settings)
    assert DetectionRecipe().with_overrides(["anchors=16, 64"]).anchors == (16, 64)


SCRIPT = """
    import json, sys
    sys.path.insert(0, {tests!r})
    from functools import cache, partial
    import torch
    from accelerate import PartialState
    from godeeper.data.open_annotations import open_annotations
    from godeeper.detect.detector import find_all
    from godeeper.detect.average_precision import score_detections
    from godeeper.detect.detector_files import load_detector

    processes = PartialState(cpu=True)
    detector = load_detector(sys.argv[1])
    images = open_annotations(sys.argv[2], "test", detector.classes)
    found = find_all(detector, images)
    scores = score_detections(found.detections, images.objects, images.classes)
    if processes.is_main_process:
        boxes = [one.boxes.tolist() for one in found.detections]
        print(json.dumps([found.indices, boxes, scores.as_dict()]))
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_evaluation_over_processes_is_that_of_one(voc, tmp_path):
    """Five images: shared evenly by neither two nor three."""
    task = make("faster-rcnn", open_annotations(voc, "train"))(Accelerator(cpu=True))
    task.save(task.network, tmp_path / "model.safetensors")
    (tmp_path / "script.py").write_text(textwrap.dedent(SCRIPT.format(tests="tests")))
    results = []
    for count in (1, 2, 3):
        run = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
        command = [*run, str(tmp_path / "script.py"), str(tmp_path), str(voc)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        results.append(json.loads(done.stdout.splitlines()[-1]))
    assert results[0][0] == [0, 1, 2, 3, 4]
    assert results[0] == results[1] == results[2]


@pytest.mark.slow
def test_it_learns_to_find_shapes(tmp_path):
    """300 steps from scratch, two to three minutes on one core: from near 0 % to above 30 %, where chance is below 5 %."""
    voc = voc_folder(tmp_path / "voc", {"train": range(100), "test": range(100, 130)})
    images, held_out = open_annotations(voc, "train"), open_annotations(voc, "test")
    detector = faster_rcnn(classes=images.classes, image_size=144, longest=192, anchors=(32, 64), regions=16)
    recipe = DetectionRecipe(
        epochs=12, batch_size=4, image_size=144, longest=192, anchors=(32, 64), regions=16, precision="fp32"
    )  # fmt: skip
    train_task(
        partial(FasterRCNNTask, detector, images, recipe), tmp_path / "run", trackers=[],
        evaluate=mean_average_precision_on(held_out),
    )  # fmt: skip
    records = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert records[0]["map"] < 10
    assert records[-1]["map"] > 20
