"""MultiBox: its loss against one computed by hand, its priors, the boxes it proposes, and that it learns."""

import math
from dataclasses import replace
from functools import partial
from itertools import permutations

import numpy as np
import pytest
import torch
from PIL import Image

from detectors import few_of_all, multibox
from godeeper import BadCheckpoint, GodeeperError, create_model
from godeeper.data.annotations import DetectionDataset, Objects
from godeeper.data.open_annotations import open_annotations
from godeeper.detect.detection_recipes import MultiBoxRecipe
from godeeper.detect.detector_files import load_multibox, save_multibox
from godeeper.detect.detector_spec import MultiBoxSpec
from godeeper.detect.multibox import MultiBox, MultiBoxProposals, cluster_boxes, multibox_loss
from godeeper.detect.multibox_task import MultiBoxTask
from godeeper.detect.proposals import coverage
from godeeper.papers.registry import list_models
from godeeper.tensor_files import load_tensors, save_tensors
from godeeper.train.loop import train_task
from scenes import scene, voc_folder


def sure(log_odds):
    return 1 / (1 + math.exp(-log_odds))


def test_the_loss_of_one_object_is_as_by_hand():
    """The object is nearer to the second prior, whatever the places themselves are: the first lies right on it."""
    priors = torch.tensor([[0.0, 0.0, 0.4, 0.4], [0.5, 0.5, 1.0, 1.0]])
    there = torch.tensor([[0.6, 0.5, 1.0, 0.9]])
    places = torch.stack([there[0], torch.tensor([0.5, 0.5, 0.8, 1.0])])[None]
    losses = multibox_loss(places, torch.tensor([[1.0, -2.0]]), priors, [there])
    assert losses["localization"].item() == pytest.approx(0.3 * 0.5 * (0.1**2 + 0 + 0.2**2 + 0.1**2))
    assert losses["confidence"].item() == pytest.approx(-math.log(1 - sure(1.0)) - math.log(sure(-2.0)))


@pytest.mark.parametrize("count", [1, 3, 4, 6])  # of objects, to four priors
def test_the_assignment_is_the_best_of_all(count):
    random = np.random.default_rng(count)
    priors, there, places = (random.random((many, 4)).astype(np.float32) for many in (4, count, 4))
    odds = random.normal(size=4)
    few = min(4, count)
    pairs = [
        list(zip(ours, theirs, strict=True))
        for ours in permutations(range(4), few)
        for theirs in permutations(range(count), few)
    ]  # fmt: skip
    best = min(pairs, key=lambda pair: sum(((priors[i] - there[j]) ** 2).sum() for i, j in pair))
    matched = {ours for ours, _ in best}
    places_loss = 0.3 * sum(0.5 * ((places[i] - there[j]) ** 2).sum() for i, j in best)
    confidence = -sum(math.log(sure(odd) if i in matched else 1 - sure(odd)) for i, odd in enumerate(odds))
    # A second image, without objects, asks only that nothing is sure; losses are means over the two.
    nothing = -sum(math.log(1 - sure(odd)) for odd in odds)
    losses = multibox_loss(
        torch.tensor(places).expand(2, 4, 4), torch.tensor(odds, dtype=torch.float32).expand(2, 4), torch.tensor(priors),
        [torch.tensor(there), torch.zeros(0, 4)],
    )  # fmt: skip
    assert losses["localization"].item() == pytest.approx(places_loss / 2, rel=1e-5)
    assert losses["confidence"].item() == pytest.approx((confidence + nothing) / 2, rel=1e-5)


def test_priors_are_the_middles_of_clusters():
    random = np.random.default_rng(0)
    middles = np.float32([[0.1, 0.1, 0.3, 0.3], [0.2, 0.5, 0.8, 0.9], [0.6, 0.1, 0.9, 0.4]])
    boxes = (middles[:, None] + random.uniform(-0.01, 0.01, (3, 50, 4))).astype(np.float32).reshape(-1, 4)
    found = [cluster_boxes(random.permutation(boxes), 3, seed) for seed in range(8)]
    for priors in found:  # each the mean of what is nearest to it, wherever it began
        nearest = ((boxes[:, None] - priors) ** 2).sum(-1).argmin(1)
        np.testing.assert_allclose(priors, [boxes[nearest == which].mean(0) for which in range(3)], atol=1e-6)
    obvious = boxes.reshape(3, 50, 4).mean(1)
    assert any(np.allclose(priors[priors[:, 0].argsort()], obvious, atol=1e-6) for priors in found)
    assert found[0].dtype == np.float32
    np.testing.assert_array_equal(cluster_boxes(boxes, 3, seed=0), cluster_boxes(boxes, 3, seed=0))


