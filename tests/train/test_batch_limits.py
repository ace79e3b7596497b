"""What batches can teach: batch norm over one value, mixed images, images that an epoch leaves out, options without effect."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from torch import nn

from detectors import faster_rcnn
from godeeper import GodeeperError, Recipe, create_model
from godeeper.data.batches import StreamBatches, batches_of
from godeeper.data.dataset import ArrayDataset
from godeeper.data.loader import Batch
from godeeper.detect.detection_recipes import DetectionRecipe
from godeeper.detect.faster_rcnn_task import FasterRCNNTask
from godeeper.train import recipes, train
from godeeper.train.batch_norm import needs_two
from godeeper.train.classification import Classification
from godeeper.train.epoch import EpochTotals
from godeeper.train.step import StepResult
from noise import SomeBad

RECIPE = Recipe(epochs=1, batch_size=2, image_size=32, lr=0.01, warmup_epochs=0, auxiliary_weight=0)


def some(count):
    return ArrayDataset(np.random.default_rng(0).integers(0, 256, (count, 8, 8), np.uint8), [n % 2 for n in range(count)], "some")


def network(model="googlenet_bn", **options):
    torch.manual_seed(0)
    return create_model(model, num_classes=2, width=0.125, small=True, **options)


def single_values(body, shape):
    """Asks torch: whether training on a batch of one raises its error."""
    try:
        body.train()(torch.zeros(1, *shape))
    except ValueError as error:
        return "more than 1 value per channel" in str(error)
    return False


@pytest.mark.parametrize(
    ("body", "shape"),
    [
        (nn.Sequential(nn.Conv2d(3, 4, 4), nn.BatchNorm2d(4)), (3, 4, 4)),
        (nn.Sequential(nn.Conv2d(3, 4, 4), nn.BatchNorm2d(4)), (3, 4, 5)),
        (nn.Sequential(nn.BatchNorm2d(3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.BatchNorm1d(3)), (3, 4, 4)),
        (nn.Conv2d(3, 4, 4), (3, 4, 4)),
    ],
)
def test_two_images_are_needed_where_torch_refuses_one(body, shape):
    before = {name: tensor.clone() for name, tensor in body.state_dict().items()}
    needed = needs_two(body, *shape)
    assert all(torch.equal(tensor, before[name]) for name, tensor in body.state_dict().items())
    assert needed == single_values(body, shape)


def test_batches_of_one_are_refused_where_they_cannot_work(tmp_path):
    recipe = replace(RECIPE, batch_size=1)
    facenet = network("inception_resnet_v1_facenet")  # a normed embedding of each image
    with pytest.raises(GodeeperError, match=r"facenet cannot learn from batches of a single image.*batch_size=2"):
        train(facenet, some(4), recipe, tmp_path / "run", trackers=())
    with pytest.raises(GodeeperError, match="a single image"):
        train(facenet, some(1), replace(recipe, batch_size=8), tmp_path / "run", trackers=())
    with pytest.raises(GodeeperError, match="mixup and cutmix mix the images of a batch"):
        train(network(), some(4), replace(recipe, mixup=0.2), tmp_path / "run", trackers=())
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_batch_that_bad_images_make_too_short_is_dropped_and_counted(tmp_path):
    facenet, images = network("inception_resnet_v1_facenet"), SomeBad(some(7), (0,))
    run = train(facenet, images, replace(RECIPE, epochs=4), tmp_path / "run", trackers=())
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert all(record["images"] + 2 * record["dropped_batches"] == 6 for record in records)
    assert all(record["dropped_batches"] == record["skipped"] for record in records)  # none where it is the image left out
    dropped = sum(record["dropped_batches"] for record in records)
    assert dropped
    text = (run / "log.txt").read_text()
    assert text.count("is left out: too few images") == dropped
    assert "an epoch has 3 batches of 2 images and leaves out 1" in text


class Scenes(list):
    """Stands for a `DetectionDataset` that is not looked into."""

    classes, objects, files = ("disc", "square"), (), ()


@pytest.mark.parametrize(("regions", "mode", "needed"), [(1, "trained", True), (2, "trained", False), (1, "frozen", False)])
def test_a_detector_that_learns_from_one_region_needs_two_images(regions, mode, needed):
    detector = faster_rcnn("inception_resnet_v1_facenet", regions=regions)
    recipe = DetectionRecipe(batch_size=1, regions=regions, batch_norm=mode)
    task = FasterRCNNTask(detector, Scenes([1, 2]), recipe, Accelerator(cpu=True))
    if not needed:
        return task.prepare({})
    with pytest.raises(GodeeperError, match="this detector of inception_resnet_v1_facenet cannot learn from batches of a single"):
        task.prepare({})


def test_batch_norm_that_is_not_there_cannot_be_frozen():
    with pytest.raises(GodeeperError, match="googlenet has no batch norm"):
        FasterRCNNTask(
            faster_rcnn("googlenet"), Scenes([1]), DetectionRecipe(batch_norm="frozen"), Accelerator(cpu=True)
        )  # fmt: skip


class Oracle(nn.Module):
    """Knows every image: the class of most of its pixels, dark or bright."""

    def forward(self, x):
        bright = (x > 0).float().mean((1, 2, 3)) > 0.5
        return nn.functional.one_hot(bright.long(), 2).float(), {}


def test_the_error_on_mixed_images_has_its_own_name_and_is_zero_for_who_knows_them():
    labels = torch.tensor([0, 0, 1, 1])  # an image and the one half a batch further on are of different classes
    batch = Batch((255 * labels.view(4, 1, 1, 1)).expand(4, 3, 32, 32).to(torch.uint8), labels, ())
    for recipe, name in ((replace(RECIPE, cutmix=1.0), "mixed_error"), (RECIPE, "train_error")):
        task = Classification(network(), some(8), recipe, Accelerator(cpu=True))
        metrics = [task.loss(Oracle(), batch, step).metrics for step in range(12)]
        assert [set(each) for each in metrics] == [{"loss", name}] * 12
        assert [float(each[name]) for each in metrics] == [0] * 12


@pytest.mark.parametrize(("count", "batch_size", "left"), [(33, 32, 1), (63, 32, 31), (64, 32, 0), (5, 8, 0)])
def test_batches_say_how_many_images_they_leave_out(count, batch_size, left):
    batches = batches_of(some(count), batch_size, 0)
    assert batches.left_out == left == count - sum(map(len, batches))
    assert StreamBatches(range(40 + left), 40, 0).left_out == left


def test_the_speed_is_that_of_all_processes():
    totals = EpochTotals({"loss": 10.0}, images=10, seconds=10.0)  # of both processes, before an interruption
    totals.add(StepResult(torch.zeros(()), {"loss": 10.0}, 10, True))
    assert totals.text(2) == "loss 1.000, 3 images/s"


def test_heads_and_their_weight_go_together(tmp_path):
    headed = replace(RECIPE, auxiliary_weight=0.3)
    with pytest.raises(GodeeperError, match=r"auxiliary_weight is 0\.3, but this googlenet_bn was made without.*aux=True"):
        train(network(), some(4), headed, tmp_path / "run", trackers=())
    with pytest.raises(GodeeperError, match="auxiliary_weight is 0, but this googlenet_bn has auxiliary heads"):
        train(network(aux=True), some(4), RECIPE, tmp_path / "run", trackers=())
    assert not (tmp_path / "run").exists()
    Classification(network("inception_resnet_v1"), some(4), headed, Accelerator(cpu=True)).prepare({})  # whose table has none


def test_settings_without_effect_are_refused():
    for setting, words in (
        ("rmsprop_eps=0.1", "rmsprop_eps takes effect with optimizer=rmsprop only, not sgd"),
        ("step_factor=0.5", "step_factor takes effect with schedule=step only, not cosine"),
    ):
        with pytest.raises(GodeeperError, match=words):
            Recipe().with_overrides([setting])
    assert Recipe().with_overrides(["step_factor=0.5", "schedule=step"]).step_factor == 0.5
    assert recipes["inception_2016"].with_overrides(["schedule=cosine"]).step_factor == 0.94  # nobody asks for it here
