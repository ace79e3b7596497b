"""Keras' files, made by hand with h5py of a tiny network: read as what they hold, or refused in one line."""

import io
import json
import re
import zipfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

import h5py
import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from godeeper import BadCheckpoint, GodeeperError, create_model, load, save
from godeeper.cli.main import status
from godeeper.models.weights.layouts import LAYOUTS, Layout, numbered
from godeeper.models.weights.published import KERAS, PUBLISHED, Published
from godeeper.papers import registry
from godeeper.papers.notation import VALID, Avg, AvgTo, BatchNorm, Cat, Conv, Definition, Dropout, FullyConnected, Linear
from godeeper.preprocess import Normalize, Preprocess

KERNELS = ((3, 3, 3, 4), (1, 1, 4, 5), (1, 1, 4, 3), (1, 7, 3, 6), (1, 1, 4, 2))  # HWIO, in the order of making
CLASSES, FEATURES = 3, 13
TINY = Definition(
    "tiny", "by hand",
    stages={"conv1": Conv(4, 3, 2, VALID), "A": Cat([Conv(5)], [Conv(3), Conv(6, (1, 7))], [Avg(3), Conv(2)])},
    head={"avgpool": AvgTo(1), "dropout": Dropout(0.5), "linear": Linear(CLASSES)},
    batch_norm=BatchNorm(), image_size=16,
)  # fmt: skip


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    """The only network that is known, and the only published set, whose file is no one's."""
    monkeypatch.setitem(registry.DEFINITIONS, "tiny", TINY)
    layout = Layout("Keras tiny", "tiny", (*numbered("conv2d_", 0, 5), "predictions"), conv="", norm="_bn", imagenet=False)
    weights = Published("keras/tiny", layout.name, "https://nowhere/tiny.h5", KERAS.with_size(16), None, None, "nobody", "MIT", 3)
    with (
        patch.dict(LAYOUTS, {layout.name: layout}, clear=True),
        patch.dict(
            PUBLISHED, {weights.name: weights}, clear=True
        ),  # restored in its order, which says what a file most likely is
    ):
        yield


def arrays(hidden=(), notop=False):
    """(kind, arrays by Keras' names) of every layer, in the order of making."""
    random = np.random.default_rng(0)

    def normal(*shape):
        return random.normal(size=shape).astype(np.float32)

    made = []
    for kernel in KERNELS:
        out = kernel[-1]
        made.append(("conv2d", {"kernel": normal(*kernel) / 2}))
        spread = random.uniform(0.5, 2, out).astype(np.float32)
        made.append(("batch_normalization", {"beta": normal(out), "moving_mean": normal(out), "moving_variance": spread}))
    widths = [] if notop else [FEATURES, *hidden, CLASSES]
    for before, after in pairwise(widths):
        made.append(("dense", {"kernel": normal(before, after), "bias": normal(after)}))
    return made


def expected(made, x):
    """The logits, from Keras' arrays alone."""
    layers = [{name: torch.from_numpy(array) for name, array in values.items()} for _, values in made]

    def unit(index, x, stride=1, padding=(0, 0)):
        conv, norm = layers[2 * index : 2 * index + 2]
        x = F.conv2d(x, conv["kernel"].permute(3, 2, 0, 1), stride=stride, padding=padding)
        scale = (norm["moving_variance"] + 1e-3).rsqrt()
        return ((x - norm["moving_mean"].view(-1, 1, 1)) * scale.view(-1, 1, 1) + norm["beta"].view(-1, 1, 1)).relu()

    x = unit(0, x, stride=2)
    pooled = F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
    x = torch.cat([unit(1, x), unit(3, unit(2, x), padding=(0, 3)), unit(4, pooled)], 1).mean((2, 3))
    *hidden, last = layers[10:]
    for dense in hidden:
        x = (x @ dense["kernel"] + dense["bias"]).relu()
    return x @ last["kernel"] + last["bias"]


