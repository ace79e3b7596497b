"""Other libraries' networks to compare with: the same logits and pixels as there, and nothing in their files is run."""

import pickle
import re
import sys
import warnings
from enum import Enum
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from huggingface_hub import constants
from PIL import Image
from safetensors.torch import save_file
from sklearn.datasets import load_sample_image
from torch import nn
from torchvision import models as torchvision

from godeeper import BadCheckpoint, GodeeperError, create_model, normalise, save, take_crops
from godeeper.models import comparators
from godeeper.models.comparators import Comparator, is_comparator, load_classifier, load_comparator
from godeeper.models.network import Network
from godeeper.packages import install_command

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import timm
    from timm.data import ImageNetInfo, create_transform, resolve_model_data_config

PHOTO = Image.fromarray(load_sample_image("china.jpg"))


@torch.no_grad()
def shaken(network):
    """Random but alive, statistics away from 0 and 1."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                module.bias.normal_(0, 0.3)
        elif isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 1.5)
    return network.eval()


def torch_file(folder, url):
    """Where torch.hub keeps the file of an address."""
    file = folder / "torch" / "hub" / "checkpoints" / url.rpartition("/")[2]
    file.parent.mkdir(parents=True, exist_ok=True)
    return file


def hub_file(folder, model, name="model.safetensors"):
    """Where Hugging Face's cache keeps a file of a model of timm's."""
    repository = folder / "hub" / f"models--timm--{model}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("0" * 40)
    file = repository / "snapshots" / ("0" * 40) / name
    file.parent.mkdir(parents=True)
    return file


def check_pixels(comparator, theirs):
    """What our views of the photograph give is what the library's own transform gives: `theirs`."""
    ours = normalise(take_crops(PHOTO, comparator.preprocess), comparator.preprocess)[0]
    assert ours.shape == theirs.shape
    grey = (ours - theirs).abs() * torch.tensor(comparator.preprocess.normalize.std).view(3, 1, 1) * 255
    assert grey.max() < 1.01
    assert (grey > 0.01).float().mean() < 0.01


@torch.no_grad()
def check_logits(comparator, network, x):
    """The library's own logits, of a network that tells two images apart."""
    batch = torch.stack([x, x.flip(-1)])
    expected = network(batch)
    assert (expected[0] - expected[1]).abs().max() > 1e-3 * expected.abs().max()
    assert (comparator(batch) - expected).abs().max() <= 1e-6 * expected.abs().max()


OLD_NAMES = re.compile(r"(denselayer\d+\.(?:norm|conv))([12]\.)")  # of torchvision's DenseNets, whose files are older


@pytest.mark.parametrize(
    "name",
    [
        "squeezenet1_1",
        "mobilenet_v3_small.IMAGENET1K_V1",
        "googlenet",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in (
                "densenet121",
                "shufflenet_v2_x0_5",
                "mnasnet0_5",
                "regnet_y_400mf.DEFAULT",
                "inception_v3",
                "swin_t",
                "maxvit_t",
                "vit_b_16.IMAGENET1K_SWAG_E2E_V1",
            )
        ),
    ],
)
def test_torchvisions_networks_are_what_its_own_builders_give(name, offline):
    model, _, tag = name.partition(".")
    weights = torchvision.get_model_weights(model)[tag or "DEFAULT"]
    arguments = {"aux_logits": True, "init_weights": False} if model in ("googlenet", "inception_v3") else {}
    if model.startswith("vit"):
        arguments = {"image_size": weights.meta["min_size"][0]}
    state = shaken(torchvision.get_model(model, **arguments)).state_dict()
    if model == "densenet121":
        state = {OLD_NAMES.sub(r"\1.\2", key): tensor for key, tensor in state.items() if "tracked" not in key}
        assert "features.denseblock1.denselayer1.norm.1.weight" in state
    torch.save(state, torch_file(offline, weights.url))
    comparator = load_comparator(f"torchvision:{name}")
    network = torchvision.get_model(model, weights=weights).eval()  # reads the same file
    assert comparator.name == f"torchvision:{model}.{weights.name}"
    assert comparator.classes == tuple(weights.meta["categories"])
    assert (comparator.num_classes, comparator.training) == (1000, False)
    ours, theirs = comparator.network.state_dict(), network.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(tensor, theirs[key]) and tensor.dtype == theirs[key].dtype for key, tensor in ours.items())
    prepared = weights.transforms()(PHOTO)
    check_pixels(comparator, prepared)
    check_logits(comparator, network, prepared)


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("test_resnet", "test_resnet.r160_in1k"),
        ("test_efficientnet.r160_in1k", "test_efficientnet.r160_in1k"),
        ("test_vit", "test_vit.r160_in1k"),
    ],
)
def test_timms_networks_give_timms_logits(name, full, offline):
    network = shaken(timm.create_model(full))
    save_file(network.state_dict(), hub_file(offline, full), {"format": "pt"})
    comparator = load_comparator(f"timm:{name}")
    assert comparator.name == f"timm:{full}"
    assert (comparator.num_classes, comparator.training) == (1000, False)
    assert comparator.classes[:2] == ("tench", "goldfish")
    prepared = create_transform(**resolve_model_data_config(network))(PHOTO)
    check_pixels(comparator, prepared)
    check_logits(comparator, network, prepared)


