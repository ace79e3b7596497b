"""Published weights: a file as its publisher ships it gives, by its public name, the same logits; a bad one is refused."""

import hashlib
import os
import pickle
import re
import warnings
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from sklearn.datasets import load_sample_image
from torch import nn
from torchvision import models as torchvision

from godeeper import BadCheckpoint, GodeeperError, Predictor, create_model, list_models, load, normalise, save, take_crops
from godeeper.cli.main import status
from godeeper.models.weights.fill import fill, name_classes
from godeeper.models.weights.foreign import fetch, most_likely
from godeeper.models.weights.layouts import LAYOUTS
from godeeper.models.weights.published import PUBLISHED
from godeeper.models.weights.read import read_weights
from godeeper.preprocess import Normalize, Resize
from networks import representative

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the peers' age
    import facenet_pytorch
    import pretrainedmodels
    import timm
    from pretrainedmodels.utils import TransformImage
    from timm.data import create_transform, resolve_data_config

pytestmark = pytest.mark.filterwarnings("ignore:.*weights_only.*", "ignore:.*align_corners.*")
# One of each library and preprocessing; logits of every layout are held against its library's in test_peers.py.
FEW = ("torchvision/googlenet", "timm/inception_v4.tf_in1k", "cadene/bninception", "facenet/vggface2")
LIBRARIES = ("torchvision", "timm", "cadene", "facenet")  # whose own networks are at hand; of Keras': test_keras.py
IMAGENET = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
PHOTO = Image.fromarray(load_sample_image("china.jpg"))


@lru_cache(maxsize=2)
def peer(name):
    """The publisher's network, random but alive, statistics away from 0 and 1; and what it does to a photograph."""
    torch.manual_seed(0)
    library, _, model = name.partition("/")
    if library == "torchvision":
        inception = model in ("googlenet", "inception_v3")
        network = getattr(torchvision, model)(**({"init_weights": False, "transform_input": True} if inception else {}))
        prepare = torchvision.get_model_weights(model).DEFAULT.transforms()
    elif library == "timm":
        network = timm.create_model(model)
        prepare = create_transform(**resolve_data_config({}, model=network))
    elif library == "cadene":
        network = getattr(pretrainedmodels, model)(num_classes=PUBLISHED[name].classes, pretrained=None)
        settings = {**pretrainedmodels.pretrained_settings[model]["imagenet"]}
        prepare = TransformImage(type("Options", (), settings)())
    else:
        network = facenet_pytorch.InceptionResnetV1(classify=True, num_classes=PUBLISHED[name].classes)
        prepare = lambda photo: (torch.from_numpy(np.array(centre(photo))).permute(2, 0, 1).float() - 127.5) / 128  # noqa: E731
    return shaken(network).eval(), prepare


def centre(photo):
    """The central square, at 160 pixels: what a face detector would hand over."""
    side = min(photo.size)
    left, top = (photo.width - side) // 2, (photo.height - side) // 2
    return photo.resize((160, 160), Image.Resampling.BILINEAR, (left, top, left + side, top + side))


@torch.no_grad()
def shaken(network):
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                module.bias.normal_(0, 0.3)
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.uniform_(0.5, 1.5)
            module.bias.normal_(0, 0.3)
    return network


def ship(name, state, folder):
    """Puts the file where the publisher's own tools leave it."""
    weights = PUBLISHED[name]
    if weights.repository:
        repository = folder / "hub" / f"models--{weights.repository.replace('/', '--')}"
        (repository / "refs").mkdir(parents=True)
        (repository / "refs" / "main").write_text("0" * 40)
        file = repository / "snapshots" / ("0" * 40) / "model.safetensors"
        file.parent.mkdir(parents=True)
        save_file({key: tensor.contiguous() for key, tensor in state.items()}, file, {"format": "pt"})
    else:
        caches = folder / "torch" / ("checkpoints" if name.startswith("facenet") else "hub/checkpoints")
        file = caches / weights.url.rpartition("/")[2]
        file.parent.mkdir(parents=True, exist_ok=True)
        torch.save(state, file)
    return file


def kept_classes(logits, name):
    return logits[:, 1:] if PUBLISHED[name].classes == 1001 else logits