def test_fewer_boxes_than_priors_are_repeated_and_none_are_refused():
    boxes = np.float32([[0, 0, 0.5, 0.5], [0, 0, 0.5, 0.5], [0.5, 0, 1, 1]])
    found = cluster_boxes(boxes, 5, seed=0)
    assert found.shape == (5, 4)
    assert {tuple(prior) for prior in found.tolist()} == {tuple(box) for box in boxes.tolist()}
    with pytest.raises(GodeeperError, match="no objects to make priors of"):
        cluster_boxes(boxes[:0], 5, seed=0)


@pytest.mark.parametrize("size", [(96, 72), (33, 200)])
def test_untrained_it_proposes_its_priors_in_the_images_own_pixels(size):
    model = multibox(boxes=5)
    model.priors.copy_(torch.tensor([
        [0.25, 0.5, 0.75, 1.0], [0.0, 0.0, 1.0, 1.0],
        [-0.2, 0.5, 0.5, 1.3],  # cut at the edges
        [0.5, 0.5, 0.5, 0.9], [1.1, 0.1, 1.4, 0.5],  # of no width; beyond the image
    ]))  # fmt: skip
    with torch.no_grad():
        model.network.head["linear"].linear.weight.zero_()
        model.network.head["linear"].linear.bias.view(5, 5)[:, 4] = torch.tensor([0.0, -1.0, 2.0, 3.0, 4.0])
    image = Image.new("RGB", size, (90, 120, 30))
    boxes = model.train().propose(image)
    assert model.training  # as it was
    width, height = size
    expected = [
        [0, height / 2, width / 2, height], [width / 4, height / 2, width * 3 / 4, height], [0, 0, width, height],
    ]  # fmt: skip
    assert boxes.dtype == np.float32
    np.testing.assert_allclose(boxes, np.float32(expected), rtol=1e-6)


def test_boxes_of_training_come_to_the_loss_as_shares_of_their_own_image(tmp_path):
    """The priors of one-object images of different shapes are those objects, so that the places' loss is nothing."""
    shapes, shares = [(96, 72), (40, 120), (64, 64)], np.float32([[0.25, 0.5, 0.75, 1], [0, 0.25, 0.5, 0.5], [0.5, 0, 1, 0.75]])
    objects = [
        Objects(np.float32([share * [*shape, *shape], [0, 0, 5, 5]]), np.array([0, 0]), np.array([False, True]))
        for shape, share in zip(shapes, shares, strict=True)
    ]
    files = [tmp_path / f"{index}.png" for index in range(3)]
    for file, shape in zip(files, shapes, strict=True):
        Image.new("RGB", shape, (200, 40, 40)).save(file)
    images = DetectionDataset(("thing",), files, shapes, objects, "train")
    recipe = MultiBoxRecipe(boxes=3, image_size=64, batch_size=3, hflip=False)
    model = multibox(boxes=3)
    task = MultiBoxTask(model, images, recipe, Alone())
    np.testing.assert_allclose(sorted(model.priors.tolist()), sorted(shares.tolist()), rtol=1e-6)
    (batch,) = task.loader(0)
    loss = task.loss(task.module(), batch, 0)
    assert loss.metrics["localization"].item() == pytest.approx(0, abs=1e-10)
    assert loss.metrics["confidence"].item() > 0
    assert loss.metrics["loss"].item() == pytest.approx(loss.value.item() * 3)


class Alone:
    """An accelerator of one process."""

    process_index, num_processes = 0, 1


def test_weights_of_a_classifier_are_taken_over():
    torch.manual_seed(3)
    network = create_model("googlenet_bn", num_classes=5, width=0.125)
    stages = MultiBox(MultiBoxSpec.of(network.spec, 96, boxes=8), network).network.stages
    assert all(torch.equal(one, other) for one, other in zip(stages.parameters(), network.stages.parameters(), strict=True))


