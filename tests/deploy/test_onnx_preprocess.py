"""Preprocessing as ONNX operators on ONNX Runtime, against what Pillow and `data` make of the same images."""

from dataclasses import replace

import numpy as np
import onnx
import onnx.parser
import onnxruntime
import pytest
import torch
from PIL import Image

from godeeper.data.pixels import normalise, take_crops
from godeeper.deploy.onnx_preprocess import with_preprocessing
from godeeper.errors import GodeeperError
from godeeper.preprocess import Normalize, Preprocess, Resize

INTERPOLATIONS = ("bilinear", "bicubic")
SIZES = [
    (500, 375),
    (333, 500),
    (47, 33),
    (80, 100),
    (56, 56),
    (65, 64),
    (1, 1),
    (36, 24),
    (10, 400),
    (640, 913),
    (1500, 2000),
]  # width, height
NETWORK = """
<ir_version: 10, opset_import: ["": 20]>
network (float[N, 3, {side}, {side}] x) => (float[N, 3] logits)
{{
    means = GlobalAveragePool (x)
    logits = Flatten <axis = 1> (means)
}}
"""


def network(side):
    """The mean of each channel as logits of three classes."""
    return onnx.parser.parse_model(NETWORK.format(side=side))


def session(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


def photograph(width, height, seed=0):
    """Gradients, edges and noise: uint8 (height, width, 3)."""
    random = np.random.default_rng(seed)
    y, x = (axis[..., None] / max(width, height) for axis in np.ogrid[:height, :width])
    waves = np.sin(random.uniform(2, 20, 3) * x + random.uniform(2, 20, 3) * y)
    edges = 60 * (x + y > random.uniform(0.2, 1.5, 3))
    return np.clip(110 + 70 * waves + edges + random.normal(0, 25, (height, width, 3)), 0, 255).astype(np.uint8)


def normalized_by(preprocess):
    """A function of images (N, H, W, 3): what the network behind the preprocessing is fed, float32 (N, 3, S, S)."""
    model = with_preprocessing(network(preprocess.image_size), preprocess)
    onnx.checker.check_model(model, full_check=True)
    model.graph.output.append(onnx.helper.make_tensor_value_info("normalized", onnx.TensorProto.FLOAT, None))
    running = session(model)
    return lambda images: running.run(["normalized"], {"image": images})[0]


def levels(normalized, preprocess):
    """Normalised images as the grey levels that they were, 0 to 255."""
    mean, std = (np.reshape(values, (3, 1, 1)) for values in (preprocess.normalize.mean, preprocess.normalize.std))
    return 255 * (normalized * std + mean)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize(("side", "fraction"), [(56, 56 / 64), (32, 1.0)])
def test_pixels_are_within_one_grey_level_of_pillows(interpolation, side, fraction):
    preprocess = Preprocess(Resize(side, crop_fraction=fraction, interpolation=interpolation))
    run = normalized_by(preprocess)
    for width, height in SIZES:
        noise = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
        for image in (photograph(width, height), noise):
            expected = normalise(take_crops(Image.fromarray(image), preprocess), preprocess).numpy()
            difference = np.abs(levels(run(image[None]), preprocess) - levels(expected, preprocess))
            assert difference.max() < 1.001, (width, height)
            assert (difference > 0.5).mean() < 0.05, (width, height)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_squashed_images_are_within_one_grey_level_of_pillows(interpolation):
    preprocess = Preprocess(Resize(48, mode="squash", interpolation=interpolation))
    method = Image.Resampling[interpolation.upper()]
    for width, height in SIZES:
        image = photograph(width, height)
        expected = np.array(Image.fromarray(image).resize((48, 48), method)).transpose(2, 0, 1)
        found = levels(normalized_by(preprocess)(image[None])[0], preprocess)
        assert np.abs(found - expected).max() < 1.001, (width, height)


def test_without_antialiasing_it_is_torchs_interpolation():
    preprocess = Preprocess(Resize(40, mode="squash", antialias=False))
    image = photograph(131, 97)
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None].float()
    expected = torch.nn.functional.interpolate(pixels, (40, 40), mode="bilinear")[0].numpy()
    found = levels(normalized_by(preprocess)(image[None])[0], preprocess)
    assert np.abs(found - expected).max() < 1.5
    smooth = normalized_by(replace(preprocess, resize=replace(preprocess.resize, antialias=True)))
    assert np.abs(levels(smooth(image[None])[0], preprocess) - expected).max() > 20


@pytest.mark.parametrize(("width", "left"), [(32, 0), (33, 0), (34, 1), (35, 2), (36, 2), (37, 2), (39, 4)])
def test_the_crop_is_where_pythons_round_puts_it(width, left):
    preprocess = Preprocess(Resize(32, crop_fraction=1.0))  # images 32 high are not resized
    run, image = normalized_by(preprocess), photograph(width, 32)
    for upright in (image, image.transpose(1, 0, 2)):
        expected = upright[:, left : left + 32] if upright is image else upright[left : left + 32]
        assert np.allclose(levels(run(upright[None])[0], preprocess), expected.transpose(2, 0, 1), atol=1e-3)


def test_every_pixel_value_is_normalised_as_in_training():
    preprocess = Preprocess(Resize(16, crop_fraction=1.0), Normalize((0.1, 0.5, 0.9), (0.2, 0.3, 0.7)))
    values = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=3)
    by_hand = (values / 255 - preprocess.normalize.mean) / preprocess.normalize.std
    assert np.abs(normalized_by(preprocess)(values) - by_hand.transpose(0, 3, 1, 2)).max() < 1e-5


def test_probabilities_are_the_softmax_of_the_networks_logits():
    model, preprocess = network(56), Preprocess(Resize(56))
    before = model.SerializeToString()
    running = session(with_preprocessing(model, preprocess))
    assert model.SerializeToString() == before
    images = np.stack([photograph(90, 70, seed) for seed in range(3)])
    (probabilities,) = running.run(None, {"image": images})
    expected = torch.from_numpy(normalized_by(preprocess)(images).mean((2, 3))).softmax(1)
    assert np.abs(probabilities - expected.numpy()).max() < 1e-5
    assert [(tensor.name, tensor.type, tensor.shape[3]) for tensor in running.get_inputs()] == [("image", "tensor(uint8)", 3)]
    assert [(tensor.name, tensor.type) for tensor in running.get_outputs()] == [("probabilities", "tensor(float)")]


@pytest.mark.parametrize(
    ("resize", "name"),
    [
        (Resize(56, interpolation="area"), "'area'"),
        (Resize(56, interpolation="nearest"), "'nearest'"),
        (Resize(56, interpolation="bicubic", antialias=False), "'bicubic' without antialiasing"),
    ],
)
def test_other_interpolations_are_refused(resize, name):
    with pytest.raises(GodeeperError, match=f"{name} cannot be written as ONNX: export without --with-preprocessing"):
        with_preprocessing(network(56), Preprocess(resize))
