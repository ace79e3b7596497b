"""Faster R-CNN on the whole family: shapes from the tables, one training step each, frozen batch norm, weights on disk."""

import json
import resource
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from detectors import CLASSES, faster_rcnn, few_of_all
from godeeper import BadCheckpoint, GodeeperError, create_model, list_models
from godeeper.detect.detector_files import load_detector, save_detector
from godeeper.detect.detector_spec import DetectorSpec
from godeeper.detect.faster_rcnn import FasterRCNN, ResizeNormalize
from godeeper.models.build import build_stages
from godeeper.models.network import Network
from godeeper.models.spec import ModelSpec
from godeeper.papers.detection import aligned, levels, split, stage_outputs, trunk
from godeeper.papers.registry import definition, variant
from godeeper.papers.shape import FeatureShape
from godeeper.tensor_files import load_tensors, save_tensors
from networks import alive

TABLES = [name for name in list_models() if name != "googlenet_cifar"]  # whose features are 8 pixels apart

SMALL = {"image_size": 96, "longest": 128, "anchors": (8, 16, 32, 64, 128), "regions": 16}


def detector(name="googlenet_bn", **options):
    return faster_rcnn(name, **{**SMALL, **options})


def images_and_targets():
    torch.manual_seed(1)
    boxes = torch.tensor([[10.0, 10, 40, 50], [60, 20, 90, 60]])
    nothing = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.long)}
    return [torch.rand(3, 96, 128), torch.rand(3, 96, 120)], [{"boxes": boxes, "labels": torch.tensor([1, 2])}, nothing]


LAYOUTS = ["classical", "pyramid", "atrous"]
FEW = [("googlenet", "classical"), ("inception_v3", "pyramid"), ("inception_resnet_v1_facenet", "classical"), ("vgg16", "atrous")]


@pytest.mark.parametrize(("name", "way"), few_of_all([(name, way) for name in TABLES for way in LAYOUTS], *FEW))
def test_every_member_takes_a_training_step(name, way):
    made = detector(name, **({} if way == "classical" else {way: True})).train()
    losses = made.losses(*images_and_targets())
    assert set(losses) == {"classifier", "box_reg", "objectness", "rpn_box_reg"}
    sum(losses.values()).backward()
    without = [key for key, parameter in made.named_parameters() if parameter.grad is None]
    assert without == []
    before = torch.cat([parameter.detach().flatten() for parameter in made.parameters()])
    torch.optim.SGD(made.parameters(), lr=1e-3).step()
    after = torch.cat([parameter.detach().flatten() for parameter in made.parameters()])
    assert torch.isfinite(after).all()
    assert not torch.equal(before, after)


