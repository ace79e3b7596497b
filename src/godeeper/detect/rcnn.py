"""R-CNN as GoogLeNet used it (arXiv 1409.4842, Section 8): region proposals, each warped and classified by an ensemble."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.ops import batched_nms

from ..data.annotations import Floats
from ..data.pixels import normalise
from ..errors import GodeeperError
from ..eval_mode import eval_mode
from ..models.network import Network, device_of
from ..preprocess import Preprocess
from .detections import Detections
from .proposals import Proposer
from .regions import BACKGROUND, warp_all

NMS_IOU = 0.3  # of two boxes of a class that overlap more, the one with the higher score is kept
SCORE_THRESHOLD = 0.01  # of a detection, at least
MAX_DETECTIONS = 100  # an image
BATCH_SIZE = 256  # regions


class RCNN:
    """A detector: regions from `proposer`, classified by the mean of the networks' probabilities; boxes stay as proposed.

    Each network's last class is background. GodeeperError where it is not, or the networks' classes differ.
    """

    def __init__(self, networks: Sequence[Network], proposer: Proposer) -> None:
        self.networks, self.proposer = list(networks), proposer
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
        """The boxes (N, 4) that hold objects: scores of at least 0.01, non-maximum suppression at an IoU of 0.3, at most 100."""
        if not len(boxes):
            return Detections(boxes.reshape(0, 4), np.zeros(0, np.int64), np.zeros(0, np.float32))
        probabilities = self._probabilities(image, boxes)  # (N, classes)
        regions, labels = torch.nonzero(probabilities >= SCORE_THRESHOLD, as_tuple=True)
        scores, candidates = probabilities[regions, labels], torch.from_numpy(boxes)[regions]
        # By falling score; in doubles, as an IoU of exactly 0.3 exceeds 0.3 in float32.
        kept = batched_nms(candidates.double(), scores.double(), labels, NMS_IOU)[:MAX_DETECTIONS]
        return Detections(candidates[kept].numpy(), labels[kept].numpy(), scores[kept].numpy())

    @torch.inference_mode()
    def _probabilities(self, image: Image.Image, boxes: Floats) -> Tensor:
        """The mean probability of each class but background in each region, (N, classes)."""
        mean = torch.zeros(len(boxes), len(self.classes))
        with eval_mode(*self.networks):
            for start in range(0, len(boxes), BATCH_SIZE):
                batch = slice(start, start + BATCH_SIZE)
                warped: dict[Preprocess, Tensor] = {}  # of one batch: thousands of regions would take gigabytes
                for network in self.networks:
                    if network.preprocess not in warped:
                        warped[network.preprocess] = warp_all(image, boxes[batch], network.preprocess)
                    x = normalise(warped[network.preprocess].to(device_of(network)), network.preprocess)
                    mean[batch] += network(x).softmax(1)[:, :-1].cpu() / len(self.networks)
        return mean
