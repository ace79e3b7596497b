"""The preprocessing as ONNX nodes, in onnxruntime: pixel for pixel what Pillow and `data` make of the same images."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from godeeper.data.augment import normalise
from godeeper.data.views import take_views
from godeeper.deploy import image_graph
from godeeper.deploy.image_graph import with_preprocessing
from godeeper.errors import GodeeperError
from godeeper.preprocess import Preprocess

INTERPOLATIONS = ("bilinear", "bicubic", "area", "nearest")
SIZES = [  # width, height: down and up, long, by whole factors, and where halves are rounded
    *[
        (500, 375),
        (375, 500),
        (333, 500),
        (1279, 851),
        (1, 1),
        (2, 3),
        (47, 33),
        (80, 100),
        (56, 56),
        (64, 64),
        (65, 64),
        (67, 64),
    ],
    *[(36, 24), (18, 12), (64, 71), (128, 128), (256, 192), (73, 64), (1000, 10), (10, 1000), (10_000, 1), (3, 299)],
]
SMALL = Preprocess.of(56, crop_fraction=56 / 64)


def photograph(width, height, seed=0):
    """Gradients, edges and noise: uint8 (height, width, 3)."""
    random = np.random.default_rng(seed)
    y, x = (axis[..., None] / max(width, height) for axis in np.ogrid[:height, :width])
    waves = np.sin(random.uniform(2, 20, 3) * x + random.uniform(2, 20, 3) * y)
    edges = 60 * (x + y > random.uniform(0.2, 1.5, 3))
    return np.clip(110 + 70 * waves + edges + random.normal(0, 25, (height, width, 3)), 0, 255).astype(np.uint8)


def network(side, classes=5, shape=("N", 3), kind=TensorProto.FLOAT, opset=20, name="x"):
    """Two linear layers as ONNX, and their weights."""
    random = np.random.default_rng(3)
    weights = [random.normal(0, 0.02, sizes).astype(np.float32) for sizes in ((3 * side * side, 8), (8, classes))]
    nodes = [
        helper.make_node("Flatten", [name], ["flat"]),
        helper.make_node("MatMul", ["flat", "first"], ["hidden"]),
        helper.make_node("MatMul", ["hidden", "second"], ["logits"]),
    ]
    given = helper.make_tensor_value_info(name, kind, [*shape, side, side])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [shape[0], classes])
    tensors = [numpy_helper.from_array(values, name) for values, name in zip(weights, ("first", "second"), strict=True)]
    graph = helper.make_graph(nodes, "toy", [given], [logits], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8, producer_name="toys")
    helper.set_model_props(model, {"classes": '["cat"]'})
    return model, weights


def session(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


def fed(preprocess):
    """A function of images (N, H, W, 3): what the network behind the preprocessing is fed, float32 (N, 3, S, S)."""
    model = with_preprocessing(network(preprocess.image_size)[0], preprocess)
    onnx.checker.check_model(model, full_check=True)
    model.graph.output.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, None))
    running = session(model)
    return lambda images: running.run(["x"], {"image": images})[0]


def ours(images, preprocess):
    """What `data` makes of images for the network: (N, 3, S, S)."""
    return normalise(torch.cat([take_views(Image.fromarray(one), preprocess) for one in images]), preprocess).numpy()


def levels(found, preprocess):
    """Normalised images as the pixels that they were."""
    mean, std = (np.reshape(values, (3, 1, 1)) for values in (preprocess.normalize.mean, preprocess.normalize.std))
    return 255 * (found * std + mean)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize(("side", "share"), [(56, 56 / 64), (32, 1.0), (75, 0.6)])
def test_images_of_any_size_become_the_same_numbers(interpolation, side, share):
    preprocess = Preprocess.of(side, crop_fraction=share, interpolation=interpolation)
    run = fed(preprocess)
    for width, height in SIZES:
        noise = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
        for image in (photograph(width, height), noise):
            assert np.array_equal(run(image[None]), ours([image], preprocess)), (width, height)


@pytest.mark.parametrize("length", [49, 98, 196, 392, 394])
def test_a_box_filter_ends_where_pillows_does(length):
    preprocess = Preprocess.of(8, crop_fraction=1, interpolation="area")  # 49 * (1 / 49) is less than 1
    image = photograph(length, length)
    assert np.array_equal(fed(preprocess)(image[None]), ours([image], preprocess))


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_at_the_size_of_imagenet(interpolation):
    preprocess = Preprocess.of(interpolation=interpolation)
    run = fed(preprocess)
    for width, height in [(500, 375), (640, 913)]:
        image = photograph(width, height)
        assert np.array_equal(run(image[None]), ours([image], preprocess))


@pytest.mark.parametrize(("width", "left"), [(32, 0), (33, 0), (34, 1), (35, 2), (36, 2), (37, 2), (39, 4)])
def test_the_crop_is_where_pythons_round_puts_it(width, left):
    preprocess = Preprocess.of(32, crop_fraction=1)  # images 32 high are not resized
    run, image = fed(preprocess), photograph(width, 32)
    for upright in (image, image.transpose(1, 0, 2)):
        expected = upright[:, left : left + 32] if upright is image else upright[left : left + 32]
        assert np.allclose(levels(run(upright[None])[0], preprocess), expected.transpose(2, 0, 1), atol=1e-3)


def test_every_pixel_value_is_normalised_as_in_training():
    preprocess = Preprocess.of(16, crop_fraction=1, mean=(0.1, 0.5, 0.9), std=(0.2, 0.3, 0.7))
    values = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=3)
    found, by_hand = fed(preprocess)(values), (values / 255 - preprocess.normalize.mean) / preprocess.normalize.std
    assert np.abs(found - by_hand.transpose(0, 3, 1, 2)).max() < 1e-6
    assert np.array_equal(found, ours(values, preprocess))


@pytest.mark.parametrize(("interpolation", "expected"), [("bilinear", 32), ("bicubic", 32), ("area", 32), ("nearest", 0)])
def test_what_is_made_smaller_is_antialiased(interpolation, expected):
    preprocess = Preprocess.of(8, crop_fraction=1, interpolation=interpolation)
    image = np.zeros((1, 64, 64, 3), np.uint8)
    image[:, :, ::8] = 255  # an eighth, whichever columns an even filter weighs: 255 / 8, rounded
    pixels = levels(fed(preprocess)(image)[0], preprocess)
    assert np.abs(pixels[:, :, 2:-2] - expected).max() < 1e-3


def test_pillow_resizes_very_tall_images_rows_first():
    image = np.random.default_rng(2).integers(0, 256, (1, 2000, 3, 3), dtype=np.uint8)
    for interpolation, bound in (("bilinear", 1), ("bicubic", 26), ("area", 0), ("nearest", 0)):
        preprocess = Preprocess.of(56, interpolation=interpolation)
        found, expected = (levels(one, preprocess) for one in (fed(preprocess)(image), ours(image, preprocess)))
        assert np.abs(found - expected).max() < bound + 1e-3


def test_probabilities_are_the_networks_own():
    model, (first, second) = network(56)
    images = np.stack([photograph(90, 70, seed) for seed in range(3)])
    expected = torch.from_numpy(ours(images, SMALL).reshape(3, -1) @ first @ second).softmax(1).numpy()
    running = session(with_preprocessing(model, SMALL))
    (probabilities,) = running.run(None, {"image": images})
    assert np.ptp(expected, axis=0).min() > 0.01
    assert np.abs(probabilities - expected).max() < 1e-6
    assert [(one.name, one.type, one.shape) for one in running.get_inputs()] == [("image", "tensor(uint8)", ["N", "H", "W", 3])]
    assert [(one.name, one.type, one.shape) for one in running.get_outputs()] == [("probabilities", "tensor(float)", ["N", 5])]


@pytest.mark.parametrize("opset", [11, 15, 18, 21])
def test_the_model_is_kept(opset):
    model, _ = network(56, opset=opset, shape=(2, 3))
    before = model.SerializeToString()
    found = with_preprocessing(model, SMALL)
    assert model.SerializeToString() == before
    assert found.opset_import[0].version == max(opset, image_graph.OLDEST)
    assert [(one.key, one.value) for one in found.metadata_props] == [("classes", '["cat"]')]
    assert all(tensor in list(found.graph.initializer) for tensor in model.graph.initializer)
    assert found.graph.input[0].type.tensor_type.shape.dim[0].dim_value == 2
    if opset >= image_graph.OLDEST:
        assert (found.ir_version, found.producer_name) == (8, "toys")
        assert all(node in list(found.graph.node) for node in model.graph.node)
    images = np.stack([photograph(90, 70, seed) for seed in range(2)])
    assert np.allclose(session(found).run(None, {"image": images})[0].sum(1), 1)


def test_weights_may_be_listed_as_inputs():
    model, _ = network(56)
    model.graph.input.append(helper.make_tensor_value_info("first", TensorProto.FLOAT, [3 * 56 * 56, 8]))
    assert [one.name for one in with_preprocessing(model, SMALL).graph.input] == ["image", "first"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"side": 56, "shape": ("N", 1)}, r"not float32 \(N, 3, 56, 56\) but \(N, 1, 56, 56\): export without"),
        ({"side": 64}, r"not float32 \(N, 3, 56, 56\) but \(N, 3, 64, 64\)"),
        ({"side": 56, "kind": TensorProto.UINT8}, r"input is not float32"),
        ({"side": 56, "name": "image"}, r"has a tensor 'image' of its own"),
    ],
)
def test_other_models_are_refused(arguments, message):
    with pytest.raises(GodeeperError, match=message):
        with_preprocessing(network(**arguments)[0], SMALL)


def test_a_model_of_two_outputs_is_refused():
    model, _ = network(56)
    model.graph.output.append(helper.make_tensor_value_info("hidden", TensorProto.FLOAT, None))
    with pytest.raises(GodeeperError, match="1 inputs and 2 outputs, not one each"):
        with_preprocessing(model, SMALL)


def test_an_interpolation_without_a_filter_is_refused(monkeypatch):
    monkeypatch.setattr(image_graph, "REACH", {"bilinear": 1.0})
    with pytest.raises(
        GodeeperError, match="interpolation 'cubic' cannot be written as ONNX: export without --with-preprocessing"
    ):
        with_preprocessing(network(56)[0], Preprocess.of(56, interpolation="bicubic"))