def names_of(made, first):
    """Keras' own names where each kind's numbers start at `first`; 0 has no number."""
    counts = {}
    for kind, _ in made:
        number = counts[kind] = counts.get(kind, first - 1) + 1
        yield f"{kind}_{number}" if number else kind


def legacy(file, made, first=0, within="", config=None, suffix=":0"):
    """A file of Keras 1 and 2; `within`: all layers but the dense ones are those of a model within the model."""
    with h5py.File(file, "w") as opened:
        root = opened
        if config is not None:
            opened.attrs["model_config"] = json.dumps(config)
            root = opened.create_group("model_weights")
            opened.create_group("optimizer_weights")["iterations"] = np.zeros(3)
        groups = {}
        for (kind, values), name in zip(made, names_of(made, first), strict=True):
            group = within if within and kind != "dense" else name
            groups.setdefault(group, []).extend((f"{name}/{leaf}{suffix}", array) for leaf, array in values.items())
        for name, held in {"input_1": [], **groups}.items():
            group = root.create_group(name)
            group.attrs["weight_names"] = [path.encode() for path, _ in held]
            for path, array in held:
                group[path] = array
        names = ["input_1", *groups]
        root.attrs["layer_names0"] = [name.encode() for name in names[:4]]  # cut in two, as where they are many
        root.attrs["layer_names1"] = [name.encode() for name in names[4:]]
    return file


def numbered_by_kind(file, made, first=0, named=True):
    """Weights alone of Keras 3: groups by kind, numbered in the model's order, which is not that of making; and its layers."""
    names = list(names_of(made, first))
    order = [*np.random.default_rng(1).permutation(2 * len(KERNELS)), *range(2 * len(KERNELS), len(made))]
    counts, layers = {}, []
    with h5py.File(file, "w") as opened:
        for index in order:
            kind, values = made[index]
            number = counts[kind] = counts.get(kind, -1) + 1
            group = opened.create_group(f"layers/{kind}_{number}/vars" if number else f"layers/{kind}/vars")
            if named:
                group.attrs["name"] = names[index]
            for place, array in enumerate(values.values()):
                group[str(place)] = array
            class_name = {"conv2d": "Conv2D", "batch_normalization": "BatchNormalization", "dense": "Dense"}[kind]
            layers.append({"class_name": class_name, "config": {"name": names[index]}})
        opened.create_group("layers/dropout/seed_generator/vars")["0"] = np.zeros(2, np.uint32)
        opened.create_group("optimizer/vars")["0"] = np.zeros(2, np.float32)
        opened.create_group("_loss_tracker/vars")["0"] = np.zeros((), np.float32)
    return file, layers


def zipped(file, arrays_file, config, name="model.weights.h5"):
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", json.dumps(config))
        archive.write(arrays_file, name)
    return file


def described(*layers):
    """A model's JSON: an input of 16 pixels, something that ends the trunk, and these layers, (class, config)."""
    known = [("InputLayer", {"batch_shape": [None, 16, 16, 3]}), ("Concatenate", {}), *layers]
    return {
        "class_name": "Functional",
        "config": {
            "name": "model",
            "layers": [{"class_name": kind, "config": {"name": f"layer{n}", **config}} for n, (kind, config) in enumerate(known)],
        },
    }


def dense(units, activation="relu"):
    return ("Dense", {"units": units, "activation": activation})


POOL, DROPOUT = ("GlobalAveragePooling2D", {}), ("Dropout", {"rate": 0.25})
X = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(3))


def check(network, made):
    with torch.no_grad():
        torch.testing.assert_close(network(X), expected(made, X), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"first": 1},
        {"first": 8},
        {"first": 94, "suffix": ""},
        {"within": "inception_v3"},
        {"config": described(POOL, dense(3, "softmax"))},
    ],
    ids=["unnumbered first", "from 1", "over 9 and 10", "from 94", "a model within", "whole model"],
)
def test_an_h5_file_gives_kerass_logits(options, tmp_path, caplog):
    made = arrays()
    network = load(legacy(tmp_path / "mine.h5", made, **options))
    check(network, made)
    assert "named as Keras tiny: images are prepared as for 'keras/tiny' (-1..1,squash,bilinear,16)" in caplog.text


