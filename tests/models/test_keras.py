"""Networks that Keras itself writes, on its torch backend: read, they answer as Keras or TensorFlow.js do, on every engine."""

import json
import os
import re
import tarfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from safetensors import safe_open

from godeeper import create_model, load
from godeeper.deploy.engines import from_onnx, make_engine
from godeeper.deploy.export import export
from godeeper.deploy.fuse import fuse

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(3600)]
INPUT = "0..1,squash"  # of the trained network; Keras' files do not say it
WRITTEN = ("whole.h5", "alone.h5", "numbered.weights.h5", "archive.keras")


@pytest.fixture(scope="module")
def keras():
    os.environ.setdefault("KERAS_BACKEND", "torch")
    return pytest.importorskip("keras")


def number(layer):
    ending = re.search(r"_(\d+)$", layer.name)
    return int(ending[1]) if ending else 0


def in_order(keras, model, kind):
    """The model's layers of a kind in the order of making."""
    return sorted((layer for layer in model.layers if isinstance(layer, getattr(keras.layers, kind))), key=number)


def write(model, folder):
    """The model in each of Keras' formats; `alone.h5` is what `save_weights` of Keras 1 and 2 wrote."""
    model.save(folder / "whole.h5")
    model.save_weights(folder / "numbered.weights.h5")
    model.save(folder / "archive.keras")
    with h5py.File(folder / "whole.h5") as whole, h5py.File(folder / "alone.h5", "w") as alone:
        root = whole["model_weights"]
        for name, value in root.attrs.items():
            alone.attrs[name] = value
        for name in root:
            root.copy(name, alone)


# A network that others trained


@pytest.fixture(scope="module")
def trained(shared):
    """Arrays by name, as TensorFlow.js has them, and what it answers."""
    file = shared / "trained_inception_v3.safetensors"
    if not file.is_file():
        pytest.skip(f"{file.name} is not in the folder of real images")
    with safe_open(file, "numpy") as opened:
        scales = json.loads(opened.metadata()["quantization"])
        arrays = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    for name, (scale, minimum) in scales.items():
        arrays[name] = (arrays[name] * np.float64(scale) + minimum).astype(np.float32)
    return arrays


@pytest.fixture(scope="module")
def written(keras, trained, tmp_path_factory):
    """The trained network, put together and written by Keras."""
    layers = keras.layers
    base = keras.applications.InceptionV3(include_top=False, weights=None, input_shape=(299, 299, 3))
    x = layers.GlobalAveragePooling2D()(base.output)
    for units, rate in ((256, 0.5), (128, 0.25)):
        x = layers.Dropout(rate)(layers.Dense(units, "relu")(x))
    model = keras.Model(base.input, layers.Dense(5, "softmax")(x))
    for kind, name, parts in (
        ("Conv2D", "conv2d", ("kernel",)),
        ("BatchNormalization", "batch_normalization", ("beta", "moving_mean", "moving_variance")),
        ("Dense", "dense", ("kernel", "bias")),
    ):
        for place, layer in enumerate(in_order(keras, model, kind), 1):
            layer.set_weights([trained[f"{name}_{place}/{part}"] for part in parts])
    folder = tmp_path_factory.mktemp("written")
    write(model, folder)
    return folder


def images(trained):
    return torch.from_numpy(trained["reference/pixels"]).permute(0, 3, 1, 2).float() / 255


@torch.inference_mode()
def answers(run, x):
    return torch.cat([run(batch) for batch in x.split(8)])


def apart(logits, expected):
    return ((logits - torch.as_tensor(expected)).abs().max() / torch.as_tensor(expected).abs().max()).item()


@pytest.mark.parametrize("name", WRITTEN)
def test_every_format_gives_the_same_network(name, written, trained, caplog):
    network = load(written / name, preprocess=INPUT)
    assert (network.definition.name, network.num_classes, network.classes) == ("inception_v3_tf", 5, None)
    assert network.preprocess.words == "0..1,squash,bilinear,299"
    state = network.state_dict()
    kernel = torch.from_numpy(trained["conv2d_94/kernel"]).permute(3, 2, 0, 1)
    assert torch.equal(state["stages.C.1.branches.3.1.conv.weight"], kernel)  # 192 of 1x1, after the last average pool
    assert torch.equal(state["head.fc2.fc.weight"], torch.from_numpy(trained["dense_2/kernel"]).T)
    described = name in ("whole.h5", "archive.keras")
    assert ("dropout3" in network.definition.head) == described
    assert ("with ReLU assumed" in caplog.text) == (not described)
    other = load(written / WRITTEN[0], preprocess=INPUT).state_dict()
    assert all(torch.equal(tensor, other[key]) for key, tensor in state.items())