def test_a_saved_network_proposes_the_same(tmp_path):
    model = multibox().eval()
    model.priors.copy_(torch.from_numpy(cluster_boxes(np.random.default_rng(0).random((20, 4)).astype(np.float32), 8, seed=0)))
    torch.nn.init.normal_(model.network.head["linear"].linear.weight, std=0.05)
    save_multibox(model, tmp_path / "model.safetensors")
    loaded = load_multibox(tmp_path)  # the folder, or the file
    image, _ = scene(0)
    boxes = model.propose(image)
    assert len(boxes)
    np.testing.assert_array_equal(loaded.propose(image), boxes)
    np.testing.assert_array_equal(loaded.propose(image), boxes)  # again
    assert not loaded.training
    assert MultiBoxProposals(loaded).name == MultiBoxProposals(model).name
    assert MultiBoxProposals(multibox()).name != MultiBoxProposals(model).name
    loaded.spec = replace(loaded.spec, image_size=loaded.spec.image_size + 8)
    assert MultiBoxProposals(loaded).name != MultiBoxProposals(model).name  # equal weights, other images


def test_files_of_others_are_refused(tmp_path, weights_file):
    with pytest.raises(
        BadCheckpoint, match=r"holds no MultiBox network: give a run of `godeeper detect train --method multibox`"
    ):
        load_multibox(weights_file)
    save_multibox(multibox(), tmp_path / "good.safetensors")
    tensors, metadata = load_tensors(tmp_path / "good.safetensors")
    bad = tmp_path / "bad.safetensors"
    spec = metadata["multibox"]
    save_tensors(bad, tensors, {"multibox": {**spec, "boxes": 9}})
    with pytest.raises(BadCheckpoint, match="does not fit the network that it describes: size mismatch"):
        load_multibox(bad)
    for change in ({"boxes": 0}, {"boxes": "many"}, {"channels": 10**9}, {"image_size": 0}, {"model": {}}, {"format_version": 2}):
        save_tensors(bad, tensors, {"multibox": {**spec, **change}})
        with pytest.raises(BadCheckpoint, match="describes a multibox that cannot be built"):
            load_multibox(bad)
    save_tensors(bad, tensors, {"multibox": {**spec, "boxes": 10_000, "units": 50_000}})  # 50,000 x 50,000 weights
    with pytest.raises(BadCheckpoint, match="parameters: a file may ask for 2,000,000,000 at most"):
        load_multibox(bad)
    save_tensors(bad, {**tensors, "priors": tensors["priors"] * math.nan}, metadata)
    with pytest.raises(BadCheckpoint, match="holds values that are not finite"):
        load_multibox(bad)


@pytest.mark.parametrize(
    "model",
    few_of_all(
        [name for name in list_models() if name != "googlenet_cifar"], "googlenet", "inception_resnet_v1_facenet", "vgg16"
    ),
)
def test_the_whole_family_learns(model):
    network = multibox(model, 96)
    places, odds = network.train()(torch.randn(2, 3, 96, 96))
    assert (places.shape, odds.shape) == ((2, 8, 4), (2, 8))
    losses = multibox_loss(places, odds, network.priors, [torch.tensor([[0.1, 0.2, 0.5, 0.6]]), torch.zeros(0, 4)])
    sum(losses.values()).backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_a_size_that_does_not_fit_is_named():
    with pytest.raises(GodeeperError, match="inception_v4 takes images of at least 75x75 pixels, not 64x64"):
        multibox("inception_v4")
    with pytest.raises(GodeeperError, match=r"bn_inception_caffe cannot take images of 240x240 pixels: .* 255x255 fits"):
        multibox("bn_inception_caffe", 240)


def made(images, **recipe):
    return partial(MultiBoxTask, multibox(), images, MultiBoxRecipe(boxes=8, image_size=64, precision="fp32", **recipe))


@pytest.mark.slow
def test_it_learns_where_shapes_are(tmp_path):
    """Of images it has not seen, it covers far more objects than its priors do, and by its three surest boxes, too."""
    voc = voc_folder(tmp_path / "voc", {"train": range(200), "test": range(200, 260)}, most=1)
    images, tested = open_annotations(voc, "train"), open_annotations(voc, "test")
    train_task(made(images, epochs=12, batch_size=8, lr=0.05, color_jitter=False), tmp_path / "run", trackers=[])
    learnt = load_multibox(tmp_path / "run")
    found = [learnt.propose(tested.image(index)) for index in range(len(tested))]
    priors = [learnt.priors.numpy() * np.float32([*size, *size]) for size in tested.sizes]
    before = coverage(priors, tested.objects).percent
    assert 0 < before < 40
    assert coverage(found, tested.objects).percent > before + 10
    assert coverage([boxes[:3] for boxes in found], tested.objects).percent > before + 10