@pytest.mark.parametrize("first", [0, 9])
def test_a_file_of_numbered_groups_gives_kerass_logits(first, tmp_path):
    made = arrays()
    check(load(numbered_by_kind(tmp_path / "mine.weights.h5", made, first)[0]), made)


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("suffix", [".keras", ".zip"])
def test_an_archive_gives_kerass_logits(named, suffix, tmp_path):
    made = arrays()
    file, layers = numbered_by_kind(tmp_path / "parts.h5", made, 5, named)
    model = {"class_name": "Functional", "config": {"name": "m", "layers": layers}}
    if named:
        model = described(POOL, dense(3, "softmax"))
    else:  # names are in the description alone
        model["config"]["layers"][-1]["config"] |= {"units": 3, "activation": "softmax"}
    check(load(zipped(tmp_path / f"mine{suffix}", file, model)), made)


def test_a_head_of_dense_layers_is_read(tmp_path, caplog):
    made = arrays(hidden=(8, 4))
    relu = ("Activation", {"activation": "relu"})
    head = described(POOL, dense(8), DROPOUT, dense(4, "linear"), relu, dense(3, "linear"), ("Softmax", {}))
    network = load(legacy(tmp_path / "mine.h5", made, config=head))
    check(network, made)
    assert network.definition.head == {
        "avgpool": AvgTo(1), "fc1": FullyConnected(8), "dropout2": Dropout(0.25), "fc2": FullyConnected(4), "linear": Linear(3),
    }  # fmt: skip
    assert network.definition.title == "tiny (head 8-4)"
    assert "assumed" not in caplog.text
    save(network, tmp_path / "ours.safetensors")
    check(load(tmp_path / "ours.safetensors"), made)
    check(load(numbered_by_kind(tmp_path / "mine.weights.h5", made)[0]), made)
    assert "with ReLU assumed after dense, dense_1" in caplog.text


@pytest.mark.parametrize(
    ("layers", "says"),
    [
        ((POOL, dense(3, "sigmoid")), "'layer3', with sigmoid; only a global"),
        ((POOL, dense(3, "linear"), ("Activation", {"activation": "sigmoid"})), "'layer3', with sigmoid"),
        ((POOL, ("GlobalMaxPooling2D", {}), dense(3, "softmax")), "'layer3', a GlobalMaxPooling2D"),
        ((POOL, ("BatchNormalization", {}), dense(3, "softmax")), "'layer3', a BatchNormalization; only a global"),
        ((POOL, dense(8), dense(3, "softmax")), "the dense layers that it describes are not those that it holds"),
        ((POOL, ("Dense", {"activation": "softmax"})), "describes its head in a way that is not read"),
        ((("Rescaling", {"scale": [1, 2, 3]}), POOL, dense(3, "softmax")), "say it with --preprocess"),
    ],
)
def test_a_head_that_computes_otherwise_is_refused(layers, says, tmp_path):
    with pytest.raises(BadCheckpoint, match=re.escape(says)) as caught:
        load(legacy(tmp_path / "mine.h5", arrays(), config=described(*layers)))
    assert "\n" not in str(caught.value)


def test_a_hidden_layer_that_is_not_activated_is_refused(tmp_path):
    config = described(POOL, dense(8, "tanh"), dense(3, "softmax"))
    with pytest.raises(BadCheckpoint, match="'layer3', with tanh; only a global"):
        load(legacy(tmp_path / "mine.h5", arrays(hidden=(8,)), config=config))


