"""Small detectors that several tests share."""

import torch

from godeeper import create_model
from godeeper.detect.detector_spec import DetectorSpec, MultiBoxSpec
from godeeper.detect.faster_rcnn import FasterRCNN
from godeeper.detect.multibox import MultiBox

CLASSES = ("disc", "square")


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