# The print's own figures: 14x14 for GoogLeNet's Table 1, 17x17 for the 2016 paper's; channels beside them.
SPLITS = {
    "googlenet": ("4e", (832, 14, 14)), "bn_inception": ("4d", (576, 14, 14)), "inception_v3": ("B", (768, 17, 17)),
    "inception_v4": ("B", (1024, 17, 17)), "inception_resnet_v1": ("B", (896, 17, 17)),
    "inception_resnet_v2": ("B", (1088, 17, 17)), "alexnet": ("conv5", (256, 13, 13)), "vgg16": ("conv5", (512, 14, 14)),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_the_split_is_where_features_are_sixteen_pixels_apart(name):
    table = definition(name)
    if name in SPLITS:
        assert (split(table), stage_outputs(table)[split(table)].chw) == SPLITS[name]
    assert stage_outputs(table)[split(table)].jump == 16
    assert [shape.jump for shape in levels(table).values()] == [4, 8, 16, 32]


@pytest.mark.parametrize(("atrous", "stride"), [(False, 16), (True, 8)])
@pytest.mark.parametrize("name", few_of_all(TABLES, "googlenet", "bn_inception", "inception_v4", "vgg16"))
def test_the_trunks_modules_have_the_shape_that_the_table_says(name, atrous, stride):
    table = variant(definition(name), width=0.125)
    stages = trunk(table, atrous)
    modules, there = build_stages(stages, FeatureShape(3, 96, 160), table.batch_norm)
    x = torch.rand(1, 3, 96, 160)
    for stage, module in modules.items():
        x = module.eval()(x)
        assert tuple(x.shape[1:]) == there[stage].chw
    uneven = atrous and name.startswith("vgg")  # a pool of 2x2 without stride loses a row
    assert tuple(x.shape[2:]) == ((11, 19) if uneven else (96 // stride, 160 // stride))


@pytest.mark.parametrize("name", few_of_all(TABLES, "googlenet_torchvision", "inception_v3", "alexnet"))
def test_grids_lie_over_the_image(name):
    """With filters that only average, a square's features lie around the square's own middle, to within half a stride."""
    table = replace(variant(definition(name), width=0.125), batch_norm=None)
    modules, _ = build_stages(trunk(table), FeatureShape(3, 320, 320), None)
    with torch.no_grad():
        for parameter in modules.parameters():
            parameter.fill_(1 / parameter[0].numel() if parameter.ndim == 4 else 0)
    for left in (256, 280, 304):
        x = torch.zeros(1, 3, 96, 640)
        x[..., 16:80, left : left + 64] = 1
        for module in modules.eval().values():
            x = module(x)
        along = x.detach().sum((0, 1, 2))
        places = torch.arange(len(along)) * 16.0
        assert abs(float((along * places).sum() / along.sum()) - (left + 31.5)) <= 8


def test_atrous_filters_see_what_they_were_trained_to_see():
    """At every second place, features 8 pixels apart are those 16 pixels apart: no weight knows the difference."""
    table = definition("inception_resnet_v2")
    table = variant(table, width=0.125)
    torch.manual_seed(0)
    network = alive(Network(table)).eval()
    x = torch.rand(1, 3, 128, 128)
    outs = []
    for atrous in (False, True):
        y = x
        modules, _ = build_stages(trunk(table, atrous), FeatureShape(3, 128, 128), table.batch_norm)
        for stage, module in modules.items():
            module.load_state_dict(network.stages[stage].state_dict())
            y = module.eval()(y)
        outs.append(y.detach())
    assert outs[0].shape[2:] == (8, 8)
    assert outs[1].shape[2:] == (16, 16)
    inner = (slice(None), slice(None), slice(0, 8), slice(0, 8))
    torch.testing.assert_close(outs[1][:, :, ::2, ::2][inner], outs[0], rtol=1e-4, atol=1e-4)


def test_weights_of_the_classifier_are_taken_over():
    network = create_model("inception_v4", num_classes=10, width=0.125)
    made = FasterRCNN(DetectorSpec.of(network.spec, CLASSES), network)
    ours = made.state_dict()
    for key, tensor in network.state_dict().items():
        if key.startswith("stages."):
            found = [ours[place + key] for place in ("rcnn.backbone.", "rcnn.roi_heads.box_head.") if place + key in ours]
            assert len(found) == 1
            assert torch.equal(found[0], tensor)
    assert set(aligned(network.definition)) == set(network.stages)


def test_frozen_batch_norm_neither_learns_nor_measures():
    made = detector()
    made.freeze_batch_norm()
    made.train()
    norms = [module for module in made.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(norms) > 50
    before = [(norm.running_mean.clone(), norm.weight.clone()) for norm in norms]
    sum(made.losses(*images_and_targets()).values()).backward()
    assert all(norm.weight.grad is None and not norm.training for norm in norms)
    assert all(torch.equal(norm.running_mean, mean) for norm, (mean, _) in zip(norms, before, strict=True))
    live = detector().train()
    moved = live.rcnn.backbone.stages["conv1"].norm.running_mean.clone()
    live.losses(*images_and_targets())
    assert not torch.equal(live.rcnn.backbone.stages["conv1"].norm.running_mean, moved)


@pytest.mark.parametrize("options", [{}, {"pyramid": True}, {"atrous": True}], ids=str)
def test_weights_on_disk_find_the_same(tmp_path, options):
    made = detector(**options)
    save_detector(made, tmp_path / "model.safetensors")
    loaded = load_detector(tmp_path)
    assert loaded.classes == ("disc", "square")
    assert loaded.spec == made.spec
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (80, 100, 3), dtype=np.uint8))
    ours, theirs = made.find(image), loaded.find(image)
    assert len(ours) > 0
    assert ours.boxes.tolist() == theirs.boxes.tolist()
    assert ours.scores.tolist() == theirs.scores.tolist()
    assert (ours.boxes[:, 2] <= 100).all()
    assert (ours.boxes[:, 3] <= 80).all()
    assert (np.diff(ours.scores) <= 0).all()


def test_an_edited_table_is_as_good_as_a_registered_one(tmp_path):
    """One filter count changed, and a name that no registry knows: it is saved, and built again from its file alone."""
    table = variant(definition("googlenet_bn"), num_classes=1, width=0.125)
    reduce, conv = table.stages["conv2"]
    table = replace(table, name="mine", stages={**table.stages, "conv2": (reduce, replace(conv, filters=conv.filters + 8))})
    spec = DetectorSpec.of(ModelSpec.of(table), CLASSES, image_size=96, longest=128)
    assert DetectorSpec.from_dict(json.loads(json.dumps(spec.as_dict()))) == spec
    torch.manual_seed(0)
    made = FasterRCNN(spec).eval()
    save_detector(made, tmp_path / "model.safetensors")
    loaded = load_detector(tmp_path)
    assert loaded.spec == spec
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (80, 100, 3), dtype=np.uint8))
    assert loaded.find(image).boxes.tolist() == made.find(image).boxes.tolist()


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    save_detector(detector(), folder / "model.safetensors")
    return load_tensors(folder / "model.safetensors")