def test_a_file_without_a_classifier_gets_a_fresh_one(tmp_path, caplog):
    made = arrays(notop=True)
    file = legacy(tmp_path / "notop.h5", made)
    network = load(file)
    assert "with a fresh classifier of 3 classes, as it has none" in caplog.text
    assert 0.001 < network.head["linear"].linear.weight.std() < 0.1
    assert torch.equal(network.head["linear"].linear.bias, torch.zeros(3))
    tuned = create_model("tiny", weights=file, num_classes=7).eval()
    assert torch.equal(tuned.embed(X), network.embed(X))
    assert tuned.num_classes == 7


# Preprocessing


def test_what_the_file_says_of_its_images_is_taken(tmp_path):
    rescaling = ("Rescaling", {"scale": 1 / 255, "offset": 0.0})
    config = described(rescaling, POOL, dense(3, "softmax"))
    config["config"]["layers"][0]["config"]["batch_shape"] = [None, 24, 24, 3]
    config["config"]["layers"].insert(1, config["config"]["layers"].pop(2))
    network = load(legacy(tmp_path / "mine.h5", arrays(), config=config))
    assert network.preprocess == replace(KERAS.with_size(24), normalize=Normalize((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)))


def test_preprocessing_is_said(tmp_path, caplog):
    file = legacy(tmp_path / "mine.h5", arrays())
    assert load(file, preprocess="0..1").preprocess == replace(KERAS.with_size(16), normalize=Normalize((0.0,) * 3, (1.0,) * 3))
    assert load(file, preprocess=Preprocess.of(20)).preprocess == Preprocess.of(20)
    assert "prepared as" not in caplog.text
    with pytest.raises(GodeeperError, match=r"preprocessing '0-1' is unknown: give some of -1\.\.1, 0\.\.1, .*squash"):
        load(file, preprocess="squash,0-1")


def test_the_command_line_says_it_too(tmp_path, capsys):
    file = legacy(tmp_path / "mine.h5", arrays())
    Image.fromarray(np.full((16, 16, 3), 128, np.uint8)).save(tmp_path / "grey.png")
    printed = []
    for words in ("-1..1", "0..1"):
        line = ["predict", str(file), str(tmp_path / "grey.png"), "--preprocess", words, "--engine", "torch"]
        assert status(line) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] != printed[1]


@pytest.mark.parametrize("words", ["-1..1,crop,bicubic,299", "imagenet,squash,area,224", "0..255,crop,nearest,32"])
def test_words_for_preprocessing_say_what_they_mean(words):
    adjusted = Preprocess.of(7, (0.1,) * 3, (0.2,) * 3).adjusted(words)
    assert adjusted.words == words
    assert Preprocess().adjusted(words) == adjusted


# What is not read

KERNEL = "conv2d_3/conv2d_3/kernel:0"


def damaged(file, change):
    with h5py.File(file, "a") as opened:
        change(opened)
    return file


def without(name):
    def change(opened):
        del opened[name]

    return change


def replaced(name, array):
    def change(opened):
        del opened[name]
        opened[name] = array

    return change


def elsewhere(link):
    def change(opened):
        del opened[KERNEL]
        opened[KERNEL] = link

    return change


def renamed(opened):
    names = [name for part in (0, 1) for name in opened.attrs[f"layer_names{part}"]]
    for name in names[1:]:
        opened.move(name, f"mine_{name}")
    opened.attrs["layer_names0"] = [f"mine_{name}" for name in names[1:]]
    del opened.attrs["layer_names1"]


def reordered(opened):
    opened.move("conv2d_2", "x")
    opened.move("conv2d_3", "conv2d_2")
    opened.move("x", "conv2d_3")


def all_elsewhere(opened):
    """Every layer is in another file, where it can be read."""
    legacy(Path(opened.filename).with_name("other.h5"), arrays(), first=1, config={})
    opened["model_weights"] = h5py.ExternalLink("other.h5", "/model_weights")


def virtual(opened):
    """The array is put together from another file's."""
    with h5py.File(Path(opened.filename).with_name("other.h5"), "w") as other:
        other["x"] = np.ones((1, 1, 4, 3), np.float32)
    layout = h5py.VirtualLayout((1, 1, 4, 3), np.float32)
    layout[:] = h5py.VirtualSource("other.h5", "x", (1, 1, 4, 3))
    del opened[KERNEL]
    opened.create_virtual_dataset(KERNEL, layout)


