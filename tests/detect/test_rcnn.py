"""R-CNN on networks that say what they are told to, against sums and loops by hand; and on real ones."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from godeeper import GodeeperError, create_model
from godeeper.data.annotations import Objects
from godeeper.data.pixels import normalise
from godeeper.detect import rcnn
from godeeper.detect.average_precision import score_detections
from godeeper.detect.iou import box_iou
from godeeper.detect.rcnn import RCNN
from godeeper.detect.regions import warp_all
from godeeper.preprocess import Preprocess
from networks import alive
from scenes import CLASSES, COLOURS, scene

NAMES = ("cat", "dog", "background")
IMAGE = Image.new("RGB", (260, 260))


class Says(nn.Module):
    """Gives each region in turn its row of a table, as probabilities."""

    def __init__(self, rows, classes=NAMES, size=16):
        super().__init__()
        self.rows = nn.Parameter(torch.as_tensor(rows, dtype=torch.float32), requires_grad=False)
        self.classes, self.preprocess, self.definition = classes, Preprocess.of(size), SimpleNamespace(name="says")
        self.sizes, self.at = [], 0

    def forward(self, x):
        assert not self.training
        self.sizes.append(tuple(x.shape))
        rows = self.rows[self.at : self.at + len(x)]
        self.at = (self.at + len(x)) % len(self.rows)
        return rows.log()


def proposing(*boxes):
    return lambda image: np.array(boxes, np.float32).reshape(-1, 4)


def as_tuples(found):
    return [
        (tuple(box), label, pytest.approx(sure, abs=1e-6))
        for box, label, sure in zip(found.boxes.tolist(), found.labels.tolist(), found.scores.tolist(), strict=True)
    ]


A, NEAR_A, B = (0, 0, 10, 10), (0, 0, 10, 8), (50, 50, 70, 70)


def test_one_network_by_hand():
    network = Says([[0.7, 0.1, 0.2], [0.6, 0.3, 0.1], [0.005, 0.895, 0.1]])
    found = RCNN([network], proposing(A, NEAR_A, B)).find(IMAGE)
    # NEAR_A is no cat, as A is the surer one, but the surer dog; 0.005 is not enough for a cat.
    assert as_tuples(found) == [(B, 1, 0.895), (A, 0, 0.7), (NEAR_A, 1, 0.3)]
    assert (found.boxes.dtype, found.labels.dtype, found.scores.dtype) == (np.float32, np.int64, np.float32)


def test_an_ensemble_is_the_mean_of_probabilities():
    one, two, three = ([[0.9, 0.0, 0.1], [0.2, 0.2, 0.6]], [[0.3, 0.3, 0.4], [0.5, 0.5, 0.0]], [[0.0, 0.6, 0.4], [0.2, 0.5, 0.3]])
    networks = [Says(one, size=16), Says(two, size=24), Says(three, size=16)]
    found = RCNN(networks, proposing(A, B)).find(IMAGE)
    assert as_tuples(found) == [(A, 0, 0.4), (B, 1, 0.4), (B, 0, 0.3), (A, 1, 0.3)] or as_tuples(found) == [
        (B, 1, 0.4), (A, 0, 0.4), (A, 1, 0.3), (B, 0, 0.3),
    ]  # fmt: skip
    assert [network.sizes for network in networks] == [[(2, 3, 16, 16)], [(2, 3, 24, 24)], [(2, 3, 16, 16)]]


def test_overlaps_of_exactly_the_threshold_stay():
    third = (0, 0, 10, 3)  # 30 of A's 100 square pixels
    rows = [[0.7, 0.1, 0.2], [0.6, 0.1, 0.3]]
    assert len(RCNN([Says(rows)], proposing(A, third)).find(IMAGE).at_least(0.5)) == 2
    assert len(RCNN([Says(rows)], proposing(A, (0, 0, 10, 3.1))).find(IMAGE).at_least(0.5)) == 1


def greedy(boxes, probabilities):
    """Suppression as its authors tell it, and the hundred surest: (box, label, score)."""
    left = []
    for label in range(probabilities.shape[1] - 1):
        order = [i for i in np.argsort(-probabilities[:, label]) if probabilities[i, label] >= rcnn.SCORE_THRESHOLD]
        while order:
            best, *order = order
            left.append((tuple(boxes[best].tolist()), label, probabilities[best, label].item()))
            overlaps = box_iou(boxes[best : best + 1], boxes[order])[0]
            order = [i for i, overlap in zip(order, overlaps, strict=True) if overlap <= 0.3]
    return sorted(left, key=lambda one: -one[2])[:100]


@pytest.mark.parametrize(("count", "classes", "side"), [(40, 2, 60), (300, 5, 40), (700, 20, 10)])
def test_suppression_against_a_loop(count, classes, side):
    random = np.random.default_rng(count)
    start = random.uniform(0, 200, (count, 2))
    boxes = np.concatenate([start, start + random.uniform(2, side, (count, 2))], 1).astype(np.float32)
    probabilities = random.dirichlet([0.2] * (classes + 1), count).clip(1e-6).astype(np.float32)
    probabilities /= probabilities.sum(1, keepdims=True)
    names = (*map(str, range(classes)), "background")
    found = RCNN([Says(probabilities, names)], lambda image: boxes).find(IMAGE)
    expected = greedy(boxes, probabilities)
    assert as_tuples(found) == expected
    assert len(found) <= 100
    assert (np.diff(found.scores) <= 0).all()


def test_passes_do_not_show(monkeypatch):
    rows = np.random.default_rng(0).dirichlet([0.5] * 3, 20)
    boxes = [(4 * i, 0, 4 * i + 4, 9) for i in range(20)]
    whole = RCNN([Says(rows)], proposing(*boxes)).find(IMAGE)
    monkeypatch.setattr(rcnn, "BATCH_SIZE", 7)
    network = Says(rows)
    parts = RCNN([network], proposing(*boxes)).find(IMAGE)
    assert [shape[0] for shape in network.sizes] == [7, 7, 6]
    assert as_tuples(parts) == as_tuples(whole)


def test_nothing_proposed_and_nothing_sure():
    network = Says([[0.001, 0.002, 0.997]])
    for boxes in ((), (A,)):
        found = RCNN([network], proposing(*boxes)).find(IMAGE)
        assert (found.boxes.shape, found.labels.shape, found.scores.shape) == ((0, 4), (0,), (0,))


def test_networks_that_do_not_fit_together():
    rows = [[0.2, 0.2, 0.6]]
    with pytest.raises(GodeeperError, match=r"no region classifier.*--method rcnn"):
        RCNN([Says(rows, ("cat", "dog", "fish"))], proposing(A))
    with pytest.raises(GodeeperError, match="no region classifier"):
        RCNN([Says(rows, None)], proposing(A))
    with pytest.raises(GodeeperError, match="different classes"):
        RCNN([Says(rows), Says(rows, ("dog", "cat", "background"))], proposing(A))


def test_real_networks_are_fed_what_they_were_trained_on():
    torch.manual_seed(0)
    networks = []
    for size in (32, 40):
        network = alive(create_model("googlenet_bn", num_classes=3, width=0.25, small=True)).train()
        network.classes, network.preprocess = NAMES, Preprocess.of(size, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.25))
        networks.append(network)
    image, _ = scene(1)
    boxes = np.array([(0, 0, 96, 72), (10, 5, 40, 60), (50.5, 20.25, 96, 72)], np.float32)
    found = RCNN(networks, lambda image: boxes).find(image)
    for network in networks:
        network.eval()
    with torch.inference_mode():
        mean = sum(
            network(normalise(warp_all(image, boxes, network.preprocess), network.preprocess)).softmax(1) for network in networks
        )
    expected = greedy(boxes, (mean / 2).numpy())
    assert len(found) == len(expected) > 0
    for ours, theirs in zip(as_tuples(found), expected, strict=True):
        assert ours[:2] == theirs[:2]
        assert math.isclose(ours[2].expected, theirs[2], rel_tol=1e-4)


class Colours(nn.Module):
    """Names a region by the colour of its middle, and is the surer the less of that is at its rim."""

    def __init__(self):
        super().__init__()
        self.classes, self.preprocess = (*CLASSES, "background"), Preprocess.of(32)
        self.definition = SimpleNamespace(name="colours")
        colours = torch.tensor([COLOURS[name] for name in CLASSES], dtype=torch.float32)[None, :, :, None, None]
        self.colours = nn.Parameter(colours / 255, requires_grad=False)

    def forward(self, x):
        pixels = x * torch.tensor(self.preprocess.normalize.std).view(3, 1, 1) + torch.tensor(
            self.preprocess.normalize.mean
        ).view(3, 1, 1)
        off = (pixels[:, None] - self.colours).abs().amax(2)  # (N, classes, H, W)
        like = (off < 0.2).float()
        inside, sides = like[..., 2:-2, 2:-2].mean((2, 3)), [like[..., :2, :], like[..., -2:, :], like[..., :2], like[..., -2:]]
        around = torch.stack([side.mean((2, 3)) for side in sides]).amax(0)
        return torch.cat([12 * (inside - around) - 6, torch.zeros(len(x), 1)], 1)


def test_scenes_are_found_where_they_are():
    random, found, there = np.random.default_rng(0), [], []
    detector = RCNN([Colours()], proposing())
    for number in range(6):
        image, objects = scene(number)
        boxes = np.array([box for _, *box in objects], np.float32)
        start = random.uniform(0, (70, 50), (200, 2))
        others = np.concatenate([start, start + random.uniform(12, 22, (200, 2))], 1).astype(np.float32)
        found.append(detector.classify(image, np.concatenate([others, boxes])))
        labels = np.array([CLASSES.index(name) for name, *_ in objects], np.int64)
        there.append(Objects(boxes, labels, np.zeros(len(boxes), np.bool_)))
    assert score_detections(found, there, CLASSES).mean_average_precision > 80
