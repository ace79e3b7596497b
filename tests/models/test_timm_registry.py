"""`import godeeper.timm`: what timm's own functions make of the tables, beside ours and beside timm's networks."""

import copy
import sys

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from timm.data import create_transform, resolve_data_config

import godeeper.timm
from godeeper import GodeeperError, ModelSpec, create_model, list_models, load, save
from godeeper.papers.registry import DEFINITIONS
from godeeper.timm import TimmNetwork
from networks import alive, images

SMALL = {"width": 0.125, "small": True, "num_classes": 5}  # of 32 pixels


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return alive(timm.create_model("godeeper_googlenet_bn", **SMALL))


def test_every_table_is_in_timms_registry():
    assert set(timm.list_models("godeeper_*")) == {f"godeeper_{name}" for name in list_models()}
    assert timm.list_models("godeeper_*", pretrained=True) == []


def test_weights_of_save_are_timms_checkpoint(weights_file):
    ours, x = load(weights_file), images(32)
    options = {"width": 0.25, "small": True}
    theirs = timm.create_model("godeeper_googlenet_bn", checkpoint_path=weights_file, num_classes=3, **options).eval()
    by_name = timm.create_model("godeeper_googlenet_bn", weights=weights_file, **options).eval()
    with torch.no_grad():
        assert torch.equal(theirs(x), ours(x))
        assert torch.equal(by_name(x), ours(x))
    assert by_name.num_classes == 3
    assert resolve_data_config(model=by_name)["input_size"] == (3, 32, 32)


def test_the_parts_are_those_of_timm(network):
    x = images(32)
    with torch.no_grad():
        features = network.forward_features(x)
        units = network.forward_head(features, pre_logits=True)
        assert (features.shape[1], units.shape) == (network.num_features, (2, network.head_hidden_size))
        assert torch.equal(network.get_classifier()(units), network(x))
        assert torch.equal(units, features.mean((2, 3)))


def test_classifiers_are_reset(network):
    x, network = images(32), copy.deepcopy(network)
    weight = network.stages["5b"].branches[0][0].conv.weight
    network.reset_classifier(7)
    assert (network.num_classes, network(x).shape, network.spec.num_classes) == (7, (2, 7), 7)
    with torch.no_grad():
        units = network.forward_head(network.forward_features(x), pre_logits=True)
        network.reset_classifier(0)
        assert network.num_classes == 0
        assert torch.equal(network(x), units)
        network.reset_classifier(0, "")
        assert torch.equal(network(x), network.forward_features(x))
        network.reset_classifier(4, "avg")
    assert network(x).shape == (2, 4)
    assert network.stages["5b"].branches[0][0].conv.weight is weight


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({"num_classes": 0}, (2, 128)),
        ({"num_classes": 0, "global_pool": ""}, (2, 128, 4, 4)),
        ({"num_classes": 9, "in_chans": 1}, (2, 9)),
        ({"drop_path_rate": 0.0, "global_pool": "avg"}, (2, 5)),
    ],
)
def test_what_timm_passes_is_honoured(options, shape):
    made = timm.create_model("godeeper_googlenet", **(SMALL | options)).eval()
    assert made(images(32, channels=options.get("in_chans", 3))).shape == shape


def test_drop_rate_is_the_heads(network):
    made = timm.create_model("godeeper_googlenet_bn", drop_rate=0.9, **SMALL)
    assert (made.head["dropout"].p, network.head["dropout"].p) == (0.9, 0.4)


@pytest.mark.parametrize("kind", ["getter", "hook", "fx"])
def test_features_are_the_last_stage_of_every_resolution(kind, tmp_path):
    torch.manual_seed(0)
    whole = alive(create_model("googlenet_bn", width=0.125))
    save(whole, tmp_path / "w.safetensors")
    options = {"width": 0.125, "features_only": True, "out_indices": (1, 3), "weights": tmp_path / "w.safetensors"}
    features = timm.create_model("godeeper_googlenet_bn", feature_cls=kind, **options).eval()
    with torch.no_grad():
        given, (_, taps) = features(images(64)), whole.features(images(64), ("conv2", "4e"))
    assert [tuple(x.shape) for x in given] == [(2, 24, 16, 16), (2, 104, 4, 4)]
    assert features.feature_info.channels() == [24, 104]
    assert features.feature_info.reduction() == [4, 16]
    for x, tapped in zip(given, taps.values(), strict=True):
        torch.testing.assert_close(x, tapped)
    unused = any("5b" in name for name, _ in features.named_parameters())
    assert unused == (kind == "hook")


SLOW = pytest.mark.slow
PEERS = ["vgg16", *(pytest.param(name, marks=SLOW) for name in ("inception_v3", "inception_resnet_v2"))]


@pytest.mark.parametrize("name", PEERS)
def test_feature_info_is_that_of_timms_own_network(name):
    with torch.device("meta"):
        theirs, ours = (timm.create_model(f"{prefix}{name}", features_only=True) for prefix in ("", "godeeper_"))
    assert ours.feature_info.channels() == theirs.feature_info.channels()
    assert ours.feature_info.reduction() == theirs.feature_info.reduction()


@pytest.mark.parametrize("name", ["googlenet_cifar", "alexnet"])  # of 32 pixels, out of 37; of 224, out of 256
def test_timms_transform_prepares_images_as_ours_does(name):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 70, 3), dtype=np.uint8))
    config = resolve_data_config(pretrained_cfg=timm.get_pretrained_cfg(f"godeeper_{name}").to_dict())
    ours = ModelSpec.of(DEFINITIONS[name]).preprocess.transforms()
    torch.testing.assert_close(create_transform(**config)(image), ours(image), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("googlenet", {"pretrained": True}, "godeeper_googlenet has no weights of its own: give weights="),
        ("googlenet", {"drop_path_rate": 0.1}, "godeeper_googlenet cannot honour drop_path_rate=0.1: leave it out"),
        ("googlenet", {"img_size": 96}, "cannot honour img_size=96"),
        ("googlenet", {"global_pool": "max"}, "googlenet cannot pool by global_pool='max': it is 'avg', or ''"),
        ("googlenet", {"global_pool": ""}, "global_pool='' leaves no classifier"),
        ("vgg16", {"global_pool": "avg"}, "vgg16 cannot pool by global_pool='avg': it is ''"),
        ("googlenet_cifar", {"drop_rate": 0.5}, "googlenet_cifar has no dropout whose rate could be drop_rate=0.5"),
        ("googlenet", {"in_chans": 0}, "in_channels is 0"),
    ],
)
def test_what_cannot_be_honoured_is_refused(name, options, says):
    with pytest.raises(GodeeperError) as caught:
        timm.create_model(f"godeeper_{name}", **options)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_calls_that_cannot_be_honoured_are_refused(network):
    network.set_grad_checkpointing(False)
    with pytest.raises(GodeeperError, match="no gradient checkpointing"):
        network.set_grad_checkpointing()
    with pytest.raises(GodeeperError, match="as NCHW, not as 'NLC'"):
        network.forward_intermediates(images(32), output_fmt="NLC")
    assert isinstance(network, TimmNetwork)


def test_without_timm_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm.models", None)
    monkeypatch.delitem(sys.modules, "godeeper.timm")
    monkeypatch.delattr(godeeper, "timm")
    with pytest.raises(GodeeperError, match=r"timm.models is not installed .*: pip install .*\[compare\]'"):
        __import__("godeeper.timm")