def outside(name, shape):
    """The array's bytes are another file's."""

    def change(opened):
        secret = Path(opened.filename).with_name("secret")
        secret.write_bytes(bytes(range(256)))
        if name in opened:
            del opened[name]
        opened.create_dataset(name, shape, "f4", external=[(str(secret), 0, 256)])

    return change


def kind_of_array(opened):
    del opened[KERNEL]
    opened[KERNEL] = np.dtype("f4")


DAMAGED = {
    "all in another file": (all_elsewhere, "'model_weights' is a link to elsewhere"),
    "virtual": (virtual, "'conv2d_3/kernel:0' is no array of the file's own"),
    "stored outside": (outside(KERNEL, (1, 1, 4, 3)), "'conv2d_3/kernel:0' is no array of the file's own"),
    "a kind of array": (kind_of_array, "is not a file of Keras, or is damaged"),
    "texts": (replaced(KERNEL, ["a", "b"]), "is of object, not of floats"),
    "an array less": (without(KERNEL), "it lists 'conv2d_3/kernel:0' and lacks it"),
    "a layer less": (without("conv2d_3"), "it lists 'conv2d_3' and lacks it"),
    "renamed": (renamed, "is of no network known here: its first name is 'mine_conv2d_1.weight'"),
    "reordered": (reordered, r"'conv2d_1.weight' is (3, 4, 1, 1) there, (5, 4, 1, 1) in that network"),
    "another shape": (replaced(KERNEL, np.zeros((1, 1, 4, 9), np.float32)), "'conv2d_2.weight' is (9, 4, 1, 1)"),
    "whole numbers": (replaced(KERNEL, np.zeros((1, 1, 4, 3), int)), "is of int64, not of floats"),
    "a link": (elsewhere(h5py.SoftLink("/conv2d_1/conv2d_1/kernel:0")), "'conv2d_3/kernel:0' is a link to elsewhere"),
    "another file": (elsewhere(h5py.ExternalLink("other.h5", "/x")), "is a link to elsewhere"),
    "a bias less": (without("dense_1/dense_1/bias:0"), "it lists 'dense_1/bias:0' and lacks it"),
}  # fmt: skip


@pytest.mark.parametrize("case", DAMAGED)
def test_an_edited_file_is_refused_in_one_line(case, tmp_path, capsys):
    change, says = DAMAGED[case]
    file = damaged(legacy(tmp_path / "mine.h5", arrays(), first=1), change)
    assert status(["describe", str(file)]) == 2
    message = capsys.readouterr().err
    assert says in message
    assert repr(str(file)) in message
    assert message.count("\n") == 1


def foreign(file):
    depthwise = [("depthwise_conv2d", {"depthwise_kernel": np.zeros((3, 3, 4, 1), np.float32)})]
    return legacy(file, arrays() + depthwise)


def array_for_group(file):
    """What should be a group of arrays is one, of another file's bytes."""
    with h5py.File(numbered_by_kind(file, arrays())[0], "a") as opened:
        del opened["layers/dense/vars"]
        outside("layers/dense/vars", (3,))(opened)
    return file


def own_circle(file):
    with h5py.File(numbered_by_kind(file, arrays())[0], "a") as opened:
        opened["layers/conv2d/layers"] = opened["layers"]
    return file


def odd_input(file):
    config = described(POOL, dense(3, "softmax"))
    config["config"]["layers"][0]["config"] = [1]
    return legacy(file, arrays(), config=config)


def odd_size(file):
    config = described(POOL, dense(3, "softmax"))
    config["config"]["layers"][0]["config"]["batch_shape"] = [None, 1 << 40, 1 << 40, 3]
    return legacy(file, arrays(), config=config)