def test_a_file_that_timm_keeps_elsewhere_is_read_as_torch_hub_leaves_it(offline):
    network = shaken(timm.create_model("legacy_seresnet18"))
    url = timm.models.get_pretrained_cfg("legacy_seresnet18").url
    torch.save(network.state_dict(), torch_file(offline, url))
    comparator = load_comparator("timm:legacy_seresnet18")
    assert comparator.name == "timm:legacy_seresnet18.in1k"
    check_logits(comparator, network, torch.rand(3, 64, 64))


def test_every_preprocessing_of_torchvision_is_taken_over(monkeypatch):
    monkeypatch.setattr(comparators, "_fetch", lambda published: Path(published.file))
    monkeypatch.setattr(comparators, "_torchvision_network", lambda *_: nn.Identity())
    checked = 0
    for model in torchvision.list_models(module=torchvision):
        for weights in torchvision.get_model_weights(model):
            if not weights.meta["categories"]:
                continue
            theirs = weights.transforms()
            ours = load_comparator(f"torchvision:{model}.{weights.name}").preprocess
            assert ([ours.image_size], [ours.resize.shorter_side]) == (theirs.crop_size, theirs.resize_size), weights
            assert (list(ours.normalize.mean), list(ours.normalize.std)) == (theirs.mean, theirs.std)
            assert ours.resize.interpolation == theirs.interpolation.value
            checked += 1
    assert checked >= 114


def test_timms_preprocessing_is_taken_over(monkeypatch):
    monkeypatch.setattr(comparators, "_fetch", lambda published: Path(published.file))
    monkeypatch.setattr(comparators, "_timm_network", lambda *_: nn.Identity())
    checked = 0
    for name in timm.list_pretrained()[::23]:
        config = timm.models.get_pretrained_cfg(name).to_dict()
        data = resolve_model_data_config(None, pretrained_cfg=config)
        if data["crop_mode"] != "center" or not config["num_classes"] or data["crop_pct"] > 1:
            continue
        ours = load_comparator(f"timm:{name}").preprocess
        resize, crop, _, norm = create_transform(**data).transforms
        assert (ours.resize.shorter_side, (ours.image_size,) * 2) == (resize.size, tuple(crop.size)), name
        assert ours.normalize.mean == pytest.approx(norm.mean.tolist())
        assert ours.normalize.std == pytest.approx(norm.std.tolist())
        assert ours.resize.interpolation == resize.interpolation.value
        checked += 1
    assert checked > 30


def test_timms_classes_stand_in_the_usual_order():
    synsets = ImageNetInfo().label_names()
    assert synsets == sorted(synsets)
    ours = comparators._timm_classes(timm, {"num_classes": 1000})
    words = [[set(re.findall("[a-z]+", name.lower())) for name in names] for names in (ours, ImageNetInfo().label_descriptions())]
    assert all(mine & theirs for mine, theirs in zip(*words, strict=True))


@pytest.mark.parametrize(("count", "first"), [(11821, "n00005787"), (21841, "n00004475"), (21843, "n00004475"), (7, None)])
def test_classes_of_larger_sets_are_their_synsets(count, first):
    classes = comparators._timm_classes(timm, {"num_classes": count})
    assert (classes and classes[0]) == first
    assert classes is None or len(set(classes)) == count