@pytest.mark.parametrize("change", [
    {"image_size": 0}, {"image_size": "x"}, {"image_size": None}, {"longest": 0}, {"longest": 20}, {"anchors": []},
    {"anchors": [0, 0]}, {"anchors": 5}, {"classes": ["a", "a"]}, {"classes": "ab"}, {"classes": [1, 2]}, {"classes": None},
    {"classes": []}, {"pyramid": 1}, {"pyramid": True, "atrous": True}, {"pyramid_units": 10**9}, {"model": None},
    {"model": {}}, {"format_version": 2}, {"flavour": 1},
], ids=str)  # fmt: skip
def test_an_unsound_spec_in_a_file_is_refused(tmp_path, saved, change):
    tensors, metadata = saved
    save_tensors(tmp_path / "bad.safetensors", tensors, {"detector": {**metadata["detector"], **change}})
    with pytest.raises(BadCheckpoint, match="describes a detector that cannot be built") as refused:
        load_detector(tmp_path / "bad.safetensors")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("change", [
    {"pyramid": True, "pyramid_channels": 700, "pyramid_units": 65_536},  # 49 x 700 x 65,536 weights
    {"pyramid": True, "pyramid_channels": 7000, "pyramid_units": 1},  # 9 x 7000 x 7000 weights, five times
    {"pyramid": True, "pyramid_units": 40_000, "classes": [str(number) for number in range(12_000)]},
], ids=["regions", "features", "classes"])  # fmt: skip
def test_a_file_that_asks_for_gigabytes_of_weights_is_refused(saved, change):
    with pytest.raises(GodeeperError, match="parameters: a file may ask for 2,000,000,000 at most"):
        DetectorSpec.from_dict({**saved[1]["detector"], **change})


def test_weights_that_do_not_fit_are_refused(tmp_path, saved):
    tensors, metadata = saved
    save_file(tensors, tmp_path / "plain.safetensors")
    with pytest.raises(BadCheckpoint, match="holds no Faster R-CNN"):
        load_detector(tmp_path / "plain.safetensors")
    save_tensors(tmp_path / "bad.safetensors", tensors, {"detector": {**metadata["detector"], "classes": ["cat"]}})
    with pytest.raises(BadCheckpoint, match="does not fit the network that it describes"):
        load_detector(tmp_path / "bad.safetensors")
    name = next(iter(tensors))
    save_tensors(tmp_path / "nan.safetensors", {**tensors, name: tensors[name] * float("nan")}, metadata)
    with pytest.raises(BadCheckpoint, match="not finite"):
        load_detector(tmp_path / "nan.safetensors")
    save_tensors(tmp_path / "complex.safetensors", {**tensors, name: tensors[name] * 1j}, metadata)
    with pytest.raises(BadCheckpoint, match=f"'{name}' as complex64, not as plain floats"):
        load_detector(tmp_path / "complex.safetensors")


