"""Small detectors that several tests share, and runs of each method, trained by the command line."""

import pytest
import torch

from godeeper import create_model
from godeeper.cli.main import status
from godeeper.detect.detector_spec import DetectorSpec, MultiBoxSpec
from godeeper.detect.faster_rcnn import FasterRCNN
from godeeper.detect.multibox import MultiBox
from scenes import voc_folder

CLASSES = ("disc", "square")
# Options of `godeeper detect train`, small ones.
SETTINGS = ["--set", "image_size=72", "--set", "longest=96", "--set", "anchors=16,32", "--set", "regions=8"]
MULTIBOX = ["--method", "multibox", "--set", "boxes=8", "--set", "image_size=64"]
COARSE = ["--superpixels", "8"]  # some forty regions of a scene: enough to try everything, and soon classified
RCNN = ["--method", "rcnn", "--small", "--set", "image_size=32", *COARSE]
SMALL = ["--model", "googlenet_bn", "--width", "0.125"]
SPLITS = {"train": range(5), "val": range(8, 10), "test": range(12, 16)}


def faster_rcnn(model="googlenet_bn", classes=CLASSES, *, regions=128, **options):
    """A Faster R-CNN on a network of an eighth of the width, always the same; `options` are fields of `DetectorSpec`."""
    torch.manual_seed(0)
    network = create_model(model, num_classes=1, width=0.125)
    options = {"pyramid_channels": 32, "pyramid_units": 128} | options
    return FasterRCNN(DetectorSpec.of(network.spec, classes, **options), network, regions=regions)


def multibox(model="googlenet_bn", image_size=64, boxes=8):
    """A MultiBox network on a network of an eighth of the width, always the same."""
    torch.manual_seed(0)
    network = create_model(model, num_classes=1, width=0.125)
    return MultiBox(MultiBoxSpec.of(network.spec, image_size, boxes=boxes, channels=8, units=64), network)


def few_of_all(cases, *few):
    """All cases as parameters of a test, those but a representative few marked slow."""
    assert set(few) <= set(cases)
    return [pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=[] if case in few else pytest.mark.slow)
            for case in cases]  # fmt: skip


def train_detectors(folder):
    """Scenes as a Pascal VOC folder, and a run of each method on them: for `make_once`."""
    folder.mkdir(exist_ok=True)
    voc_folder(folder / "voc", SPLITS)
    common = ["detect", "train", *SMALL, "--data", str(folder / "voc"), "--workers", "0", "--epochs", "1"]
    assert status([*common, "--batch-size", "4", *SETTINGS, "--out", str(folder / "faster")]) == 0
    assert status([*common, *MULTIBOX, "--out", str(folder / "multibox")]) == 0
    for seed in ("1", "2"):
        assert status([*common, *RCNN, "--seed", seed, "--out", str(folder / f"rcnn{seed}")]) == 0