@pytest.mark.parametrize("name", representative((name for name in PUBLISHED if name.partition("/")[0] in LIBRARIES), FEW))
@torch.no_grad()
def test_a_file_as_published_gives_the_publishers_logits(name, offline):
    network, prepare = peer(name)
    ship(name, network.state_dict(), offline)
    ours = load(name)
    theirs = prepare(PHOTO)
    pixels = take_crops(centre(PHOTO) if name.startswith("facenet") else PHOTO, ours.preprocess)
    own = normalise(pixels, ours.preprocess)
    fed = theirs[None]
    if getattr(network, "transform_input", False):  # it undoes ImageNet's normalisation itself; ours is fed what comes of that
        fed = (theirs * IMAGENET[1] + IMAGENET[0] - 0.5)[None] / 0.5
    if LAYOUTS[PUBLISHED[name].layout].bgr:
        fed = fed.flip(1)
    grey = (own - fed).abs() * torch.tensor(ours.preprocess.normalize.std).view(3, 1, 1) * 255
    assert grey.max() < 1.01  # resampled in one step or two: here and there one level of 255
    assert (grey > 0.01).float().mean() < 0.01
    expected = kept_classes(network(torch.cat([theirs[None], theirs[None].flip(-1)])), name)
    logits = ours(torch.cat([fed, fed.flip(-1)]))
    scale = expected.abs().max()
    assert (expected[0] - expected[1]).abs().max() > 1e-3 * scale  # alive: a mirrored photograph is another
    assert (logits - expected).abs().max() < 1e-4 * scale
    assert len(ours.classes or ()) == (1000 if PUBLISHED[name].classes in (1000, 1001) else 0)
    if ours.classes:
        assert (ours.classes[0], ours.classes[281], ours.classes[999]) == ("tench", "tabby", "toilet tissue")


def test_a_predictor_takes_the_public_name(offline):
    network, _ = peer("torchvision/googlenet")
    ship("torchvision/googlenet", network.state_dict(), offline)
    predictor = Predictor("torchvision/googlenet", "torch")
    (prediction,) = predictor([PHOTO])
    assert set(prediction.labels) <= set(predictor.classes)
    assert len(prediction.labels) == 5


@pytest.fixture(scope="module")
def untouched():
    """A network that refused weights leave as it is."""
    return create_model("googlenet_torchvision", aux=True)


@pytest.fixture(scope="module")
def googlenet(tmp_path_factory):
    """A small stand-in for a published file: torchvision's GoogLeNet, whole."""
    file = tmp_path_factory.mktemp("published") / "googlenet.pth"
    torch.save(peer("torchvision/googlenet")[0].state_dict(), file)
    return file


@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".bin"])
def test_a_local_file_is_known_by_its_keys(googlenet, tmp_path, suffix, caplog):
    state = torch.load(googlenet, weights_only=True)
    file = tmp_path / f"mine{suffix}"
    save_file(state, file) if suffix == ".safetensors" else torch.save({"state_dict": state, "epoch": 3}, file)
    network = load(file)
    assert network.definition.name == "googlenet_torchvision"
    assert network.preprocess == PUBLISHED["torchvision/googlenet"].preprocess
    assert "named as torchvision googlenet" in caplog.text
    assert "without its auxiliary heads aux1, aux2" in caplog.text


def test_heads_are_kept_where_asked_for(googlenet):
    network = create_model("googlenet_torchvision", weights=googlenet, aux=True)
    state = torch.load(googlenet, weights_only=True)
    for head in ("aux1", "aux2"):
        assert torch.equal(network.auxiliary[head]["linear"].linear.weight, state[f"{head}.fc2.weight"])


def test_another_number_of_classes_gets_fresh_classifiers(googlenet, caplog):
    torch.manual_seed(1)
    network = create_model("googlenet_torchvision", weights=googlenet, aux=True, num_classes=7)
    state = torch.load(googlenet, weights_only=True)
    assert "with fresh classifiers of 7 classes for its 1000" in caplog.text
    assert torch.equal(network.stages["conv1"].conv.weight, state["conv1.conv.weight"])
    assert torch.equal(network.auxiliary["aux1"]["fc"].fc.weight, state["aux1.fc1.weight"])
    heads = [network.head["linear"], *(head["linear"] for head in network.auxiliary.values())]
    assert [head.linear.out_features for head in heads] == [7, 7, 7]
    assert network.classes is None
    assert network.num_classes == 7