def other_layers(file):
    made = [(kind, values) for kind, values in arrays() if kind == "dense"]
    return legacy(file, made)


def sigmoid(file):
    made = arrays()
    made[-1] = ("dense", {"kernel": np.zeros((FEATURES, 1), np.float32), "bias": np.zeros(1, np.float32)})
    return legacy(file, made)


def flattened(file):
    made = arrays(hidden=(8,))
    made[-2] = ("dense", {"kernel": np.zeros((FEATURES * 49, 8), np.float32), "bias": np.zeros(8, np.float32)})
    return legacy(file, made)


def nameless(file):
    return numbered_by_kind(file, arrays(), named=False)[0]


def huge(file):
    made = arrays()
    with h5py.File(legacy(file, made), "a") as opened:
        del opened["conv2d/conv2d/kernel:0"]
        opened.create_dataset("conv2d/conv2d/kernel:0", (1 << 20, 1 << 10, 3, 4), "f4", chunks=(1, 1, 3, 4))  # nothing is stored
    return file


def half(file):
    whole = legacy(file, arrays()).read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    return file


def empty(file):
    file.write_bytes(b"")
    return file


def no_model(file):
    with h5py.File(file, "w") as opened:
        opened["x"] = np.zeros(3)
    return file


def no_arrays(file):
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("config.json", "{}")
    return file


def deflated(file):
    zipped(file, legacy(file.with_suffix(".part"), arrays()), {})
    content = io.BytesIO(file.read_bytes())
    with zipfile.ZipFile(content) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name), zipfile.ZIP_STORED if name == "config.json" else None)
    return file


def no_json(file):
    zipped(file, legacy(file.with_suffix(".part"), arrays()), {})
    content = io.BytesIO(file.read_bytes())
    with zipfile.ZipFile(content) as old, zipfile.ZipFile(file, "w") as new:
        new.writestr("config.json", "[" * 100_000)
        new.writestr("model.weights.h5", old.read("model.weights.h5"))
    return file


@pytest.mark.parametrize(
    ("make", "name", "says"),
    [
        (foreign, "m.h5", "its layer 'depthwise_conv2d', which holds depthwise_kernel, is no convolution"),
        (other_layers, "m.h5", "is of no network known here: its first name is 'predictions.weight'"),
        (sigmoid, "m.h5", "has one output"),
        (flattened, "m.h5", "'dense' takes 637 features, but the network's average pool gives 13"),
        (nameless, "m.weights.h5", "does not name its layers"),
        (huge, "m.h5", "its arrays are larger than"),
        (array_for_group, "m.weights.h5", "'layers/dense' has an array for a group of arrays"),
        (own_circle, "m.weights.h5", "its groups lie within one another"),
        (odd_input, "m.h5", "prepares its images in a way that is not read: say it with --preprocess"),
        (odd_size, "m.h5", "prepares its images in a way that is not read: say it with --preprocess"),
        (half, "m.h5", "is not a file of Keras, or is damaged"),
        (half, "m.hdf5", "is not a file of Keras, or is damaged"),
        (empty, "m.keras", "is not a file of Keras, or is damaged"),
        (no_model, "m.h5", "no layer in it has weights"),
        (no_arrays, "m.keras", "There is no item named 'model.weights.h5'"),
        (deflated, "m.keras", "'model.weights.h5' is compressed: save it anew"),
        (no_json, "m.keras", "is not a file of Keras, or is damaged"),
    ],
)  # fmt: skip
def test_what_is_not_read_is_refused_in_one_line(make, name, says, tmp_path):
    with pytest.raises(BadCheckpoint) as caught:
        load(make(tmp_path / name))
    assert says in str(caught.value)
    assert repr(str(tmp_path / name)) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_h5py_the_error_says_what_to_install(tmp_path, monkeypatch):
    file = legacy(tmp_path / "mine.h5", arrays())
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(GodeeperError, match=r"h5py is not installed .*: pip install .*\[keras\]'"):
        load(file)
