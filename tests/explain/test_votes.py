"""Votes: against each crop cut by Pillow and shown to the network by itself, and the drawing of them."""

import numpy as np
import pytest
import torch
from PIL import Image

from godeeper import Predictor, load, normalise, take_views, views
from godeeper.explain.votes import COLOURS, GREY, Vote, crop_probabilities, crop_votes, draw_votes, vote_colours


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
def test_each_crop_votes_as_it_does_alone(weights_file, image, scheme):
    network = load(weights_file)
    votes = crop_votes(network, image, scheme)
    crops = views(90, 61, 32, scheme, network.preprocess.resize.shorter_side)
    assert [vote.view for vote in votes] == crops
    for vote, view in zip(votes, crops, strict=True):
        cut = image.resize(view.resize, Image.Resampling.BILINEAR).crop(view.box).resize(view.out, Image.Resampling.BILINEAR)
        pixels = np.array(cut)[:, ::-1] if view.flip else np.array(cut)
        with torch.no_grad():
            alone = network(normalise(torch.tensor(pixels.copy()).permute(2, 0, 1)[None], network.preprocess)).softmax(1)[0]
        assert alone[vote.label] >= alone.max() - 0.01
        assert vote.probability == pytest.approx(alone[vote.label].item(), abs=0.01)  # within a level of 255
    with torch.no_grad():
        at_once = network(normalise(take_views(image, network.preprocess, scheme), network.preprocess)).softmax(1)
    assert [vote.label for vote in votes] == at_once.argmax(1).tolist()
    assert torch.allclose(torch.tensor([vote.probability for vote in votes]), at_once.amax(1), atol=1e-5)


def test_the_mean_is_what_predict_says(weights_file, image):
    network, told = load(weights_file), []
    mean = crop_probabilities(network, image, 144, lambda done, of: told.append((done, of))).mean(0)
    (said,) = Predictor(network, engine="torch")([image], top=3, crops=144)
    assert said.probabilities == pytest.approx(mean.sort(descending=True).values.tolist(), abs=1e-5)
    assert said.labels == tuple(network.classes[index] for index in mean.argsort(descending=True))
    assert told[-1] == (144, 144)


def test_the_network_is_left_as_it_was(weights_file, image):
    network = load(weights_file)
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    alone = crop_votes(network, image, 10)
    network.train()
    assert crop_votes(network, image, 10) == alone
    assert all(module.training for module in network.modules())
    assert all(torch.equal(tensor, before[key]) for key, tensor in network.state_dict().items())


def test_crops_are_drawn_in_the_colour_of_their_class_and_bars_in_its_probability():
    crops = views(40, 32, 32, 144)
    image = Image.new("RGB", (40, 32), "white")
    votes = [Vote(view, [7, 5][n % 3 == 0], [0.25, 1.0][n % 2]) for n, view in enumerate(crops)]
    sheet = draw_votes(image, votes)
    assert sheet.size == (12 * 64, 12 * 70)
    for n, vote in enumerate(votes):
        drawn = tile(sheet, n)
        own = (*colour(COLOURS[vote.label == 5]), 255)  # 7 has more votes
        assert tuple(drawn[1, 1]) == tuple(drawn[62, 62]) == own
        assert tuple(drawn[32, 32]) == (255, 255, 255, 255)
        bar = (drawn[65] == own).all(1).sum()
        assert bar == pytest.approx(61 * vote.probability, abs=1.5)
        assert not drawn[68:].any()


def test_a_row_holds_a_squares_crops_in_the_order_of_the_views():
    image = Image.new("RGB", (300, 256))
    image.putpixel((0, 0), (255, 255, 255))
    left_half = Image.new("RGB", (100, 256), "red")
    image.paste(left_half, (0, 0))
    sheet = draw_votes(image, [Vote(view, 0, 0.5) for view in views(300, 256, 224, 144)])
    first, mirrored, last = tile(sheet, 0), tile(sheet, 1), tile(sheet, 24)
    assert tuple(first[32, 8, :3]) == tuple(mirrored[32, 55, :3]) == (255, 0, 0)
    assert tuple(first[32, 55, :3]) == tuple(mirrored[32, 8, :3]) == (0, 0, 0)
    assert (last[8:56, 6:58, 0] > 128).sum() < (first[8:56, 6:58, 0] > 128).sum()  # the right square has less of it


def test_colours_go_by_votes_and_end_in_grey():
    (view,) = views(32, 32, 32, 1)
    votes = [Vote(view, label, 0.5) for label in range(8) for _ in range(label + 1)]
    colours = vote_colours(votes)
    assert [colours[label] for label in range(7, -1, -1)] == [*COLOURS, GREY, GREY]
    assert vote_colours([Vote(view, 3, 0.5), Vote(view, 1, 0.5)]) == {1: COLOURS[0], 3: COLOURS[1]}
    assert draw_votes(Image.new("RGB", (40, 40)), votes[:1]).size == (64, 70)