@pytest.mark.parametrize(("classes", "first"), [(1001, 1), (1008, 1)])
def test_other_class_counts_are_cut_to_imagenets(googlenet, tmp_path, classes, first, caplog):
    state = torch.load(googlenet, weights_only=True)
    rows = torch.arange(classes * 1024.0).view(classes, 1024)
    heads = {"fc": 1024, "aux1.fc2": 1024, "aux2.fc2": 1024}
    for head in heads:
        state |= {f"{head}.weight": rows, f"{head}.bias": torch.arange(float(classes))}
    torch.save(state, tmp_path / "more.pth")
    network = create_model("googlenet_torchvision", weights=tmp_path / "more.pth", aux=True)
    for linear in (network.head["linear"].linear, network.auxiliary["aux2"]["linear"].linear):
        assert torch.equal(linear.bias, torch.arange(first, first + 1000.0))
        assert torch.equal(linear.weight, rows[first : first + 1000])
    assert f"of its {classes} classes the 1000 of ImageNet are kept" in caplog.text
    assert (network.classes is None) == (classes == 1008)  # whose order is another, and unnamed here


def test_weights_of_another_model_name_their_own(googlenet):
    with pytest.raises(BadCheckpoint, match="holds 'googlenet_torchvision', not 'googlenet'"):
        create_model("googlenet", weights=googlenet)


class Runs:
    """A pickle that asks to run code."""

    def __reduce__(self):
        return os.system, ("touch ran",)


def without(key):
    return lambda state: {name: tensor for name, tensor in state.items() if name != key}