@pytest.mark.parametrize("name", ["rpn.head.cls_logits", "rpn.head.bbox_pred", "roi_heads.box_predictor.cls_score"])
def test_answers_that_are_no_numbers_are_said(name):
    """Torchvision drops them, and finds nothing."""
    damaged = detector()
    torch.nn.init.constant_(damaged.rcnn.get_submodule(name).bias, float("nan"))
    with pytest.raises(GodeeperError, match="answers are not numbers: its weights are damaged"):
        damaged.find(Image.new("RGB", (40, 30)))


def test_a_file_that_describes_more_weights_than_it_holds_takes_no_memory_for_them(tmp_path, saved):
    tensors, metadata = saved
    large = {"pyramid": True, "pyramid_units": 20_000, "anchors": [16, 32, 64, 128, 256]}  # 12,544 x 20,000 weights, and more
    save_tensors(tmp_path / "large.safetensors", tensors, {"detector": {**metadata["detector"], **large}})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(BadCheckpoint, match="does not fit the network that it describes"):
        load_detector(tmp_path / "large.safetensors")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # KB


def test_impossible_detectors_are_refused():
    with pytest.raises(GodeeperError, match="exclude each other: choose one of them"):
        detector(pyramid=True, atrous=True)
    with pytest.raises(GodeeperError, match="has 5 levels, each with one side of anchor: give 5 anchors, not 3"):
        detector(pyramid=True, anchors=(8, 16, 32))
    with pytest.raises(GodeeperError, match="features are 8 pixels apart: a detector needs 16"):
        FasterRCNN(DetectorSpec.of(create_model("googlenet_bn", num_classes=10, width=0.125, small=True).spec, CLASSES))


@pytest.mark.parametrize(
    ("size", "longest", "shape", "expected"),
    [
        (96, 160, (427, 640), (96, 143)),  # in float32, 427 * (96 / 427) is below 96
        (600, 1000, (480, 640), (600, 800)),
        (600, 1000, (300, 900), (333, 1000)),
        (600, 1000, (900, 300), (1000, 333)),
        (49, 49, (49, 49), (49, 49)),  # 49 * (1 / 49) is below 1
        (32, 1000, (3, 2), (48, 32)),
        (600, 1000, (2000, 1), (1000, 1)),  # not 0
    ],
)
def test_images_are_resized_in_whole_numbers(size, longest, shape, expected):
    transform = ResizeNormalize(size, longest, (0, 0, 0), (1, 1, 1))
    target = {"boxes": torch.tensor([[0.0, 0.0, shape[1], shape[0]]])}
    image, target = transform.resize(torch.rand(3, *shape), target)
    assert image.shape == (3, *expected)
    assert target["boxes"][0].tolist() == pytest.approx([0, 0, expected[1], expected[0]])


@pytest.mark.parametrize("options", [{}, {"pyramid": True, "anchors": (16, 32, 64, 96, 128)}], ids=["classical", "pyramid"])
def test_in_bf16_boxes_keep_their_precision(monkeypatch, options):
    """Between 256 and 512 pixels, bf16 has steps of 2: an object a pixel wide would have no width, and the loss be NaN."""
    detector = faster_rcnn(classes=("a",), image_size=512, longest=512, **options).train()
    objects = {"boxes": torch.tensor([[401.0, 300.0, 402.0, 330.0]]), "labels": torch.tensor([1])}
    seen = []
    select = detector.rcnn.roi_heads.select_training_samples
    monkeypatch.setattr(
        detector.rcnn.roi_heads, "select_training_samples", lambda boxes, targets: seen.extend(boxes) or select(boxes, targets)
    )
    with torch.autocast("cpu", torch.bfloat16):
        losses = detector.losses([torch.rand(3, 512, 512)], [objects])
    assert [boxes.dtype for boxes in seen] == [torch.float32]
    assert all(torch.isfinite(loss) for loss in losses.values())