@pytest.mark.parametrize("engine", ["eager", "fused", "openvino", "onnxruntime"])
def test_the_trained_network_answers_as_tensorflow_js(engine, written, trained):
    network = load(written / "archive.keras", preprocess=INPUT)
    run = {"eager": lambda: network, "fused": lambda: fuse(network)}.get(engine, lambda: make_engine(network, engine))()
    logits = answers(run, images(trained))
    assert apart(logits, trained["reference/logits"]) < 1e-5
    assert apart(logits.softmax(1), trained["reference/probabilities"]) < 1e-5


def test_the_trained_network_with_other_pools_does_not(written, trained):
    network = load(written / "archive.keras", preprocess=INPUT)
    others = create_model(network.spec).eval()
    others.load_state_dict(network.state_dict())
    for module in others.modules():
        if isinstance(module, torch.nn.AvgPool2d):
            module.count_include_pad = True
    logits = answers(others, images(trained)[:8])
    assert apart(logits, trained["reference/logits"][:8]) > 1e-2


def test_the_trained_embeddings_are_tensorflow_js(written, trained):
    network = load(written / "archive.keras", preprocess=INPUT)
    with torch.inference_mode():
        pooled = network.features(images(trained)[:8])[0].mean((2, 3))
    assert apart(pooled, trained["reference/mixed10_mean"][:8]) < 1e-5


def test_int8_moves_the_trained_networks_probabilities_little(written, trained, shared, tmp_path):
    with tarfile.open(shared / "photos.tar") as photos:
        members = sorted((member for member in photos if member.name.endswith(".JPEG")), key=lambda member: member.name)
        photos.extractall(tmp_path / "photos", members[::2], filter="data")
    network = load(written / "archive.keras", preprocess=INPUT)
    report = export(network, tmp_path / "eight.onnx", precision="int8", images=tmp_path / "photos", max_drop=5)
    assert report.check["images"] >= 40
    expected = torch.from_numpy(trained["reference/logits"])
    for engine in ("openvino", "onnxruntime"):
        logits = answers(from_onnx(str(report.file), engine, "int8"), images(trained))
        shift = (logits.softmax(1) - expected.softmax(1)).abs().max().item()
        same = int((logits.argmax(1) == expected.argmax(1)).sum())
        print(f"\nint8, {engine}: probability {shift:.4f}, logit {(logits - expected).abs().max():.4f}, top-1 {same} of 40")
        assert shift < 0.15
        assert same >= 39


@pytest.mark.parametrize("engine", ["torch", "openvino"])
def test_bf16_moves_the_trained_networks_answers_little(engine, written, trained):
    network = load(written / "archive.keras", preprocess=INPUT)
    logits = answers(make_engine(network, engine, "bf16"), images(trained))
    expected = torch.from_numpy(trained["reference/logits"])
    shift = (logits.softmax(1) - expected.softmax(1)).abs().max().item()
    same = int((logits.argmax(1) == expected.argmax(1)).sum())
    print(f"\nbf16, {engine}: probability {shift:.4f}, logit {(logits - expected).abs().max():.4f}, top-1 {same} of 40")
    assert shift < 0.1
    assert same >= 39


# Networks of keras.applications, with random weights and statistics


@pytest.mark.parametrize("size", [299, 331])
@pytest.mark.parametrize(
    ("name", "ours", "ending"),
    [("InceptionV3", "inception_v3_tf", "m.weights.h5"), ("InceptionResNetV2", "inception_resnet_v2", "m.h5")],
)
def test_logits_are_those_of_keras_applications(name, ours, ending, size, keras, tmp_path):
    model = getattr(keras.applications, name)(weights=None, input_shape=(size, size, 3), classifier_activation=None)
    random = np.random.default_rng(size)
    for layer in model.layers:
        layer.set_weights([shaken(variable.shape, Path(variable.path).name, random) for variable in layer.weights])
    model.save(tmp_path / ending) if ending == "m.h5" else model.save_weights(tmp_path / ending)
    network = load(tmp_path / ending)
    assert network.definition.name == ours
    assert len(network.classes) == 1000
    assert network.preprocess.image_size == (size if ending == "m.h5" else 299)  # which weights alone do not say
    x = random.normal(size=(2, size, size, 3)).astype(np.float32) * np.float32([1, 2]).reshape(2, 1, 1, 1)
    theirs = model(x, training=False).detach().cpu()
    with torch.inference_mode():
        logits = network(torch.from_numpy(x).permute(0, 3, 1, 2))
    assert (logits[0] - logits[1]).std() > 0.05 * logits.std() > 0
    assert apart(logits, theirs) < 1e-4


def shaken(shape, leaf, random):
    """Random numbers that keep features alive, away from where Keras starts."""
    if leaf == "kernel":
        return random.normal(0, (2 / np.prod(shape[:-1])) ** 0.5, shape).astype(np.float32)
    if leaf == "moving_variance":
        return random.uniform(0.2, 1.2, shape).astype(np.float32)
    return random.normal(0, 0.3, shape).astype(np.float32)