DAMAGED = {
    "one key missing": (without("inception4c.branch3.1.conv.weight"), "lacks 'inception4c.branch3.1.conv.weight'"),
    "one statistic missing": (without("inception4c.branch3.1.bn.running_var"), "lacks 'inception4c.branch3.1.bn.running_var'"),
    "half a head": (without("aux2.fc1.weight"), "lacks 'aux2.fc1.weight'"),
    "one key extra": (lambda state: state | {"inception4c.branch5.conv.weight": torch.zeros(1)}, "has 'inception4c.branch5"),
    "one wrong shape": (
        lambda state: state | {"conv3.conv.weight": torch.zeros(192, 64, 5, 5)},
        r"'conv3.conv.weight' is \(192, 64, 5, 5\) there",
    ),
    "one value not finite": (lambda state: state | {"fc.bias": torch.full((1000,), torch.nan)}, "not finite"),
    "a pickle that runs code": (lambda state: state | {"conv1.conv.weight": Runs()}, "asks to run 'posix.system'"),
    "a value that is no tensor": (lambda state: state | {"epoch": 3}, "holds 'epoch', which is not a tensor"),
    "another network's": (lambda state: nn.Linear(2, 2).state_dict(), "is of no network known here: its first name is 'weight'"),
    "nothing": (lambda state: {}, "holds no weights by name"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_weights_are_refused_and_the_network_stays(case, googlenet, untouched, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    damage, says = DAMAGED[case]
    torch.save(damage(torch.load(googlenet, weights_only=True)), tmp_path / "bad.pth")
    network = untouched
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    with pytest.raises(BadCheckpoint, match=says) as caught:
        fill(network, read_weights(tmp_path / "bad.pth"))
    assert repr(str(tmp_path / "bad.pth")) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert all(torch.equal(tensor, before[key]) for key, tensor in network.state_dict().items())
    assert network.classes is None
    assert not (tmp_path / "ran").exists()


def raw_pickle(file, whole):
    file.write_bytes(pickle.dumps(Runs(), protocol=2))


def truncated(file, whole):
    file.write_bytes(whole[: len(whole) // 2])


def empty(file, whole):
    file.write_bytes(b"")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("make", [raw_pickle, truncated, empty])
def test_what_cannot_be_read_is_refused_in_one_line(make, suffix, googlenet, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    whole = googlenet.read_bytes()
    if suffix == ".safetensors":
        save_file(torch.load(googlenet, weights_only=True), tmp_path / "whole.safetensors")
        whole = (tmp_path / "whole.safetensors").read_bytes()
    file = tmp_path / f"bad{suffix}"
    make(file, whole)
    with pytest.raises(BadCheckpoint) as caught:
        load(file)
    assert repr(str(file)) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", PUBLISHED)
def test_offline_the_error_says_what_to_fetch_and_where_to_put_it(name, offline):
    with pytest.raises(GodeeperError, match=f"cannot fetch '{name}'") as caught:
        load(name)
    message = str(caught.value)
    assert "\n" not in message
    assert f"download {PUBLISHED[name].url}" in message
    place = message.rpartition("put it at ")[2].strip("'")
    assert place.startswith(str(offline / "torch"))


def test_what_is_put_there_is_found(offline):
    name = "timm/inception_v4.tf_in1k"
    with pytest.raises(GodeeperError, match="put it at") as caught:
        load(name)
    place = str(caught.value).rpartition("put it at ")[2].strip("'")
    os.makedirs(os.path.dirname(place))
    state = peer(name)[0].state_dict()
    save_file(state, place)
    assert torch.equal(load(name).stages["conv1"].conv.weight, state["features.0.conv.weight"])


def test_a_download_with_another_hash_is_refused(offline, monkeypatch):
    """The file's name holds the beginning of its SHA-256."""
    served = offline / "served.pth"
    served.write_bytes(b"something else")
    monkeypatch.setitem(PUBLISHED, "test/wrong", replace(PUBLISHED["torchvision/googlenet"], name="test/wrong",
                                                         url=f"{served.parent.as_uri()}/wrong-1378be20.pth"))  # fmt: skip
    served.rename(served.parent / "wrong-1378be20.pth")
    with pytest.raises(GodeeperError, match="invalid hash value"):
        load("test/wrong")
    assert not list((offline / "torch").rglob("*.pth"))


@pytest.mark.parametrize("whole", [True, False])
def test_a_download_from_the_hub_is_held_against_its_hash(offline, monkeypatch, whole):
    name = "timm/inception_v4.tf_in1k"
    content = b"weights"
    blob = offline / (hashlib.sha256(content).hexdigest())
    file = offline / "model.safetensors"

    def download(repository, filename, revision=None):
        blob.write_bytes(content if whole else b"weight")
        file.symlink_to(blob)
        return str(file)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    if whole:
        assert fetch(PUBLISHED[name]) == file
    else:
        with pytest.raises(GodeeperError, match=r"another SHA-256.*: download https"):
            fetch(PUBLISHED[name])
        assert not file.exists()
        assert not blob.exists()


def test_a_safetensors_file_of_nothing_is_refused(tmp_path):
    save_file({}, tmp_path / "empty.safetensors")
    with pytest.raises(BadCheckpoint, match="of no network known here"):
        load(tmp_path / "empty.safetensors")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("timm/inception_v4", "published are timm/inception_v3.tv_in1k, .*timm/inception_v4.tf_in1k"),
        ("torchvision/resnet50", "published are torchvision/googlenet, torchvision/inception_v3, "),
        ("inception_v4", "published are timm/inception_v4.tf_in1k, cadene/inceptionv4"),
        ("inception_v4.tf_in1k", "no published weights of that name"),
        ("", "the name of the weights is empty"),
        ("mine/timm/inception_v4", "no published weights of that name"),
    ],
)
def test_an_unknown_name_is_said(name, says):
    with pytest.raises(BadCheckpoint, match=says):
        load(name)


def test_every_set_fits_a_model_and_names_its_terms():
    for name, weights in PUBLISHED.items():
        assert weights.architecture in list_models()
        assert name == weights.name
        assert weights.url.startswith(("https://", "http://"))
        assert weights.licence
        if weights.top1_accuracy is not None:
            assert 50 < weights.top1_accuracy < weights.top5_accuracy < 100


def test_a_run_starts_another(tmp_path, caplog):
    """Weights of our own, with another number of classes."""
    first = create_model("googlenet_bn", num_classes=3, width=0.25, small=True)
    save(first, tmp_path / "model.safetensors")
    second = create_model("googlenet_bn", num_classes=5, width=0.25, small=True, weights=tmp_path)
    assert torch.equal(second.stages["5b"].branches[0][0].conv.weight, first.stages["5b"].branches[0][0].conv.weight)
    assert "with fresh classifiers of 5 classes for its 3" in caplog.text
    assert create_model("googlenet_bn", width=0.25, small=True, weights=tmp_path).num_classes == 3


# What once went wrong


@pytest.mark.parametrize("small", [False, True])
def test_a_small_network_and_a_whole_one_keep_their_own_size(tmp_path, small):
    """Their weights have the same shapes."""
    first = create_model("googlenet_bn", num_classes=3, width=0.25, small=small)
    first.preprocess = replace(first.preprocess, normalize=Normalize((0.5, 0.5, 0.5)))
    save(first, tmp_path / "first.safetensors")
    second = create_model("googlenet_bn", width=0.25, small=not small, weights=tmp_path / "first.safetensors")
    assert second.preprocess == first.preprocess.with_size(224 if small else 32)


def test_other_classes_of_the_same_number_get_fresh_classifiers(caplog):
    network = create_model("googlenet_bn", num_classes=2, width=0.25, small=True, aux=True)
    network.classes = ("cat", "dog")
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    name_classes(network, ("cat", "dog"))
    assert all(torch.equal(tensor, before[key]) for key, tensor in network.state_dict().items())
    name_classes(network, ("dog", "cat"))
    changed = {key for key, tensor in network.state_dict().items() if not torch.equal(tensor, before[key])}
    assert changed == {f"{head}.linear.linear.weight" for head in ("head", "auxiliary.aux1", "auxiliary.aux2")}
    assert "with fresh classifiers" in caplog.text
    assert network.classes == ("dog", "cat")


def test_faces_are_never_taken_for_imagenets(tmp_path):
    network = shaken(facenet_pytorch.InceptionResnetV1(classify=True, num_classes=1001))
    torch.save(network.state_dict(), tmp_path / "faces.pt")
    loaded = load(tmp_path / "faces.pt")
    assert (loaded.num_classes, loaded.classes) == (1001, None)
    assert torch.equal(loaded.head["linear"].linear.bias, network.logits.bias)


def test_one_head_of_two_and_heads_of_other_classes(googlenet, tmp_path, caplog):
    state = torch.load(googlenet, weights_only=True)
    state |= {"fc.weight": torch.zeros(10, 1024), "fc.bias": torch.zeros(10)}  # fine-tuned, its heads forgotten
    torch.save({key: tensor for key, tensor in state.items() if not key.startswith("aux2")}, tmp_path / "one.pth")
    network = create_model("googlenet_torchvision", aux=True, weights=tmp_path / "one.pth")
    assert torch.equal(network.auxiliary["aux1"]["fc"].fc.weight, state["aux1.fc1.weight"])
    assert [head["linear"].linear.out_features for head in network.auxiliary.values()] == [10, 10]
    assert "with fresh auxiliary heads aux2; with a fresh classifier of aux1, whose has 1000 classes" in caplog.text


@pytest.mark.parametrize(
    ("prefix", "wrapper"),
    [("module.", "state_dict"), ("_orig_mod.", "model_state_dict"), ("module._orig_mod.", "net"), ("model.", "state_dict")],
)
def test_wrapped_modules_are_unwrapped(googlenet, tmp_path, prefix, wrapper):
    state = torch.load(googlenet, weights_only=True)
    torch.save({wrapper: {prefix + key: tensor for key, tensor in state.items()}, "epoch": 1}, tmp_path / "wrapped.pth")
    assert torch.equal(load(tmp_path / "wrapped.pth").stages["conv1"].conv.weight, state["conv1.conv.weight"])


KINDS = {
    "0-d": lambda t: torch.tensor(1.0),
    "1-d": lambda t: torch.zeros(3),
    "int8": lambda t: t.to(torch.int8),
    "bool": lambda t: t > 0,
    "complex": lambda t: t.to(torch.complex64),
    "float8": lambda t: t.to(torch.float8_e4m3fn),
    "sparse": lambda t: t.to_sparse(),
    "quantised": lambda t: torch.quantize_per_tensor(t, 0.1, 0, torch.qint8),
    "meta": lambda t: t.to("meta"),
    "too great": lambda t: torch.full_like(t, 1e300, dtype=torch.float64),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("kind", "key"), [*((kind, "conv1.conv.weight") for kind in KINDS), ("1-d", "fc.weight"), ("sparse", "fc.weight")]
)
def test_tensors_of_another_kind_are_refused(googlenet, tmp_path, kind, key):
    state = torch.load(googlenet, weights_only=True)
    torch.save(state | {key: KINDS[kind](state[key])}, tmp_path / "odd.pth")
    with pytest.raises(BadCheckpoint) as caught:
        load(tmp_path / "odd.pth")
    assert repr(key) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_read(googlenet, tmp_path, dtype):
    state = torch.load(googlenet, weights_only=True)
    save_file({key: t.to(dtype) if t.is_floating_point() else t for key, t in state.items()}, tmp_path / "half.safetensors")
    network = load(tmp_path / "half.safetensors")
    assert network.stages["conv1"].conv.weight.dtype == torch.float32
    assert torch.equal(network.stages["conv1"].conv.weight, state["conv1.conv.weight"].to(dtype).float())


def test_a_negative_variance_is_refused(googlenet, tmp_path):
    state = torch.load(googlenet, weights_only=True)
    state["conv1.bn.running_var"][0] = -1
    torch.save(state, tmp_path / "bad.pth")
    with pytest.raises(BadCheckpoint, match=r"variances below 0, in 'conv1\.bn\.running_var'"):
        load(tmp_path / "bad.pth")


@pytest.mark.parametrize(
    ("where", "name"),
    [
        ("timm_inception_v3.gluon_in1k.safetensors", "timm/inception_v3.gluon_in1k"),
        ("timm/inception_v3.gluon_in1k/model.safetensors", "timm/inception_v3.gluon_in1k"),
        ("models--timm--inception_v3.tf_in1k/snapshots/0/model.safetensors", "timm/inception_v3.tf_in1k"),
        ("inception_v3_google-0cc3c7bd.pth", "torchvision/inception_v3"),
        ("timm_inception_v3.gluon_in1k.pth", "timm/inception_v3.gluon_in1k"),
        ("torchvision_inception_v3.epoch3.pth", "torchvision/inception_v3"),
    ],
)
def test_a_file_without_a_published_name_is_prepared_for_as_its_place_says(where, name, tmp_path):
    assert most_likely(LAYOUTS["torchvision inception_v3"], tmp_path / where, 1000, heads=False).name == name


@pytest.mark.parametrize(
    ("layout", "classes", "heads", "name"),
    [
        ("timm inception_v4", 1001, False, "cadene/inceptionv4"),
        ("torchvision inception_v3", 1000, True, "torchvision/inception_v3"),  # with heads only torchvision's own is published
        ("torchvision inception_v3", 10, False, "torchvision/inception_v3"),  # somebody's own: nothing known has ten
        ("torchvision vgg16", 10, False, "torchvision/vgg16"),
        ("torchvision googlenet", 1000, False, "torchvision/googlenet"),
        ("timm inception_resnet_v2", 1000, False, "timm/inception_resnet_v2.tf_in1k"),  # both are prepared for alike
        ("facenet InceptionResnetV1", 100, False, "facenet/vggface2"),
        ("Keras inception_v3", 1000, False, "keras/inception_v3"),  # whose names Inception-ResNet-v2's has, too
        ("Keras inception_v3", 0, False, "keras/inception_v3_notop"),
        ("Keras inception_resnet_v2", 1000, False, "keras/inception_resnet_v2"),
        ("Keras inception_resnet_v2", 7, False, "keras/inception_resnet_v2"),
    ],
)
def test_a_file_of_any_name_is_the_set_that_it_can_only_be(layout, classes, heads, name, tmp_path):
    assert most_likely(LAYOUTS[layout], tmp_path / "mine.pth", classes, heads=heads).name == name


def as_small_file(module, file):
    """A file of a module's names and shapes, all of them zero, in two bytes each."""
    torch.save({name: torch.zeros(tensor.shape, dtype=torch.half) for name, tensor in module.state_dict().items()}, file)
    return file


@pytest.mark.parametrize(
    ("model", "options", "says"),
    [
        # timm's of gluon see ImageNet's mean and deviation, all others -1..1.
        ("inception_v3", {"aux_logits": False, "init_weights": False}, r"timm/inception_v3\.gluon_in1k"),
        # Caffe's, converted, sees blue, green, red in 0..255.
        pytest.param("vgg16", {}, "Caffe", marks=pytest.mark.slow),
        pytest.param("vgg19", {}, "Caffe", marks=pytest.mark.slow),
    ],
)
def test_names_that_fit_several_networks_are_refused_with_all_of_them(model, options, says, tmp_path, capsys):
    with torch.device("meta"):
        module = getattr(torchvision, model)(**options)
    file = as_small_file(module, tmp_path / "mine.pth")
    assert status(["describe", str(file)]) == 2
    message = capsys.readouterr().err
    assert re.search(says, message)
    assert f"torchvision/{model}" in message
    assert f"torchvision_{model}.pth" in message  # how to choose
    assert message.count("\n") == 1
    assert read_weights(file.rename(tmp_path / f"torchvision_{model}.pth")).spec.definition.name == model


@pytest.mark.parametrize("name", ["pytorch-fid/pt_inception-2015-12-05", "torch-fidelity/weights-inception-2015-12-05"])
def test_the_fids_weights_are_known_by_their_name_alone(name, tmp_path, capsys):
    """They have torchvision's names, but average pools that leave padding out, and a max pool."""
    with torch.device("meta"):
        module = torchvision.inception_v3(num_classes=1008, aux_logits=False, init_weights=False)
    file = as_small_file(module, tmp_path / "mine.pth")
    assert status(["describe", str(file)]) == 2
    message = capsys.readouterr().err
    assert all(candidate in message for candidate in (name, "torchvision/inception_v3"))
    assert "pytorch-fid_pt_inception-2015-12-05.pth" in message  # how to choose
    assert message.count("\n") == 1
    read = read_weights(file.rename(tmp_path / PUBLISHED[name].file))
    assert (read.spec.definition.name, read.spec.num_classes, read.spec.classes) == ("inception_v3_fid", 1008, None)
    assert read.spec.preprocess.resize == Resize(299, "squash", antialias=False)
    assert read.names["stages.conv1.conv.weight"] == "Conv2d_1a_3x3.conv.weight"
    named = read_weights((tmp_path / PUBLISHED[name].file).rename(tmp_path / "torchvision_inception_v3.pth"))
    assert (named.spec.definition.name, named.spec.num_classes) == ("inception_v3", 1000)


@pytest.mark.parametrize("name", ["inception_v3_tf", pytest.param("inception_v3_fid", marks=pytest.mark.slow)])
def test_weights_can_be_run_with_the_pools_of_another_table(name, tmp_path, caplog):
    first = create_model("inception_v3", num_classes=3, width=0.125)
    save(first, tmp_path / "first.safetensors")
    second = create_model(name, width=0.125, weights=tmp_path / "first.safetensors")
    assert "weights of 'inception_v3' with the pools" in caplog.text
    assert all(torch.equal(tensor, first.state_dict()[key]) for key, tensor in second.state_dict().items())
    with pytest.raises(BadCheckpoint, match="holds 'inception_v3', not 'inception_v4'"):
        create_model("inception_v4", width=0.125, weights=tmp_path / "first.safetensors")


def test_another_file_under_a_published_name_is_refused(googlenet, offline):
    state = torch.load(googlenet, weights_only=True)
    ship("torchvision/googlenet", state | {"fc.weight": torch.zeros(10, 1024), "fc.bias": torch.zeros(10)}, offline)
    with pytest.raises(BadCheckpoint, match="has 10 classes, 'torchvision/googlenet' has 1000"):
        load("torchvision/googlenet")


def test_an_empty_folder_of_a_published_name_does_not_hide_it(offline, monkeypatch):
    monkeypatch.chdir(offline)
    (offline / "torchvision" / "alexnet").mkdir(parents=True)
    with pytest.raises(GodeeperError, match="cannot fetch 'torchvision/alexnet'"):
        load("torchvision/alexnet")


def test_nothing_is_fetched_for_another_model(offline):
    with pytest.raises(BadCheckpoint, match="holds 'inception_v4', not 'googlenet'"):
        create_model("googlenet", weights="timm/inception_v4.tf_in1k")
    with pytest.raises(GodeeperError, match="num_classes is 0"):
        create_model("inception_v4", weights="timm/inception_v4.tf_in1k", num_classes=0)