class Bomb:
    """Makes a folder where it is unpickled by the book."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return Path.mkdir, (self.folder,)


@pytest.mark.parametrize("name", ["torchvision:squeezenet1_1", "timm:legacy_seresnet18", "timm:test_resnet"])
@pytest.mark.parametrize("protocol", [2, None], ids=["pickled", "as torch saves it"])
def test_a_file_that_asks_to_run_something_is_refused(name, protocol, offline):
    model = name.partition(":")[2]
    if name == "timm:test_resnet":
        file = hub_file(offline, "test_resnet.r160_in1k")
    elif name.startswith("timm"):
        file = torch_file(offline, timm.models.get_pretrained_cfg(model).url)
    else:
        file = torch_file(offline, torchvision.get_model_weights(model).DEFAULT.url)
    bomb = {"a": Bomb(offline / "exploded")}
    file.write_bytes(pickle.dumps(bomb, protocol)) if protocol else torch.save(bomb, file)
    with pytest.raises(BadCheckpoint, match=re.escape(repr(str(file)))) as caught:
        load_comparator(name)
    assert "\n" not in str(caught.value)
    assert not (offline / "exploded").exists()


@pytest.mark.parametrize("name", ["torchvision:squeezenet1_1", "timm:legacy_seresnet18"])
def test_torch_is_always_asked_for_weights_only(name, offline, monkeypatch):
    library, _, model = name.partition(":")
    if library == "timm":
        network, url = timm.create_model(model), timm.models.get_pretrained_cfg(model).url
    else:
        network, url = torchvision.get_model(model), torchvision.get_model_weights(model).DEFAULT.url
    torch.save(network.state_dict(), torch_file(offline, url))
    asked, torch_load = [], torch.load
    monkeypatch.setattr(torch, "load", lambda *args, **how: asked.append(how["weights_only"]) or torch_load(*args, **how))
    load_comparator(name)
    assert set(asked) == {True}


def test_the_bomb_of_these_tests_does_explode(tmp_path):
    torch.save({"a": Bomb(tmp_path / "exploded")}, tmp_path / "bomb.pth")
    torch.load(tmp_path / "bomb.pth", weights_only=False)
    assert (tmp_path / "exploded").is_dir()


def test_timms_other_format_is_not_even_looked_at(offline):
    torch.save({"a": Bomb(offline / "exploded")}, hub_file(offline, "test_resnet.r160_in1k", "pytorch_model.bin"))
    with pytest.raises(GodeeperError, match=r"cannot fetch 'timm/test_resnet\.r160_in1k'"):
        load_comparator("timm:test_resnet")
    assert not (offline / "exploded").exists()


@pytest.mark.parametrize(
    "content",
    [b"", b"not weights", {}, [1, 2], {"a": 1}, {1: torch.zeros(1)}, {"classifier.1.weight": torch.zeros(2)}],
    ids=str,
)
@pytest.mark.parametrize("name", ["torchvision:squeezenet1_1", "timm:legacy_seresnet18"])
def test_a_damaged_file_is_named(name, content, offline):
    model = name.partition(":")[2]
    timms = timm.models.get_pretrained_cfg("legacy_seresnet18").url
    file = torch_file(offline, timms if name.startswith("timm") else torchvision.get_model_weights(model).DEFAULT.url)
    file.write_bytes(content) if isinstance(content, bytes) else torch.save(content, file)
    with pytest.raises(BadCheckpoint, match=re.escape(repr(str(file)))) as caught:
        load_comparator(name)
    assert "\n" not in str(caught.value)


def test_a_safetensors_file_cut_short_is_named(offline):
    file = hub_file(offline, "test_resnet.r160_in1k")
    save_file(timm.create_model("test_resnet").state_dict(), file)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(BadCheckpoint, match=re.escape(repr(str(file)))):
        load_comparator("timm:test_resnet")


def test_a_file_of_another_network_is_told_by_what_differs(offline):
    file = torch_file(offline, torchvision.SqueezeNet1_1_Weights.DEFAULT.url)
    torch.save(torchvision.squeezenet1_0().state_dict(), file)
    with pytest.raises(BadCheckpoint, match=r"does not fit 'torchvision:squeezenet1_1'.*(mismatch|Missing|Unexpected)"):
        load_comparator("torchvision:squeezenet1_1")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("torchvision:resnet51", "unknown network of torchvision 'resnet51': did you mean 'resnet50'?"),
        ("torchvision:fasterrcnn_resnet50_fpn", "unknown network of torchvision"),
        ("torchvision:", "unknown network of torchvision ''"),
        ("torchvision:resnet50.IMAGENET1K_V3", "unknown weights of torchvision:resnet50 'IMAGENET1K_V3': did you mean"),
        ("torchvision:resnet50.", "unknown weights of torchvision:resnet50 ''"),
        ("torchvision:vgg16.IMAGENET1K_FEATURES", "holds no classifier"),
        ("timm:resnet51", "unknown network of timm 'resnet51': did you mean"),
        ("timm:resnet50.a9_in1k", "unknown weights of timm:resnet50 'a9_in1k': did you mean"),
        ("timm:", "unknown network of timm ''"),
        ("timm:coatnet_0_224", "timm has no weights of 'coatnet_0_224'"),
        ("timm:vit_small_patch14_dinov2.lvd142m", "holds no classifier"),
        ("timm:convnext_base.fb_in22k_ft_in1k_384", "crops images in timm's way 'squash'; only 'center' is made here"),
        ("timm:volo_d4_448.sail_in1k", "crops [448] pixels of images resized to 389, which is not made here"),
        ("googlenet", "names no network of another library"),
    ],
)
def test_names_that_cannot_be_had(name, message, offline):
    with pytest.raises(GodeeperError, match=re.escape(message)) as caught:
        load_comparator(name)
    assert "\n" not in str(caught.value)
    assert list(offline.rglob("*.*")) == []


def test_a_network_without_weights_is_said_to_have_none(monkeypatch):
    monkeypatch.setattr(torchvision, "get_model_weights", lambda name: Enum("None_Weights", []))
    with pytest.raises(GodeeperError, match="torchvision has no weights of 'resnet18'"):
        load_comparator("torchvision:resnet18")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input_size": (3, 224, 448)}, "takes images of 3x224x448; only square ones in RGB"),
        ({"input_size": (1, 224, 224)}, "takes images of 1x224x224"),
        ({"crop_mode": "border"}, "'border'"),
        ({"interpolation": "random"}, "by 'random' interpolation"),
        ({"interpolation": "lanczos"}, "by 'lanczos' interpolation"),
    ],
    ids=str,
)
def test_preprocessing_that_ours_cannot_say_is_refused(change, message):
    config = timm.models.get_pretrained_cfg("resnet50.a1_in1k").to_dict()
    with pytest.raises(GodeeperError, match=message):
        comparators._timm_preprocess(timm, "timm:resnet50.a1_in1k", config | change)


def test_without_timm_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(GodeeperError, match=re.escape(install_command("compare"))):
        load_comparator("timm:resnet50")


@pytest.mark.parametrize("by_choice", [True, False])
@pytest.mark.parametrize(
    ("name", "url", "place"),
    [
        ("torchvision:squeezenet1_1", "pytorch.org/models/squeezenet1_1-b8a52dc0.pth", "squeezenet1_1-b8a52dc0.pth"),
        (
            "timm:test_resnet",
            "timm/test_resnet.r160_in1k/resolve/main/model.safetensors",
            "timm_test_resnet.r160_in1k.safetensors",
        ),
    ],
)
def test_without_a_network_it_is_said_at_once_what_to_put_where(name, url, place, by_choice, offline, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", by_choice)
    with pytest.raises(GodeeperError, match=re.escape("cannot fetch ")) as caught:
        load_comparator(name)
    assert "\n" not in str(caught.value)
    assert url in str(caught.value)
    assert repr(str(offline / "torch" / "hub" / "checkpoints" / place)) in str(caught.value)


def test_a_file_put_there_by_hand_is_found(offline):
    network = shaken(timm.create_model("test_resnet"))
    save_file(network.state_dict(), torch_file(offline, "timm_test_resnet.r160_in1k.safetensors"))
    check_logits(load_comparator("timm:test_resnet"), network, torch.rand(3, 160, 160))


def test_a_server_that_never_answers_is_given_up_in_seconds(offline, monkeypatch):
    waited = []

    def silent(url, timeout):
        waited.append(timeout)
        raise URLError(TimeoutError("timed out"))

    monkeypatch.setattr(comparators, "urlopen", silent)
    with pytest.raises(GodeeperError, match="timed out"):
        load_comparator("torchvision:squeezenet1_1")
    assert waited == [comparators.TIMEOUT]


def test_a_colon_tells_theirs_from_ours(offline):
    assert is_comparator("torchvision:resnet18")
    assert is_comparator("timm:resnet18")
    assert not any(map(is_comparator, ("torchvision/googlenet", "timm/inception_v4.tf_in1k", "googlenet", "runs/timm:x", "")))
    save(create_model("googlenet_bn", num_classes=3, width=0.25, small=True), offline / "ours.safetensors")
    assert isinstance(load_classifier(offline / "ours.safetensors"), Network)
    torch.save(torchvision.squeezenet1_1().state_dict(), torch_file(offline, torchvision.SqueezeNet1_1_Weights.DEFAULT.url))
    assert isinstance(load_classifier("torchvision:squeezenet1_1"), Comparator)
