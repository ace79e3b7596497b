import numpy as np
import pytest
import torch
from PIL import Image

from godeeper import BadImage, GodeeperError, crop_boxes, load
from godeeper.data.crops import crops_within
from godeeper.data.dataset import ArrayDataset, FileDataset
from godeeper.data.pixels import normalise
from godeeper.evaluate import evaluate
from godeeper.preprocess import Preprocess

PLAIN = Preprocess.of(32, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def grey(levels, labels):
    return ArrayDataset(np.stack([np.full((8, 8), level, np.uint8) for level in levels]), labels, "grey")


def by_brightness(x):
    """Class 1 for bright images, class 0 for dark ones."""
    bright = x.mean((1, 2, 3))
    return torch.stack([torch.full_like(bright, 0.5), bright], 1) * 10


@pytest.mark.parametrize("batch_size", [1, 3, 400])
@pytest.mark.parametrize("crops", [1, 6, 10, 12, 144])
def test_errors_of_a_known_classifier(crops, batch_size):
    images = grey([0, 255, 0, 255, 255], [0, 1, 1, 0, 1])  # two labels are wrong
    result = evaluate(by_brightness, images, PLAIN, crops=crops, batch_size=batch_size)
    document = result.as_dict()
    expected = {"top1_error": 40.0, "top5_error": 0.0, "images": 5, "crops": crops, "skipped": []}
    assert {name: document[name] for name in expected} == expected
    assert {number: one["top1_error"] for number, one in document["by_crops"].items()} == {
        str(n): 40.0 for n in crops_within(crops)
    }


def test_probabilities_not_logits_are_averaged_over_crops():
    """Left half white, right half black: crops disagree, and the average of softmax differs from that of logits."""
    array = np.zeros((1, 8, 8), np.uint8)
    array[:, :, :4] = 255
    image = ArrayDataset(array, [1], "half")

    def lopsided(x):  # sure of class 1 only where the left edge is white and the right edge black; else a little for class 0
        sign = x[:, 0, :, 0].mean(1) - x[:, 0, :, -1].mean(1)  # +1, or -1 when mirrored
        return torch.stack([torch.zeros_like(sign), torch.where(sign > 0.5, 50.0, -0.5)], 1)

    result = evaluate(lopsided, image, PLAIN, crops=10)
    assert result.outcomes().top1_errors == 0  # softmax: (1 + 0.378) / 2 = 0.69 for class 1
    steep = evaluate(lambda x: lopsided(x) * torch.tensor([1.0, -1.0]), image, PLAIN, crops=10)
    assert steep.outcomes().top1_errors == 1  # (0 + 0.622) / 2 = 0.31


def test_144_crops_are_those_that_pillow_cuts(weights_file, tmp_path):
    """Cut by Pillow alone: resize the whole image, cut, resize, mirror."""
    network = load(weights_file)
    file = tmp_path / "photo.png"
    rows = np.random.default_rng(3).integers(0, 255, (6, 9, 3), dtype=np.uint8)
    Image.fromarray(rows).resize((90, 60), Image.Resampling.BICUBIC).save(file)
    image = Image.open(file).convert("RGB")
    ours = evaluate(network, FileDataset([file], [0]), network.preprocess, crops=144, keep=True).probabilities[0, 0]
    crops = []
    for box in crop_boxes(90, 60, network.preprocess.resize, 144):
        crop = image.resize(box.resized, Image.Resampling.BILINEAR).crop(box.box).resize((32, 32), Image.Resampling.BILINEAR)
        pixels = np.array(crop)[:, ::-1].copy() if box.flip else np.array(crop)
        crops.append(normalise(torch.from_numpy(pixels).permute(2, 0, 1), network.preprocess))
    assert len(crops) == 144
    with torch.no_grad():
        probabilities = network(torch.stack(crops)).softmax(1)
    assert probabilities.std(0).max() > 1e-3  # the crops differ, so the average says something
    assert torch.allclose(ours, probabilities.mean(0), atol=1e-3)


def test_a_bad_image_stops_unless_told_to_skip_and_is_counted(tmp_path):
    good, bad = tmp_path / "good.png", tmp_path / "bad.jpg"
    Image.new("RGB", (40, 40), (255, 255, 255)).save(good)
    bad.write_text("not an image")
    images = FileDataset([good, bad, good], [1, 1, 0])
    with pytest.raises(BadImage, match=r"bad\.jpg.*--skip-bad"):
        evaluate(by_brightness, images, PLAIN)
    result = evaluate(by_brightness, images, PLAIN, skip_bad=True)
    assert (result.images, result.outcomes().top1_errors, len(result.skipped)) == (2, 1, 1)
    assert "bad.jpg" in result.skipped[0]
    with pytest.raises(GodeeperError, match="none could be decoded"):
        evaluate(by_brightness, FileDataset([bad], [0]), PLAIN, skip_bad=True)
