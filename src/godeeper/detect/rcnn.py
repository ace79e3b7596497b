"""R-CNN as GoogLeNet did it (arXiv 1409.4842, Section 8): proposals, each warped and classified by several networks together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.ops import batched_nms

from ..data.augment import normalise
from ..data.objects import Floats
from ..errors import GodeeperError
from ..models.network import Network, device_of
from ..preprocess import Preprocess
from .detections import Detections
from .proposals import Proposer
from .regions import BACKGROUND, warp_all

NMS_IOU = 0.3  # the Jaccard overlap beyond which the surer of two boxes of a class is kept
SCORE_THRESHOLD = 0.01  # a detection's least score
MOST = 100  # detections an image, the surest
PASS = 256  # regions


class RCNN:
    """A detector: regions that `proposer` proposes, named by the mean of the networks' probabilities; boxes stay as proposed.

    Each network's last class is background. GodeeperError where their classes differ.
    """

    def __init__(self, networks: Sequence[Network], proposer: Proposer) -> None:
        self.networks, self.proposer = [network.eval() for network in networks], proposer
        for network in networks:
            if not network.classes or network.classes[-1] != BACKGROUND:
                raise GodeeperError(
                    f"a network of {network.definition.name} is no region classifier: its last class is not {BACKGROUND!r};"
                    " train one with `godeeper detect train --method rcnn`"
                )
            if network.classes != networks[0].classes:
                raise GodeeperError("the region classifiers know different classes: train them on the same data")
        self.classes = (networks[0].classes or ())[:-1]

    def find(self, image: Image.Image) -> Detections:
        """The objects of an RGB image."""
        return self.classify(image, self.proposer(image))

    def classify(self, image: Image.Image, boxes: Floats) -> Detections:
        """Which of the boxes (N, 4) hold objects: at least 0.01 sure, the surest of those that overlap, at most 100."""
        if not len(boxes):
            return Detections(boxes.reshape(0, 4), np.zeros(0, np.int64), np.zeros(0, np.float32))
        probabilities = self._probabilities(image, boxes)
        regions, labels = torch.nonzero(probabilities >= SCORE_THRESHOLD, as_tuple=True)
        scores, found = probabilities[regions, labels], torch.from_numpy(boxes)[regions]
        kept = batched_nms(found.double(), scores.double(), labels, NMS_IOU)[:MOST]  # surest first; as floats, 0.3 exceeds 0.3
        return Detections(found[kept].numpy(), labels[kept].numpy(), scores[kept].numpy())

    @torch.inference_mode()
    def _probabilities(self, image: Image.Image, boxes: Floats) -> Tensor:
        """Of each class but background, in each region: (N, classes)."""
        total = torch.zeros(len(boxes), len(self.classes))
        for start in range(0, len(boxes), PASS):
            part = slice(start, start + PASS)
            warped: dict[Preprocess, Tensor] = {}  # of one pass: thousands of regions would be gigabytes
            for network in self.networks:
                if network.preprocess not in warped:
                    warped[network.preprocess] = warp_all(image, boxes[part], network.preprocess)
                x = normalise(warped[network.preprocess].to(device_of(network)), network.preprocess)
                total[part] += network(x).softmax(1)[:, :-1].cpu() / len(self.networks)
        return total
