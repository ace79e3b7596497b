"""Predictions for crops: against crops cut by Pillow, and the drawing of them."""

import numpy as np
import pytest
import torch
from PIL import Image

from godeeper import Predictor, Resize, crop_boxes, load, normalise, take_crops
from godeeper.explain.crop_predictions import (
    COLOURS,
    GREY,
    CropPrediction,
    class_colours,
    crop_predictions,
    crop_probabilities,
    draw_crop_predictions,
)


@pytest.fixture(scope="module")
def image():
    random = np.random.default_rng(1)
    rough = Image.fromarray(random.integers(0, 255, (6, 9, 3), dtype=np.uint8))
    return rough.resize((90, 61), Image.Resampling.BICUBIC)


def tile(sheet, place):
    left, top = place % 12 * 64, place // 12 * 70
    return np.array(sheet.crop((left, top, left + 64, top + 70)))


def colour(text):
    return tuple(bytes.fromhex(text[1:]))


@pytest.mark.parametrize("scheme", [1, 10, 12, 144])
def test_each_crop_is_predicted_as_the_crop_that_pillow_cuts(weights_file, image, scheme):
    network = load(weights_file)
    predictions = crop_predictions(network, image, scheme)
    crops = crop_boxes(90, 61, network.preprocess.resize, scheme)
    assert [prediction.crop_box for prediction in predictions] == crops
    cuts = []
    for crop in crops:
        cut = image.resize(crop.resized, Image.Resampling.BILINEAR).crop(crop.box).resize((32, 32), Image.Resampling.BILINEAR)
        cuts.append((np.array(cut)[:, ::-1] if crop.flip else np.array(cut)).copy())
    pixels = torch.tensor(np.stack(cuts)).permute(0, 3, 1, 2)
    with torch.no_grad():
        by_pillow = network(normalise(pixels, network.preprocess)).softmax(1)
        at_once = network(normalise(take_crops(image, network.preprocess, scheme), network.preprocess)).softmax(1)
    for prediction, expected in zip(predictions, by_pillow, strict=True):
        assert expected[prediction.label] >= expected.max() - 0.01
        assert prediction.probability == pytest.approx(expected[prediction.label].item(), abs=0.01)  # within a level of 255
    assert [prediction.label for prediction in predictions] == at_once.argmax(1).tolist()
    assert torch.allclose(torch.tensor([prediction.probability for prediction in predictions]), at_once.amax(1), atol=1e-5)


def test_the_mean_is_what_predict_says(weights_file, image):
    network, progress = load(weights_file), []
    mean = crop_probabilities(network, image, 144, lambda done, of: progress.append((done, of))).mean(0)
    (prediction,) = Predictor(network, engine="torch")([image], top=3, crops=144)
    assert prediction.probabilities == pytest.approx(mean.sort(descending=True).values.tolist(), abs=1e-5)
    assert prediction.labels == tuple(network.classes[index] for index in mean.argsort(descending=True))
    assert progress[-1] == (144, 144)


def test_the_network_is_left_as_it_was(weights_file, image):
    network = load(weights_file)
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    alone = crop_predictions(network, image, 10)
    network.train()
    assert crop_predictions(network, image, 10) == alone
    assert all(module.training for module in network.modules())
    assert all(torch.equal(tensor, before[key]) for key, tensor in network.state_dict().items())


def test_crops_are_drawn_in_the_colour_of_their_class_and_bars_in_its_probability():
    crops = crop_boxes(40, 32, Resize(32), 144)
    image = Image.new("RGB", (40, 32), "white")
    predictions = [CropPrediction(crop, [7, 5][n % 3 == 0], [0.25, 1.0][n % 2]) for n, crop in enumerate(crops)]
    sheet = draw_crop_predictions(image, predictions)
    assert sheet.size == (12 * 64, 12 * 70)
    for n, prediction in enumerate(predictions):
        drawn = tile(sheet, n)
        own = (*colour(COLOURS[prediction.label == 5]), 255)  # 7 has more predictions
        assert tuple(drawn[1, 1]) == tuple(drawn[62, 62]) == own
        assert tuple(drawn[32, 32]) == (255, 255, 255, 255)
        bar = (drawn[65] == own).all(1).sum()
        assert bar == pytest.approx(61 * prediction.probability, abs=1.5)
        assert not drawn[68:].any()


def test_a_row_holds_a_squares_crops_in_the_order_of_crop_boxes():
    image = Image.new("RGB", (300, 256))
    image.putpixel((0, 0), (255, 255, 255))
    left_half = Image.new("RGB", (100, 256), "red")
    image.paste(left_half, (0, 0))
    sheet = draw_crop_predictions(image, [CropPrediction(crop, 0, 0.5) for crop in crop_boxes(300, 256, Resize(224), 144)])
    first, mirrored, last = tile(sheet, 0), tile(sheet, 1), tile(sheet, 24)
    assert tuple(first[32, 8, :3]) == tuple(mirrored[32, 55, :3]) == (255, 0, 0)
    assert tuple(first[32, 55, :3]) == tuple(mirrored[32, 8, :3]) == (0, 0, 0)
    assert (last[8:56, 6:58, 0] > 128).sum() < (first[8:56, 6:58, 0] > 128).sum()  # the right square has less of it


def test_colours_go_by_votes_and_end_in_grey():
    (crop,) = crop_boxes(32, 32, Resize(32))
    predictions = [CropPrediction(crop, label, 0.5) for label in range(8) for _ in range(label + 1)]
    colours = class_colours(predictions)
    assert [colours[label] for label in range(7, -1, -1)] == [*COLOURS, GREY, GREY]
    assert class_colours([CropPrediction(crop, 3, 0.5), CropPrediction(crop, 1, 0.5)]) == {1: COLOURS[0], 3: COLOURS[1]}
    assert draw_crop_predictions(Image.new("RGB", (40, 40)), predictions[:1]).size == (64, 70)
